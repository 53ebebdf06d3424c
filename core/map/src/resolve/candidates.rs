//! Several Services may stand before one pod. One of them names the end of a connection; the others are kept as what it
//! might have been called.

use std::sync::Arc;

use super::ends::{Ends, Instant, Resolver};
use crate::model::{Direction, FlowKey, ServiceId, ServiceKind, ServiceRef};

/// The Services that might have named the two ends as well, each sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidates {
    pub(crate) source: Vec<ServiceId>,
    pub(crate) destination: Vec<ServiceId>,
}

impl Resolver {
    /// The Services that might have named the ends of a flow as well; `None` where there are no others, as nearly always.
    pub(crate) fn candidates(&self, key: &FlowKey, ends: &Ends, when: Instant) -> Option<Candidates> {
        let Ends::Pair { source, destination, .. } = ends else { return None };
        let local = || {
            let machine = self.machines.get(key.machine)?;
            self.pod(machine, key.cgroup, key.netns).map(|(uid, _)| uid)
        };
        let remote = || self.cluster.pod_at(key.remote, when);
        let others = |service: &ServiceRef, uid: Option<&Arc<str>>, port: Option<u16>| match uid {
            Some(uid) => self.cluster.other_services(uid, port, service, when.at),
            None => Vec::new(),
        };
        let is_service = |service: &ServiceRef| service.service_type.kind() == ServiceKind::Service;
        let (source, destination) = (&source.service, &destination.service);
        let mut found = Candidates::default();
        let is_outbound = key.direction == Direction::Outbound;
        if is_service(source) {
            found.source = others(source, if is_outbound { local() } else { remote() }, None);
        }
        if is_service(destination) {
            found.destination =
                others(destination, if is_outbound { remote() } else { local() }, Some(key.port));
        }
        (found != Candidates::default()).then_some(found)
    }
}
