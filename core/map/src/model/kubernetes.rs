//! What a cluster's API server says about its objects, reduced to what the map uses.
//!
//! Each fact states an object as a whole: telling it again changes nothing, and a later one takes the place of an earlier
//! one of the same name. The instant of the fact is when the object became so, as far as the source knows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{ServiceType, Timestamp};

/// Something about an object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// What the cluster's own addresses are.
    Scope(ClusterScope),
}

/// Which addresses are inside the cluster, and how much of it is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterScope {
    /// Ranges of pod and Service addresses. The pod ranges of nodes need not be repeated here.
    pub ranges: Vec<AddressRange>,
    /// Not all namespaces are watched: an address inside that nobody has may be that of an object that is not seen.
    pub partly_watched: bool,
}

/// A range of addresses (CIDR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many leading bits all addresses have in common: at most 32 (IPv4) or 128 (IPv6); more count as that.
    pub prefix: u8,
}

impl AddressRange {
    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(32))
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(128))
            }
            _ => false,
        }
    }
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesService {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
    /// One of the five types of Kubernetes Services; `Headless` where `spec.clusterIP` is `None`.
    pub service_type: ServiceType,
    /// `spec.clusterIPs`; empty for a headless one.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// Addresses in `status.loadBalancer.ingress`.
    pub load_balancer_ips: Vec<IpAddr>,
    /// `spec.externalName`.
    pub external_name: Option<Arc<str>>,
    /// TCP ports; those of other protocols are left out.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`; empty where the endpoints are made by hand.
    pub selector: BTreeMap<String, String>,
    /// Labels of the Service.
    pub labels: BTreeMap<String, String>,
}

/// A TCP port that a Service offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty where the only port has none. EndpointSlices refer to it.
    pub name: Arc<str>,
    /// The port that clients ask for.
    pub port: u16,
    /// The port at every node's addresses, if there is one.
    pub node_port: Option<u16>,
}

/// Some of the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace of slice and Service.
    pub namespace: Arc<str>,
    /// Its own name.
    pub name: Arc<str>,
    /// Name of the Service (label `kubernetes.io/service-name`).
    pub service: Arc<str>,
    /// The endpoints.
    pub endpoints: Vec<SliceEndpoint>,
    /// TCP ports, the same for all of them.
    pub ports: Vec<SlicePort>,
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceEndpoint {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Takes connections; `true` where the API leaves it open.
    pub ready: bool,
    /// Takes connections, if it were not for its being deleted.
    pub serving: bool,
    /// Is being deleted.
    pub terminating: bool,
    /// UID of the pod behind it, where it is a pod.
    pub pod: Option<Arc<str>>,
    /// Name of its node.
    pub node: Option<Arc<str>>,
    /// Name of its zone.
    pub zone: Option<Arc<str>>,
}

/// One TCP port of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// Name of the Service's port.
    pub name: Arc<str>,
    /// The port at which the endpoints listen.
    pub port: u16,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID, as in its cgroup's path.
    pub uid: Arc<str>,
    /// `status.podIPs`; empty until its sandbox is up. A host-network pod has its node's.
    pub ips: Vec<IpAddr>,
    /// It lives in its node's network namespace.
    pub host_network: bool,
    /// Name of its node; empty until it is scheduled.
    pub node: Arc<str>,
    /// The top of its chain of owners (ReplicaSet → Deployment, Job → CronJob); the pod itself where nobody owns it.
    pub owner: PodOwner,
    /// Labels of the pod that the map's users asked for.
    pub labels: BTreeMap<String, String>,
    /// Ids of its containers, without `containerd://` and the like.
    pub container_ids: Vec<Arc<str>>,
    /// TCP ports that its containers declare.
    pub container_ports: Vec<u16>,
    /// Where it is in its life.
    pub phase: PodPhase,
    /// When its sandbox began (`status.startTime`); the fact's instant stands in.
    pub started_at: Option<Timestamp>,
}

/// The top owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodOwner {
    /// `Deployment`, `CronJob`, `StatefulSet` and so on.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

/// `status.phase` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not yet started.
    Pending,
    /// At least one container runs or starts.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// `InternalIP` and `ExternalIP` addresses.
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    pub pod_ranges: Vec<AddressRange>,
    /// Labels of the node that the map's users asked for.
    pub labels: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(address: &str, prefix: u8) -> AddressRange {
        AddressRange { address: address.parse().unwrap(), prefix }
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_prefix() {
        let holds = |range: AddressRange, address: &str| range.contains(address.parse().unwrap());
        assert!(holds(range("10.96.0.0", 12), "10.111.255.255"));
        assert!(!holds(range("10.96.0.0", 12), "10.112.0.0"));
        assert!(holds(range("10.96.0.0", 12), "::ffff:10.96.0.1"));
        assert!(holds(range("fd00:10::", 32), "fd00:10:ffff::1"));
        assert!(!holds(range("fd00:10::", 32), "fd00:11::1"));
        assert!(!holds(range("0.0.0.0", 0), "::1"));
        assert!(holds(range("10.0.0.1", 255), "10.0.0.1"));
    }
}
