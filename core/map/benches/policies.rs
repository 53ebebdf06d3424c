//! What judging a large cluster by its network policies costs: 10,000 Services of one pod each, 100,000 edges between them,
//! and 50 namespaces with a policy each.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use servicemap_map::model::{
    AddressClass, Direction, EndpointSlice, Fact, FactBody, FlowDelta, FlowKey, KubernetesFact,
    KubernetesService, LabelSelector, Labels, MachineId, NetworkPolicy, Origin, Pod, PodOwner, PodPhase,
    PolicyPeer, PolicyPort, PolicyRule, RunId, ServicePort, ServiceType, SliceEndpoint, SlicePort, SourceId,
    Timestamp,
};
use servicemap_map::{MapSettings, ServiceMap};
use uuid::Uuid;

const START: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);
const SERVICES: u16 = 10_000;
const EDGES_A_SERVICE: u16 = 10;
const NAMESPACES: u16 = 50;

fn kubernetes(map: &mut ServiceMap, fact: KubernetesFact) {
    let origin = Origin { source: SourceId::Kubernetes, sequence: 0 };
    map.apply(Fact { at: START, origin, body: FactBody::Kubernetes(Box::new(fact)) });
}

fn namespace(service: u16) -> Arc<str> {
    format!("team-{}", service % NAMESPACES).into()
}

fn name(service: u16) -> Arc<str> {
    format!("service-{service}").into()
}

fn uid(service: u16) -> Arc<str> {
    format!("00000000-0000-4000-8000-{service:012x}").into()
}

fn address(second: u8, service: u16) -> IpAddr {
    let [high, low] = service.to_be_bytes();
    Ipv4Addr::new(10, second, high, low).into()
}

fn pod(service: u16) -> Pod {
    Pod {
        namespace: namespace(service),
        name: name(service),
        uid: uid(service),
        ips: vec![address(1, service)],
        host_network: false,
        node: "node".into(),
        owner: PodOwner { kind: "Deployment".into(), name: name(service), uid: "".into() }.into(),
        labels: [("app", name(service))].into_iter().collect(),
        container_ids: Vec::new(),
        container_ports: Arc::new([]),
        phase: PodPhase::Running,
        ready: true,
        started_at: None,
    }
}

fn service(service: u16) -> KubernetesService {
    KubernetesService {
        namespace: namespace(service),
        name: name(service),
        uid: uid(service),
        service_type: ServiceType::ClusterIP,
        cluster_ips: vec![address(96, service)],
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        external_name: None,
        ports: vec![ServicePort { name: "http".into(), port: 80, node_port: None }],
        selector: [("app", name(service))].into_iter().collect(),
        labels: Labels::default(),
        created_at: None,
    }
}

fn slice(service: u16) -> EndpointSlice {
    let endpoint = SliceEndpoint {
        addresses: vec![address(1, service)],
        ready: true,
        serving: true,
        terminating: false,
        pod: Some(uid(service)),
        node: None,
        zone: None,
    };
    EndpointSlice {
        namespace: namespace(service),
        name: name(service),
        service: name(service),
        endpoints: vec![endpoint],
        ports: vec![SlicePort { name: "http".into(), port: 8080 }],
    }
}

/// Pods of a namespace take connections at one port, from pods of their namespace and of the next one.
fn policy(number: u16, port: u16) -> NetworkPolicy {
    let peer = |team: u16| PolicyPeer::Pods {
        namespaces: Some(LabelSelector {
            match_labels: [("kubernetes.io/metadata.name".to_owned(), namespace(team).to_string())].into(),
            ..LabelSelector::default()
        }),
        pods: None,
    };
    NetworkPolicy {
        namespace: namespace(number),
        name: "callers".into(),
        pod_selector: LabelSelector::default(),
        ingress: Some(vec![PolicyRule {
            peers: vec![peer(number), peer(number + 1)],
            ports: vec![PolicyPort::Range { first: port, last: port }],
        }]),
        egress: None,
    }
}

fn call(from: u16, to: u16) -> FactBody {
    let key = FlowKey {
        machine: MachineId::OWN,
        generation: 0,
        cgroup: 1000 + u64::from(from),
        netns: 1000 + u32::from(from),
        direction: Direction::Outbound,
        local_class: AddressClass::Other,
        remote: address(96, to),
        port: 80,
        program: "client".into(),
        folded: false,
    };
    FactBody::Flow(FlowDelta { opened: 1, first: START, last: START, ..FlowDelta::nothing(key) })
}

fn large_map() -> ServiceMap {
    let mut map = ServiceMap::new(MapSettings::default(), RunId(Uuid::nil()), START);
    for number in 0..SERVICES {
        kubernetes(&mut map, KubernetesFact::Pod(pod(number)));
        kubernetes(&mut map, KubernetesFact::Service(service(number)));
        kubernetes(&mut map, KubernetesFact::EndpointSlice(slice(number)));
        let path = format!("/kubepods/pod{}", uid(number)).into();
        let body = FactBody::Cgroup { id: 1000 + u64::from(number), path };
        map.apply(Fact { at: START, origin: Origin { source: SourceId::Host, sequence: 0 }, body });
    }
    for number in 0..NAMESPACES {
        kubernetes(&mut map, KubernetesFact::NetworkPolicy(policy(number, 8080)));
    }
    let mut sequence = 0;
    for from in 0..SERVICES {
        for distance in 1..=EDGES_A_SERVICE {
            sequence += 1;
            let origin = Origin { source: SourceId::Capture, sequence };
            let body = call(from, (from + distance * 7) % SERVICES);
            map.apply(Fact { at: START, origin, body });
        }
    }
    map.advance(START);
    map
}

fn benchmarks(criterion: &mut Criterion) {
    let mut map = large_map();
    let snapshot = map.snapshot(START);
    assert_eq!(snapshot.connections.len(), usize::from(SERVICES) * usize::from(EDGES_A_SERVICE));
    // Of the ten namespaces that each calls one lets it in.
    assert_eq!(snapshot.topology.disallowed_connections.len(), usize::from(SERVICES) * 9);
    let mut group = criterion.benchmark_group("policies");
    group.sample_size(10);
    group.bench_function("snapshot: 10,000 Services, 100,000 edges", |bencher| {
        bencher.iter(|| map.snapshot(START));
    });
    let mut port = 8080;
    group.bench_function("the same after a policy changed: all edges are judged anew", |bencher| {
        bencher.iter(|| {
            port = 16_161 - port;
            kubernetes(&mut map, KubernetesFact::NetworkPolicy(policy(0, port)));
            map.advance(START);
            map.snapshot(START)
        });
    });
    group.finish();
}

criterion_group!(all, benchmarks);
criterion_main!(all);
