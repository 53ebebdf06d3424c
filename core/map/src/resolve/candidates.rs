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

/// Services that one end of an edge might have been called as well: as many as pods have that are before several Services,
/// and some. Of more the first ones by name are kept.
const MAX_CANDIDATES: usize = 16;

impl Candidates {
    /// Adds others; whether that makes a difference.
    pub(crate) fn add(&mut self, others: &Self) -> bool {
        let before = self.clone();
        add_names(&mut self.source, &others.source);
        add_names(&mut self.destination, &others.destination);
        *self != before
    }

    /// Takes away a service that is there no longer.
    pub(crate) fn remove(&mut self, service: &ServiceId) {
        self.source.retain(|other| other != service);
        self.destination.retain(|other| other != service);
    }

    /// Those of the two ends, but for who they are.
    pub(crate) fn beside(&self, source: &ServiceRef, destination: &ServiceRef) -> [Vec<ServiceId>; 2] {
        let but = |all: &[ServiceId], end: &ServiceRef| {
            let id = end.id();
            all.iter().filter(|other| **other != id).cloned().collect()
        };
        [but(&self.source, source), but(&self.destination, destination)]
    }
}

/// Adds names that are not among the sorted ones, of which the first ones are kept.
fn add_names(known: &mut Vec<ServiceId>, more: &[ServiceId]) {
    known.extend_from_slice(more);
    known.sort_unstable();
    known.dedup();
    known.truncate(MAX_CANDIDATES);
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
