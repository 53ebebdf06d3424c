//! Services that are in the map because the API server says so, whether or not anything was seen of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::pods::KnownPod;
use super::{Cluster, Kept, Key};
use crate::model::{
    Endpoint, EndpointSlice, Exposure, Labels, ServiceId, ServiceKind, ServiceType, Timestamp,
};

/// What the API server says about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) service_type: ServiceType,
    /// UID of its object; a workload is none.
    pub(crate) uid: Option<Arc<str>>,
    /// Since when it is so, whatever the order in which that was told.
    pub(crate) since: Timestamp,
    /// Sorted.
    pub(crate) endpoints: Arc<[Endpoint]>,
    pub(crate) labels: Labels,
    /// Sorted.
    pub(crate) exposed_by: Vec<Exposure>,
    /// When the readiness of a Service's endpoints changed, oldest first: the latest times.
    pub(crate) readiness_changes: Arc<[Timestamp]>,
}

impl Cluster {
    /// What is said now about a service; `None` where it is no object of the cluster, or is one no longer.
    pub(crate) fn declared(&self, id: &ServiceId) -> Option<Declared> {
        match id.kind {
            ServiceKind::Service => self.declared_service(id),
            ServiceKind::Workload => self.declared_workload(id),
            ServiceKind::Node => {
                let node = self.nodes.get(&id.name)?;
                Some(Declared {
                    service_type: ServiceType::Node,
                    uid: Some(node.object.uid.clone()),
                    since: node.from,
                    endpoints: Arc::new([]),
                    labels: node.object.labels.clone(),
                    exposed_by: Vec::new(),
                    readiness_changes: Arc::new([]),
                })
            }
            ServiceKind::Process | ServiceKind::External => None,
        }
    }

    /// Whether there are pods of a workload's name, whatever they are called now.
    pub(crate) fn has_pods(&self, id: &ServiceId) -> bool {
        let owned = self.owned.get(&(id.namespace.clone(), id.name.clone())).into_iter().flatten();
        owned.filter_map(|uid| self.pods.get(uid)).any(|pod| pod.ended.is_none())
    }

    fn declared_service(&self, id: &ServiceId) -> Option<Declared> {
        let key = (id.namespace.clone(), id.name.clone());
        let kept = self.services.get(&key).filter(|service| service.ended.is_none())?;
        let service = &kept.object;
        Some(Declared {
            service_type: service.service_type,
            uid: Some(service.uid.clone()),
            since: kept.from,
            endpoints: self.endpoints_in_slices(&key),
            labels: service.labels.clone(),
            exposed_by: self.exposures(&key, service),
            readiness_changes: self.readiness_changes(&key),
        })
    }

    /// The endpoints of a Service. One that several slices hold is ready if one of them says so.
    fn endpoints_in_slices(&self, service: &Key) -> Arc<[Endpoint]> {
        let mut endpoints: BTreeMap<(IpAddr, u16), Endpoint> = BTreeMap::new();
        for slice in self.slices_behind(service) {
            for held in &slice.endpoints {
                let pod = held.pod.as_ref().and_then(|uid| self.pods.get(&**uid)).map(|pod| &pod.object);
                let node = || pod.map(|pod| &pod.node).filter(|node| !node.is_empty());
                for (address, port) in
                    held.addresses.iter().flat_map(|ip| slice.ports.iter().map(move |at| (ip, at.port)))
                {
                    let address = address.to_canonical();
                    let endpoint = endpoints
                        .entry((address, port))
                        .or_insert_with(|| Endpoint::new(address, port, false));
                    endpoint.ready |= held.ready;
                    endpoint.pod = endpoint.pod.take().or_else(|| pod.map(|pod| pod.name.clone()));
                    endpoint.node =
                        endpoint.node.take().or_else(|| held.node.as_ref().or_else(node).cloned());
                    endpoint.zone = endpoint.zone.take().or_else(|| held.zone.clone());
                }
            }
        }
        endpoints.into_values().collect()
    }

    /// A workload is there while it has a pod that no Service stands before.
    fn declared_workload(&self, id: &ServiceId) -> Option<Declared> {
        let mut declared: Option<Declared> = None;
        let mut endpoints = Vec::new();
        for kept in self.own_pods(&(id.namespace.clone(), id.name.clone())) {
            let (pod, since) = (&kept.object, self.its_own_since(kept));
            let known = declared.get_or_insert_with(|| Declared {
                service_type: ServiceType::Workload,
                uid: None,
                since,
                endpoints: Arc::new([]),
                labels: pod.labels.clone(),
                exposed_by: Vec::new(),
                readiness_changes: Arc::new([]),
            });
            known.since = known.since.min(since);
            // What all pods have in common is the workload's.
            known.labels = known.labels.in_common(&pod.labels);
            let pairs = pod.ips.iter().flat_map(|ip| pod.container_ports.iter().map(move |at| (ip, at.port)));
            endpoints.extend(pairs.map(|(address, port)| Endpoint {
                pod: Some(pod.name.clone()),
                node: Some(pod.node.clone()).filter(|node| !node.is_empty()),
                ..Endpoint::new(address.to_canonical(), port, pod.ready)
            }));
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        declared.map(|declared| Declared { endpoints: endpoints.into(), ..declared })
    }

    /// Pods of a workload that no Service stands before.
    pub(super) fn own_pods(&self, workload: &Key) -> impl Iterator<Item = &Kept<KnownPod>> {
        let now = Timestamp::from_nanos(u64::MAX);
        let owned = self.owned.get(workload).into_iter().flatten();
        let pods = owned.filter_map(|uid| self.pods.get(uid)).filter(|pod| pod.ended.is_none());
        pods.filter(move |pod| {
            let service = self.identity(&pod.object.uid, now);
            service.is_some_and(|service| service.service_type == ServiceType::Workload)
        })
    }

    /// Slices of a Service.
    pub(super) fn slices_behind(&self, service: &Key) -> impl Iterator<Item = &EndpointSlice> {
        let names = self.slices_of.get(service).into_iter().flatten();
        let namespace = service.0.clone();
        names.filter_map(move |name| self.slices.get(&(namespace.clone(), name.clone())))
    }

    /// Since when no Service stands before a pod: since its own begin, or the end of the last one that did.
    fn its_own_since(&self, pod: &Kept<KnownPod>) -> Timestamp {
        let ends = self.members.of(&pod.object.uid).iter().flat_map(|place| {
            let service = self.services.get(&(pod.object.namespace.clone(), place.offer.service.clone()));
            [place.until, service.and_then(|service| service.ended)]
        });
        ends.flatten().fold(pod.from, Timestamp::max)
    }
}
