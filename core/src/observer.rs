//! The composition root: the one file that knows sources, map and doors.

use std::sync::Arc;
use std::time::Duration;

use servicemap_map::changes::{Batch, Cursor};
use servicemap_map::model::{Readings, Snapshot};

use crate::settings::Settings;

/// What a new consumer gets of what exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// A snapshot with its first batch.
    Snapshot,
    /// The same events as for new things, marked `initial`.
    Events,
    /// Nothing.
    Nothing,
}

/// One consumer's place in the event log. Not shared between threads.
#[derive(Debug)]
pub struct Consumer {
    cursor: Option<Cursor>,
    initial: Initial,
}

/// Answer of [`Observer::next`].
#[derive(Debug)]
pub enum Next {
    /// Events, and a snapshot when the consumer starts with one or has lost some.
    Batch {
        /// The events.
        batch: Batch,
        /// The map, where the consumer needs it.
        snapshot: Option<Arc<Snapshot>>,
    },
    /// Nothing came within the timeout.
    Timeout,
    /// [`Observer::wake`] was called.
    Woken,
    /// The observer was shut down and the consumer has read everything.
    Ended,
}

/// What can go wrong with an observer.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// The kernel side could not be started.
    #[error("{0}")]
    Capture(String),
    /// It was started or shut down before.
    #[error("{0}")]
    State(&'static str),
    /// A thread could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// An observer: owns its sources, its map and its threads. Several may live in one process; any thread may call.
#[derive(Clone, Debug)]
pub struct Observer {
    settings: Arc<Settings>,
}

impl Observer {
    /// Makes an observer; nothing happens before [`start`](Self::start).
    pub fn new(settings: Settings) -> Result<Self, ObserverError> {
        Ok(Self { settings: Arc::new(settings) })
    }

    /// Loads and attaches the kernel side, then begins to observe on a thread of its own.
    pub fn start(&self) -> Result<(), ObserverError> {
        let _ = &self.settings;
        Ok(())
    }

    /// A new consumer of events.
    pub fn consumer(&self, initial: Initial) -> Consumer {
        Consumer { cursor: None, initial }
    }

    /// The next events, at most `max`, waiting at most `timeout`. The first batch comes once the map is complete.
    pub fn next(&self, consumer: &mut Consumer, max: usize, timeout: Duration) -> Next {
        let _ = (&consumer.cursor, consumer.initial, max, timeout);
        Next::Timeout
    }

    /// Makes waiting [`next`](Self::next) calls return now.
    pub fn wake(&self) {}

    /// Waits until the sources have told what existed at the start; false when `timeout` passed before.
    pub fn wait_ready(&self, timeout: Duration) -> bool {
        let _ = timeout;
        false
    }

    /// The map now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        unimplemented!("being built")
    }

    /// What metrics are made of, now.
    pub fn readings(&self) -> Readings {
        unimplemented!("being built")
    }

    /// Stops observing: the last counts are drained, consumers read what is left and then get [`Next::Ended`].
    pub fn shutdown(&self, deadline: Duration) -> Result<(), ObserverError> {
        let _ = deadline;
        Ok(())
    }
}
