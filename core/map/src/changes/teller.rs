//! Decides which changes of the map are told, and when.
//!
//! The rule behind all of it: what consumers were told is kept beside each thing, and an event is written when, at the time
//! for telling, that differs from what is so. A change that has been undone by then makes no event. Services are told at
//! once, the rest when the debounce window closes; nothing is told before the map is ready, and what exists then counts as
//! told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::EventLog;
use super::compose::{Composer, When};
use super::memory::Memory;
use super::pace::{Pace, Subject};
use super::sampling::Sampler;
use super::window::Window;
use crate::analysis;
use crate::model::{
    Bound, Connection, ConnectionRef, Dependency, Event, Gap, GapReason, HealthStatus, Known,
    KnownDependency, RunId, Service, ServiceId, Timestamp, TopologyChange,
};
use crate::settings::{EmissionMode, MapSettings};
use crate::state::{Change, DependencyTold, EdgeTold, Findings, HealthRecord, MovedDependency, State};

/// Time between whole snapshots, at least; without one a deadline would be due again as soon as it is met.
const SHORTEST_SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// A dependency that went and has not been told so.
#[derive(Debug)]
pub(super) struct GoneDependency {
    pub(super) dependency: Arc<Dependency>,
    pub(super) told: DependencyTold,
    pub(super) asleep: BTreeMap<ConnectionRef, Arc<Connection>>,
    pub(super) first_seen: Timestamp,
    pub(super) at: Timestamp,
}

/// A service that went and has not been told so.
#[derive(Debug)]
pub(super) struct GoneService {
    pub(super) service: Arc<Service>,
    told_health: HealthStatus,
    health: HealthRecord,
    pub(super) at: Timestamp,
}

/// An edge that went and has not been told so.
#[derive(Debug)]
pub(super) struct GoneEdge {
    pub(super) connection: Arc<Connection>,
    pub(super) told: EdgeTold,
    pub(super) at: Timestamp,
}

/// Writes the events of one map.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(super) settings: MapSettings,
    pub(super) composer: Composer,
    pub(super) sampler: Sampler,
    pub(super) log: EventLog,
    pace: Pace,
    pub(super) window: Option<Window>,
    pub(super) gone_services: BTreeMap<ServiceId, GoneService>,
    pub(super) gone_edges: BTreeMap<ConnectionRef, GoneEdge>,
    pub(super) gone_dependencies: BTreeMap<(ServiceId, ServiceId), GoneDependency>,
    pub(super) gaps: BTreeMap<GapReason, Gap>,
    /// What earlier runs told.
    pub(super) memory: Memory,
    /// What consumers were told of network policies.
    pub(super) told_findings: Arc<Findings>,
    /// What they were told of the graph of dependencies.
    pub(super) told_graph: Arc<analysis::Findings>,
    /// Services of which they were told that nobody connects to them.
    pub(super) told_orphans: BTreeSet<ServiceId>,
    pub(super) revision: u64,
    /// How many services and edges there were when the last window closed.
    pub(super) counts: (u64, u64),
    next_full: Option<Timestamp>,
}

impl Teller {
    /// Events carry the identity of this cluster from now on.
    pub(crate) fn name_cluster(&mut self, cluster: &Arc<str>) {
        self.composer.cluster = cluster.clone();
    }

    /// Has told nothing yet.
    pub(crate) fn new(settings: MapSettings, run: RunId, started_at: Timestamp) -> Self {
        let sampler = Sampler::new(settings.connection_sampling_ratio);
        Self {
            composer: Composer {
                cluster: settings.cluster.clone(),
                run,
                started_at,
                sampling_ratio: sampler.ratio(),
                learning_period: settings.learning_period,
            },
            sampler,
            log: EventLog::new(settings.buffer_size),
            pace: Pace::new(settings.min_emit_interval),
            window: None,
            gone_services: BTreeMap::new(),
            gone_edges: BTreeMap::new(),
            gone_dependencies: BTreeMap::new(),
            gaps: BTreeMap::new(),
            memory: Memory::default(),
            told_findings: Arc::default(),
            told_graph: Arc::default(),
            told_orphans: BTreeSet::new(),
            revision: 0,
            counts: (0, 0),
            next_full: None,
            settings,
        }
    }

    /// The log of events.
    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    /// Takes what was told in earlier runs: it is no news, and everything else is.
    pub(crate) fn remember(&mut self, known: Known) {
        self.memory.fill(known);
        self.composer.learning_period = Duration::ZERO;
    }

    /// Counts up whenever [`known`](Self::known) becomes another but for instants.
    pub(crate) fn known_revision(&self) -> u64 {
        self.memory.revision
    }

    /// What is no news any more, in this run or the next.
    pub(crate) fn known(&mut self, state: &mut State, now: Timestamp) -> Known {
        let mut told = state.known_dependencies(now);
        told.extend(self.gone_dependencies.values().map(|gone| KnownDependency {
            source: gone.dependency.source.id(),
            destination: gone.dependency.destination.id(),
            first_seen: gone.first_seen,
            last_seen: gone.at,
            crosses_environments: gone.told.crossing,
        }));
        let (known, forgotten) = self.memory.keep(told, self.settings.dependency_retention, now);
        state.count_bounded(Bound::KnownDependencies, forgotten);
        known
    }

    /// The map is ready: what is in it is no news, what comes from now on is. Where earlier runs have told, a dependency
    /// that they did not know is news as well.
    pub(crate) fn begin(&mut self, state: &mut State, now: Timestamp) {
        state.take_changes();
        state.mark_all_told();
        if self.memory.is_given {
            self.find_news(state, now);
        }
        self.memory.revision += 1;
        self.told_findings = state.findings().clone();
        self.told_graph = state.analysis().findings.clone();
        self.told_orphans = state.orphans().collect();
        self.counts = state.counts();
        self.next_full =
            (self.settings.emission_mode == EmissionMode::Full).then(|| now + self.full_snapshot_interval());
    }

    /// When [`tell`](Self::tell) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let window = self.window.as_ref().map(|window| window.ends);
        [window, self.pace.next(), self.next_full].into_iter().flatten().min()
    }

    /// Tells what is due at `now`.
    pub(crate) fn tell(&mut self, state: &mut State, now: Timestamp) {
        loop {
            let changes = state.take_changes();
            if changes.is_empty() {
                break;
            }
            // What goes on from before may change at once.
            for change in changes {
                self.note(change, state, now);
            }
        }
        while let Some(subject) = self.pace.pop_due(now) {
            self.speak(subject, state, now);
        }
        if let Some(window) = self.window.take_if(|window| window.ends <= now) {
            self.close(window, state, now);
        }
        if self.window.is_none() {
            self.counts = state.counts();
        }
        if let Some(due) = self.next_full.filter(|due| *due <= now) {
            let counts = state.counts();
            self.tell_topology(state, counts, TopologyChange::default(), When { at: due, now });
            self.next_full = Some(now + self.full_snapshot_interval());
        }
    }

    /// Nothing will come after this: tells now what waits for the end of a window or an interval.
    pub(crate) fn finish(&mut self, state: &mut State, now: Timestamp) {
        while let Some(subject) = self.pace.pop() {
            self.speak(subject, state, now);
        }
        self.close_window(state, now);
    }

    /// Tells now what waits for the window to close.
    pub(crate) fn close_window(&mut self, state: &mut State, now: Timestamp) {
        if let Some(window) = self.window.take() {
            self.close(window, state, now);
            self.counts = state.counts();
        }
    }

    /// Whether something waits for the window to close.
    pub(crate) const fn has_window(&self) -> bool {
        self.window.is_some()
    }

    fn full_snapshot_interval(&self) -> Duration {
        self.settings.full_snapshot_interval.max(SHORTEST_SNAPSHOT_INTERVAL)
    }

    fn window(&mut self, now: Timestamp) -> &mut Window {
        self.window.get_or_insert_with(|| Window::new(now + self.settings.debounce_window))
    }

    fn note(&mut self, change: Change, state: &mut State, now: Timestamp) {
        match change {
            Change::ServiceAdded(id) => {
                self.window(now).service(id.clone(), true);
                if let Some(gone) = self.gone_services.remove(&id) {
                    state.resume_health(&id, gone.health, now);
                    if let Some(view) = state.service_view(&id) {
                        *view.told_present = true;
                        *view.told_health = gone.told_health;
                    }
                }
                self.now_or_later(Subject::Service(id), state, now);
            }
            Change::ServiceRemoved { service, told, health, at } => {
                let id = service.id.clone();
                self.window(now).service(id.clone(), false);
                if let Some(told_health) = told {
                    let gone = GoneService { service, told_health, health, at };
                    self.gone_services.insert(id.clone(), gone);
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
            Change::DependencyRemoved { dependency, told, asleep, first_seen, at } => {
                let key = (dependency.source.id(), dependency.destination.id());
                self.window(now).dependencies.insert(key.clone());
                if told.present {
                    self.gone_dependencies
                        .insert(key, GoneDependency { dependency, told, asleep, first_seen, at });
                }
            }
            Change::DependencyCrosses(source, destination) => {
                self.now_or_later(Subject::Dependency(source, destination), state, now);
            }
            Change::Renamed { from, to, told, edges, dependencies } => {
                let window = self.window(now);
                window.rename(from.id(), to.id(), told);
                for edge in &edges {
                    window.move_edge(edge);
                }
                for moved in dependencies {
                    self.dependency_moved(moved, state, now);
                }
            }
            Change::OrphanTurned(id) => {
                self.window(now).orphans.insert(id);
            }
            Change::PoliciesTouched | Change::ExposureTurned => {
                self.window(now);
            }
            Change::Lost(gap) => {
                let reason = gap.reason;
                match self.gaps.get_mut(&reason) {
                    Some(waiting) if waiting.healed == gap.healed => {
                        waiting.count = waiting.count.saturating_add(gap.count);
                    }
                    // The healing is of everything before it, what waits included.
                    Some(waiting) if gap.healed => {
                        waiting.count = waiting.count.max(gap.count);
                        waiting.healed = true;
                    }
                    _ => {
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

    /// Dependencies that existed before the map was ready and that earlier runs did not tell of are told with the first
    /// window: consumers that wait for the map have begun by then.
    fn find_news(&mut self, state: &mut State, now: Timestamp) {
        for (_, dependency) in state.told_dependencies() {
            let key = (dependency.source.id(), dependency.destination.id());
            if let Some(view) = state.dependency_view(&key.0, &key.1) {
                *view.told = DependencyTold::default();
            }
            self.recall(&key, state, now);
            self.window(now).dependencies.insert(key);
        }
    }

    /// A dependency that came goes on from what earlier runs told of it.
    fn recall(&mut self, key: &(ServiceId, ServiceId), state: &mut State, now: Timestamp) {
        let retention = self.settings.dependency_retention;
        let Some((first_seen, told)) = self.memory.meet(key, retention, now) else { return };
        let Some(view) = state.dependency_view(&key.0, &key.1) else { return };
        if view.dependency.cross_environment && !told.crossing {
            // That is what is new of it, and since this run.
            view.crosses_since.get_or_insert(*view.first_seen);
        }
        *view.first_seen = first_seen.min(*view.first_seen);
        *view.told = told;
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
        self.recall(&key, state, now);
        let Some(view) = state.dependency_view(&key.0, &key.1) else { return };
        if let Some(gone) = gone {
            *view.told = gone.told;
            view.asleep.extend(gone.asleep);
        }
        if view.dependency.cross_namespace || view.dependency.cross_environment {
            self.now_or_later(Subject::Dependency(key.0, key.1), state, now);
        } else {
            self.window(now).dependencies.insert(key);
        }
    }

    /// A dependency is between others. What has not been told of it yet is told of these.
    fn dependency_moved(&mut self, moved: MovedDependency, state: &mut State, now: Timestamp) {
        let MovedDependency { from, to } = moved;
        let is_between = |edge: &ConnectionRef| edge.source.id() == from.0 && edge.destination.id() == from.1;
        let gone = self.gone_edges.extract_if(.., |edge, _| is_between(edge));
        let gone: Vec<_> = gone.collect();
        let Some(view) = state.dependency_view(&to.0, &to.1) else { return };
        for (mut edge, mut gone) in gone {
            (edge.source, edge.destination) =
                (view.dependency.source.clone(), view.dependency.destination.clone());
            gone.connection =
                Arc::new(Connection { edge: edge.clone(), ..Connection::clone(&gone.connection) });
            self.gone_edges.insert(edge, gone);
        }
        self.memory.revision += 1;
        let crosses = view.dependency.cross_environment;
        if !view.told.present || (crosses && !view.told.crossing) {
            self.dependency_came(to.0, to.1, state, now);
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

    /// Writes an event about an edge, if the edge is among those that are told.
    pub(super) fn write_of_edge(&mut self, event: Event, state: &mut State) {
        if self.sampler.keeps(&event.subject) {
            self.write(event, state);
        } else {
            state.statistics.events_sampled_out += 1;
        }
    }

    pub(super) fn write(&mut self, event: Event, state: &mut State) {
        self.log.push(event);
        state.statistics.events += 1;
    }
}
