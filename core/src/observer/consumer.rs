//! Consumers: each has its own place in the event log and costs the others nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::changes::{Batch, Cursor};
use servicemap_map::model::{Event, EventTypes, Snapshot, Timestamp};

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
    /// What it asks for.
    types: EventTypes,
    /// Where the next batch begins, if events were skipped since the last one.
    skipped_from: Option<u64>,
    wakes: u64,
    _seat: Seat,
}

/// One of the places that there are for consumers; free again when it is dropped.
#[derive(Debug)]
struct Seat(Arc<Shared>);

impl Seat {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut inner = shared.lock();
        let has_room = inner.consumers < inner.max_consumers;
        inner.consumers += usize::from(has_room);
        has_room.then(|| Self(shared.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().consumers -= 1;
    }
}

impl Consumer {
    /// `None` where there are as many as may be.
    pub(super) fn new(shared: &Arc<Shared>, initial: Initial, types: EventTypes) -> Option<Self> {
        let (seat, wakes) = (Seat::take(shared)?, shared.wakes());
        let pending = VecDeque::new();
        Some(Self { initial, cursor: None, pending, types, skipped_from: None, wakes, _seat: seat })
    }

    pub(super) fn next(&mut self, shared: &Shared, max: usize, timeout: Duration) -> Next {
        let until = deadline(timeout);
        let mut inner = shared.lock();
        loop {
            let written = inner.map.log().next_sequence();
            let next = self.try_next(&mut inner, max.max(1), shared.now());
            if inner.map.log().next_sequence() > written {
                // What was told for this one's snapshot is news to the others.
                shared.notify();
            }
            if let Some(next) = next {
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
                if self.initial == Initial::Snapshot {
                    inner.map.flush(now);
                }
                let cursor = inner.map.log().cursor_at_end();
                self.cursor = Some(cursor);
                match self.initial {
                    Initial::Snapshot => return Some(Self::snapshot(inner, Batch::empty_at(cursor), now)),
                    Initial::Events => {
                        let all = inner.map.initial_events(now).into_iter();
                        self.pending = all.filter(|event| self.types.contains(event.event_type)).collect();
                    }
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
        let mut batch = inner.map.log().read_of(&mut cursor, max, self.types);
        self.cursor = Some(cursor);
        if batch.lost > 0 {
            self.skipped_from = None;
            inner.map.flush(now);
            return Some(Self::snapshot(inner, batch, now));
        }
        if batch.events.is_empty() {
            self.skipped_from.get_or_insert(batch.first);
            return inner.ended.then_some(Next::Ended);
        }
        batch.first = self.skipped_from.take().unwrap_or(batch.first);
        Some(Next::Batch { batch, snapshot: None })
    }

    fn snapshot(inner: &mut Inner, batch: Batch, now: Timestamp) -> Next {
        let snapshot = inner.timed("snapshot", |map| map.snapshot(now));
        Next::Batch { batch, snapshot: Some(Arc::new(snapshot)) }
    }
}
