//! The Services that stand before a pod beside the one that names it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::super::ends::Instant;
use super::Cluster;
use super::learn::service_id;
use super::owners::Owner;
use crate::model::{ServiceId, ServiceRef, Timestamp};

impl Cluster {
    /// The pod with an address of its own that this is.
    pub(crate) fn pod_at(&self, address: IpAddr, when: Instant) -> Option<&Arc<str>> {
        let owners = self.owners.at(address, when.at, when.generation);
        owners.into_iter().find_map(|owner| match owner {
            Owner::Pod(uid) => self.pods.get(uid).map(|pod| &pod.object.uid),
            Owner::Service(_) | Owner::Node(_) => None,
        })
    }

    /// Namespace, name and node of a pod; the node is empty until it is scheduled.
    pub(crate) fn pod_place(&self, uid: &str) -> Option<(&Arc<str>, &Arc<str>, &Arc<str>)> {
        self.pods.get(uid).map(|pod| (&pod.object.namespace, &pod.object.name, &pod.object.node))
    }

    /// The Services other than the one that names it behind which a pod is at an instant, and that are there still, sorted.
    /// Where some of them lead to a port, only those.
    pub(crate) fn other_services(
        &self,
        uid: &str,
        port: Option<u16>,
        named: &ServiceRef,
        at: Timestamp,
    ) -> Vec<ServiceId> {
        let Some(pod) = self.pods.get(uid) else { return Vec::new() };
        let places: Vec<_> = self.places(pod, at).collect();
        let leads = |port: u16| places.iter().any(|(place, _)| place.offer.leads_to(port));
        let port = port.filter(|port| leads(*port));
        let behind = places.iter().filter(|(place, _)| port.is_none_or(|port| place.offer.leads_to(port)));
        let services: BTreeSet<_> = behind.map(|(_, service)| (&service.namespace, &service.name)).collect();
        let others = services.into_iter().filter(|other| *other != (&named.namespace, &named.name));
        let ids = others.map(|(namespace, name)| service_id(&(namespace.clone(), name.clone())));
        ids.filter(|id| self.has_service(id)).collect()
    }
}
