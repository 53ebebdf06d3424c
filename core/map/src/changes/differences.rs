//! What is told of a subject, or of a window that closes: the difference between what consumers were told and what is so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Teller;
use super::compose::When;
use super::window::Window;
use crate::model::{ConnectionRef, EventType, HealthChange, ServiceId, Timestamp, TopologyChange};
use crate::state::{DependencyTold, EdgeTold, State};

/// Edges of one dependency that may be asleep at a time: as many ports as two services have in common, and far fewer than
/// a protocol with a new port for each transfer would leave behind in a day. Those beyond are told as expired.
const MAX_ASLEEP: usize = 64;

impl Teller {
    pub(super) fn tell_service(&mut self, id: &ServiceId, state: &mut State, now: Timestamp) {
        if let Some(gone) = self.gone_services.remove(id) {
            let when = When { at: gone.at, now };
            let event = self.composer.service(EventType::ServiceRemoved, gone.service, when);
            self.write(event, state);
            return;
        }
        let Some(view) = state.service_view(id) else { return };
        if !*view.told_present {
            *view.told_present = true;
            *view.told_health = view.service.health.status;
            let when = When { at: view.came, now };
            let event = self.composer.service(EventType::ServiceDiscovered, view.service, when);
            self.write(event, state);
        }
    }

    pub(super) fn tell_health(&mut self, id: &ServiceId, state: &mut State, now: Timestamp) {
        let Some(view) = state.service_view(id) else { return };
        let (from, to) = (*view.told_health, view.service.health.status);
        if from == to || !*view.told_present {
            return;
        }
        *view.told_health = to;
        let reasons = view.service.health.reasons.clone();
        let when = When { at: view.health_since, now };
        let event = self.composer.health(HealthChange { service: view.service, from, to, reasons }, when);
        self.write(event, state);
    }

    pub(super) fn tell_dependency(
        &mut self,
        source: &ServiceId,
        destination: &ServiceId,
        state: &mut State,
        now: Timestamp,
    ) {
        let Some(view) = state.dependency_view(source, destination) else { return };
        let before = *view.told;
        let crossing = before.crossing || view.dependency.cross_environment;
        *view.told = DependencyTold { present: true, crossing };
        if *view.told != before {
            let began = if before.present { *view.crosses_since } else { None };
            let when = When { at: began.unwrap_or(*view.first_seen), now };
            let event = self.composer.dependency(EventType::DependencyDetected, view.dependency, when);
            self.memory.revision += 1;
            self.write(event, state);
        }
    }

    /// The debounce window closes: what is different from before it, and only that, is told.
    pub(super) fn close(&mut self, window: Window, state: &mut State, now: Timestamp) {
        for edge in &window.turned {
            self.tell_edge(edge, state, now);
        }
        for (source, destination) in &window.dependencies {
            self.tell_dependency(source, destination, state, now);
        }
        for id in &window.health {
            self.tell_health(id, state, now);
        }
        self.tell_ends(state, now);
        let renamed = window.renamed(|id| state.has_service(id));
        let [connections_added, connections_removed] =
            window.edges(&renamed, |(source, destination, port)| state.has_edge(source, destination, *port));
        let touched: BTreeSet<ServiceId> = window.services.keys().chain(&window.orphans).cloned().collect();
        let mut services = [Vec::new(), Vec::new()];
        for (id, was_there) in window.services {
            let has_other_name = was_there && renamed.iter().any(|one| one.from == id);
            let is_there = has_other_name || state.has_service(&id);
            if let (true, Some(changed)) = (is_there != was_there, services.get_mut(usize::from(was_there))) {
                changed.push(id.path());
            }
        }
        for changed in &mut services {
            changed.sort_unstable();
        }
        let [services_added, services_removed] = services;
        let mut change = TopologyChange {
            services_added,
            services_removed,
            connections_added,
            connections_removed,
            renamed,
            ..TopologyChange::default()
        };
        self.find_differences(&mut change, state);
        self.find_differences_of_graph(&mut change, state);
        self.find_orphans(&mut change, touched, state);
        if change != TopologyChange::default() {
            let when = When { at: window.ends.min(now), now };
            self.tell_topology(state, self.counts, change, when);
        }
    }

    /// What is found about network policies now and was not told, and the other way round.
    fn find_differences(&mut self, change: &mut TopologyChange, state: &State) {
        let (now, told) = (state.findings(), &self.told_findings);
        if Arc::ptr_eq(now, told) {
            return;
        }
        change.disallowed_connections_added = less(&now.keys(), &told.keys());
        change.disallowed_connections_removed = less(&told.keys(), &now.keys());
        change.unrestricted_services_added = less(&now.unrestricted, &told.unrestricted);
        change.unrestricted_services_removed = less(&told.unrestricted, &now.unrestricted);
        self.told_findings = now.clone();
    }

    /// Cycles and single points of failure that came and went.
    fn find_differences_of_graph(&mut self, change: &mut TopologyChange, state: &State) {
        let (now, told) = (&state.analysis().findings, &self.told_graph);
        if Arc::ptr_eq(now, told) {
            return;
        }
        change.cycles_added = less(&now.cycles, &told.cycles);
        change.cycles_removed = less(&told.cycles, &now.cycles);
        change.single_points_of_failure_added = less(&now.single_points, &told.single_points);
        change.single_points_of_failure_removed = less(&told.single_points, &now.single_points);
        self.told_graph = now.clone();
    }

    /// Which of these services became orphans, and which are none any more.
    fn find_orphans(&mut self, change: &mut TopologyChange, touched: BTreeSet<ServiceId>, state: &State) {
        for id in touched {
            let name = id.to_string();
            if state.is_orphan(&id) {
                if self.told_orphans.insert(id) {
                    change.orphans_added.push(name);
                }
            } else if self.told_orphans.remove(&id) {
                change.orphans_removed.push(name);
            }
        }
    }

    fn tell_edge(&mut self, edge: &ConnectionRef, state: &mut State, now: Timestamp) {
        let Some(view) = state.edge_view(edge) else { return };
        let before = *view.told;
        // Once told it stays told: an edge that came back idle, or lost flows to another name, is no other one.
        let established = before.established || view.established.is_some();
        *view.told = EdgeTold { established, failing: view.failing.is_some() };
        let news = [
            (before.established, view.established, EventType::ConnectionEstablished),
            (before.failing, view.failing, EventType::ConnectionFailed),
        ];
        let connection = view.connection;
        for (told, since, event_type) in news {
            if let (false, Some(at)) = (told, since) {
                let event = self.composer.connection(event_type, connection.clone(), When { at, now });
                self.write_of_edge(event, state);
            }
        }
    }

    /// Tells dependencies and edges that are gone. An edge whose dependency lives is asleep rather than gone: when it wakes
    /// up, nobody learns anything new, unless somebody has asked for that.
    fn tell_ends(&mut self, state: &mut State, now: Timestamp) {
        let mut expired = Vec::new();
        for (edge, gone) in std::mem::take(&mut self.gone_edges) {
            let key = (edge.source.id(), edge.destination.id());
            match state.dependency_view(&key.0, &key.1) {
                Some(_) if !gone.told.established => {}
                Some(view) if !self.settings.returning_connections && view.asleep.len() < MAX_ASLEEP => {
                    view.asleep.insert(edge, gone.connection);
                }
                _ => expired.push((gone.connection, gone.at)),
            }
        }
        let dependencies = std::mem::take(&mut self.gone_dependencies);
        for gone in dependencies.values() {
            expired.extend(gone.asleep.values().map(|connection| (connection.clone(), gone.at)));
        }
        expired.sort_by(|(a, _), (b, _)| a.edge.cmp(&b.edge));
        for (connection, at) in expired {
            let event = self.composer.connection(EventType::ConnectionExpired, connection, When { at, now });
            self.write_of_edge(event, state);
        }
        for gone in dependencies.into_values() {
            let when = When { at: gone.at, now };
            let event = self.composer.dependency(EventType::DependencyRemoved, gone.dependency, when);
            self.memory.revision += 1;
            self.write(event, state);
        }
    }

    pub(super) fn tell_topology(
        &mut self,
        state: &mut State,
        before: (u64, u64),
        change: TopologyChange,
        when: When,
    ) {
        self.revision += 1;
        let (service_count, connection_count) = state.counts();
        let (service_count_before, connection_count_before) = before;
        let change = TopologyChange {
            revision: self.revision,
            service_count,
            connection_count,
            service_count_before,
            connection_count_before,
            ..change
        };
        self.write(self.composer.topology(change, when), state);
    }
}

/// What is in one set and not in the other.
fn less<T: Ord + Clone>(of: &BTreeSet<T>, than: &BTreeSet<T>) -> Vec<T> {
    of.difference(than).cloned().collect()
}
