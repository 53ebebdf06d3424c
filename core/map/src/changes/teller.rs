//! Decides which changes of the map are told, and when.
//!
//! The rule behind all of it: what consumers were told is kept beside each thing, and an event is written when, at the time
//! for telling, that differs from what is so. A change that has been undone by then makes no event. Services are told at
//! once, the rest when the debounce window closes; nothing is told before the map is ready, and what exists then counts as
//! told.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::EventLog;
use super::compose::{Composer, When, keys};
use super::pace::{Pace, Subject};
use super::window::Window;
use crate::model::{
    Connection, ConnectionRef, Dependency, Event, EventType, Gap, GapReason, HealthChange, HealthStatus,
    RunId, Service, ServiceId, Timestamp, TopologyChange,
};
use crate::settings::{EmissionMode, MapSettings};
use crate::state::{Change, EdgeTold, State};

/// Edges of one dependency that may be asleep at a time: as many ports as two services have in common, and far fewer than
/// a protocol with a new port for each transfer would leave behind in a day. Those beyond are told as expired.
const MAX_ASLEEP: usize = 64;

/// A dependency that went and has not been told so.
#[derive(Debug)]
struct GoneDependency {
    dependency: Arc<Dependency>,
    asleep: BTreeMap<ConnectionRef, Arc<Connection>>,
    at: Timestamp,
}

/// An edge that went and has not been told so.
#[derive(Debug)]
struct GoneEdge {
    connection: Arc<Connection>,
    told: EdgeTold,
    at: Timestamp,
}

/// Writes the events of one map.
#[derive(Debug)]
pub(crate) struct Teller {
    settings: MapSettings,
    composer: Composer,
    log: EventLog,
    pace: Pace,
    window: Option<Window>,
    gone_services: BTreeMap<ServiceId, (Arc<Service>, Timestamp)>,
    gone_edges: BTreeMap<ConnectionRef, GoneEdge>,
    gone_dependencies: BTreeMap<(ServiceId, ServiceId), GoneDependency>,
    gaps: BTreeMap<GapReason, Gap>,
    revision: u64,
    next_full: Option<Timestamp>,
}

impl Teller {
    /// Has told nothing yet.
    pub(crate) fn new(settings: MapSettings, run: RunId, started_at: Timestamp) -> Self {
        Self {
            composer: Composer {
                cluster: settings.cluster.clone(),
                run,
                started_at,
                learning_period: settings.learning_period,
            },
            log: EventLog::new(settings.buffer_size),
            pace: Pace::new(settings.min_emit_interval),
            window: None,
            gone_services: BTreeMap::new(),
            gone_edges: BTreeMap::new(),
            gone_dependencies: BTreeMap::new(),
            gaps: BTreeMap::new(),
            revision: 0,
            next_full: None,
            settings,
        }
    }

    /// The log of events.
    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    /// The map is ready: what is in it is no news, what comes from now on is.
    pub(crate) fn begin(&mut self, state: &mut State, now: Timestamp) {
        state.take_changes();
        state.mark_all_told();
        self.next_full = (self.settings.emission_mode == EmissionMode::Full)
            .then(|| now + self.settings.full_snapshot_interval);
    }

    /// When [`tell`](Self::tell) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let window = self.window.as_ref().map(|window| window.ends);
        [window, self.pace.next(), self.next_full].into_iter().flatten().min()
    }

    /// Tells what is due at `now`.
    pub(crate) fn tell(&mut self, state: &mut State, now: Timestamp) {
        for change in state.take_changes() {
            self.note(change, state, now);
        }
        while let Some(subject) = self.pace.pop_due(now) {
            self.speak(subject, state, now);
        }
        if let Some(window) = self.window.take_if(|window| window.ends <= now) {
            self.close(window, state, now);
        }
        if let Some(due) = self.next_full.filter(|due| *due <= now) {
            self.tell_topology(state, due, now, [Vec::new(), Vec::new(), Vec::new(), Vec::new()]);
            self.next_full = Some(now + self.settings.full_snapshot_interval);
        }
    }

    /// Nothing will come after this: tells now what waits for the end of a window or an interval.
    pub(crate) fn finish(&mut self, state: &mut State, now: Timestamp) {
        while let Some(subject) = self.pace.pop() {
            self.speak(subject, state, now);
        }
        if let Some(window) = self.window.take() {
            self.close(window, state, now);
        }
    }

    fn window(&mut self, now: Timestamp) -> &mut Window {
        self.window.get_or_insert_with(|| Window::new(now + self.settings.debounce_window))
    }

    fn note(&mut self, change: Change, state: &mut State, now: Timestamp) {
        match change {
            Change::ServiceAdded(id) => {
                self.window(now).service(id.clone(), true);
                if let Some((service, _)) = self.gone_services.remove(&id)
                    && let Some(view) = state.service_view(&id)
                {
                    *view.told_present = true;
                    *view.told_health = service.health.status;
                }
                self.now_or_later(Subject::Service(id), state, now);
            }
            Change::ServiceRemoved { service, told, at } => {
                let id = service.id.clone();
                self.window(now).service(id.clone(), false);
                if told {
                    self.gone_services.insert(id.clone(), (service, at));
                }
                self.now_or_later(Subject::Service(id), state, now);
            }
            Change::HealthChanged(id) => {
                let unhealthy = state
                    .service_view(&id)
                    .is_some_and(|view| view.service.health.status == HealthStatus::Unhealthy);
                if unhealthy {
                    self.now_or_later(Subject::Service(id), state, now);
                } else {
                    self.window(now).health.insert(id);
                }
            }
            Change::EdgeAdded(edge) => self.edge_came(edge, state, now),
            Change::EdgeTurned(edge) => {
                self.window(now).turned.insert(edge);
            }
            Change::EdgeRemoved { connection, told, at } => {
                let edge = connection.edge.clone();
                self.window(now).edge(edge.clone(), false);
                if told.anything() {
                    self.gone_edges.insert(edge, GoneEdge { connection, told, at });
                }
            }
            Change::DependencyAdded(source, destination) => {
                self.dependency_came(source, destination, state, now);
            }
            Change::DependencyRemoved { dependency, told, asleep, at } => {
                let key = (dependency.source.id(), dependency.destination.id());
                self.window(now).dependencies.insert(key.clone());
                if told {
                    self.gone_dependencies.insert(key, GoneDependency { dependency, asleep, at });
                }
            }
            Change::Lost(gap) => {
                let reason = gap.reason;
                match self.gaps.get_mut(&reason) {
                    Some(waiting) => {
                        waiting.count = waiting.count.saturating_add(gap.count);
                        waiting.healed &= gap.healed;
                    }
                    None => {
                        self.gaps.insert(reason, gap);
                    }
                }
                self.now_or_later(Subject::Gap(reason), state, now);
            }
        }
    }

    /// An edge of which consumers were not told that it went, because it was asleep or it is not yet time, is the same one.
    fn edge_came(&mut self, edge: ConnectionRef, state: &mut State, now: Timestamp) {
        let key = (edge.source.id(), edge.destination.id());
        let gone = self.gone_edges.remove(&edge).map(|gone| gone.told);
        let living = state.dependency_view(&key.0, &key.1).and_then(|view| view.asleep.remove(&edge));
        let dead = self.gone_dependencies.get_mut(&key).and_then(|gone| gone.asleep.remove(&edge));
        let asleep = living.or(dead).map(|_| EdgeTold { established: true, failing: false });
        if let Some(told) = gone.or(asleep)
            && let Some(view) = state.edge_view(&edge)
        {
            *view.told = told;
        }
        self.window(now).edge(edge, true);
    }

    fn dependency_came(
        &mut self,
        source: ServiceId,
        destination: ServiceId,
        state: &mut State,
        now: Timestamp,
    ) {
        let key = (source, destination);
        let gone = self.gone_dependencies.remove(&key);
        let Some(view) = state.dependency_view(&key.0, &key.1) else { return };
        if let Some(gone) = gone {
            *view.told = true;
            view.asleep.extend(gone.asleep);
        }
        if view.dependency.cross_namespace {
            self.now_or_later(Subject::Dependency(key.0, key.1), state, now);
        } else {
            self.window(now).dependencies.insert(key);
        }
    }

    fn now_or_later(&mut self, subject: Subject, state: &mut State, now: Timestamp) {
        if self.pace.ask(&subject, now) {
            self.speak(subject, state, now);
        }
    }

    /// Tells what differs about a subject, if anything does.
    fn speak(&mut self, subject: Subject, state: &mut State, now: Timestamp) {
        let written = state.statistics.events;
        match &subject {
            Subject::Service(id) => {
                self.tell_service(id, state, now);
                self.tell_health(id, state, now);
            }
            Subject::Dependency(source, destination) => self.tell_dependency(source, destination, state, now),
            Subject::Gap(reason) => {
                if let Some(gap) = self.gaps.remove(reason) {
                    let when = When { at: gap.at, now };
                    self.write(self.composer.gap(gap, when), state);
                }
            }
        }
        if state.statistics.events > written {
            self.pace.spoke(subject, now);
        }
    }

    fn tell_service(&mut self, id: &ServiceId, state: &mut State, now: Timestamp) {
        if let Some((service, at)) = self.gone_services.remove(id) {
            let event = self.composer.service(EventType::ServiceRemoved, service, When { at, now });
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

    fn tell_health(&mut self, id: &ServiceId, state: &mut State, now: Timestamp) {
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

    fn tell_dependency(
        &mut self,
        source: &ServiceId,
        destination: &ServiceId,
        state: &mut State,
        now: Timestamp,
    ) {
        let Some(view) = state.dependency_view(source, destination) else { return };
        if !std::mem::replace(view.told, true) {
            let when = When { at: view.first_seen, now };
            let event = self.composer.dependency(EventType::DependencyDetected, view.dependency, when);
            self.write(event, state);
        }
    }

    /// The debounce window closes: what is different from before it, and only that, is told.
    fn close(&mut self, window: Window, state: &mut State, now: Timestamp) {
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
        let mut services = [Vec::new(), Vec::new()];
        for (id, was_there) in window.services {
            let is_there = state.service_view(&id).is_some();
            if let (true, Some(changed)) = (is_there != was_there, services.get_mut(usize::from(was_there))) {
                changed.push(id.path());
            }
        }
        for changed in &mut services {
            changed.sort_unstable();
        }
        let (was, was_not): (Vec<_>, Vec<_>) =
            window.edges.into_iter().partition(|(_, was_there)| *was_there);
        let added = keys(was_not.iter().map(|(edge, _)| edge).filter(|edge| state.edge_view(edge).is_some()));
        let removed = keys(was.iter().map(|(edge, _)| edge).filter(|edge| state.edge_view(edge).is_none()));
        let [came, went] = services;
        let changes = [came, went, added, removed];
        if changes.iter().any(|changed| !changed.is_empty()) {
            self.tell_topology(state, window.ends.min(now), now, changes);
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
                self.write(event, state);
            }
        }
    }

    /// Tells dependencies and edges that are gone. An edge whose dependency lives is asleep rather than gone: when it wakes
    /// up, nobody learns anything new.
    fn tell_ends(&mut self, state: &mut State, now: Timestamp) {
        let mut expired = Vec::new();
        for (edge, gone) in std::mem::take(&mut self.gone_edges) {
            let key = (edge.source.id(), edge.destination.id());
            match state.dependency_view(&key.0, &key.1) {
                Some(_) if !gone.told.established => {}
                Some(view) if view.asleep.len() < MAX_ASLEEP => {
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
            self.write(event, state);
        }
        for gone in dependencies.into_values() {
            let when = When { at: gone.at, now };
            let event = self.composer.dependency(EventType::DependencyRemoved, gone.dependency, when);
            self.write(event, state);
        }
    }

    fn tell_topology(&mut self, state: &mut State, at: Timestamp, now: Timestamp, changes: [Vec<String>; 4]) {
        self.revision += 1;
        let [services_added, services_removed, connections_added, connections_removed] = changes;
        let (service_count, connection_count) = state.counts();
        let before = |count: u64, added: &[String], removed: &[String]| {
            (count + removed.len() as u64).saturating_sub(added.len() as u64)
        };
        let change = TopologyChange {
            revision: self.revision,
            service_count,
            connection_count,
            service_count_before: before(service_count, &services_added, &services_removed),
            connection_count_before: before(connection_count, &connections_added, &connections_removed),
            services_added,
            services_removed,
            connections_added,
            connections_removed,
        };
        self.write(self.composer.topology(change, When { at, now }), state);
    }

    /// What consumers were told of the map so far, as events marked `initial`: services, connections, those that fail,
    /// dependencies, gaps.
    pub(crate) fn initial(&self, state: &State, now: Timestamp) -> Vec<Arc<Event>> {
        let sequence = self.log.next_sequence() - 1;
        let services = state.told_services().map(|(at, service)| {
            self.composer.service(EventType::ServiceDiscovered, service, When { at, now })
        });
        let connections = state.told_connections().map(|(at, connection)| {
            self.composer.connection(EventType::ConnectionEstablished, connection, When { at, now })
        });
        let dependencies = state.told_dependencies().into_iter().map(|(at, dependency)| {
            self.composer.dependency(EventType::DependencyDetected, dependency, When { at, now })
        });
        let failing = state.told_failing().map(|(at, connection)| {
            self.composer.connection(EventType::ConnectionFailed, connection, When { at, now })
        });
        let gaps = self.told_gaps(state).into_iter().map(|gap| {
            let at = gap.at;
            self.composer.gap(gap, When { at, now })
        });
        let all = services.chain(connections).chain(failing).chain(dependencies).chain(gaps);
        all.map(|event| Arc::new(Event { initial: true, sequence, ..event })).collect()
    }

    /// Gaps without the part that waits for the end of its interval: the latest of each reason.
    fn told_gaps(&self, state: &State) -> Vec<Gap> {
        let mut waiting = self.gaps.clone();
        let mut gaps = state.gaps();
        for gap in gaps.iter_mut().rev() {
            let Some(later) = waiting.get_mut(&gap.reason) else { continue };
            let untold = later.count.min(gap.count);
            later.count -= untold;
            gap.count -= untold;
        }
        gaps.retain(|gap| gap.count > 0);
        gaps
    }

    fn write(&mut self, event: Event, state: &mut State) {
        self.log.push(event);
        state.statistics.events += 1;
    }
}
