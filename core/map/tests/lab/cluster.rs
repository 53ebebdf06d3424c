//! Objects of a cluster, as tests describe them.

use std::sync::Arc;

use servicemap_map::MapSettings;
use servicemap_map::model::{
    AddressRange, BackendPort, ClusterScope, ContainerPort, EndpointSlice, Fact, FactBody, Ingress,
    IngressBackend, IngressKind, KubernetesFact, KubernetesService, LabelSelector, Labels, Namespace,
    NetworkPolicy, Node, Origin, Pod, PodOwner, PodPhase, PolicyPeer, PolicyPort, PolicyRule, ServicePort,
    ServiceType, SliceEndpoint, SlicePort, SourceId, Timestamp,
};
use servicemap_map::record::Step;

use super::{Lab, ip};

impl Lab {
    /// Tells of an object of the cluster.
    pub(crate) fn object(&mut self, fact: impl Into<KubernetesFact>) {
        let origin = Origin { source: SourceId::Kubernetes, sequence: 0 };
        let body = FactBody::Kubernetes(Box::new(fact.into()));
        self.take(Step::Apply(Fact { at: self.now, origin, body }));
    }

    /// A ready map of node `box`, of a cluster whose pods are in 10.1.0.0/16 and whose Services are in 10.96.0.0/16.
    pub(crate) fn in_cluster() -> Self {
        Self::in_cluster_with(|_| {})
    }

    /// The same with other settings.
    pub(crate) fn in_cluster_with(change: impl FnOnce(&mut MapSettings)) -> Self {
        let mut lab = Self::with(change);
        lab.object(scope(false));
        let ready = FactBody::Ready(SourceId::Kubernetes);
        let origin = Origin { source: SourceId::Kubernetes, sequence: 0 };
        lab.take(Step::Apply(Fact { at: lab.now, origin, body: ready }));
        lab.settle();
        lab
    }

    /// Tells of a pod and of the cgroup of its container.
    pub(crate) fn runs(&mut self, cgroup: u64, pod: &PodObject) {
        self.object(pod.clone());
        self.cgroup(cgroup, &path_of(&pod.0.uid));
    }

    pub(crate) fn pod_gone(&mut self, name: &str) {
        self.object(KubernetesFact::PodGone { uid: uid(name).into() });
    }

    pub(crate) fn service_gone(&mut self, namespace: &str, name: &str) {
        self.object(KubernetesFact::ServiceGone { namespace: namespace.into(), name: name.into() });
    }
}

/// Which addresses are the cluster's.
pub(crate) fn scope(partly_watched: bool) -> KubernetesFact {
    let ranges = ["10.1.0.0", "10.96.0.0"].map(|address| AddressRange { address: ip(address), prefix: 16 });
    let six = AddressRange { address: ip("fd00:1::"), prefix: 32 };
    let ranges = ranges.into_iter().chain([six]).collect();
    KubernetesFact::Scope(ClusterScope { ranges, partly_watched, ..ClusterScope::default() })
}

/// The path of a pod's container in the kubelet's layout.
pub(crate) fn path_of(uid: &str) -> String {
    let slice = format!("kubepods-besteffort-pod{}.slice", uid.replace('-', "_"));
    let container = container_of(uid);
    format!("/kubepods.slice/kubepods-besteffort.slice/{slice}/cri-containerd-{container}.scope")
}

/// A container id made of a UID.
pub(crate) fn container_of(uid: &str) -> String {
    format!("{:0<64}", uid.replace('-', ""))
}

/// A UID made of a name.
pub(crate) fn uid(name: &str) -> String {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

#[derive(Clone)]
pub(crate) struct PodObject(pub(crate) Pod);

impl From<PodObject> for KubernetesFact {
    fn from(pod: PodObject) -> Self {
        Self::Pod(pod.0)
    }
}

/// A running pod of a Deployment, on another node than `box`.
pub(crate) fn pod(namespace: &str, name: &str, owner: &str, address: &str) -> PodObject {
    PodObject(Pod {
        namespace: namespace.into(),
        name: name.into(),
        uid: uid(name).into(),
        ips: vec![ip(address)],
        host_network: false,
        node: "far".into(),
        owner: PodOwner { kind: "Deployment".into(), name: owner.into(), uid: uid(owner).into() }.into(),
        labels: Labels::default(),
        container_ids: vec![container_of(&uid(name)).into()],
        container_ports: Arc::new([]),
        phase: PodPhase::Running,
        ready: true,
        started_at: None,
    })
}

impl PodObject {
    pub(crate) fn also(mut self, address: &str) -> Self {
        self.0.ips.push(ip(address));
        self
    }

    pub(crate) fn declares(self, port: u16) -> Self {
        self.names_port("", port)
    }

    pub(crate) fn on_node(mut self, node: &str) -> Self {
        self.0.node = node.into();
        self
    }

    pub(crate) fn on_host(mut self, node: &str) -> Self {
        self.0.host_network = true;
        self.0.node = node.into();
        self
    }

    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.0.labels = with(&self.0.labels, name, value);
        self
    }

    pub(crate) fn not_ready(mut self) -> Self {
        self.0.ready = false;
        self
    }

    pub(crate) fn names_port(mut self, name: &str, port: u16) -> Self {
        let more = ContainerPort { name: name.into(), port };
        self.0.container_ports = self.0.container_ports.iter().cloned().chain([more]).collect();
        self
    }

    pub(crate) fn started(mut self, at: Timestamp) -> Self {
        self.0.started_at = Some(at);
        self
    }

    pub(crate) fn phase(mut self, phase: PodPhase) -> Self {
        self.0.phase = phase;
        self
    }
}

fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let labels = labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    labels.chain([(name.into(), value.into())]).collect()
}

#[derive(Clone)]
pub(crate) struct ServiceObject(KubernetesService);

impl From<ServiceObject> for KubernetesFact {
    fn from(service: ServiceObject) -> Self {
        Self::Service(service.0)
    }
}

/// A ClusterIP Service, as yet without ports.
pub(crate) fn service(namespace: &str, name: &str, address: &str) -> ServiceObject {
    ServiceObject(KubernetesService {
        namespace: namespace.into(),
        name: name.into(),
        uid: uid(name).into(),
        service_type: ServiceType::ClusterIP,
        cluster_ips: vec![ip(address)],
        external_ips: Vec::new(),
        load_balancer_ips: Vec::new(),
        external_name: None,
        ports: Vec::new(),
        selector: Labels::default(),
        labels: Labels::default(),
        created_at: None,
    })
}

/// A Service without a cluster address.
pub(crate) fn headless(namespace: &str, name: &str) -> ServiceObject {
    let ServiceObject(service) = service(namespace, name, "0.0.0.0");
    ServiceObject(KubernetesService {
        service_type: ServiceType::Headless,
        cluster_ips: Vec::new(),
        ..service
    })
}

impl ServiceObject {
    pub(crate) fn port(mut self, name: &str, port: u16) -> Self {
        self.0.ports.push(ServicePort { name: name.into(), port, node_port: None });
        self
    }

    pub(crate) fn node_port(mut self, port: u16, node_port: u16) -> Self {
        self.0.service_type = ServiceType::NodePort;
        self.0.ports.push(ServicePort { name: "".into(), port, node_port: Some(node_port) });
        self
    }

    pub(crate) fn also(mut self, address: &str) -> Self {
        self.0.cluster_ips.push(ip(address));
        self
    }

    pub(crate) fn balanced_at(mut self, address: &str) -> Self {
        self.0.service_type = ServiceType::LoadBalancer;
        self.0.load_balancer_ips.push(ip(address));
        self
    }

    pub(crate) fn external_ip(mut self, address: &str) -> Self {
        self.0.external_ips.push(ip(address));
        self
    }

    pub(crate) fn created(mut self, at: Timestamp) -> Self {
        self.0.created_at = Some(at);
        self
    }

    /// Selects pods by a label.
    pub(crate) fn selects(mut self, name: &str, value: &str) -> Self {
        self.0.selector = with(&self.0.selector, name, value);
        self
    }

    pub(crate) fn external_name(mut self, name: &str) -> Self {
        self.0.service_type = ServiceType::ExternalName;
        self.0.cluster_ips.clear();
        self.0.external_name = Some(name.into());
        self
    }

    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.0.labels = with(&self.0.labels, name, value);
        self
    }
}

#[derive(Clone)]
pub(crate) struct SliceObject(EndpointSlice);

impl From<SliceObject> for KubernetesFact {
    fn from(slice: SliceObject) -> Self {
        Self::EndpointSlice(slice.0)
    }
}

/// The slice of a Service, as yet empty.
pub(crate) fn slice(namespace: &str, service: &str) -> SliceObject {
    SliceObject(EndpointSlice {
        namespace: namespace.into(),
        name: format!("{service}-1").into(),
        service: service.into(),
        endpoints: Vec::new(),
        ports: Vec::new(),
    })
}

impl SliceObject {
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.0.name = name.into();
        self
    }

    pub(crate) fn port(mut self, name: &str, port: u16) -> Self {
        self.0.ports.push(SlicePort { name: name.into(), port });
        self
    }

    pub(crate) fn holds(mut self, pod: &PodObject) -> Self {
        self.0.endpoints.push(endpoint(pod.0.ips.clone(), Some(pod.0.uid.clone())));
        self
    }

    pub(crate) fn in_zone(mut self, zone: &str) -> Self {
        if let Some(last) = self.0.endpoints.last_mut() {
            last.zone = Some(zone.into());
        }
        self
    }

    pub(crate) fn by_hand(mut self, address: &str) -> Self {
        self.0.endpoints.push(endpoint(vec![ip(address)], None));
        self
    }

    pub(crate) fn not_ready(mut self) -> Self {
        if let Some(last) = self.0.endpoints.last_mut() {
            last.ready = false;
        }
        self
    }

    pub(crate) fn terminating(mut self) -> Self {
        if let Some(last) = self.0.endpoints.last_mut() {
            (last.ready, last.terminating) = (false, true);
        }
        self
    }
}

fn endpoint(addresses: Vec<std::net::IpAddr>, pod: Option<Arc<str>>) -> SliceEndpoint {
    SliceEndpoint { addresses, ready: true, serving: true, terminating: false, pod, node: None, zone: None }
}

/// A node.
pub(crate) fn node(name: &str, address: &str) -> KubernetesFact {
    let labels = [("zone", "a")].into_iter().collect();
    KubernetesFact::Node(Node {
        name: name.into(),
        uid: uid(name).into(),
        addresses: vec![ip(address)],
        pod_ranges: Vec::new(),
        labels,
    })
}

/// A namespace with labels.
pub(crate) fn namespace(name: &str, labels: &[(&str, &str)]) -> KubernetesFact {
    KubernetesFact::Namespace(Namespace { name: name.into(), labels: labels.iter().copied().collect() })
}

/// An Ingress of class `nginx` for one host name.
pub(crate) fn ingress(namespace: &str, name: &str, host: &str) -> IngressObject {
    IngressObject(Ingress {
        kind: IngressKind::Ingress,
        namespace: namespace.into(),
        name: name.into(),
        class: Some("nginx".into()),
        hosts: vec![host.into()],
        backends: Vec::new(),
    })
}

#[derive(Clone)]
pub(crate) struct IngressObject(pub(crate) Ingress);

impl From<IngressObject> for KubernetesFact {
    fn from(ingress: IngressObject) -> Self {
        Self::Ingress(ingress.0)
    }
}

impl IngressObject {
    pub(crate) fn leads_to(mut self, namespace: &str, service: &str, port: Option<BackendPort>) -> Self {
        self.0.backends.push(IngressBackend { namespace: namespace.into(), service: service.into(), port });
        self
    }
}

/// A policy that selects the pods with a label, and as yet restricts nothing.
pub(crate) fn policy(namespace: &str, name: &str, selects: &[(&str, &str)]) -> PolicyObject {
    PolicyObject(NetworkPolicy {
        namespace: namespace.into(),
        name: name.into(),
        pod_selector: selector(selects),
        ingress: None,
        egress: None,
    })
}

pub(crate) fn selector(labels: &[(&str, &str)]) -> LabelSelector {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    LabelSelector { match_labels: labels.collect(), ..LabelSelector::default() }
}

#[derive(Clone)]
pub(crate) struct PolicyObject(NetworkPolicy);

impl From<PolicyObject> for KubernetesFact {
    fn from(policy: PolicyObject) -> Self {
        Self::NetworkPolicy(policy.0)
    }
}

impl PolicyObject {
    /// Nobody may connect to the pods but for the rules that follow.
    pub(crate) fn restricts_ingress(mut self) -> Self {
        self.0.ingress.get_or_insert_default();
        self
    }

    /// The pods may connect to nobody but for the rules that follow.
    pub(crate) fn restricts_egress(mut self) -> Self {
        self.0.egress.get_or_insert_default();
        self
    }

    pub(crate) fn lets_in(mut self, peers: &[PolicyPeer], ports: &[PolicyPort]) -> Self {
        let rule = PolicyRule { peers: peers.to_vec(), ports: ports.to_vec() };
        self.0.ingress.get_or_insert_default().push(rule);
        self
    }

    pub(crate) fn lets_out(mut self, peers: &[PolicyPeer], ports: &[PolicyPort]) -> Self {
        let rule = PolicyRule { peers: peers.to_vec(), ports: ports.to_vec() };
        self.0.egress.get_or_insert_default().push(rule);
        self
    }
}
