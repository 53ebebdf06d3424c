//! Objects as API servers send them, cut to what a reader of these tests has to see.

use servicemap_map::model::{
    BackendPort, ContainerPort, IngressBackend, IngressKind, KubernetesService, LabelOperator, Node, Pod,
    PodOwner, PodPhase, PolicyPeer, PolicyPort, ServicePort, ServiceType, SliceEndpoint, SlicePort,
};

use super::*;

fn read(resource: Resource, json: &str) -> Item {
    item(resource, json, &mut Names::default()).unwrap()
}

fn fact(resource: Resource, json: &str) -> KubernetesFact {
    match read(resource, json).object {
        Object::Facts(mut facts) if facts.len() == 1 => facts.remove(0),
        other => panic!("{other:?}"),
    }
}

fn service(json: &str) -> KubernetesService {
    let KubernetesFact::Service(service) = fact(Resource::Services, json) else { panic!() };
    service
}

fn pod(json: &str) -> OwnedPod {
    let Object::Pod(pod) = read(Resource::Pods, json).object else { panic!() };
    *pod
}

fn slice(json: &str) -> servicemap_map::model::EndpointSlice {
    let KubernetesFact::EndpointSlice(slice) = fact(Resource::EndpointSlices, json) else { panic!() };
    slice
}

fn policy(spec: &str) -> servicemap_map::model::NetworkPolicy {
    let json = format!(r#"{{"metadata":{{"namespace":"shop","name":"p"}},"spec":{spec}}}"#);
    let KubernetesFact::NetworkPolicy(policy) = fact(Resource::NetworkPolicies, &json) else { panic!() };
    policy
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

pub(super) const SERVICE: &str = r#"{
  "kind": "Service", "apiVersion": "v1",
  "metadata": {
    "name": "web", "namespace": "shop", "uid": "6f1c1f0e-0001", "resourceVersion": "4711",
    "creationTimestamp": "2026-11-24T10:00:00Z", "labels": {"app": "web"},
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"a\":\"b\"}"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:ports": {}}}}]
  },
  "spec": {
    "ports": [
      {"name": "http", "protocol": "TCP", "port": 80, "targetPort": "web", "nodePort": 30080},
      {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
      {"port": 443, "targetPort": 8443}
    ],
    "selector": {"app": "web"}, "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
    "externalIPs": ["203.0.113.9"], "type": "LoadBalancer", "sessionAffinity": "None",
    "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack", "externalTrafficPolicy": "Cluster"
  },
  "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.4", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]}}
}"#;

#[test]
fn a_service_is_read_with_all_its_addresses_and_tcp_ports() {
    let item = read(Resource::Services, SERVICE);
    assert_eq!((item.key, &*item.version), (Key::Name("shop".into(), "web".into()), "4711"));
    let label = || [("app", "web")].into_iter().collect();
    let port = |name: &str, port, node_port| ServicePort { name: name.into(), port, node_port };
    let expected = KubernetesService {
        namespace: "shop".into(),
        name: "web".into(),
        uid: "6f1c1f0e-0001".into(),
        service_type: ServiceType::LoadBalancer,
        cluster_ips: vec![ip("10.96.0.7"), ip("fd00::7")],
        external_ips: vec![ip("203.0.113.9")],
        load_balancer_ips: vec![ip("198.51.100.4")],
        external_name: None,
        ports: vec![port("http", 80, Some(30080)), port("", 443, None)],
        selector: label(),
        labels: label(),
        created_at: Some(servicemap_map::model::Timestamp::from_nanos(1_795_514_400_000_000_000)),
    };
    assert_eq!(item.object, Object::Facts(vec![KubernetesFact::Service(expected)]));
}

#[test]
fn the_type_of_a_service_says_whether_it_is_headless() {
    let of = |spec: &str| service(&format!(r#"{{"metadata":{{}},"spec":{spec}}}"#)).service_type;
    assert_eq!(of(r#"{"type":"ClusterIP","clusterIP":"None","clusterIPs":["None"]}"#), ServiceType::Headless);
    assert_eq!(of(r#"{"type":"ClusterIP","clusterIP":"10.96.0.1"}"#), ServiceType::ClusterIP);
    assert_eq!(of(r#"{"type":"NodePort","clusterIP":"10.96.0.1"}"#), ServiceType::NodePort);
    assert_eq!(of(r#"{"type":"ExternalName","externalName":"db.example.com"}"#), ServiceType::ExternalName);
}

#[test]
fn a_headless_service_has_no_address_and_an_old_one_has_one() {
    let of = |spec: &str| service(&format!(r#"{{"metadata":{{}},"spec":{spec}}}"#)).cluster_ips;
    assert!(of(r#"{"clusterIP":"None","clusterIPs":["None"]}"#).is_empty());
    assert_eq!(of(r#"{"clusterIP":"10.96.0.1"}"#), [ip("10.96.0.1")]);
}

#[test]
fn an_external_name_is_kept() {
    let service =
        service(r#"{"metadata":{},"spec":{"type":"ExternalName","externalName":"db.example.com"}}"#);
    assert_eq!(service.external_name.as_deref(), Some("db.example.com"));
}

pub(super) const SLICE: &str = r#"{
  "metadata": {"name": "web-x7", "namespace": "shop", "resourceVersion": "9",
    "labels": {"kubernetes.io/service-name": "web"}, "ownerReferences": [{"kind": "Service", "name": "web"}]},
  "addressType": "IPv4",
  "endpoints": [
    {"addresses": ["10.1.0.5"], "conditions": {"ready": false, "serving": true, "terminating": true},
     "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u-1"}, "nodeName": "n1", "zone": "z1"},
    {"addresses": ["192.0.2.1"], "conditions": {}}
  ],
  "ports": [{"name": "http", "protocol": "TCP", "port": 8080}, {"name": "dns", "protocol": "UDP", "port": 53},
            {"name": "all", "protocol": "TCP", "port": null}]
}"#;

#[test]
fn a_slice_says_who_is_behind_which_service() {
    let slice = slice(SLICE);
    assert_eq!((&*slice.namespace, &*slice.name, &*slice.service), ("shop", "web-x7", "web"));
    let terminating = SliceEndpoint {
        addresses: vec![ip("10.1.0.5")],
        ready: false,
        serving: true,
        terminating: true,
        pod: Some("u-1".into()),
        node: Some("n1".into()),
        zone: Some("z1".into()),
    };
    let by_hand = SliceEndpoint {
        addresses: vec![ip("192.0.2.1")],
        ready: true,
        serving: true,
        terminating: false,
        pod: None,
        node: None,
        zone: None,
    };
    assert_eq!(slice.endpoints, [terminating, by_hand]);
    assert_eq!(slice.ports, [SlicePort { name: "http".into(), port: 8080 }]);
}

#[test]
fn a_slice_of_no_service_says_nothing() {
    let json = r#"{"metadata":{"name":"x","namespace":"shop"},"endpoints":null,"ports":null}"#;
    assert_eq!(read(Resource::EndpointSlices, json).object, Object::Facts(Vec::new()));
}

#[test]
fn names_in_a_slice_are_no_addresses() {
    let json = r#"{"metadata":{"labels":{"kubernetes.io/service-name":"web"}},
        "addressType":"FQDN","endpoints":[{"addresses":["db.example.com"]}]}"#;
    assert_eq!(slice(json).endpoints, []);
}

#[test]
fn endpoints_are_a_slice_a_subset() {
    let json = r#"{"metadata":{"name":"web","namespace":"shop"},"subsets":[
        {"addresses":[{"ip":"10.1.0.5","targetRef":{"kind":"Pod","uid":"u-1"}}],
         "notReadyAddresses":[{"ip":"10.1.0.6"}],"ports":[{"port":8080}]},
        {"addresses":[{"ip":"10.1.0.7"}],"ports":[{"port":9090}]}]}"#;
    let Object::Facts(facts) = read(Resource::Endpoints, json).object else { panic!() };
    let slices: Vec<_> = facts
        .into_iter()
        .map(|fact| match fact {
            KubernetesFact::EndpointSlice(slice) => slice,
            other => panic!("{other:?}"),
        })
        .collect();
    let names: Vec<_> = slices.iter().map(|one| (&*one.name, &*one.service)).collect();
    assert_eq!(names, [("web", "web"), ("web#1", "web")]);
    let ready: Vec<_> =
        slices.iter().flat_map(|one| &one.endpoints).map(|one| (one.addresses[0], one.ready)).collect();
    assert_eq!(ready, [(ip("10.1.0.5"), true), (ip("10.1.0.6"), false), (ip("10.1.0.7"), true)]);
    assert_eq!(slices[0].endpoints[0].pod.as_deref(), Some("u-1"));
    assert_eq!((slices[0].ports[0].port, slices[1].ports[0].port), (8080, 9090));
}

pub(super) const POD: &str = r#"{
  "metadata": {
    "name": "web-5d4f9-abcde", "generateName": "web-5d4f9-", "namespace": "shop", "uid": "u-1", "resourceVersion": "12",
    "labels": {"app": "web", "pod-template-hash": "5d4f9"},
    "annotations": {"cni.projectcalico.org/podIP": "10.1.0.5/32"},
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f9", "uid": "rs-1",
                         "controller": true, "blockOwnerDeletion": true}]
  },
  "spec": {
    "nodeName": "n1", "serviceAccountName": "default", "volumes": [{"name": "x", "emptyDir": {}}],
    "initContainers": [{"name": "proxy", "restartPolicy": "Always", "ports": [{"containerPort": 15001}]}],
    "containers": [
      {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "b"}],
       "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]}
    ]
  },
  "status": {
    "phase": "Running", "podIP": "10.1.0.5", "podIPs": [{"ip": "10.1.0.5"}, {"ip": "fd00:1::5"}], "hostIP": "192.0.2.10",
    "startTime": "2026-11-24T10:00:05Z",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "web", "containerID": "containerd://aaaa", "ready": true}],
    "initContainerStatuses": [{"name": "proxy", "containerID": "containerd://bbbb"}],
    "ephemeralContainerStatuses": [{"name": "debug", "containerID": ""}]
  }
}"#;

#[test]
fn a_pod_is_read_with_its_addresses_and_ports() {
    let owned = pod(POD);
    let port = |name: &str, port| ContainerPort { name: name.into(), port };
    let expected = Pod {
        namespace: "shop".into(),
        name: "web-5d4f9-abcde".into(),
        uid: "u-1".into(),
        ips: vec![ip("10.1.0.5"), ip("fd00:1::5")],
        host_network: false,
        node: "n1".into(),
        owner: PodOwner { kind: "Deployment".into(), name: "web".into(), uid: "".into() }.into(),
        labels: [("app", "web"), ("pod-template-hash", "5d4f9")].into_iter().collect(),
        container_ids: Vec::new(),
        container_ports: [port("http", 8080), port("", 15001)].into(),
        phase: PodPhase::Running,
        ready: true,
        started_at: Some(servicemap_map::model::Timestamp::from_nanos(1_795_514_405_000_000_000)),
    };
    assert_eq!(owned.pod, expected);
    let controller = owned.controller.unwrap();
    assert_eq!(
        (&*controller.uid, controller.kind, controller.is_certain),
        ("rs-1", ControllerKind::ReplicaSet, true)
    );
}

#[test]
fn a_static_pod_is_known_by_its_containers() {
    let mirror = r#""annotations": {"kubernetes.io/config.mirror": "0123", "#;
    let owned = pod(&POD.replacen(r#""annotations": {"#, mirror, 1));
    assert_eq!(owned.pod.container_ids, ["aaaa".into(), "bbbb".into()]);
}

#[test]
fn a_pod_without_a_sandbox_has_no_address() {
    let pending =
        pod(r#"{"metadata":{"name":"p"},"spec":{"containers":[]},"status":{"phase":"Pending"}}"#).pod;
    assert_eq!((pending.ips.len(), pending.phase, pending.ready), (0, PodPhase::Pending, false));
    let old = pod(r#"{"metadata":{},"status":{"podIP":"10.1.0.9"}}"#).pod;
    assert_eq!(old.ips, [ip("10.1.0.9")]);
}

/// Owner of a pod `NAME` on node `n1`, and whether another object may know more.
fn owner(name: &str, labels: &str, reference: &str) -> (String, String, bool) {
    let json = format!(
        r#"{{"metadata":{{"name":"{name}","uid":"u","labels":{labels},"ownerReferences":[{reference}]}},
            "spec":{{"nodeName":"n1"}}}}"#
    );
    let OwnedPod { pod, controller } = pod(&json);
    (pod.owner.kind.to_string(), pod.owner.name.to_string(), controller.is_some())
}

#[test]
fn a_pod_says_itself_who_owns_it() {
    let named = |kind: &str, name: &str, more| (kind.to_owned(), name.to_owned(), more);
    let of = |kind: &str, name: &str| {
        format!(r#"{{"kind":"{kind}","name":"{name}","uid":"o","controller":true}}"#)
    };
    assert_eq!(owner("p", "{}", ""), named("Pod", "p", false));
    assert_eq!(owner("db-0", "{}", &of("StatefulSet", "db")), named("StatefulSet", "db", false));
    assert_eq!(owner("j-x", "{}", &of("Job", "j")), named("Job", "j", true));
    let hash = r#"{"pod-template-hash":"5d4f9"}"#;
    assert_eq!(owner("w", hash, &of("ReplicaSet", "web-5d4f9")), named("Deployment", "web", true));
    assert_eq!(owner("w", hash, &of("ReplicaSet", "other")), named("ReplicaSet", "other", true));
    assert_eq!(owner("w", "{}", &of("ReplicaSet", "web-5d4f9")), named("ReplicaSet", "web-5d4f9", true));
    // Static pods of the kubelet.
    assert_eq!(owner("etcd-n1", "{}", &of("Node", "n1")), named("Pod", "etcd", false));
    // An owner that does not control the pod.
    assert_eq!(owner("p", "{}", r#"{"kind":"Foo","name":"f","uid":"o"}"#), named("Pod", "p", false));
}

#[test]
fn of_an_owner_its_own_owner_is_read() {
    let top = |json: &str| {
        let Object::Owner(owner) = read(Resource::ReplicaSets, json).object else { panic!() };
        (owner.uid.to_string(), owner.top.kind.to_string(), owner.top.name.to_string())
    };
    let owned = r#"{"kind":"PartialObjectMetadata","metadata":{"name":"web-5d4f9","namespace":"shop","uid":"rs-1",
        "ownerReferences":[{"kind":"Deployment","name":"web","uid":"d-1","controller":true}]}}"#;
    assert_eq!(top(owned), ("rs-1".into(), "Deployment".into(), "web".into()));
    let alone = r#"{"metadata":{"name":"alone","uid":"rs-2"}}"#;
    assert_eq!(top(alone), ("rs-2".into(), "ReplicaSet".into(), "alone".into()));
}

#[test]
fn a_node_has_its_addresses_and_the_range_of_its_pods() {
    let json = r#"{"metadata":{"name":"n1","uid":"node-1","labels":{"topology.kubernetes.io/zone":"z1"}},
        "spec":{"podCIDR":"10.1.0.0/24","podCIDRs":["10.1.0.0/24","fd00:1::/64","nonsense"]},
        "status":{"addresses":[{"type":"InternalIP","address":"192.0.2.10"},{"type":"Hostname","address":"n1"},
                               {"type":"ExternalIP","address":"198.51.100.10"}],
                  "images":[{"names":["a"]}]}}"#;
    let KubernetesFact::Node(node) = fact(Resource::Nodes, json) else { panic!() };
    let range = |text| AddressRange::parse(text).unwrap();
    let expected = Node {
        name: "n1".into(),
        uid: "node-1".into(),
        addresses: vec![ip("192.0.2.10"), ip("198.51.100.10")],
        pod_ranges: vec![range("10.1.0.0/24"), range("fd00:1::/64")],
        labels: [("topology.kubernetes.io/zone", "z1")].into_iter().collect(),
    };
    assert_eq!(node, expected);
}

#[test]
fn service_ranges_are_read() {
    let json = r#"{"metadata":{"name":"kubernetes"},"spec":{"cidrs":["10.96.0.0/12","fd00:10::/112"]}}"#;
    let ranges = ["10.96.0.0/12", "fd00:10::/112"].map(|text| AddressRange::parse(text).unwrap());
    assert_eq!(read(Resource::ServiceCidrs, json).object, Object::Ranges(ranges.into()));
}

#[test]
fn a_namespace_keeps_its_labels() {
    let json = r#"{"metadata":{"name":"shop","labels":{"env":"prod"}}}"#;
    let KubernetesFact::Namespace(namespace) = fact(Resource::Namespaces, json) else { panic!() };
    assert_eq!((&*namespace.name, namespace.labels.get("env").map(|it| &**it)), ("shop", Some("prod")));
}

fn backend(namespace: &str, service: &str, port: Option<BackendPort>) -> IngressBackend {
    IngressBackend { namespace: namespace.into(), service: service.into(), port }
}

fn ingress(kind: IngressKind, json: &str) -> servicemap_map::model::Ingress {
    let KubernetesFact::Ingress(ingress) = fact(Resource::Ingresses(kind), json) else { panic!() };
    ingress
}

#[test]
fn an_ingress_leads_to_each_service_once() {
    let json = r#"{"metadata":{"name":"i","namespace":"shop","resourceVersion":"3","annotations":{"kubernetes.io/ingress.class":"old"}},
      "spec":{"rules":[
        {"host":"b.example.com","http":{"paths":[
          {"path":"/","pathType":"Prefix","backend":{"service":{"name":"web","port":{"number":80}}}},
          {"path":"/x","backend":{"service":{"name":"web","port":{"number":80}}}},
          {"path":"/s","backend":{"resource":{"kind":"StorageBucket","name":"static"}}}]}},
        {"host":"a.example.com","http":{"paths":[{"backend":{"service":{"name":"api","port":{"name":"http"}}}}]}}]}}"#;
    let read = ingress(IngressKind::Ingress, json);
    let hosts: Vec<_> = read.hosts.iter().map(|host| &**host).collect();
    assert_eq!((hosts, read.class.as_deref()), (vec!["a.example.com", "b.example.com"], Some("old")));
    let api = backend("shop", "api", Some(BackendPort::Name("http".into())));
    assert_eq!(read.backends, [api, backend("shop", "web", Some(BackendPort::Number(80)))]);
}

#[test]
fn an_ingress_with_a_default_backend_answers_to_all_hosts() {
    let json = r#"{"metadata":{"namespace":"shop"},"spec":{"ingressClassName":"nginx",
        "defaultBackend":{"service":{"name":"web","port":{"number":80}}},"rules":[{"host":"a.example.com"}]}}"#;
    let read = ingress(IngressKind::Ingress, json);
    assert_eq!((read.hosts.len(), read.class.as_deref(), read.backends.len()), (0, Some("nginx"), 1));
}

#[test]
fn a_gateway_route_leads_to_services_of_other_namespaces_too() {
    let json = r#"{"metadata":{"name":"r","namespace":"shop"},"spec":{
        "parentRefs":[{"name":"public","namespace":"infra"}],"hostnames":["shop.example.com"],
        "rules":[{"backendRefs":[{"name":"web","port":8080,"weight":1},{"name":"api","namespace":"apis","port":80},
                                 {"group":"example.com","kind":"Bucket","name":"static"}]},{"matches":[]}]}}"#;
    let read = ingress(IngressKind::HttpRoute, json);
    assert_eq!((read.kind, read.class.as_deref()), (IngressKind::HttpRoute, Some("infra/public")));
    let port = |port| Some(BackendPort::Number(port));
    assert_eq!(read.backends, [backend("apis", "api", port(80)), backend("shop", "web", port(8080))]);
}

#[test]
fn an_openshift_route_leads_to_its_services() {
    let json = |target: &str| {
        format!(
            r#"{{"metadata":{{"name":"r","namespace":"shop"}},"spec":{{"host":"shop.example.com",
            "to":{{"kind":"Service","name":"web","weight":100}},"alternateBackends":[{{"kind":"Service","name":"web2"}}],
            "port":{{"targetPort":{target}}}}},"status":{{"ingress":[
              {{"routerName":"other","conditions":[{{"type":"Admitted","status":"False"}}]}},
              {{"routerName":"default","conditions":[{{"type":"Admitted","status":"True"}}]}}]}}}}"#
        )
    };
    let named = ingress(IngressKind::Route, &json(r#""http""#));
    let http = || Some(BackendPort::Name("http".into()));
    assert_eq!(named.backends, [backend("shop", "web", http()), backend("shop", "web2", http())]);
    assert_eq!((named.class.as_deref(), &*named.hosts[0]), (Some("default"), "shop.example.com"));
    let numbered = ingress(IngressKind::Route, &json("8080"));
    assert_eq!(numbered.backends[0].port, None, "the number is the pod's, not the Service's");
}

#[test]
fn a_policy_that_isolates_has_directions_without_rules() {
    let read = policy(r#"{"podSelector":{},"policyTypes":["Ingress","Egress"]}"#);
    assert_eq!((read.ingress, read.egress), (Some(Vec::new()), Some(Vec::new())));
    let read = policy(r#"{"podSelector":{},"policyTypes":["Egress"]}"#);
    assert_eq!((read.ingress, read.egress), (None, Some(Vec::new())));
    let read = policy(r#"{"podSelector":{"matchLabels":{"app":"db"}}}"#);
    assert_eq!((read.ingress, read.egress), (Some(Vec::new()), None));
    assert_eq!(read.pod_selector.match_labels["app"], "db");
}

#[test]
fn a_rule_is_read_with_its_peers_and_ports() {
    let read = policy(
        r#"{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{
          "from":[{"podSelector":{"matchExpressions":[{"key":"tier","operator":"NotIn","values":["back"]}]}},
                  {"namespaceSelector":{}},
                  {"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],
          "ports":[{"protocol":"TCP","port":80},{"protocol":"TCP","port":"http"},{"protocol":"UDP","port":53},
                   {"port":1000,"endPort":2000},{"protocol":"TCP"}]}]}"#,
    );
    let rule = &read.ingress.unwrap()[0];
    let PolicyPeer::Pods { pods: Some(pods), namespaces: None } = &rule.peers[0] else { panic!() };
    assert_eq!(pods.match_expressions[0].operator, LabelOperator::NotIn);
    assert!(matches!(&rule.peers[1], PolicyPeer::Pods { pods: None, namespaces: Some(_) }));
    let range = |text| AddressRange::parse(text).unwrap();
    assert_eq!(
        rule.peers[2],
        PolicyPeer::Block { range: range("10.0.0.0/8"), except: vec![range("10.1.0.0/16")] }
    );
    let between = |first, last| PolicyPort::Range { first, last };
    let expected =
        [between(80, 80), PolicyPort::Named("http".into()), between(1000, 2000), between(0, u16::MAX)];
    assert_eq!(rule.ports, expected);
}

#[test]
fn a_rule_that_cannot_be_read_allows_nothing_rather_than_all() {
    let rules = |rule: &str| {
        policy(&format!(r#"{{"podSelector":{{}},"policyTypes":["Ingress"],"ingress":[{rule}]}}"#))
            .ingress
            .unwrap()
    };
    assert_eq!(rules(r#"{"ports":[{"protocol":"UDP","port":53}]}"#), []);
    assert_eq!(rules(r#"{"from":[{"ipBlock":{"cidr":"nonsense"}}]}"#), []);
    assert_eq!(rules(r"{}").len(), 1, "an empty rule allows all");
}

pub(super) const RESOURCES: [Resource; 13] = [
    Resource::Services,
    Resource::EndpointSlices,
    Resource::Endpoints,
    Resource::Pods,
    Resource::Nodes,
    Resource::Namespaces,
    Resource::ReplicaSets,
    Resource::Jobs,
    Resource::NetworkPolicies,
    Resource::ServiceCidrs,
    Resource::Ingresses(IngressKind::Ingress),
    Resource::Ingresses(IngressKind::HttpRoute),
    Resource::Ingresses(IngressKind::Route),
];

#[test]
fn null_stands_for_what_is_left_out() {
    for resource in RESOURCES {
        for json in [r#"{"metadata":null,"spec":null,"status":null,"subsets":null,"endpoints":null}"#, "{}"] {
            assert_eq!(read(resource, json).version, "", "{resource:?} {json}");
        }
    }
}

#[test]
fn a_port_out_of_range_is_left_out() {
    let json = r#"{"metadata":{},"spec":{"ports":[{"port":0},{"port":65536},{"port":-1},{"port":80,"nodePort":70000}]}}"#;
    assert_eq!(service(json).ports, [ServicePort { name: "".into(), port: 80, node_port: None }]);
}

#[test]
fn an_object_of_the_wrong_shape_is_an_error_and_no_panic() {
    for resource in RESOURCES {
        for json in [r#"{"metadata":5}"#, "[1]", r#""text""#, "", "{", r#"{"metadata":{"name":{}}}"#] {
            assert!(item(resource, json, &mut Names::default()).is_err(), "{resource:?} {json}");
        }
    }
}
