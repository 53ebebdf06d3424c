//! What the observer's thread and the doors share: the map behind a lock, and the condition that doors wait on.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use servicemap_map::agents::Record;
use servicemap_map::model::{
    CaptureHealth, DurationHistogram, Fact, KernelEvents, ObserverInfo, Readings, RunId, Snapshot, SourceId,
    Timestamp,
};
use servicemap_map::record::Header;
use uuid::Uuid;

use super::agents::{self, Part};
use super::recorded::Recorded;
use crate::clock::Clock;
use crate::kubernetes::{Figures, Kubernetes};
use crate::recording::Recorder;
use crate::settings::{Role, Settings};
use crate::sink::FactSink;

/// Waits without an end are this long: what is added to an instant must not overflow.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 365);

/// The instant at which a wait is over.
pub(super) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST_WAIT)
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) map: Recorded,
    pub(super) kernel: KernelEvents,
    pub(super) capture: CaptureHealth,
    pub(super) processing: BTreeMap<&'static str, DurationHistogram>,
    /// Counters of the calls to the API server, where a cluster is watched.
    pub(super) kubernetes: Option<Arc<Figures>>,
    /// Its part in a cluster of agents.
    pub(super) part: Part,
    /// How many consumers there are, and may be.
    pub(super) consumers: usize,
    pub(super) max_consumers: usize,
    /// Counts [`Shared::wake`] calls.
    pub(super) wakes: u64,
    /// The thread was begun.
    pub(super) started: bool,
    /// The thread is asked to end.
    pub(super) stopping: bool,
    /// The thread has ended, or never began: no more events will come.
    pub(super) ended: bool,
}

impl Inner {
    /// Runs an operation of ours and notes how long it took.
    pub(super) fn timed<T>(&mut self, operation: &'static str, run: impl FnOnce(&mut Recorded) -> T) -> T {
        let started = Instant::now();
        let result = run(&mut self.map);
        self.processing.entry(operation).or_default().observe(started.elapsed());
        result
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    info: ObserverInfo,
    clock: Clock,
    max_label_values: usize,
}

impl FactSink for Shared {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn tell(&self, facts: Vec<Fact>) {
        Self::tell(self, facts);
    }

    fn give_up(&self, source: SourceId) {
        self.lock().map.give_up(source);
        self.tell(Vec::new());
    }
}

impl Shared {
    pub(super) fn new(settings: &Settings, recorder: Option<Recorder>) -> Self {
        let run_id = RunId(Uuid::new_v4());
        let clock = Clock::default();
        let started_at = clock.now();
        let mut map = Recorded::new(Header::new(settings.map.clone(), run_id, started_at), recorder);
        if settings.role == Role::Cluster {
            map.expect(SourceId::Agents);
        } else {
            map.expect(SourceId::Host);
        }
        if settings.enable_k8s_discovery != Some(false) {
            map.expect(SourceId::Kubernetes);
        }
        if settings.enable_ebpf {
            map.expect(SourceId::Capture);
        }
        let info = ObserverInfo {
            version: settings.map.version.clone(),
            host: settings.map.host.clone(),
            cluster: settings.map.cluster.clone(),
            cluster_uid: "".into(),
            run_id,
            started_at,
        };
        let inner = Inner {
            map,
            kernel: KernelEvents::default(),
            capture: CaptureHealth::default(),
            processing: BTreeMap::new(),
            kubernetes: None,
            part: Part::new(settings, run_id, started_at),
            consumers: 0,
            max_consumers: settings.max_consumers,
            wakes: 0,
            started: false,
            stopping: false,
            ended: false,
        };
        Self {
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            info,
            clock,
            max_label_values: settings.map.max_label_values,
        }
    }

    /// The time, which the pure half never reads by itself.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everyone who waits that something changed.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Gives the lock back until something changes or `until` passes; false when it passed.
    pub(super) fn wait<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        until: Instant,
    ) -> (MutexGuard<'a, Inner>, bool) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return (inner, false);
        }
        let (inner, _) = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner);
        (inner, true)
    }

    /// Applies facts to the map and tells it the time; wakes the doors when events follow.
    pub(super) fn tell(&self, facts: Vec<Fact>) {
        self.settle(&mut self.lock(), facts);
    }

    /// Takes what agents told, and tells what follows from it before it returns.
    pub(super) fn take_records(&self, records: Vec<Record>) {
        let mut inner = self.lock();
        agents::take(&mut inner, records, self.now());
        self.settle(&mut inner, Vec::new());
    }

    fn settle(&self, inner: &mut Inner, mut facts: Vec<Fact>) {
        let at = self.now();
        if inner.part.note(&facts) {
            self.notify();
        }
        facts.append(&mut inner.part.facts(&inner.map, at));
        if !facts.is_empty() {
            inner.timed("apply", |map| facts.into_iter().for_each(|fact| map.apply(fact)));
        }
        let before = (inner.map.log().next_sequence(), inner.map.is_ready());
        inner.timed("advance", |map| map.advance(at));
        if before != (inner.map.log().next_sequence(), inner.map.is_ready()) {
            self.notify();
        }
    }

    fn wait_until(&self, timeout: Duration, done: impl Fn(&Inner) -> bool) -> bool {
        let until = deadline(timeout);
        let mut inner = self.lock();
        loop {
            if done(&inner) {
                return true;
            }
            let (back, in_time) = self.wait(inner, until);
            inner = back;
            if !in_time {
                return done(&inner);
            }
        }
    }

    pub(super) fn wait_ready(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |inner| inner.map.is_ready() || inner.ended) && self.lock().map.is_ready()
    }

    pub(super) fn wait_ended(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |inner| inner.ended)
    }

    pub(super) fn wake(&self) {
        self.lock().wakes += 1;
        self.notify();
    }

    pub(super) fn wakes(&self) -> u64 {
        self.lock().wakes
    }

    pub(super) fn started(&self) {
        self.lock().started = true;
    }

    pub(super) fn is_running(&self) -> bool {
        let inner = self.lock();
        inner.started && !inner.ended
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.notify();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.notify();
    }

    pub(super) fn count_calls_of(&self, kubernetes: &Kubernetes) {
        self.lock().kubernetes = Some(kubernetes.figures().clone());
    }

    pub(super) fn info(&self) -> ObserverInfo {
        let cluster_uid = self.lock().map.cluster_uid().clone();
        ObserverInfo { cluster_uid, ..self.info.clone() }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        let mut inner = self.lock();
        let at = self.now();
        Arc::new(inner.timed("snapshot", |map| map.snapshot(at)))
    }

    pub(super) fn readings(&self) -> Readings {
        let mut inner = self.lock();
        let at = self.now();
        let snapshot = Arc::new(inner.timed("snapshot", |map| map.snapshot(at)));
        let mut processing = inner.processing.clone();
        let mut k8s_api_calls = BTreeMap::new();
        if let Some(figures) = &inner.kubernetes {
            processing.insert("decode", figures.decode());
            k8s_api_calls = figures.calls();
        }
        Readings {
            at,
            snapshot,
            statistics: inner.map.statistics().clone(),
            kernel: inner.kernel,
            capture: inner.capture,
            agents: inner.part.statistics(),
            k8s_api_calls,
            max_label_values: self.max_label_values,
            processing,
        }
    }
}
