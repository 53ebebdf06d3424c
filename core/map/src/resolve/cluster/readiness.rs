//! How the readiness of a Service's endpoints changes. What counts is an outage: endpoints that took connections take none
//! for a while and take them again. That is two changes, counted when the first of them is back. Endpoints that are gone at
//! the same time have one outage together, as by a database that all of them need; but once one of them is gone again, that
//! is another one.
//!
//! A rolling update is nothing of that kind, however many pods it replaces. A new endpoint that becomes ready for the first
//! time has begun, and one that is not ready because it is being deleted, or that goes, has ended. Nor is an outage from
//! which nothing has come back yet: that shows in how many endpoints are ready.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Cluster, Key};
use crate::model::{EndpointSlice, SliceEndpoint, Timestamp};
use crate::settings::HealthSettings;

/// An endpoint, whatever its ports: its first address, and its pod, since the next pod with the address is another one.
type Who = (IpAddr, Option<Arc<str>>);

/// Outages of one Service's endpoints.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    /// Endpoints of the latest outage that are in the slices of the Service, and whether they are ready again.
    outage: BTreeMap<Who, bool>,
    /// When it began; none once it is counted.
    uncounted: Option<Timestamp>,
    /// When readiness changed, sorted: the latest times.
    changes: Vec<Timestamp>,
}

impl Readiness {
    fn lost(&mut self, who: Who, at: Timestamp) {
        let is_again = self.outage.contains_key(&who);
        if is_again || self.outage.values().all(|is_back| *is_back) {
            self.outage.retain(|_, is_back| !*is_back);
            self.uncounted = Some(at);
        }
        self.outage.insert(who, false);
    }

    fn is_ready(&mut self, who: &Who, at: Timestamp) {
        let Some(is_back @ false) = self.outage.get_mut(who) else { return };
        *is_back = true;
        if let Some(since) = self.uncounted.take() {
            self.changes.extend([since, at]);
            self.changes.sort_unstable();
            let over = self.changes.len().saturating_sub(HealthSettings::MOST_FLAP_CHANGES);
            self.changes.drain(..over);
        }
    }

    fn ended(&mut self, who: &Who) {
        self.outage.remove(who);
    }
}

impl Cluster {
    /// A slice takes the place of another one of the same name, or goes.
    pub(super) fn note_readiness(
        &mut self,
        before: Option<&EndpointSlice>,
        after: Option<&EndpointSlice>,
        at: Timestamp,
    ) {
        let Some(slice) = after.or(before) else { return };
        let service: Key = (slice.namespace.clone(), slice.service.clone());
        let known = self.readiness.get(&service);
        if known.is_none() && before.is_none() {
            return;
        }
        let (before, after) = (by_identity(before), by_identity(after));
        let was_ready = |who: &Who| before.get(who).is_some_and(|before| before.ready);
        let is_loss = |now: &SliceEndpoint| !now.ready && !now.terminating;
        let lost = after.iter().filter(|(who, now)| is_loss(now) && was_ready(who));
        let lost: Vec<_> = lost.map(|(who, _)| who.clone()).collect();
        if known.is_none() && lost.is_empty() {
            return;
        }
        let readiness = self.readiness.entry(service).or_default();
        for who in before.keys().chain(after.keys()) {
            match after.get(who) {
                Some(now) if now.ready => readiness.is_ready(who, at),
                Some(now) if !now.terminating => {}
                Some(_) | None => readiness.ended(who),
            }
        }
        for who in lost {
            readiness.lost(who, at);
        }
    }

    /// When the readiness of a Service's endpoints changed, oldest first: the latest times.
    pub(super) fn readiness_changes(&self, service: &Key) -> Arc<[Timestamp]> {
        self.readiness.get(service).map(|readiness| readiness.changes.as_slice()).unwrap_or_default().into()
    }
}

fn by_identity(slice: Option<&EndpointSlice>) -> BTreeMap<Who, &SliceEndpoint> {
    let endpoints = slice.into_iter().flat_map(|slice| &slice.endpoints);
    endpoints.filter_map(|endpoint| Some((who(endpoint)?, endpoint))).collect()
}

fn who(endpoint: &SliceEndpoint) -> Option<Who> {
    Some((endpoint.addresses.first()?.to_canonical(), endpoint.pod.clone()))
}
