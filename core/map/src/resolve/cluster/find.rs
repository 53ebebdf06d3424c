//! Answers: who is a pod, who is at an address and port.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::super::ends::Instant;
use super::members::Place;
use super::owners::Owner;
use super::pods::KnownPod;
use super::{Cluster, Kept, Key};
use crate::model::{KubernetesService, ServiceRef, ServiceType, Timestamp};

/// A pod leaves its Services' slices a little before its own end is told. What it did until then was the Service's.
const LEAVES_BEFORE_END: Duration = Duration::from_secs(10);

/// Who is at an address and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A Service or workload, with the port that it offers.
    At(ServiceRef, u16, &'static str),
    /// A node's own address: whoever listens there.
    Node(ServiceRef),
    /// Inside the cluster, but nobody known has it.
    Unknown,
}

impl Cluster {
    /// The pod of a cgroup: by UID, else by container.
    pub(crate) fn pod(&self, uid: &str, container: Option<&str>) -> Option<&Arc<str>> {
        let known = self.pods.get(uid).map(|pod| &pod.object.uid);
        known.or_else(|| self.containers.get(container?))
    }

    /// Whether a pod has its network namespace for itself.
    pub(crate) fn has_own_network(&self, uid: &str) -> bool {
        self.pods.get(uid).is_some_and(|pod| !pod.object.host_network)
    }

    /// Whether an address is that pod's at an instant.
    pub(crate) fn has_address(&self, uid: &str, address: IpAddr, when: Instant) -> bool {
        self.owners
            .at(address, when.at, when.generation)
            .iter()
            .any(|owner| matches!(owner, Owner::Pod(pod) if **pod == *uid))
    }

    /// Names of all nodes.
    pub(crate) fn node_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.nodes.keys()
    }

    /// The node that has one of these names or addresses.
    pub(crate) fn node_here(&self, host: &str, is_here: impl Fn(IpAddr) -> bool) -> Option<ServiceRef> {
        let by_name = self.nodes.get_key_value(host).map(|(name, _)| name);
        let by_address = || {
            let here = self
                .nodes
                .values()
                .filter(|node| node.object.addresses.iter().any(|address| is_here(*address)));
            here.map(|node| &node.object.name).min()
        };
        by_name.or_else(by_address).map(Self::node_ref)
    }

    /// The service that a pod is at an instant: of the Services behind which it is, not headless ones first, then the one
    /// behind which it was first (so that it keeps its name), then the first by name. No slice has it yet when it begins:
    /// until one does, it is the Service that selects it by its labels. Else it is its workload.
    pub(crate) fn identity(&self, uid: &str, at: Timestamp) -> Option<ServiceRef> {
        let pod = self.pods.get(uid)?;
        let listed = first(self.places(pod, at)).map(|(_, service)| service);
        let service = listed.or_else(|| self.selecting(&pod.object, at));
        Some(service.map_or_else(|| workload(&pod.object), Self::service_ref))
    }

    /// The Service that selects a pod by its labels: not headless ones first, then by name.
    fn selecting(&self, pod: &KnownPod, at: Timestamp) -> Option<&KubernetesService> {
        let names = self.selecting.get(&pod.namespace)?;
        let services = names.iter().filter_map(|name| {
            let service = self.services.get(&(pod.namespace.clone(), name.clone()))?;
            (service.is_there(at) && service.object.selects(&pod.namespace, &pod.labels))
                .then_some(&service.object)
        });
        services.min_by_key(|service| service.service_type == ServiceType::Headless)
    }

    /// The service that a pod is for who connects to one of its ports, and the port as the service offers it.
    pub(crate) fn identity_at(&self, uid: &str, port: u16, at: Timestamp) -> Option<(ServiceRef, u16)> {
        let pod = self.pods.get(uid)?;
        let at_port = self.places(pod, at).filter_map(|(place, service)| match &place.offer.port {
            Some((name, target)) if *target == port => Some((place, (service, name))),
            _ => None,
        });
        match first_by(at_port, |(service, _)| service) {
            Some((_, (service, name))) => Some((Self::service_ref(service), offered(service, name, port))),
            None => Some((self.identity(uid, at)?, port)),
        }
    }

    pub(super) fn places<'a>(
        &'a self,
        pod: &'a Kept<KnownPod>,
        at: Timestamp,
    ) -> impl Iterator<Item = (&'a Place, &'a KubernetesService)> {
        let until_its_end =
            move |until: Timestamp| pod.ended.is_some_and(|ended| until + LEAVES_BEFORE_END >= ended);
        let holds = move |place: &&Place| place.until.is_none_or(|until| at < until || until_its_end(until));
        self.members.of(&pod.object.uid).iter().filter(holds).filter_map(move |place| {
            let key = (pod.object.namespace.clone(), place.offer.service.clone());
            let service = self.services.get(&key).filter(|service| service.is_there(at))?;
            Some((place, &service.object))
        })
    }

    /// Who is at an address and port at an instant; `None` where it is nothing of the cluster's.
    pub(crate) fn find(&self, address: IpAddr, port: u16, when: Instant) -> Option<Found> {
        let at = when.at;
        let owners = self.owners.at(address, at, when.generation);
        let services = || {
            let keys = owners.iter().filter_map(|owner| match owner {
                Owner::Service(key) => self.services.get(&**key).filter(|kept| kept.is_there(at)),
                _ => None,
            });
            keys.map(|kept| &kept.object)
        };
        let offering = services().filter(|service| service.ports.iter().any(|one| one.port == port));
        if let Some(service) = offering.min_by_key(|service| (&service.namespace, &service.name)) {
            return Some(Found::At(Self::service_ref(service), port, "service"));
        }
        let pod = owners.iter().find_map(|owner| match owner {
            Owner::Pod(uid) => self.at_pod(uid, port, at),
            _ => None,
        });
        if pod.is_some() {
            return pod;
        }
        if let Some((service, port)) = self.by_hand(address, port, at) {
            return Some(Found::At(service, port, "endpoint"));
        }
        let node = owners.iter().find_map(|owner| match owner {
            Owner::Node(name) => Some(name),
            _ => None,
        });
        if let Some(name) = node {
            return Some(self.at_node(name, port, at));
        }
        // A port that a Service does not offer is still the Service's address.
        if let Some(service) = services().min_by_key(|service| (&service.namespace, &service.name)) {
            return Some(Found::At(Self::service_ref(service), port, "service_address"));
        }
        self.ranges().any(|range| range.contains(address)).then_some(Found::Unknown)
    }

    fn at_pod(&self, uid: &str, port: u16, at: Timestamp) -> Option<Found> {
        let (service, offered) = self.identity_at(uid, port, at)?;
        let listens = |place: &Place| place.offer.leads_to(port);
        let declared = self.pods.get(uid).is_some_and(|pod| pod.object.declares(port));
        let rule = if declared || self.members.of(uid).iter().any(listens) { "endpoint" } else { "pod" };
        Some(Found::At(service, offered, rule))
    }

    /// Who has an address from which a connection comes; `None` where it is nobody of the cluster.
    pub(crate) fn client(&self, address: IpAddr, when: Instant) -> Option<Found> {
        let at = when.at;
        let known = self.owners.at(address, at, when.generation).into_iter().find_map(|owner| match owner {
            Owner::Pod(uid) => Some(Found::At(self.identity(uid, at)?, 0, "pod")),
            Owner::Node(name) => Some(Found::Node(Self::node_ref(name))),
            Owner::Service(_) => None,
        });
        let inside = || self.ranges().any(|range| range.contains(address)).then_some(Found::Unknown);
        known.or_else(inside)
    }

    /// The node of who has an address from which a connection comes.
    pub(crate) fn node_of(&self, address: IpAddr, when: Instant) -> Option<&Arc<str>> {
        self.owners.at(address, when.at, when.generation).into_iter().find_map(|owner| match owner {
            Owner::Pod(uid) => self.pods.get(uid).map(|pod| &pod.object.node).filter(|node| !node.is_empty()),
            Owner::Node(name) => self.nodes.get_key_value(name).map(|(name, _)| name),
            Owner::Service(_) => None,
        })
    }

    /// The node of the pod with an address of its own that this is.
    pub(crate) fn node_of_pod(&self, address: IpAddr, when: Instant) -> Option<&Arc<str>> {
        let pod = self.pods.get(self.pod_at(address, when)?)?;
        Some(&pod.object.node)
    }

    /// Whether any fact has come.
    pub(crate) fn is_known(&self) -> bool {
        self.len() > 0 || !self.scope.ranges.is_empty()
    }

    fn by_hand(&self, address: IpAddr, port: u16, at: Timestamp) -> Option<(ServiceRef, u16)> {
        self.by_hand.get(&(address.to_canonical(), port))?.iter().find_map(|(key, name)| {
            let service = &self.services.get(key).filter(|service| service.is_there(at))?.object;
            Some((Self::service_ref(service), offered(service, name, port)))
        })
    }

    fn at_node(&self, name: &Arc<str>, port: u16, at: Timestamp) -> Found {
        let behind = |key: &Key| self.services.get(key).filter(|service| service.is_there(at));
        if let Some(service) = self.node_ports.get(&port).and_then(|keys| keys.iter().find_map(behind)) {
            let offered = service.object.ports.iter().find(|one| one.node_port == Some(port));
            let offered = offered.map_or(port, |one| one.port);
            return Found::At(Self::service_ref(&service.object), offered, "node_port");
        }
        let declares = |uid: &&Arc<str>| {
            let pod = self.pods.get(*uid).filter(|pod| pod.from <= at && pod.is_there(at));
            let offers = |place: &Place| place.offer.leads_to(port);
            pod.is_some_and(|pod| pod.object.declares(port) || self.members.of(uid).iter().any(offers))
        };
        let pod = self.host_pods.get(name).and_then(|pods| pods.iter().find(declares));
        match pod.and_then(|uid| self.identity_at(uid, port, at)) {
            Some((service, port)) => Found::At(service, port, "host_port"),
            None => Found::Node(Self::node_ref(name)),
        }
    }

    /// Whether an address inside the cluster that nobody known has may be that of an object that is not watched.
    pub(crate) fn is_partly_watched(&self) -> bool {
        self.scope.partly_watched
    }
}

/// The workload of a pod.
pub(super) fn workload(pod: &KnownPod) -> ServiceRef {
    ServiceRef {
        namespace: pod.namespace.clone(),
        name: pod.owner.name.clone(),
        service_type: ServiceType::Workload,
    }
}

/// The port that a Service offers under a name; where it offers none of that name, the port itself.
pub(super) fn offered(service: &KubernetesService, name: &str, port: u16) -> u16 {
    service.ports.iter().find(|one| *one.name == *name).map_or(port, |one| one.port)
}

fn first<'a>(
    places: impl Iterator<Item = (&'a Place, &'a KubernetesService)>,
) -> Option<(&'a Place, &'a KubernetesService)> {
    first_by(places, |service| service)
}

fn first_by<'a, T>(
    places: impl Iterator<Item = (&'a Place, T)>,
    service: impl Fn(&T) -> &KubernetesService,
) -> Option<(&'a Place, T)> {
    places.min_by_key(|(place, of)| {
        let headless = service(of).service_type == ServiceType::Headless;
        (headless, place.since, place.offer.service.clone())
    })
}
