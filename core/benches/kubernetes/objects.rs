//! Objects of a cluster as JSON, as large as real ones: a pod is 11 kB, of which 40 % are managed fields.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Teams, which have a namespace each, and nodes.
const NAMESPACES: usize = 50;
const NODES: usize = 100;

/// How many objects there are. Pods are spread evenly behind the Services, each of which has one slice and one Deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) pods: usize,
    pub(crate) services: usize,
    /// ReplicaSets of former versions, which Kubernetes keeps to go back to: of each Deployment ten by default.
    pub(crate) former_replica_sets: usize,
    /// Pods have an IPv6 address as well.
    pub(crate) is_dual_stack: bool,
}

impl Shape {
    fn pods_a_service(self) -> usize {
        self.pods / self.services
    }

    /// All lists, by path.
    pub(crate) fn lists(self) -> BTreeMap<&'static str, Vec<String>> {
        let generations = 0..=self.former_replica_sets;
        let replica_sets = (0..self.services)
            .flat_map(|n| generations.clone().map(move |generation| replica_set(n, generation)));
        BTreeMap::from([
            ("/api/v1/pods", (0..self.pods).map(|n| pod(n, self)).collect()),
            ("/api/v1/services", (0..self.services).map(|n| service(n, &namespace(n), &name(n))).collect()),
            ("/api/v1/nodes", (0..NODES).map(node).collect()),
            ("/api/v1/namespaces", (0..NAMESPACES).map(|n| team(&namespace(n))).collect()),
            (
                "/apis/discovery.k8s.io/v1/endpointslices",
                (0..self.services).map(|n| slice(n, self)).collect(),
            ),
            ("/apis/apps/v1/replicasets", replica_sets.collect()),
        ])
    }
}

pub(crate) fn namespace(service: usize) -> String {
    format!("team-{:02}", service % NAMESPACES)
}

pub(crate) fn name(service: usize) -> String {
    format!("service-{service:04}")
}

fn uid(of: u16, n: usize) -> String {
    format!("{n:08x}-{of:04x}-4111-8111-{n:012x}")
}

fn addresses(n: usize, shape: Shape) -> Vec<String> {
    let four = format!("10.{}.{}.{}", 1 + (n >> 16), (n >> 8) & 255, n & 255);
    let six = shape.is_dual_stack.then(|| format!("fd00:1::{n:x}"));
    std::iter::once(four).chain(six).collect()
}

/// Labels as Helm charts set them.
fn labels(name: &str) -> String {
    format!(
        r#""app.kubernetes.io/name":"{name}","app.kubernetes.io/instance":"{name}-production","app.kubernetes.io/version":"1.2.3",
            "app.kubernetes.io/component":"backend","app.kubernetes.io/part-of":"shop","app.kubernetes.io/managed-by":"Helm",
            "helm.sh/chart":"{name}-4.5.6","team":"payments""#
    )
}

/// A Service that selects its pods by name and instance.
pub(crate) fn service(n: usize, namespace: &str, name: &str) -> String {
    selecting(n, namespace, name, &format!("{name}-production"))
}

/// A Service that selects the pods of an instance.
pub(crate) fn selecting(n: usize, namespace: &str, name: &str, instance: &str) -> String {
    let address = format!("10.96.{}.{}", (n >> 8) & 255, n & 255);
    one_line(&format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"{n}","creationTimestamp":"2026-11-01T10:00:00Z",
            "labels":{{{labels}}},"annotations":{{"meta.helm.sh/release-name":"{name}","meta.helm.sh/release-namespace":"{namespace}"}},
            "managedFields":[{{"manager":"helm","fieldsV1":{{"f:spec":{{"f:ports":{{}}}}}}}}]}},
            "spec":{{"type":"ClusterIP","clusterIP":"{address}","clusterIPs":["{address}"],
            "selector":{{"app.kubernetes.io/name":"{name}","app.kubernetes.io/instance":"{instance}"}},
            "ports":[{{"name":"http","protocol":"TCP","port":80,"targetPort":"http"}},
              {{"name":"metrics","protocol":"TCP","port":9090,"targetPort":"metrics"}}]}},"status":{{"loadBalancer":{{}}}}}}"#,
        uid = uid(0x5e, n),
        labels = labels(name),
    ))
}

/// A ReplicaSet of a Deployment: the one of generation zero has its pods.
fn replica_set(n: usize, generation: usize) -> String {
    let hash = format!("5d4f9c7b{generation:02x}");
    format!(
        r#"{{"metadata":{{"name":"{name}-{hash}","namespace":"{namespace}","uid":"{uid}","resourceVersion":"{n}",
            "labels":{{{labels},"pod-template-hash":"{hash}"}},
            "ownerReferences":[{{"kind":"Deployment","name":"{name}","uid":"{owner}","controller":true}}]}}}}"#,
        name = name(n),
        namespace = namespace(n),
        labels = labels(&name(n)),
        uid = uid(0x4500 + u16::try_from(generation).unwrap(), n),
        owner = uid(0xde, n),
    )
}

fn node(n: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"node-{n:02}","uid":"{}","resourceVersion":"{n}","labels":{{"topology.kubernetes.io/zone":"zone-{}"}}}},
            "spec":{{"podCIDRs":["10.1.{n}.0/24"]}},"status":{{"addresses":[{{"type":"InternalIP","address":"192.168.1.{n}"}}]}}}}"#,
        uid(0x40, n),
        n % 3,
    )
}

fn team(name: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","uid":"ns-{name}","resourceVersion":"1","labels":{{"kubernetes.io/metadata.name":"{name}"}}}}}}"#
    )
}

fn slice(n: usize, shape: Shape) -> String {
    let own = n * shape.pods_a_service()..(n + 1) * shape.pods_a_service();
    let endpoints: Vec<_> = own
        .map(|pod| {
            format!(
                r#"{{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"nodeName":"node-{:02}",
                    "targetRef":{{"kind":"Pod","namespace":"{}","name":"{}","uid":"{}"}},"zone":"zone-{}"}}"#,
                addresses(pod, shape)[0],
                pod % NODES,
                namespace(n),
                pod_name(n, pod),
                uid(0x90d, pod),
                pod % 3,
            )
        })
        .collect();
    let name = name(n);
    format!(
        r#"{{"metadata":{{"name":"{name}-x7b2k","namespace":"{}","resourceVersion":"{n}",
            "labels":{{"kubernetes.io/service-name":"{name}"}}}},"addressType":"IPv4","endpoints":[{}],
            "ports":[{{"name":"http","protocol":"TCP","port":8080}},{{"name":"metrics","protocol":"TCP","port":9090}}]}}"#,
        namespace(n),
        endpoints.join(",")
    )
}

fn pod_name(service: usize, n: usize) -> String {
    format!("{}-5d4f9c7b00-{n:05x}", name(service))
}

fn pod(n: usize, shape: Shape) -> String {
    let service = n / shape.pods_a_service();
    let mut managed = String::new();
    for field in 0..75 {
        let _ = write!(managed, r#""f:field-number-{field}":{{".":{{}},"f:value":{{}},"f:name":{{}}}},"#);
    }
    let mut environment = String::new();
    for variable in 0..60 {
        let _ = write!(
            environment,
            r#"{{"name":"VARIABLE_{variable}","value":"a value of some length {variable}"}},"#
        );
    }
    let addresses = addresses(n, shape);
    let pod_ips: Vec<_> = addresses.iter().map(|ip| format!(r#"{{"ip":"{ip}"}}"#)).collect();
    format!(
        r#"{{"metadata":{{"name":"{pod}","generateName":"{name}-5d4f9c7b00-","namespace":"{namespace}",
            "uid":"{uid}","resourceVersion":"{n}","labels":{{{labels},"app":"{name}","pod-template-hash":"5d4f9c7b00"}},
            "annotations":{{"prometheus.io/scrape":"true","checksum/config":"{n:064x}"}},
            "ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{name}-5d4f9c7b00","uid":"{owner}","controller":true}}],
            "managedFields":[{{"manager":"kubelet","operation":"Update","fieldsV1":{{{managed}"f:end":{{}}}}}}]}},
            "spec":{{"nodeName":"node-{node:02}","serviceAccountName":"default","volumes":[{{"name":"token","projected":{{"sources":[]}}}}],
            "containers":[{{"name":"app","image":"registry.example.com/shop/app:1.2.3","env":[{environment}{{"name":"LAST","value":"x"}}],
              "ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}},{{"name":"metrics","containerPort":9090,"protocol":"TCP"}}],
              "resources":{{"requests":{{"cpu":"100m"}}}}}},
              {{"name":"proxy","image":"registry.example.com/proxy:4.5.6","ports":[{{"name":"admin","containerPort":15000}}]}}]}},
            "status":{{"phase":"Running","podIP":"{ip}","podIPs":[{pod_ips}],"startTime":"2026-11-24T10:00:05Z",
            "conditions":[{{"type":"Ready","status":"True"}}],
            "containerStatuses":[{{"name":"app","containerID":"containerd://{n:064x}"}},{{"name":"proxy","containerID":"containerd://{m:064x}"}}]}}}}"#,
        pod = pod_name(service, n),
        name = name(service),
        namespace = namespace(service),
        uid = uid(0x90d, n),
        labels = labels(&name(service)),
        owner = uid(0x4500, service),
        node = n % NODES,
        ip = addresses[0],
        pod_ips = pod_ips.join(","),
        m = n + 1_000_000,
    )
}

/// An event of a watch is one line.
fn one_line(json: &str) -> String {
    json.replace('\n', "")
}
