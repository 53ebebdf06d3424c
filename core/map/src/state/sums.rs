//! What is added up: of a delta, of a flow, of an edge. Merging is commutative and associative, so the order of facts
//! within one settling never shows.

use crate::model::{ConnectLatency, Direction, Failures, FlowDelta, FlowTotals, SocketExample, Timestamp};

/// Plain counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) opened: u64,
    pub(crate) preexisting: u64,
    pub(crate) closed: u64,
    pub(crate) failed: Failures,
    /// Of `failed`, those that had been established.
    pub(crate) cut: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) retransmits: u64,
}

impl Counts {
    pub(crate) fn active(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }

    /// Attempts seen from begin to end, and how many of them failed. A connection that was cut off in mid-life had
    /// succeeded as an attempt.
    pub(crate) fn attempts(&self) -> (u64, u64) {
        let failed = self.failed.total().saturating_sub(self.cut);
        (self.opened.saturating_sub(self.preexisting).saturating_add(failed), failed)
    }

    /// Each number of one count or the other, whichever is larger.
    pub(crate) fn larger(&self, other: &Self) -> Self {
        self.each(other, u64::max)
    }

    /// What there is more than in another count.
    pub(crate) fn less(&self, other: &Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    pub(crate) fn add(&mut self, more: &Self) {
        *self = self.each(more, u64::saturating_add);
    }

    fn each(&self, other: &Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            opened: of(self.opened, other.opened),
            preexisting: of(self.preexisting, other.preexisting),
            closed: of(self.closed, other.closed),
            failed: Failures {
                refused: of(self.failed.refused, other.failed.refused),
                timeout: of(self.failed.timeout, other.failed.timeout),
                unreachable: of(self.failed.unreachable, other.failed.unreachable),
                reset: of(self.failed.reset, other.failed.reset),
                other: of(self.failed.other, other.failed.other),
            },
            cut: of(self.cut, other.cut),
            bytes_sent: of(self.bytes_sent, other.bytes_sent),
            bytes_received: of(self.bytes_received, other.bytes_received),
            retransmits: of(self.retransmits, other.retransmits),
        }
    }
}

/// Sums that come to a service or edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) sums: &'a Sums,
    /// When they come: the instant of what they may make happen there.
    pub(crate) came: Timestamp,
}

/// Counters with the instants between which they were counted, the latest round-trip time and the first socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) counts: Counts,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) rtt: Option<(Timestamp, u32)>,
    /// Apart, since only clients have it.
    pub(crate) connect: Option<Box<ConnectLatency>>,
    pub(crate) example: Option<(Timestamp, SocketExample)>,
}

impl Default for Sums {
    /// Nothing: merging it changes nothing.
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            first: Timestamp::from_nanos(u64::MAX),
            last: Timestamp::ZERO,
            rtt: None,
            connect: None,
            example: None,
        }
    }
}

impl Sums {
    /// What a delta says; `at` stands in for instants that it does not tell.
    pub(crate) fn of(delta: FlowDelta, at: Timestamp) -> Self {
        let told = |instant: Timestamp| if instant == Timestamp::ZERO { at } else { instant };
        let first = told(delta.first);
        let last = told(delta.last).max(first);
        // From the client to the server, whichever side counts.
        let (bytes_sent, bytes_received) = match delta.key.direction {
            Direction::Inbound => (delta.bytes_received, delta.bytes_sent),
            Direction::Outbound | Direction::Listen => (delta.bytes_sent, delta.bytes_received),
        };
        Self {
            counts: Counts {
                opened: delta.opened,
                preexisting: delta.preexisting,
                closed: delta.closed,
                failed: delta.failed,
                cut: delta.cut,
                bytes_sent,
                bytes_received,
                retransmits: delta.retransmits,
            },
            first,
            last,
            rtt: delta.rtt_us.map(|rtt| (last, rtt)),
            connect: delta.connect,
            example: delta.example.map(|example| (first, example)),
        }
    }

    /// So many connections ended at an instant.
    pub(crate) fn closed(count: u64, at: Timestamp) -> Self {
        let counts = Counts { closed: count, ..Counts::default() };
        Self { counts, first: at, last: at, ..Self::default() }
    }

    pub(crate) fn merge(&mut self, more: &Self) {
        self.counts.add(&more.counts);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
        self.rtt = self.rtt.max(more.rtt);
        if let Some(more) = &more.connect {
            self.connect.get_or_insert_default().add(more);
        }
        let order = |(at, example): &(Timestamp, SocketExample)| {
            (*at, example.cookie, example.pid, example.local_address, example.local_port)
        };
        match (&self.example, &more.example) {
            (Some(ours), Some(theirs)) if order(ours) <= order(theirs) => {}
            (_, None) => {}
            (_, Some(theirs)) => self.example = Some(theirs.clone()),
        }
    }

    /// Takes away closes of connections that were never counted as opened, which would make later ones disappear.
    /// `open` were open before. Returns how many were taken away.
    pub(crate) fn drop_strange_closes(&mut self, open: u64) -> u64 {
        let room = open.saturating_add(self.counts.opened);
        let strange = self.counts.closed.saturating_sub(room);
        self.counts.closed -= strange;
        strange
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    /// Forgets all but what is still open, which counts from an instant on.
    pub(crate) fn keep_open(&mut self, at: Timestamp) {
        let open = self.counts.active();
        let preexisting = self.counts.preexisting.min(open);
        let counts = Counts { opened: open, preexisting, ..Counts::default() };
        let example = self.example.take();
        *self = Self { counts, first: at, last: at, rtt: self.rtt, connect: None, example };
    }

    /// Parts with all but what is still open, which counts from an instant on; returns what it parts with.
    pub(crate) fn part(&mut self, at: Timestamp) -> Self {
        let mut past = self.clone();
        self.keep_open(at);
        past.counts = past.counts.less(&self.counts);
        past
    }

    pub(crate) fn totals(&self) -> FlowTotals {
        FlowTotals {
            opened: self.counts.opened,
            preexisting: self.counts.preexisting,
            active: self.counts.active(),
            failed: self.counts.failed,
            cut: self.counts.cut,
            bytes_sent: self.counts.bytes_sent,
            bytes_received: self.counts.bytes_received,
            retransmits: self.counts.retransmits,
            rtt_us: self.rtt.map(|(_, rtt)| rtt),
        }
    }

    /// Whether a connection was seen to begin, which shows who initiated it.
    pub(crate) fn direction_seen(&self) -> bool {
        self.counts.attempts().0 > 0
    }
}
