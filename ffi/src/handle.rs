//! What stands behind an observer's pointer: core's observer, one channel a kind, and the state that the ABI checks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use servicemap_core::telemetry::{Encoded, encode_logs, encode_metrics};
use servicemap_core::{Consumer, Initial, Next, Observer as Core, ObserverError};

use crate::batch::{Body, Content, Kind};
use crate::boundary::{Failure, catch};
use crate::channel::{Bell, Channel, Cursor, Outcome, Pulled, Rung};
use crate::events::Table;
use crate::memory::Slice;
use crate::observer::{ObserverStatus, State};
use crate::options::Options;
use crate::signals;
use crate::statistics;
use crate::status::Status;

/// How long `destroy` waits for the threads of an observer that still runs.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The first reading of metrics comes this long after the start (if the interval is not shorter), so that the map is
/// complete; as long as the Collector's own scrapers wait.
const FIRST_READING: Duration = Duration::from_secs(1);

/// When metrics are read.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// When the next reading is due; `None` before the first `next`.
    due: Option<Instant>,
    /// The last reading, after the shutdown, was given.
    done: bool,
}

/// What an observer's pointer leads to.
#[derive(Debug)]
pub(crate) struct Handle {
    core: Core,
    options: Options,
    /// The process that made it: after a `fork` its threads do not exist.
    process: u32,
    /// A [`State`], never `Poisoned`: that is told by `poison`.
    state: AtomicI32,
    started: OnceLock<Instant>,
    /// The panic that ended it.
    poison: OnceLock<String>,
    bell: Bell,
    logs: Channel<Consumer>,
    metrics: Channel<Schedule>,
    events: Channel<Consumer>,
}

impl Handle {
    pub(crate) fn new(options: Options) -> Result<Self, Failure> {
        let core = Core::new(options.settings.clone());
        let consumer = |initial| core.consumer(initial).map_err(|error| core_failure(&error));
        Ok(Self {
            logs: Channel::new(Kind::Logs, consumer(Initial::Snapshot)?),
            metrics: Channel::new(Kind::Metrics, Schedule::default()),
            events: Channel::new(Kind::Events, consumer(options.initial)?),
            core,
            options,
            process: std::process::id(),
            state: AtomicI32::new(State::Created as i32),
            started: OnceLock::new(),
            poison: OnceLock::new(),
            bell: Bell::default(),
        })
    }

    /// Runs a body unless a `fork` or an earlier panic forbids it; a panic of its own poisons the observer.
    pub(crate) fn guarded<T>(
        &self,
        function: &'static str,
        body: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.same_process()?;
        if let Some(panic) = self.poison.get() {
            return Err(Failure::new(Status::Poisoned, format!("the observer is poisoned: {panic}")));
        }
        catch(function, || body(self)).unwrap_or_else(|panic| {
            // Of two panics at once the first one is kept.
            let _ = self.poison.set(panic.message.clone());
            Err(panic)
        })
    }

    pub(crate) fn same_process(&self) -> Result<(), Failure> {
        let here = std::process::id();
        if here == self.process {
            return Ok(());
        }
        let message = format!("the observer belongs to process {}, this is process {here}", self.process);
        Err(Failure::new(Status::Forked, message))
    }

    pub(crate) fn start(&self) -> Result<Status, Failure> {
        signals::blocked(|| self.core.start()).map_err(|error| core_failure(&error))?;
        self.state.store(State::Running as i32, Ordering::Release);
        let _ = self.started.set(Instant::now());
        Ok(Status::Ok)
    }

    pub(crate) fn status(&self) -> Result<ObserverStatus, Failure> {
        self.same_process()?;
        let size = size_of::<ObserverStatus>();
        if self.wants_to_run() && !self.core.is_running() {
            self.thread_panicked();
        }
        if let Some(panic) = self.poison.get() {
            let message = Slice::lend(panic.as_bytes());
            return Ok(ObserverStatus { size, state: State::Poisoned as i32, ready: 0, message });
        }
        let ready = i32::from(self.core.wait_ready(Duration::ZERO));
        Ok(ObserverStatus { size, state: self.state.load(Ordering::Acquire), ready, message: Slice::EMPTY })
    }

    pub(crate) fn statistics(&self) -> Result<Vec<u8>, Failure> {
        self.started()?;
        let channels = [
            (Kind::Logs, &self.logs.counts),
            (Kind::Metrics, &self.metrics.counts),
            (Kind::Events, &self.events.counts),
        ];
        Ok(statistics::to_json(&self.core.readings(), &channels))
    }

    pub(crate) fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        self.started()?;
        serde_json::to_vec(&*self.core.snapshot()).map_err(|error| {
            Failure::new(Status::System, format!("the map cannot be written as JSON: {error}"))
        })
    }

    pub(crate) fn next(&self, kind: Kind, max: usize, deadline: Instant) -> Result<Pulled, Failure> {
        let started = self.started()?;
        match kind {
            Kind::Logs => self.logs.next(&self.bell, deadline, |cursor| {
                self.pull(cursor, max, deadline, |batch, snapshot| {
                    let labels = &self.options.settings.labels;
                    Ok(otlp(encode_logs(&batch.events, snapshot, &self.core.info(), labels)))
                })
            }),
            Kind::Events => self.events.next(&self.bell, deadline, |cursor| {
                self.pull(cursor, max, deadline, |batch, snapshot| {
                    Ok((batch.events.len(), Body::Events(Table::new(&batch.events, snapshot)?.into())))
                })
            }),
            Kind::Metrics => {
                self.metrics.next(&self.bell, deadline, |cursor| Ok(self.read(cursor, started, deadline)))
            }
        }
    }

    pub(crate) fn acknowledge(
        &self,
        content: &std::sync::Arc<Content>,
        outcome: Outcome,
    ) -> Result<Status, Failure> {
        match content.kind {
            Kind::Logs => self.logs.acknowledge(content, outcome),
            Kind::Metrics => self.metrics.acknowledge(content, outcome),
            Kind::Events => self.events.acknowledge(content, outcome),
        }?;
        Ok(Status::Ok)
    }

    pub(crate) fn wake(&self) {
        self.bell.wake();
        self.core.wake();
    }

    pub(crate) fn shut_down(&self, deadline: Duration) -> Result<Status, Failure> {
        // Before the thread ends, so that its end is known to be wanted.
        self.state.store(State::ShutDown as i32, Ordering::Release);
        let result = self.core.shutdown(deadline);
        // After the last counts came in, so that the last reading of metrics has them.
        self.bell.shut_down();
        result.map_err(|error| core_failure(&error))?;
        Ok(Status::Ok)
    }

    /// Before it is dropped: ends the threads of an observer that still runs. What goes wrong now helps nobody.
    pub(crate) fn close(&self) {
        if self.started.get().is_some() {
            let _ = catch("servicemap_observer_destroy", || self.core.shutdown(CLOSE_DEADLINE));
        }
    }

    /// Core's observer, for tests that stop it without the ABI's knowledge.
    #[cfg(test)]
    pub(crate) const fn core(&self) -> &Core {
        &self.core
    }

    /// The typed events' channel, for tests that put a batch of their own into it.
    #[cfg(test)]
    pub(crate) const fn events_channel(&self) -> &Channel<Consumer> {
        &self.events
    }

    /// It was started and nobody has asked it to stop.
    fn wants_to_run(&self) -> bool {
        self.state.load(Ordering::Acquire) == State::Running as i32
    }

    /// The observer's thread ended unasked: that is a panic too, and poisons it as one under a call does.
    fn thread_panicked(&self) -> Failure {
        let panic = "the observer's own thread panicked";
        let _ = self.poison.set(panic.to_owned());
        Failure::new(Status::Panic, panic)
    }

    fn started(&self) -> Result<Instant, Failure> {
        let not_yet = || Failure::new(Status::InvalidState, "the observer was not started");
        self.started.get().copied().ok_or_else(not_yet)
    }

    /// Asks core for events and makes a batch of them.
    fn pull(
        &self,
        cursor: &mut Cursor<Consumer>,
        max: usize,
        deadline: Instant,
        make: impl FnOnce(
            &servicemap_map::changes::Batch,
            Option<&servicemap_map::model::Snapshot>,
        ) -> Result<(usize, Body), Failure>,
    ) -> Result<Pulled, Failure> {
        match self.core.next(&mut cursor.source, max, deadline.saturating_duration_since(Instant::now())) {
            Next::Batch { batch, snapshot } => {
                let (items, body) = make(&batch, snapshot.as_deref())?;
                let (first, next, lost) = (batch.first, batch.next, batch.lost);
                Ok(Pulled::Content(Content { kind: cursor.kind, first, next, lost, items, body }.into()))
            }
            Next::Timeout => Ok(Pulled::Timeout),
            Next::Woken => {
                cursor.heard = self.bell.wakes();
                Ok(Pulled::Woken)
            }
            Next::Ended if self.wants_to_run() => Err(self.thread_panicked()),
            Next::Ended => Ok(Pulled::Ended),
        }
    }

    /// Waits for the next reading of metrics and makes a batch of it; after a shutdown there is one more.
    fn read(&self, cursor: &mut Cursor<Schedule>, started: Instant, deadline: Instant) -> Pulled {
        if cursor.source.done {
            return Pulled::Ended;
        }
        let interval = self.options.settings.collection_interval;
        let due = *cursor.source.due.get_or_insert_with(|| started + interval.min(FIRST_READING));
        match self.bell.wait(&mut cursor.heard, due.min(deadline)) {
            Rung::Wake => return Pulled::Woken,
            Rung::Nothing if due > deadline => return Pulled::Timeout,
            Rung::Nothing => {}
            Rung::Shutdown => cursor.source.done = true,
        }
        // A host that came late skips readings instead of getting them all at once: they are cumulative.
        cursor.source.due = Some((due + interval).max(Instant::now()));
        let (items, body) =
            otlp(encode_metrics(&self.core.readings(), self.options.settings.max_edge_series));
        let content = Content { kind: Kind::Metrics, first: 0, next: 0, lost: 0, items, body };
        Pulled::Content(content.into())
    }
}

/// How many items and what they are, as a batch has them.
fn otlp(encoded: Encoded) -> (usize, Body) {
    (encoded.items, Body::Otlp(encoded.bytes))
}

fn core_failure(error: &ObserverError) -> Failure {
    let status = match error {
        ObserverError::Capture(_) => Status::Capture,
        ObserverError::Kubernetes(_) | ObserverError::TooManyConsumers(_) => Status::InvalidConfig,
        ObserverError::AlreadyStarted(_) => Status::InvalidState,
        ObserverError::Thread(_) => Status::System,
        ObserverError::StopTimeout(_) => Status::StillRunning,
        ObserverError::Panicked => Status::Panic,
    };
    Failure::new(status, error.to_string())
}
