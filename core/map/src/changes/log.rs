//! One bounded log of events, many cursors: a slow consumer costs nobody else anything, and one that falls out of the
//! window is told how many events it missed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Event, EventTypes};

/// A consumer's place in the log: the sequence number of the next event that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: u64,
}

impl Cursor {
    /// A cursor that continues after the event with this sequence number.
    pub const fn after(sequence: u64) -> Self {
        Self { next: sequence + 1 }
    }

    /// Sequence number of the next event that the consumer wants.
    pub const fn next(self) -> u64 {
        self.next
    }
}

/// Some events in the order of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Sequence number of the first event that this batch covers.
    pub first: u64,
    /// Sequence number after the last one that it covers.
    pub next: u64,
    /// How many events before `first` were lost to this consumer.
    pub lost: u64,
    /// The events.
    pub events: Vec<Arc<Event>>,
}

impl Batch {
    /// A batch without events at this place of the log.
    pub const fn empty_at(cursor: Cursor) -> Self {
        Self { first: cursor.next, next: cursor.next, lost: 0, events: Vec::new() }
    }
}

/// The bounded log. Sequence numbers begin at 1 and have no holes.
#[derive(Debug)]
pub struct EventLog {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
    next: u64,
}

impl EventLog {
    /// An empty log that keeps at most `capacity` events (at least one).
    pub fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), capacity: capacity.max(1), next: 1 }
    }

    /// Sequence number that the next event gets.
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Writes an event; its `sequence` is set here. The oldest one leaves when the log is full.
    pub fn push(&mut self, mut event: Event) {
        event.sequence = self.next;
        self.next += 1;
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(event));
    }

    /// A cursor that sees only events written from now on.
    pub const fn cursor_at_end(&self) -> Cursor {
        Cursor { next: self.next }
    }

    /// A cursor that sees all events that are still kept.
    pub fn cursor_at_start(&self) -> Cursor {
        Cursor { next: self.oldest() }
    }

    /// At most `max` events from the cursor on, which moves behind them. An empty batch says that there is nothing new.
    pub fn read(&self, cursor: &mut Cursor, max: usize) -> Batch {
        self.read_of(cursor, max, EventTypes::ALL)
    }

    /// The same of some types. The batch covers the events of other types as well: they are no holes. One without events
    /// covers what is to be skipped, if `next` is not `first`.
    pub fn read_of(&self, cursor: &mut Cursor, max: usize, types: EventTypes) -> Batch {
        let oldest = self.oldest();
        let lost = oldest.saturating_sub(cursor.next);
        let first = cursor.next.max(oldest).min(self.next);
        let skip = usize::try_from(first - oldest).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        let mut next = first;
        for event in self.events.iter().skip(skip) {
            if events.len() == max {
                break;
            }
            next += 1;
            if types.contains(event.event_type) {
                events.push(event.clone());
            }
        }
        cursor.next = next;
        Batch { first, next, lost, events }
    }

    fn oldest(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}
