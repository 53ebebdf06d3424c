//! What network policies allow in the map that is seen.

mod lab;

use std::sync::Arc;

use lab::cluster::{PodObject, namespace, pod, policy, selector, service, slice};
use lab::{Lab, client, server};
use servicemap_map::model::{
    AddressRange, EventData, EventType, KubernetesFact, LabelExpression, LabelOperator, LabelSelector,
    PolicyPeer, PolicyPort, PolicySide, TopologyChange,
};

/// The network namespace of the pods.
const POD: u32 = 2;

const EDGE: &str = "shop/web->shop/api:80/tcp";

fn api() -> PodObject {
    pod("shop", "api-1", "api", "10.1.0.9").label("app", "api").names_port("http", 8080)
}

/// Pods `web` (in cgroup 7) and `api` behind a Service of that name at 80, which leads to 8080; `web` has connected to it.
fn shop() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.object(namespace("shop", &[("kubernetes.io/metadata.name", "shop"), ("team", "a")]));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1").label("app", "web"));
    lab.object(api());
    lab.object(service("shop", "api", "10.96.0.9").port("http", 80));
    lab.object(slice("shop", "api").port("http", 8080).holds(&api()));
    lab.tell(client("web", "10.96.0.9", 80).in_cgroup(7).opened(1));
    lab.until(3.0);
    assert_eq!(lab.edges(), [EDGE]);
    lab.events();
    lab
}

/// Connections that no policy allows, and where.
fn disallowed(lab: &mut Lab) -> Vec<(String, Vec<PolicySide>)> {
    lab.settle();
    let all = lab.snapshot().topology.disallowed_connections;
    all.into_iter().map(|one| (one.connection, one.denied_by)).collect()
}

fn allowed(lab: &mut Lab) -> bool {
    disallowed(lab).is_empty()
}

fn denied(sides: &[PolicySide]) -> Vec<(String, Vec<PolicySide>)> {
    vec![(EDGE.to_owned(), sides.to_vec())]
}

fn pods(labels: &[(&str, &str)]) -> PolicyPeer {
    PolicyPeer::Pods { pods: Some(selector(labels)), namespaces: None }
}

fn namespaces(labels: &[(&str, &str)]) -> PolicyPeer {
    PolicyPeer::Pods { pods: None, namespaces: Some(selector(labels)) }
}

fn block(range: &str, except: &[&str]) -> PolicyPeer {
    let read = |text: &str| AddressRange::parse(text).unwrap_or_else(|| unreachable!("{text}"));
    PolicyPeer::Block { range: read(range), except: except.iter().map(|text| read(text)).collect() }
}

fn port(port: u16) -> PolicyPort {
    PolicyPort::Range { first: port, last: port }
}

fn topologies(lab: &mut Lab) -> Vec<Arc<TopologyChange>> {
    let events = lab.events();
    let topologies = events.iter().filter(|event| event.event_type == EventType::TopologyChanged);
    let changes = topologies.map(|event| match &event.data {
        EventData::Topology(change) => change.clone(),
        _ => unreachable!("{event:?}"),
    });
    changes.collect()
}

#[test]
fn without_any_policy_nothing_is_found() {
    let mut lab = shop();
    assert!(allowed(&mut lab));
    assert!(lab.snapshot().topology.unrestricted_services.is_empty());
}

#[test]
fn pods_that_are_selected_accept_from_nobody_but_by_a_rule() {
    let mut lab = shop();
    let closed = policy("shop", "api", &[("app", "api")]).restricts_ingress();
    lab.object(closed.clone());
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Ingress]));
    lab.object(closed.clone().lets_in(&[pods(&[("app", "other")])], &[]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Ingress]));
    lab.object(closed.lets_in(&[pods(&[("app", "web")])], &[]));
    assert!(allowed(&mut lab));
}

#[test]
fn pods_that_are_selected_connect_to_nobody_but_by_a_rule() {
    let mut lab = shop();
    let closed = policy("shop", "web", &[("app", "web")]).restricts_egress();
    lab.object(closed.clone());
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Egress]));
    lab.object(closed.lets_out(&[pods(&[("app", "api")])], &[]));
    assert!(allowed(&mut lab));
}

#[test]
fn both_sides_have_to_allow_it() {
    let mut lab = shop();
    lab.object(policy("shop", "all", &[]).restricts_ingress().restricts_egress());
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Egress, PolicySide::Ingress]));
    lab.object(policy("shop", "in", &[]).lets_in(&[], &[]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Egress]));
    lab.object(policy("shop", "out", &[]).lets_out(&[], &[]));
    assert!(allowed(&mut lab));
}

#[test]
fn a_policy_of_pods_elsewhere_or_of_the_other_direction_does_not_matter() {
    let mut lab = shop();
    lab.object(policy("bank", "all", &[]).restricts_ingress());
    lab.object(policy("shop", "others", &[("app", "db")]).restricts_ingress());
    lab.object(policy("shop", "web", &[("app", "web")]).restricts_ingress());
    lab.object(policy("shop", "api", &[("app", "api")]).restricts_egress());
    assert!(allowed(&mut lab));
}

#[test]
fn ports_are_those_of_the_pods_not_of_the_service() {
    let mut lab = shop();
    let opens = |ports: &[PolicyPort]| policy("shop", "api", &[("app", "api")]).lets_in(&[], ports);
    lab.object(opens(&[port(80)]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Ingress]));
    lab.object(opens(&[port(8080)]));
    assert!(allowed(&mut lab));
    lab.object(opens(&[PolicyPort::Range { first: 8000, last: 8079 }]));
    assert!(!allowed(&mut lab));
    lab.object(opens(&[PolicyPort::Range { first: 8000, last: 8080 }]));
    assert!(allowed(&mut lab));
    lab.object(opens(&[PolicyPort::Named("metrics".into())]));
    assert!(!allowed(&mut lab));
    lab.object(opens(&[PolicyPort::Named("http".into())]));
    assert!(allowed(&mut lab));
}

#[test]
fn an_egress_rule_names_ports_of_the_pods_at_the_other_end() {
    let mut lab = shop();
    let out = policy("shop", "web", &[("app", "web")]);
    lab.object(out.clone().lets_out(&[], &[PolicyPort::Named("metrics".into())]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Egress]));
    lab.object(out.lets_out(&[], &[PolicyPort::Named("http".into())]));
    assert!(allowed(&mut lab));
}

#[test]
fn a_pod_selector_alone_means_the_policys_own_namespace() {
    let mut lab = shop();
    lab.object(namespace("bank", &[("kubernetes.io/metadata.name", "bank"), ("team", "b")]));
    lab.runs(8, &pod("bank", "ledger-1", "ledger", "10.1.0.5").label("app", "web"));
    lab.tell(client("ledger", "10.96.0.9", 80).in_cgroup(8).opened(1));
    let api = policy("shop", "api", &[("app", "api")]);
    lab.object(api.clone().lets_in(&[pods(&[("app", "web")])], &[]));
    let from_bank = "bank/ledger->shop/api:80/tcp".to_owned();
    assert_eq!(disallowed(&mut lab), [(from_bank, vec![PolicySide::Ingress])]);
    lab.object(api.clone().lets_in(&[namespaces(&[("team", "b")])], &[]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Ingress]));
    let both = PolicyPeer::Pods { pods: Some(selector(&[("app", "x")])), namespaces: Some(selector(&[])) };
    lab.object(api.lets_in(&[both], &[]));
    assert_eq!(disallowed(&mut lab).len(), 2, "both selectors have to match");
}

#[test]
fn a_namespace_that_is_not_known_has_at_least_its_name() {
    let mut lab = shop();
    lab.object(KubernetesFact::NamespaceGone { name: "shop".into() });
    let named = namespaces(&[("kubernetes.io/metadata.name", "shop")]);
    lab.object(policy("shop", "api", &[]).lets_in(&[named], &[]));
    assert!(allowed(&mut lab));
}

#[test]
fn expressions_select_too() {
    let mut lab = shop();
    let not_web = LabelExpression {
        key: "app".to_owned(),
        operator: LabelOperator::NotIn,
        values: vec!["web".to_owned()],
    };
    let others = LabelSelector { match_expressions: vec![not_web], ..LabelSelector::default() };
    let peer = PolicyPeer::Pods { pods: Some(others), namespaces: None };
    lab.object(policy("shop", "api", &[("app", "api")]).lets_in(&[peer], &[]));
    assert_eq!(disallowed(&mut lab), denied(&[PolicySide::Ingress]));
}

#[test]
fn addresses_outside_are_held_against_blocks() {
    let mut lab = shop();
    lab.tell(client("web", "203.0.113.7", 443).in_cgroup(7).opened(1));
    lab.runs(9, &api());
    lab.tell(server("api", "198.51.100.7", 8080).in_cgroup(9).in_namespace(POD).opened(1));
    let (out, into) = ("shop/web->/203.0.113.7:443/tcp", "/198.51.100.7->shop/api:80/tcp");
    let web = policy("shop", "web", &[("app", "web")]);
    lab.object(web.clone().lets_out(&[pods(&[]), block("203.0.113.0/24", &["203.0.113.7"])], &[]));
    lab.object(
        policy("shop", "api", &[("app", "api")]).lets_in(&[pods(&[]), block("198.51.100.8/32", &[])], &[]),
    );
    let mut keys: Vec<_> = disallowed(&mut lab).into_iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, [into, out]);
    lab.object(web.lets_out(&[pods(&[]), block("203.0.113.0/24", &["203.0.113.8"])], &[]));
    lab.object(
        policy("shop", "api", &[("app", "api")]).lets_in(&[pods(&[]), block("198.51.100.0/24", &[])], &[]),
    );
    assert!(allowed(&mut lab));
}

#[test]
fn one_pair_of_pods_that_may_is_enough() {
    let mut lab = shop();
    let two = pod("shop", "api-2", "api", "10.1.0.10").label("app", "api").label("tier", "open");
    lab.object(two.clone());
    lab.object(slice("shop", "api").port("http", 8080).holds(&api()).holds(&two));
    lab.object(policy("shop", "api", &[("app", "api")]).restricts_ingress());
    lab.object(policy("shop", "open", &[("tier", "open")]).lets_in(&[], &[]));
    assert!(allowed(&mut lab));
}

#[test]
fn pods_in_the_network_of_their_node_are_not_judged() {
    let mut lab = shop();
    lab.object(api().on_host("far"));
    lab.object(policy("shop", "all", &[]).restricts_ingress());
    assert!(allowed(&mut lab));
}

#[test]
fn services_that_nothing_restricts_are_listed_once_there_is_a_policy() {
    let mut lab = shop();
    lab.object(policy("shop", "api", &[("app", "api")]).lets_in(&[], &[]));
    lab.settle();
    assert_eq!(lab.snapshot().topology.unrestricted_services, ["workload:shop/web"]);
    lab.object(policy("shop", "web", &[("app", "web")]).restricts_egress());
    lab.settle();
    assert_eq!(lab.snapshot().topology.unrestricted_services, ["workload:shop/web"], "egress is not ingress");
    lab.object(policy("shop", "web", &[("app", "web")]).restricts_ingress());
    lab.settle();
    assert!(lab.snapshot().topology.unrestricted_services.is_empty());
}

#[test]
fn what_becomes_disallowed_or_unrestricted_is_told_when_the_window_closes() {
    let mut lab = shop();
    lab.object(policy("shop", "api", &[("app", "api")]).restricts_ingress());
    lab.until(4.9);
    assert!(topologies(&mut lab).is_empty());
    lab.until(5.0);
    let told = topologies(&mut lab);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].disallowed_connections_added, [EDGE]);
    assert_eq!(told[0].unrestricted_services_added, ["workload:shop/web"]);
    assert_eq!((told[0].service_count, told[0].service_count_before), (2, 2));
    lab.object(KubernetesFact::NetworkPolicyGone { namespace: "shop".into(), name: "api".into() });
    lab.until(8.0);
    let told = topologies(&mut lab);
    assert_eq!(told[0].disallowed_connections_removed, [EDGE]);
    assert_eq!(told[0].unrestricted_services_removed, ["workload:shop/web"]);
}

#[test]
fn a_policy_that_comes_and_goes_inside_a_window_is_not_told() {
    let mut lab = shop();
    lab.object(policy("shop", "api", &[]).restricts_ingress());
    lab.until(4.0);
    lab.object(KubernetesFact::NetworkPolicyGone { namespace: "shop".into(), name: "api".into() });
    lab.until(10.0);
    assert!(topologies(&mut lab).is_empty());
}

#[test]
fn a_pod_that_gets_another_label_is_judged_anew() {
    let mut lab = shop();
    lab.object(policy("shop", "api", &[("app", "api")]).lets_in(&[pods(&[("role", "client")])], &[]));
    lab.until(6.0);
    assert!(!allowed(&mut lab));
    topologies(&mut lab);
    lab.object(pod("shop", "web-1", "web", "10.1.0.1").label("app", "web").label("role", "client"));
    lab.until(9.0);
    assert_eq!(topologies(&mut lab)[0].disallowed_connections_removed, [EDGE]);
}
