//! What a cluster's API server says about its objects, reduced to what the map uses.
//!
//! Each fact states an object as a whole: telling it again changes nothing, and a later one takes the place of an earlier
//! one of the same name. The instant of the fact is when the object became so, as far as the source knows.

mod ingress;
mod labels;
mod policy;
mod range;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use ingress::{BackendPort, Ingress, IngressBackend, IngressKind};
pub use labels::{LabelExpression, LabelOperator, LabelSelector, Labels};
pub use policy::{NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule};
pub use range::AddressRange;

use super::{ServiceType, Timestamp};

/// Something about an object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KubernetesFact {
    /// A Service is so.
    Service(KubernetesService),
    /// A Service was deleted.
    ServiceGone {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// An EndpointSlice is so.
    EndpointSlice(EndpointSlice),
    /// An EndpointSlice was deleted.
    EndpointSliceGone {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its own name, not the Service's.
        name: Arc<str>,
    },
    /// A pod is so.
    Pod(Pod),
    /// A pod was deleted.
    PodGone {
        /// Its UID: another pod of its name may be there already.
        uid: Arc<str>,
    },
    /// A node is so.
    Node(Node),
    /// A node was deleted.
    NodeGone {
        /// Its name.
        name: Arc<str>,
    },
    /// A namespace is so.
    Namespace(Namespace),
    /// A namespace was deleted.
    NamespaceGone {
        /// Its name.
        name: Arc<str>,
    },
    /// Something that lets connections in from outside is so.
    Ingress(Ingress),
    /// Something that let connections in was deleted.
    IngressGone {
        /// Its kind: objects of different kinds may have the same name.
        kind: IngressKind,
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A network policy is so.
    NetworkPolicy(NetworkPolicy),
    /// A network policy was deleted.
    NetworkPolicyGone {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// Which cluster it is, and what its own addresses are.
    Scope(ClusterScope),
}

/// Which cluster it is, which addresses are inside of it, and how much of it is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterScope {
    /// UID of its namespace `kube-system`, which stands for the cluster; empty where it may not be read.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub uid: Arc<str>,
    /// Ranges of pod and Service addresses. The pod ranges of nodes need not be repeated here.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub ranges: Vec<AddressRange>,
    /// Not all namespaces are watched: an address inside that nobody has may be that of an object that is not seen.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub partly_watched: bool,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesService {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub uid: Arc<str>,
    /// One of the five types of Kubernetes Services; `Headless` where `spec.clusterIP` is `None`.
    pub service_type: ServiceType,
    /// `spec.clusterIPs`; empty for a headless one.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs`.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub external_ips: Vec<IpAddr>,
    /// Addresses in `status.loadBalancer.ingress`.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub load_balancer_ips: Vec<IpAddr>,
    /// `spec.externalName`.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub external_name: Option<Arc<str>>,
    /// TCP ports; those of other protocols are left out.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub ports: Vec<ServicePort>,
    /// `spec.selector`; empty where the endpoints are made by hand.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub selector: Labels,
    /// Labels of the Service.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub labels: Labels,
    /// When it was made (`metadata.creationTimestamp`): since then its addresses are its own, also where it is told of much
    /// later. The fact's instant stands in.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub created_at: Option<Timestamp>,
}

impl KubernetesService {
    /// Whether it selects pods of a namespace that have these labels. One without a selector selects none.
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        !self.selector.is_empty() && *self.namespace == *namespace && labels.contains(&self.selector)
    }
}

/// A TCP port that a Service offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePort {
    /// Its name; empty where the only port has none. EndpointSlices refer to it.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub name: Arc<str>,
    /// The port that clients ask for.
    pub port: u16,
    /// The port at every node's addresses, if there is one.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub node_port: Option<u16>,
}

/// Some of the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSlice {
    /// Namespace of slice and Service.
    pub namespace: Arc<str>,
    /// Its own name.
    pub name: Arc<str>,
    /// Name of the Service (label `kubernetes.io/service-name`).
    pub service: Arc<str>,
    /// The endpoints.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub endpoints: Vec<SliceEndpoint>,
    /// TCP ports, the same for all of them.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub ports: Vec<SlicePort>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SliceEndpoint {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Takes connections; `true` where the API leaves it open.
    #[serde(default = "super::lean::yes", skip_serializing_if = "super::lean::is_yes")]
    pub ready: bool,
    /// Takes connections, if it were not for its being deleted.
    #[serde(default = "super::lean::yes", skip_serializing_if = "super::lean::is_yes")]
    pub serving: bool,
    /// Is being deleted.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub terminating: bool,
    /// UID of the pod behind it, where it is a pod.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub pod: Option<Arc<str>>,
    /// Name of its node.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub node: Option<Arc<str>>,
    /// Name of its zone.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub zone: Option<Arc<str>>,
}

/// One TCP port of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlicePort {
    /// Name of the Service's port.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub name: Arc<str>,
    /// The port at which the endpoints listen.
    pub port: u16,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID, as in its cgroup's path unless it is a static pod.
    pub uid: Arc<str>,
    /// `status.podIPs`; empty until its sandbox is up. A host-network pod has its node's.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub ips: Vec<IpAddr>,
    /// It lives in its node's network namespace.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub host_network: bool,
    /// Name of its node; empty until it is scheduled.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub node: Arc<str>,
    /// The top of its chain of owners (ReplicaSet → Deployment, Job → CronJob); the pod itself where nobody owns it.
    pub owner: Arc<PodOwner>,
    /// All labels of the pod: any of them may be in a selector of a Service or network policy that comes later. Annotations
    /// are not among them.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub labels: Labels,
    /// Ids of its containers, without `containerd://` and the like, where its UID is not in its cgroup's path: of a static pod,
    /// whose path has the hash of its manifest.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub container_ids: Vec<Arc<str>>,
    /// TCP ports that its containers declare. Copies share one row, as labels do.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub container_ports: Arc<[ContainerPort]>,
    /// Where it is in its life.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub phase: PodPhase,
    /// Its condition `Ready` is `True`.
    #[serde(default = "super::lean::yes", skip_serializing_if = "super::lean::is_yes")]
    pub ready: bool,
    /// When its sandbox began (`status.startTime`); the fact's instant stands in.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub started_at: Option<Timestamp>,
}

/// A TCP port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerPort {
    /// Its name, by which network policies refer to it; empty where it has none.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub name: Arc<str>,
    /// The port.
    pub port: u16,
}

/// The top owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodOwner {
    /// `Deployment`, `CronJob`, `StatefulSet` and so on.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

/// `status.phase` of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodPhase {
    /// Not yet started.
    Pending,
    /// At least one container runs or starts.
    #[default]
    Running,
    /// All containers ended well: the addresses are free, though the object stays.
    Succeeded,
    /// All containers ended, one of them badly: the addresses are free.
    Failed,
}

impl PodPhase {
    /// Whether the pod's addresses are somebody else's now.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub uid: Arc<str>,
    /// `InternalIP` and `ExternalIP` addresses.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub pod_ranges: Vec<AddressRange>,
    /// Labels of the node that the map's users asked for.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub labels: Labels,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Its name.
    pub name: Arc<str>,
    /// All of its labels: network policies select by them, and one may name the environment.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub labels: Labels,
}
