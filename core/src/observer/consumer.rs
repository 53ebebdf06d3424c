//! Consumers: each has its own place in the event log and costs the others nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::changes::{Batch, Cursor};
use servicemap_map::model::{Event, Snapshot, Timestamp};

use super::shared::{Inner, Shared, deadline};

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

/// Answer of [`Observer::next`](super::Observer::next).
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
    /// [`Observer::wake`](super::Observer::wake) was called.
    Woken,
    /// The observer was shut down and the consumer has read everything.
    Ended,
}

/// One consumer's place in the event log. Not shared between threads.
#[derive(Debug)]
pub struct Consumer {
    initial: Initial,
    /// Set once the map was ready and the consumer has begun.
    cursor: Option<Cursor>,
    /// Initial events that did not fit into the batches so far.
    pending: VecDeque<Arc<Event>>,
    wakes: u64,
}

impl Consumer {
    pub(super) fn new(initial: Initial, wakes: u64) -> Self {
        Self { initial, cursor: None, pending: VecDeque::new(), wakes }
    }

    pub(super) fn next(&mut self, shared: &Shared, max: usize, timeout: Duration) -> Next {
        let until = deadline(timeout);
        let mut inner = shared.lock();
        loop {
            if let Some(next) = self.try_next(&mut inner, max.max(1), shared.now()) {
                return next;
            }
            let (back, in_time) = shared.wait(inner, until);
            inner = back;
            if !in_time {
                return Next::Timeout;
            }
        }
    }

    fn try_next(&mut self, inner: &mut Inner, max: usize, now: Timestamp) -> Option<Next> {
        if inner.wakes != self.wakes {
            self.wakes = inner.wakes;
            return Some(Next::Woken);
        }
        let mut cursor = match self.cursor {
            Some(cursor) => cursor,
            None if inner.map.is_ready() => {
                let cursor = inner.map.log().cursor_at_end();
                self.cursor = Some(cursor);
                match self.initial {
                    Initial::Snapshot => return Some(Self::snapshot(inner, Batch::empty_at(cursor), now)),
                    Initial::Events => self.pending = inner.map.initial_events(now).into(),
                    Initial::Nothing => {}
                }
                cursor
            }
            None => return inner.ended.then_some(Next::Ended),
        };
        if !self.pending.is_empty() {
            let events = self.pending.drain(..max.min(self.pending.len())).collect();
            return Some(Next::Batch { batch: Batch { events, ..Batch::empty_at(cursor) }, snapshot: None });
        }
        let batch = inner.map.log().read(&mut cursor, max);
        self.cursor = Some(cursor);
        if batch.lost > 0 {
            return Some(Self::snapshot(inner, batch, now));
        }
        if batch.events.is_empty() {
            return inner.ended.then_some(Next::Ended);
        }
        Some(Next::Batch { batch, snapshot: None })
    }

    fn snapshot(inner: &mut Inner, batch: Batch, now: Timestamp) -> Next {
        let snapshot = inner.timed("snapshot", |map| map.snapshot(now));
        Next::Batch { batch, snapshot: Some(Arc::new(snapshot)) }
    }
}
