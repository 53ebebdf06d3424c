//! The composition root: the one folder that knows sources, map and doors.
//!
//! [`Observer`] owns one thread, `servicemap-map`, which drains the sources into the map (`worker.rs`). Doors pull:
//! events through a [`Consumer`] each (`consumer.rs`), snapshots and readings whenever they like (`shared.rs`).

mod agents;
mod consumer;
mod keeping;
mod recorded;
mod schedule;
mod shared;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use servicemap_map::agents::Record;
use servicemap_map::model::{EdgePairs, EventTypes, ObserverInfo, Readings, Snapshot};

use crate::capture::{Capture, CaptureError, CaptureSettings};
use crate::kubernetes::{self, Kubernetes, KubernetesError};
use crate::recording::Recorder;
use crate::settings::{Role, Settings};
use keeping::Keeping;
use shared::Shared;

pub use agents::Reporter;
pub use consumer::{Consumer, Initial, Next};

/// What can go wrong with an observer.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// The kernel side could not be started.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The cluster cannot be watched, and has to be.
    #[error(transparent)]
    Kubernetes(#[from] KubernetesError),
    /// `start` was called a second time.
    #[error("the observer {0:?} was started before: make a new one to start again")]
    AlreadyStarted(String),
    /// There are as many consumers as may be.
    #[error("{0} consumers take events already, and more may not: end one, or set max_consumers higher")]
    TooManyConsumers(usize),
    /// A thread could not be made.
    #[error("cannot start the thread of the observer: {0}: raise the limit of processes (ulimit -u)")]
    Thread(std::io::Error),
    /// The observer's thread did not end in time.
    #[error("the observer did not stop within {0:?}: give it more time or end the process")]
    StopTimeout(Duration),
    /// The observer's thread panicked: a defect of Servicemap.
    #[error("the observer stopped because of a defect in Servicemap: restart it and report the log")]
    Panicked,
}

/// An observer: owns its sources, its map and its thread. Several may live in one process; any thread may call.
#[derive(Clone, Debug)]
pub struct Observer {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    thread: Arc<Mutex<Thread>>,
}

#[derive(Debug)]
enum Thread {
    New,
    Running(JoinHandle<()>),
    Ended,
}

impl Observer {
    /// Makes an observer; nothing is observed before [`start`](Self::start).
    pub fn new(settings: Settings) -> Self {
        Self::make(settings, None)
    }

    /// The same, and writes down all that its map is told.
    pub fn recorded(settings: Settings, recorder: Recorder) -> Self {
        Self::make(settings, Some(recorder))
    }

    fn make(settings: Settings, recorder: Option<Recorder>) -> Self {
        let shared = Arc::new(Shared::new(&settings, recorder));
        Self { settings: Arc::new(settings), shared, thread: Arc::new(Mutex::new(Thread::New)) }
    }

    /// Loads and attaches the kernel side, then begins to observe on a thread of its own. Returns once everything
    /// that can fail for want of a capability has succeeded.
    pub fn start(&self) -> Result<(), ObserverError> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*thread, Thread::New) {
            return Err(ObserverError::AlreadyStarted(self.settings.name.clone()));
        }
        let options = CaptureSettings { hook: self.settings.capture_hook, ..CaptureSettings::default() };
        let capture = self.settings.enable_ebpf.then(|| Capture::start(&options)).transpose()?;
        // Before the first fact.
        let keeping = self.settings.state_dir.as_deref().and_then(|directory| {
            Keeping::open(directory, self.settings.map.dependency_retention, &self.shared)
        });
        let kubernetes = self.start_kubernetes()?;
        let sources = worker::Sources { capture, kubernetes };
        let worker = worker::Worker::new(&self.settings, sources, keeping, self.shared.clone());
        let spawned =
            std::thread::Builder::new().name("servicemap-map".to_owned()).spawn(move || worker.run());
        *thread = Thread::Running(spawned.map_err(ObserverError::Thread)?);
        self.shared.started();
        Ok(())
    }

    fn start_kubernetes(&self) -> Result<Option<Kubernetes>, ObserverError> {
        let Some(options) = kubernetes_options(&self.settings) else { return Ok(None) };
        let kubernetes = Kubernetes::start(options, self.shared.clone())?;
        if let Some(kubernetes) = &kubernetes {
            self.shared.count_calls_of(kubernetes);
        }
        Ok(kubernetes)
    }

    /// When to tell what this agent counts. There is one for each agent: what it was told is not told again.
    pub fn reporter(&self) -> Reporter {
        Reporter::new(self.settings.report_interval)
    }

    /// The next records of this agent, waiting at most `timeout`: empty when nothing is to be told yet, `None` once it has
    /// ended, and where it is none.
    pub fn next_records(&self, reporter: &mut Reporter, timeout: Duration) -> Option<Vec<Record>> {
        reporter.next(&self.shared, timeout)
    }

    /// Takes records of agents. A receiver that is no cluster instance has no use for them.
    pub fn take_records(&self, records: Vec<Record>) {
        self.shared.take_records(records);
    }

    /// A new consumer of events, with its own place in the log, of the types that the settings name.
    pub fn consumer(&self, initial: Initial) -> Result<Consumer, ObserverError> {
        self.consumer_of(initial, self.settings.events)
    }

    /// The same of other types. An event of another type is no hole: batches cover it. Losses are counted of all types,
    /// since what was lost is not known.
    pub fn consumer_of(&self, initial: Initial, types: EventTypes) -> Result<Consumer, ObserverError> {
        let most = self.settings.max_consumers;
        Consumer::new(&self.shared, initial, types).ok_or(ObserverError::TooManyConsumers(most))
    }

    /// The next events, at most `max`, waiting at most `timeout`. The first batch comes once the map knows everything
    /// that existed at the start.
    pub fn next(&self, consumer: &mut Consumer, max: usize, timeout: Duration) -> Next {
        consumer.next(&self.shared, max, timeout)
    }

    /// Makes waiting [`next`](Self::next) calls return now; a consumer that does not wait is woken at its next call.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// Waits until the sources have told what existed at the start; false when `timeout` passed before.
    pub fn wait_ready(&self, timeout: Duration) -> bool {
        self.shared.wait_ready(timeout)
    }

    /// Whether it was started and has not ended since, by a shutdown or a failure. Does not wait for a shutdown that is
    /// under way.
    pub fn is_running(&self) -> bool {
        self.shared.is_running()
    }

    /// The map now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }

    /// Who is behind the edge that has this key (`ns/a->ns/b:port/tcp`): the pairs of pods or programs that opened the most
    /// connections. `None` where there is no such edge.
    pub fn pairs(&self, key: &str) -> Option<EdgePairs> {
        self.shared.lock().map.pairs(key)
    }

    /// What metrics are made of, now.
    pub fn readings(&self) -> Readings {
        self.shared.readings()
    }

    /// Who observes.
    pub fn info(&self) -> ObserverInfo {
        self.shared.info()
    }

    /// Stops observing: the last counts are drained, consumers read what is left and then get [`Next::Ended`]. May be
    /// called before `start` and more than once.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), ObserverError> {
        self.shared.stop();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Thread::Running(handle) = std::mem::replace(&mut *thread, Thread::Ended) else {
            self.shared.end();
            return Ok(());
        };
        let until = shared::deadline(deadline);
        while !self.shared.wait_ended(until.saturating_duration_since(Instant::now())) {
            if Instant::now() >= until {
                *thread = Thread::Running(handle);
                return Err(ObserverError::StopTimeout(deadline));
            }
        }
        handle.join().map_err(|_| ObserverError::Panicked)
    }
}

/// What an observer with these settings watches of the cluster; `None` where it is told not to.
pub(crate) fn kubernetes_options(settings: &Settings) -> Option<kubernetes::Options> {
    (settings.enable_k8s_discovery != Some(false)).then(|| kubernetes::Options {
        kube_config: settings.kube_config.clone(),
        required: settings.enable_k8s_discovery == Some(true),
        namespaces: settings.watch_namespaces.clone(),
        node: (settings.role == Role::Agent).then(|| settings.map.host.to_string()),
        ranges: settings.cluster_ranges.clone(),
        length: kubernetes::Length::default(),
    })
}
