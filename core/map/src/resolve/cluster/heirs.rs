//! Who the pods of a service are now that it is not theirs any more.

use std::time::Duration;

use super::pods::KnownPod;
use super::{Cluster, Key};
use crate::model::{KubernetesService, ServiceId, ServiceKind, ServiceRef, Timestamp};

/// The end of time: names as they are now.
const NOW: Timestamp = Timestamp::from_nanos(u64::MAX);

/// The least time between two instants.
const MOMENT: Duration = Duration::from_nanos(1);

impl Cluster {
    /// The one service that all pods are now that were those of a workload, or before which a Service stood that was
    /// deleted. `None` where they are several, or there are no such pods.
    pub(crate) fn heir(&self, id: &ServiceId) -> Option<ServiceRef> {
        let key = (id.namespace.clone(), id.name.clone());
        match id.kind {
            ServiceKind::Workload => {
                let uids = self.owned.get(&key).into_iter().flatten();
                let pods = uids.filter_map(|uid| self.pods.get(uid)).filter(|pod| pod.ended.is_none());
                self.only_name(pods.map(|pod| &pod.object))
            }
            ServiceKind::Service => {
                let service = self.services.get(&key)?;
                self.only_name(self.stood_before(&service.object, service.ended?))
            }
            ServiceKind::Node | ServiceKind::Process | ServiceKind::External => None,
        }
    }

    /// The pods before which a Service stood until it was deleted, and that are there still.
    fn stood_before<'a>(
        &'a self,
        service: &'a KubernetesService,
        deleted: Timestamp,
    ) -> impl Iterator<Item = &'a KnownPod> {
        let living = self.pods.values().filter(|pod| pod.ended.is_none()).map(|pod| &pod.object);
        let its_own = Self::service_ref(service);
        living.filter(move |pod| {
            pod.namespace == service.namespace
                && self.identity(&pod.uid, deleted - MOMENT).as_ref() == Some(&its_own)
        })
    }

    fn only_name<'a>(&self, pods: impl Iterator<Item = &'a KnownPod>) -> Option<ServiceRef> {
        let mut names = pods.filter_map(|pod| self.identity(&pod.uid, NOW));
        let first = names.next()?;
        names.all(|name| name == first).then_some(first)
    }

    /// Whether a Service's object is there.
    pub(crate) fn has_service(&self, id: &ServiceId) -> bool {
        let key: Key = (id.namespace.clone(), id.name.clone());
        id.kind == ServiceKind::Service
            && self.services.get(&key).is_some_and(|service| service.ended.is_none())
    }

    /// The port under which a service offers what its pods have at a port.
    pub(crate) fn port_offered(&self, id: &ServiceId, at: u16) -> u16 {
        let key = (id.namespace.clone(), id.name.clone());
        let service = self.services.get(&key).filter(|_| id.kind == ServiceKind::Service);
        let Some(service) = service else { return at };
        let mut ports = self.slices_behind(&key).flat_map(|slice| &slice.ports);
        let found = ports.find(|port| port.port == at);
        found.map_or(at, |port| super::find::offered(&service.object, &port.name, at))
    }
}
