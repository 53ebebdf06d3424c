//! What happens around an edge, service or dependency that comes, carries something, or goes: counters, reminders and the
//! change that is noted for consumers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dependencies::{DependencyKey, Needed, Told as DependencyTold};
use super::edges::Edge;
use super::health::Attempts;
use super::services::Entry;
use super::sides::Count;
use super::slots::Id;
use super::sums::Arrival;
use super::{Change, State};
use crate::model::{Bound, ConnectionRef, Dependency, ServiceId, ServiceType, Timestamp};
use crate::resolve::OTHER;
use crate::settings::HealthSettings;

impl State {
    /// A service or edge came or went.
    pub(super) fn reshaped(&mut self) {
        self.structure.take();
        self.findings.take();
        self.ailing.take();
    }

    pub(super) fn service_came(&mut self, service: Id<Entry>, id: ServiceId, service_type: ServiceType) {
        self.reshaped();
        let environment = self.services.get(service).and_then(|entry| self.environment(&entry.reference));
        if let Some(entry) = self.services.get_mut(service) {
            entry.environment = environment;
        }
        let key = (id.namespace.clone(), service_type);
        let most = self.settings.max_label_values;
        let other = |(_, service_type)| (OTHER.into(), service_type);
        let is_full = count(&mut self.statistics.services_discovered, most, key, other);
        self.count_bounded(Bound::LabelValues, is_full);
        self.changes.push(Change::ServiceAdded(id));
        self.await_orphan(service);
    }

    pub(super) fn edge_came(&mut self, reference: &ConnectionRef, ends: [Id<Entry>; 2]) {
        self.reshaped();
        let namespaces = (reference.source.namespace.clone(), reference.destination.namespace.clone());
        let most = self.settings.max_label_values;
        let other = |_| (OTHER.into(), OTHER.into());
        let is_full = count(&mut self.statistics.connections_tracked, most, namespaces, other);
        self.count_bounded(Bound::LabelValues, is_full);
        for end in ends {
            if let Some(entry) = self.services.get_mut(end) {
                entry.edges += 1;
            }
        }
        self.changes.push(Change::EdgeAdded(reference.clone()));
    }

    /// Adds to an edge, and to all that follows from it.
    pub(super) fn add_to_edge(&mut self, id: Id<Edge>, whose: Count, arrival: &Arrival<'_>, now: Timestamp) {
        let sums = arrival.sums;
        let Some(edge) = self.edges.get_mut(id) else { return };
        let (turn, growth) = edge.merge(arrival, whose);
        let (source, destination, _) = edge.key;
        let needed = edge.shows_dependency();
        let (made, failed) = edge.attempts(&growth);
        let slow =
            sums.connect.as_ref().map_or(0, |latency| latency.longer_than(HealthSettings::SLOW_HANDSHAKE));
        let attempts = Attempts { made, failed, slow };
        if turn.established || turn.failing {
            self.changes.push(Change::EdgeTurned(edge.reference.clone()));
        }
        self.note_vain(id);
        self.add_to_service(source, sums);
        self.add_to_service(destination, sums);
        // Counters that moved may be from before the window, and then say nothing about now.
        if sums.first + self.settings.health.window >= now {
            self.record_on_edge(id, sums.last, attempts, now);
            if self.tells_health(id) {
                self.record_attempts(destination, sums.last, attempts, now);
            }
        }
        if needed {
            self.show_dependency(id, arrival.came);
        }
    }

    fn show_dependency(&mut self, id: Id<Edge>, came: Timestamp) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        let key: DependencyKey = (edge.key.0, edge.key.1);
        let joins = !std::mem::replace(&mut edge.depends, true);
        if let Some(needed) = self.dependencies.get_mut(key) {
            needed.last_seen = needed.last_seen.max(edge.last);
            needed.edges += u32::from(joins);
            if joins && needed.edges == 1 {
                self.gains_caller(key);
            }
            return;
        }
        let ConnectionRef { source, destination, protocol, port } = edge.reference.clone();
        self.topology.take();
        self.ailing.take();
        let cross_namespace = crosses(&edge.reference);
        *self.statistics.dependencies_detected.entry(cross_namespace).or_default() += 1;
        self.changes.push(Change::DependencyAdded(source.id(), destination.id()));
        let last_seen = edge.last;
        let mut dependency = Dependency {
            source,
            destination,
            protocol,
            port,
            cross_namespace,
            cross_environment: false,
            source_environment: None,
            destination_environment: None,
        };
        self.environments(key.0, key.1).put_into(&mut dependency);
        self.dependencies.insert(
            key,
            Needed {
                dependency: Arc::new(dependency),
                first_seen: came,
                last_seen,
                edges: 1,
                asleep: BTreeMap::new(),
                told: DependencyTold::default(),
                crosses_since: None,
                queued: false,
            },
        );
        self.gains_caller(key);
    }

    /// An edge is over, or (`renamed`) nothing of it is left because its flows are named differently now.
    pub(super) fn remove_edge(&mut self, id: Id<Edge>, at: Timestamp, renamed: bool) {
        let Some(edge) = self.edges.remove(id) else { return };
        self.forget_vain(id, &edge);
        self.reshaped();
        self.changes.push(Change::EdgeRemoved { connection: edge.view(&self.flows), told: edge.told, at });
        let (source, destination, _) = edge.key;
        if edge.depends {
            self.end_edge_of_dependency((source, destination), at, renamed);
        }
        for end in [source, destination] {
            if let Some(entry) = self.services.get_mut(end) {
                entry.edges = entry.edges.saturating_sub(1);
            }
            if renamed {
                self.left_services.push(end);
            } else {
                self.await_service(end);
            }
        }
    }

    /// What showed that an edge's source needs its destination is named differently now: what is left does not show it.
    pub(super) fn unshow_dependency(&mut self, id: Id<Edge>, at: Timestamp) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        if edge.depends && !edge.shows_dependency() {
            edge.depends = false;
            let key = (edge.key.0, edge.key.1);
            self.end_edge_of_dependency(key, at, true);
        }
    }

    fn end_edge_of_dependency(&mut self, key: DependencyKey, at: Timestamp, renamed: bool) {
        let Some(needed) = self.dependencies.get_mut(key) else { return };
        needed.edges = needed.edges.saturating_sub(1);
        if needed.edges > 0 {
            return;
        }
        self.loses_caller(key, at);
        let Some(needed) = self.dependencies.get_mut(key) else { return };
        if renamed && needed.asleep.is_empty() {
            // It was never this service that was needed.
            if let Some(needed) = self.dependencies.remove(key) {
                self.dependency_went(needed, at);
            }
        } else if !needed.queued {
            needed.queued = true;
            self.dependency_deadlines.set(needed.last_seen + self.settings.dependency_retention, key);
        }
    }

    pub(super) fn dependency_went(&mut self, needed: Needed, at: Timestamp) {
        self.topology.take();
        self.ailing.take();
        let Needed { dependency, told, asleep, first_seen, .. } = needed;
        self.changes.push(Change::DependencyRemoved { dependency, told, asleep, first_seen, at });
    }

    /// A service of which nothing is left is looked at again when its time is over.
    pub(super) fn await_service(&mut self, id: Id<Entry>) {
        let Some(entry) = self.services.get_mut(id) else { return };
        if !entry.in_use() && !entry.queued {
            entry.queued = true;
            self.service_deadlines.set(entry.last_seen + self.settings.service_timeout, id);
        }
    }

    /// Removes services, sorted by id, and the dependencies from and to them. `at` says when each went.
    pub(super) fn remove_services(&mut self, ids: &[Id<Entry>], at: impl Fn(&Entry) -> Timestamp) {
        if ids.is_empty() {
            return;
        }
        self.reshaped();
        let mut latest = Timestamp::ZERO;
        for id in ids {
            let Some(mut entry) = self.services.remove(*id) else { continue };
            let (service, at) = (entry.view(&self.flows), at(&entry));
            latest = latest.max(at);
            let most = self.settings.max_label_values;
            let namespace = service.namespace.clone();
            let is_full = count(&mut self.statistics.services_removed, most, namespace, |_| OTHER.into());
            self.count_bounded(Bound::LabelValues, is_full);
            let told = entry.told.present.then_some(entry.told.health);
            self.changes.push(Change::ServiceRemoved { service, told, health: entry.health_record(), at });
        }
        let is_gone = |id| ids.binary_search(&id).is_ok();
        let gone = |(source, destination): DependencyKey| is_gone(source) || is_gone(destination);
        for needed in self.dependencies.take(gone) {
            self.dependency_went(needed, latest);
        }
    }
}

/// Counts one more under a label, or under `other` of it where the counter has as many already. Returns how often that was
/// so: once or never.
pub(super) fn count<K: Ord>(
    counter: &mut BTreeMap<K, u64>,
    most: usize,
    label: K,
    other: impl FnOnce(K) -> K,
) -> u64 {
    let is_full = counter.len() >= most && !counter.contains_key(&label);
    let label = if is_full { other(label) } else { label };
    *counter.entry(label).or_default() += 1;
    u64::from(is_full)
}

/// Both ends have namespaces, and they differ.
pub(super) fn crosses(edge: &ConnectionRef) -> bool {
    let (from, to) = (&edge.source.namespace, &edge.destination.namespace);
    !from.is_empty() && !to.is_empty() && from != to
}
