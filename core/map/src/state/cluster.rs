//! What the cluster's objects change in the map: services that are there because the API server says so, and flows that
//! wait for somebody to become known.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::edges::Edge;
use super::flows::{Flow, Place};
use super::health::Readiness;
use super::services::Entry;
use super::settle::Fresh;
use super::slots::Id;
use super::sums::{Arrival, Sums};
use super::{Change, State};
use crate::model::{Bound, KubernetesFact, ServiceId, ServiceKind, ServiceRef, ServiceType, Timestamp};
use crate::resolve::{Declared, Instant};

/// How long a flow to or from somebody in the cluster who is not known yet waits to be named. Watches tell of a pod a
/// second or two after it began; ten seconds outlast an API server that is restarted.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl State {
    /// Names of the cluster's nodes.
    pub(crate) fn node_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.resolver.cluster.node_names()
    }

    /// An object of the cluster is so, or is gone.
    pub(crate) fn learn_object(&mut self, fact: KubernetesFact, at: Timestamp) {
        let touched = self.resolver.cluster.learn(fact, at);
        if (touched.policies || touched.moves_pods()) && self.findings.take().is_some() {
            // Who was told what was found has to be told again; if nobody was, nobody has to.
            self.changes.push(Change::PoliciesTouched);
        }
        self.stale.everything |= touched.everything;
        self.stale.addresses.extend(touched.addresses);
        self.stale.pods.extend(touched.pods);
        self.relabelled.extend(touched.namespace.map(|namespace| (namespace, at)));
        for id in touched.declared {
            self.declared.entry(id).and_modify(|latest| *latest = at.max(*latest)).or_insert(at);
        }
        let forgotten = self.resolver.cluster.take_forgotten();
        self.turn_away(Bound::Objects, u64::from(touched.turned_away) + forgotten);
    }

    /// Addresses that changed hands since this was last asked, with the generation that began.
    pub(crate) fn take_reused(&mut self) -> Vec<(IpAddr, u32)> {
        self.resolver.cluster.take_reused()
    }

    /// When the ends of a flow are asked for. What it counted decides, not when that was told.
    pub(super) fn instant(&self, flow: &Flow, fresh: &Sums, now: Timestamp) -> Instant {
        let at = match flow.place {
            // What waits began with its first count, what a deleted object left behind with the deletion.
            Place::Nowhere if flow.sums.first <= flow.sums.last => flow.sums.first,
            Place::Nowhere => fresh.first,
            _ if flow.fresh.is_some() => fresh.first,
            _ => flow.sums.last,
        };
        Instant { at, generation: flow.key.generation, patient: now < at + self.patience() }
    }

    /// No longer than an idle flow is kept.
    fn patience(&self) -> Duration {
        PATIENCE.min(self.settings.connection_timeout)
    }

    /// A flow counts nowhere until its ends are known, or it has waited long enough.
    pub(super) fn wait(&mut self, id: Id<Flow>, fresh: &Sums) {
        let patience = self.patience();
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.fresh = None;
        flow.sums.merge(fresh);
        if !std::mem::replace(&mut flow.waits, true) {
            self.waiting_deadlines.set(flow.sums.first + patience, id);
        }
        self.await_end(id);
    }

    /// Names flows that have waited long enough, as well as that is possible.
    pub(super) fn end_waiting(&mut self, now: Timestamp) {
        while let Some(id) = self.waiting_deadlines.pop_due(now) {
            let Some(flow) = self.flows.get_mut(id) else { continue };
            flow.waits = false;
            if flow.place == Place::Nowhere && flow.fresh.is_none() {
                self.place(&Fresh { flow: id, sums: Sums::default() }, now);
            }
        }
        self.place_beside_clients(now);
        self.fold_scans(now);
        self.recount_left_edges(now);
        self.remove_left_services(now);
    }

    /// Services that the API server declares come into the map, change there or leave it. Returns flows that have to find
    /// another place.
    pub(super) fn settle_declared(&mut self, now: Timestamp) -> Vec<Id<Flow>> {
        let mut displaced = Vec::new();
        let mut touched: Vec<_> = std::mem::take(&mut self.declared).into_iter().collect();
        touched.sort_by(|(a, at), (b, bt)| (at, a).cmp(&(bt, b)));
        for (id, at) in touched {
            match self.resolver.cluster.declared(&id) {
                Some(declared) => {
                    self.declare(id, declared, now);
                }
                None => self.undeclare(&id, (at, now), &mut displaced),
            }
        }
        displaced
    }

    fn declare(&mut self, id: ServiceId, declared: Declared, now: Timestamp) -> Option<Id<Entry>> {
        let Declared { service_type, since, .. } = declared;
        let known = self.services.find(&id).or_else(|| {
            if self.services.len() >= self.settings.max_services {
                self.turn_away(Bound::Services, 1);
                return None;
            }
            let sums = Sums { first: since, last: since, ..Sums::default() };
            let reference =
                ServiceRef { namespace: id.namespace.clone(), name: id.name.clone(), service_type };
            let entry = self.services.insert(reference, &Arrival { sums: &sums, came: since })?;
            self.service_came(entry, id, service_type);
            Some(entry)
        });
        let known = known?;
        let entry = self.services.get_mut(known)?;
        let readiness = readiness(&declared);
        let is_judged = readiness.is_some();
        if is_judged {
            entry.tracker.get_or_insert_default().endpoints = readiness;
        }
        let was_exposed = !entry.exposed_by().is_empty();
        entry.declared = Some(Arc::new(declared));
        let exposure_turned = was_exposed == entry.exposed_by().is_empty();
        entry.changed();
        if entry.reference.service_type != service_type {
            entry.reference.service_type = service_type;
            self.structure.take();
            self.edges.retype(known, service_type);
        }
        if exposure_turned {
            self.exposure_turned(known, now);
        }
        if is_judged {
            self.judge(known, now);
        }
        Some(known)
    }

    /// The service that the pods of one are now that is declared no longer, which is made if need be.
    fn heir(&mut self, id: &ServiceId, now: Timestamp) -> Option<Id<Entry>> {
        let heir = self.resolver.cluster.heir(id)?.id();
        self.services.find(&heir).or_else(|| {
            let declared = self.resolver.cluster.declared(&heir)?;
            self.declare(heir, declared, now)
        })
    }

    /// A workload has no pods of its own any more: they are a Service's now, or several ones'. If there are none, what they
    /// did stays in the map for its time, as if a process had ended.
    fn leave_workload(&mut self, id: &ServiceId, service: Id<Entry>, (at, now): (Timestamp, Timestamp)) {
        if let Some(heir) = self.heir(id, now) {
            self.rename(service, heir, at);
            self.services.remove(service);
            self.left_services.retain(|left| *left != service);
        } else if self.resolver.cluster.has_pods(id) {
            self.left_services.push(service);
        } else {
            self.add_to_service(service, &Sums { first: at, last: at, ..Sums::default() });
            self.await_service(service);
        }
    }

    /// An object is gone: its service leaves the map at once, and its edges with it, but for those of its pods if these are
    /// one other service now. Sockets that are still open count for whoever holds them from now on.
    fn undeclare(
        &mut self,
        id: &ServiceId,
        (at, now): (Timestamp, Timestamp),
        displaced: &mut Vec<Id<Flow>>,
    ) {
        let Some(service) = self.services.find(id) else { return };
        let Some(entry) = self.services.get_mut(service) else { return };
        if entry.declared.take().is_none() {
            return;
        }
        entry.changed();
        if id.kind == ServiceKind::Workload {
            self.leave_workload(id, service, (at, now));
            return;
        }
        if let Some(heir) = self.heir(id, now) {
            self.rename(service, heir, at);
        }
        let concerns = |place: Place| match place {
            Place::Presence(there) => there == service,
            Place::Edge(edge) => self.edges.get(edge).is_some_and(|edge| edge.touches(service)),
            Place::Nowhere => false,
        };
        let flows: Vec<_> =
            self.flows.iter().filter(|(_, flow)| concerns(flow.place)).map(|(id, _)| id).collect();
        for flow in flows {
            if let Some(place) = self.flows.get(flow).map(|flow| flow.place) {
                self.freeze(place);
            }
            self.unlink(flow);
            if let Some(flow) = self.flows.get_mut(flow) {
                flow.sums.keep_open(at);
            }
            displaced.push(flow);
        }
        let edges: Vec<Id<Edge>> =
            self.edges.iter().filter(|(_, edge)| edge.touches(service)).map(|(id, _)| id).collect();
        for edge in edges {
            self.remove_edge(edge, at, false);
        }
        for edge in self.edges.values_mut() {
            edge.cannot_be(id);
        }
        self.remove_services(&[service], |_| at);
        self.left_services.retain(|left| *left != service);
    }
}

/// How many endpoints there are, how many take connections, and when that changed; of Services alone, whose slices say so.
fn readiness(declared: &Declared) -> Option<Readiness> {
    let is_service = declared.service_type.kind() == ServiceKind::Service;
    let ready = declared.endpoints.iter().filter(|endpoint| endpoint.ready).count();
    let counted = is_service && declared.service_type != ServiceType::ExternalName;
    counted.then(|| Readiness {
        ready,
        total: declared.endpoints.len(),
        changes: declared.readiness_changes.clone(),
    })
}
