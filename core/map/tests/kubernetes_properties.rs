//! What holds for any objects of a cluster.

mod lab;

use std::collections::BTreeSet;

use lab::cluster::{
    headless, ingress, namespace as namespace_of, node, pod, policy, selector, service, slice, uid,
};
use lab::{HOST, Lab, at, client, listener, server};
use proptest::prelude::*;
use proptest::sample::select;
use servicemap_map::model::{
    BackendPort, EventData, Fact, FactBody, FlowDelta, IngressKind, KubernetesFact, Origin, PodPhase,
    PolicyPeer, SourceId, Timestamp, TopologyChange,
};

const NAMESPACES: &[&str] = &["shop", "billing"];
const NAMES: &[&str] = &["a", "b", "c"];
const PODS: &[&str] = &["10.1.0.2", "10.1.0.3", "10.1.0.4", "fd00:1::2"];
const ADDRESSES: &[&str] = &["10.96.0.1", "10.96.0.2", "203.0.113.5"];
const REMOTES: &[&str] =
    &["10.1.0.2", "10.1.0.3", "10.1.0.9", "10.96.0.1", "10.96.0.2", "203.0.113.5", "172.16.0.2", "fd00:1::2"];
const PORTS: &[u16] = &[80, 8080, 30_080];

/// The pod whose sockets are seen; nothing happens to it.
const CLIENT: u64 = 7;

fn object() -> impl Strategy<Value = KubernetesFact> {
    let place = (select(NAMESPACES), select(NAMES), select(NAMES), select(PODS));
    (place, select(ADDRESSES), select(PORTS), 0..13u8).prop_map(
        |((namespace, name, other, ip), address, port, kind)| {
            let one = pod(namespace, &format!("{namespace}-{other}"), other, ip);
            match kind {
                0 | 1 => one.label("app", other).into(),
                2 => one.on_host("far").declares(port).into(),
                3 => service(namespace, name, address).port("", port).into(),
                4 => service(namespace, name, address).node_port(port, 30_080).into(),
                5 => headless(namespace, name).into(),
                10 => namespace_of(namespace, &[("team", other)]),
                11 => ingress(namespace, other, "shop.example")
                    .leads_to(namespace, name, Some(BackendPort::Number(port)))
                    .into(),
                12 => policy(namespace, name, &[])
                    .restricts_egress()
                    .lets_in(
                        &[PolicyPeer::Pods { namespaces: None, pods: Some(selector(&[("app", name)])) }],
                        &[],
                    )
                    .into(),
                9 => service(namespace, name, address).port("", port).selects("app", other).into(),
                6 | 7 => slice(namespace, name).port("", 8080).holds(&one).by_hand("172.16.0.2").into(),
                _ => node("far", "172.16.0.2"),
            }
        },
    )
}

fn gone() -> impl Strategy<Value = KubernetesFact> {
    (select(NAMESPACES), select(NAMES), select(PODS), 0..7u8).prop_map(|(namespace, name, ip, kind)| {
        let (namespace_of, name_of) = (namespace.into(), name.into());
        match kind {
            0 => KubernetesFact::ServiceGone { namespace: namespace_of, name: name_of },
            1 => KubernetesFact::EndpointSliceGone {
                namespace: namespace_of,
                name: format!("{name}-1").into(),
            },
            2 => pod(namespace, &format!("{namespace}-{name}"), name, ip).phase(PodPhase::Failed).into(),
            3 => KubernetesFact::NamespaceGone { name: namespace_of },
            4 => {
                let kind = IngressKind::Ingress;
                KubernetesFact::IngressGone { kind, namespace: namespace_of, name: name_of }
            }
            5 => KubernetesFact::NetworkPolicyGone { namespace: namespace_of, name: name_of },
            _ => KubernetesFact::NodeGone { name: "far".into() },
        }
    })
}

/// Objects of one namespace that come and go, no two of which have the same name.
fn named_apart() -> impl Strategy<Value = KubernetesFact> {
    (select(NAMES), select(NAMES), select(PODS), select(ADDRESSES), 0..7u8).prop_map(
        |(name, other, ip, address, kind)| {
            let one = pod("shop", &format!("pod-{other}"), &format!("of-{other}"), ip).label("app", other);
            let front = service("shop", name, address).port("", 80);
            match kind {
                0 | 1 => one.into(),
                2 | 3 => front.selects("app", other).into(),
                4 => slice("shop", name).port("", 8080).holds(&one).into(),
                5 => KubernetesFact::PodGone { uid: uid(&format!("pod-{other}")).into() },
                _ => KubernetesFact::ServiceGone { namespace: "shop".into(), name: name.into() },
            }
        },
    )
}

fn flow() -> impl Strategy<Value = FlowDelta> {
    (select(REMOTES), select(PORTS), 1..4u64).prop_map(|(remote, port, opened)| {
        client("curl", remote, port).in_cgroup(CLIENT).in_namespace(2).opened(opened).into()
    })
}

/// A fact's body with the second at which it is true.
type Told = (u16, FactBody);

fn boxed(object: KubernetesFact) -> FactBody {
    FactBody::Kubernetes(Box::new(object))
}

/// One fact an object: of two the later told would win, and order would matter.
fn name_of(body: &FactBody) -> Option<String> {
    let FactBody::Kubernetes(object) = body else { return None };
    Some(match &**object {
        KubernetesFact::Service(one) => format!("service {}/{}", one.namespace, one.name),
        KubernetesFact::EndpointSlice(one) => format!("slice {}/{}", one.namespace, one.name),
        KubernetesFact::Pod(one) => format!("pod {}", one.uid),
        KubernetesFact::Namespace(one) => format!("namespace {}", one.name),
        KubernetesFact::Ingress(one) => format!("ingress {}/{}", one.namespace, one.name),
        KubernetesFact::NetworkPolicy(one) => format!("policy {}/{}", one.namespace, one.name),
        other => format!("{other:?}"),
    })
}

fn tell(lab: &mut Lab, second: u16, body: FactBody) {
    let at: Timestamp = at(f64::from(second));
    let body = match body {
        FactBody::Flow(delta) => FactBody::Flow(FlowDelta { first: at, last: at, ..delta }),
        other => other,
    };
    lab.map.apply(Fact { at, origin: Origin { source: SourceId::Kubernetes, sequence: 0 }, body });
}

fn cluster() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(CLIENT, &pod("shop", "client", "client", "10.1.0.1"));
    lab.settle();
    lab
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_order_in_which_objects_and_flows_are_told_does_not_show(
        (facts, shuffled) in prop::collection::vec(
            (0..20u16, prop_oneof![3 => object().prop_map(boxed), 2 => flow().prop_map(FactBody::Flow)]), 1..30)
            .prop_map(|mut facts: Vec<Told>| {
                let mut named = BTreeSet::new();
                facts.retain(|(_, body)| name_of(body).is_none_or(|name| named.insert(name)));
                facts
            })
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
    ) {
        let settle = |facts: Vec<Told>| {
            let mut lab = cluster();
            for (second, body) in facts {
                tell(&mut lab, second, body);
            }
            lab.now = at(20.0);
            lab.until(60.0);
            serde_json::to_value(lab.snapshot()).unwrap()
        };
        prop_assert_eq!(settle(facts), settle(shuffled));
    }

    #[test]
    fn no_open_connection_is_lost_or_counted_twice_whatever_objects_come_and_go(
        steps in prop::collection::vec(
            (1..15u16, prop_oneof![
                2 => object().prop_map(boxed),
                1 => gone().prop_map(boxed),
                2 => flow().prop_map(FactBody::Flow),
            ]),
            1..30,
        ),
    ) {
        let mut lab = cluster();
        let (mut opened, mut second) = (0, 0);
        for (pause, body) in steps {
            second += pause;
            lab.until(f64::from(second));
            if let FactBody::Flow(delta) = &body {
                opened += delta.opened;
            }
            tell(&mut lab, second, body);
            lab.settle();
        }
        lab.until(f64::from(second) + 11.0);
        let active: u64 = lab.snapshot().connections.iter().map(|edge| edge.totals.active).sum();
        prop_assert_eq!(active, opened);
    }

    #[test]
    fn topology_events_say_what_became_of_the_graph_whatever_objects_come_and_go(
        steps in prop::collection::vec(
            (0..4u16, prop_oneof![
                2 => named_apart().prop_map(boxed),
                2 => flow().prop_map(FactBody::Flow),
            ]),
            1..40,
        ),
    ) {
        let mut lab = cluster();
        lab.until(5.0);
        lab.events();
        let mut graph = Graph::of(&lab);
        let mut second = 5;
        let mut told = Vec::new();
        for (pause, body) in steps {
            second += pause;
            lab.until(f64::from(second));
            tell(&mut lab, second, body);
            lab.settle();
            told.extend(lab.events());
        }
        lab.until(f64::from(second) + 13.0);
        told.extend(lab.events());
        for event in told {
            let EventData::Topology(change) = &event.data else { continue };
            prop_assert_eq!((change.service_count_before, change.connection_count_before), graph.counts());
            graph.apply(change);
            prop_assert_eq!((change.service_count, change.connection_count), graph.counts());
        }
        prop_assert_eq!(graph, Graph::of(&lab));
    }
}

/// A graph as somebody has it who reads topology events.
#[derive(Debug, PartialEq)]
struct Graph {
    services: BTreeSet<String>,
    edges: BTreeSet<String>,
}

impl Graph {
    fn of(lab: &Lab) -> Self {
        let services = lab.snapshot().services.iter().map(|service| service.id.path()).collect();
        Self { services, edges: lab.edges().into_iter().collect() }
    }

    fn counts(&self) -> (u64, u64) {
        (self.services.len() as u64, self.edges.len() as u64)
    }

    fn apply(&mut self, change: &TopologyChange) {
        let name = |path: &str| {
            let renamed = change.renamed.iter().find(|one| one.from.path() == path);
            renamed.map_or_else(|| path.to_owned(), |one| one.to.path())
        };
        let edge = |key: &String| match (key.split_once("->"), key.rsplit_once(':')) {
            (Some((source, _)), Some((ends, port))) => {
                let destination = ends.strip_prefix(&format!("{source}->")).unwrap_or_default();
                format!("{}->{}:{port}", name(source), name(destination))
            }
            _ => unreachable!("{key}"),
        };
        let take = |all: &mut BTreeSet<String>, gone: &[String]| {
            for one in gone {
                assert!(all.remove(one), "{one} went and was not among {all:?}");
            }
        };
        let put = |all: &mut BTreeSet<String>, came: &[String]| {
            for one in came {
                assert!(all.insert(one.clone()), "{one} came and was among {all:?}");
            }
        };
        take(&mut self.services, &change.services_removed);
        take(&mut self.edges, &change.connections_removed);
        self.edges = self.edges.iter().map(edge).collect();
        // One that came within the same window was told by an event of its own alone.
        for one in &change.renamed {
            self.services.remove(&one.from.path());
        }
        put(&mut self.services, &change.services_added);
        put(&mut self.edges, &change.connections_added);
    }
}

#[test]
fn a_map_without_objects_is_the_same_whether_or_not_a_cluster_was_announced() {
    let run = |announced: bool| {
        let mut lab = Lab::new();
        if announced {
            let origin = Origin { source: SourceId::Kubernetes, sequence: 0 };
            lab.map.apply(Fact { at: lab.now, origin, body: FactBody::Ready(SourceId::Kubernetes) });
        }
        lab.cgroup(7, &lab::cluster::path_of(&uid("web-1")));
        lab.address(HOST, "10.0.0.5");
        lab.tell(listener("web", "0.0.0.0", 80).in_cgroup(7));
        lab.tell(client("curl", "10.0.0.5", 80).opened(1));
        lab.tell(client("curl", "10.96.0.1", 443).in_cgroup(7).opened(1));
        lab.tell(server("web", "10.1.0.9", 80).in_cgroup(7).opened(1));
        lab.settle();
        (lab.edges(), lab.services())
    };
    assert_eq!(run(true), run(false));
    let id = &lab::cluster::container_of(&uid("web-1"))[..12];
    let expected = [
        format!("box/{id}->/10.96.0.1:443/tcp"),
        format!("box/curl->box/{id}:80/tcp"),
        format!("/10.1.0.9->box/{id}:80/tcp"),
    ];
    assert_eq!(run(false).0, expected);
}
