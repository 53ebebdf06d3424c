//! The cluster as its API server tells it: which Service, pod or node has an address at an instant, and which Service or
//! workload a pod belongs to. `learn` takes facts, `find` answers, `declared` says what belongs into the map.

mod declared;
mod exposed;
mod find;
mod heirs;
mod learn;
mod members;
mod others;
mod owners;
mod pods;
mod policies;
mod readiness;
mod slices;

use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash as _, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use declared::Declared;
use exposed::IngressKey;
pub(crate) use find::Found;
use members::Members;
use owners::Owners;
use pods::KnownPod;
pub(crate) use policies::{PodGroup, Policies};
use readiness::Readiness;

use crate::collections::{HashMap, Keyed, Row, Table};
use crate::model::{
    AddressRange, ClusterScope, EndpointSlice, Ingress, KubernetesService, Labels, Node, ServiceRef,
    ServiceType, Timestamp,
};

/// Namespace and name.
pub(crate) type Key = (Arc<str>, Arc<str>);

/// A Service and the name of one of its ports.
type NamedPort = (Key, Arc<str>);

/// Objects that are kept, ended ones included: pods, Services, slices and nodes of a cluster at the limits that Kubernetes
/// itself is tested for (150,000 pods, 10,000 Services, 5,000 nodes). More are turned away and counted.
pub(crate) const MAX_OBJECTS: usize = 250_000;

/// An object with the time it was there.
#[derive(Debug)]
struct Kept<T> {
    object: T,
    from: Timestamp,
    ended: Option<Timestamp>,
}

impl<T> Kept<T> {
    fn is_there(&self, at: Timestamp) -> bool {
        self.ended.is_none_or(|ended| at < ended)
    }
}

impl<T: Keyed> Keyed for Kept<T> {
    type Key = T::Key;

    fn has_key(&self, key: &T::Key) -> bool {
        self.object.has_key(key)
    }

    fn hash_key(&self, hasher: &mut impl Hasher) {
        self.object.hash_key(hasher);
    }
}

impl Keyed for KubernetesService {
    type Key = Key;

    fn has_key(&self, (namespace, name): &Key) -> bool {
        self.name == *name && self.namespace == *namespace
    }

    fn hash_key(&self, hasher: &mut impl Hasher) {
        (&self.namespace, &self.name).hash(hasher);
    }
}

impl Keyed for EndpointSlice {
    type Key = Key;

    fn has_key(&self, (namespace, name): &Key) -> bool {
        self.name == *name && self.namespace == *namespace
    }

    fn hash_key(&self, hasher: &mut impl Hasher) {
        (&self.namespace, &self.name).hash(hasher);
    }
}

/// Everything that is known of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    services: Table<Kept<KubernetesService>>,
    slices: Table<EndpointSlice>,
    /// Names of the Services of each namespace that select pods, those that have ended included.
    selecting: HashMap<Arc<str>, Row<Arc<str>>>,
    /// Names of the slices of each Service.
    slices_of: HashMap<Key, Row<Arc<str>>>,
    /// How the readiness of endpoints changed, of Services that have an endpoint of which it did.
    readiness: HashMap<Key, Readiness>,
    pods: Table<Kept<KnownPod>>,
    nodes: HashMap<Arc<str>, Kept<Node>>,
    namespaces: HashMap<Arc<str>, Labels>,
    ingresses: HashMap<IngressKey, Ingress>,
    policies: Policies,
    scope: ClusterScope,

    owners: Owners,
    members: Members,
    /// Endpoints that are no pods, with namespace, Service and name of the port.
    by_hand: HashMap<(IpAddr, u16), BTreeSet<NamedPort>>,
    /// Ingresses that lead to each Service.
    exposed: HashMap<Key, BTreeSet<IngressKey>>,
    /// Services by node port.
    node_ports: HashMap<u16, BTreeSet<Key>>,
    /// Static pods by container id.
    containers: HashMap<Arc<str>, Arc<str>>,
    /// Pods that live in the network namespace of a node, by the node's name.
    host_pods: HashMap<Arc<str>, Row<Arc<str>>>,
    /// Pods of each owner.
    owned: HashMap<Key, Row<Arc<str>>>,
    /// What has ended, in the order in which that was told.
    ended_pods: VecDeque<(Timestamp, Arc<str>)>,
    ended_services: VecDeque<(Timestamp, Key)>,
}

impl Cluster {
    fn len(&self) -> usize {
        let placed = self.services.len() + self.slices.len() + self.pods.len() + self.nodes.len();
        placed + self.namespaces.len() + self.ingresses.len() + self.policies.len()
    }

    fn ranges(&self) -> impl Iterator<Item = &AddressRange> {
        self.scope.ranges.iter().chain(self.nodes.values().flat_map(|node| &node.object.pod_ranges))
    }

    fn service_ref(service: &KubernetesService) -> ServiceRef {
        ServiceRef {
            namespace: service.namespace.clone(),
            name: service.name.clone(),
            service_type: service.service_type,
        }
    }

    /// Labels of a namespace that is known.
    pub(crate) fn namespace_labels(&self, namespace: &str) -> Option<&Labels> {
        self.namespaces.get(namespace)
    }

    /// Addresses that changed hands since this was last asked, with the generation that began.
    pub(crate) fn take_reused(&mut self) -> Vec<(IpAddr, u32)> {
        self.owners.take_reused()
    }

    /// How many of them were forgotten since this was last asked.
    pub(crate) fn take_forgotten(&mut self) -> u64 {
        self.owners.take_forgotten()
    }

    /// A node as a service.
    pub(crate) fn node_ref(name: &Arc<str>) -> ServiceRef {
        ServiceRef { namespace: "".into(), name: name.clone(), service_type: ServiceType::Node }
    }
}
