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
use crate::state::{DependencyTold, EdgeTold, Findings, HealthRecord, State};

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
    pub(super) told_health: HealthStatus,
    pub(super) health: HealthRecord,
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

    /// Whether a window is open that may close before its time.
    pub(crate) fn may_close_window(&self) -> bool {
        self.window.as_ref().is_some_and(|window| !window.is_of_start)
    }

    fn full_snapshot_interval(&self) -> Duration {
        self.settings.full_snapshot_interval.max(SHORTEST_SNAPSHOT_INTERVAL)
    }

    pub(super) fn window(&mut self, now: Timestamp) -> &mut Window {
        self.window.get_or_insert_with(|| Window::new(now + self.settings.debounce_window))
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
            let window = self.window(now);
            window.is_of_start = true;
            window.dependencies.insert(key);
        }
    }

    pub(super) fn now_or_later(&mut self, subject: Subject, state: &mut State, now: Timestamp) {
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
