//! What the map was told is open: so that a refresh pass, which counts what really is, can find and mend the difference.

use std::collections::HashMap;

use super::layout::{FlowKey, FlowValue};

/// More flows with an open connection than a node has. What is beyond is told as all else, but not compared.
const MOST_OPEN: usize = 65_536;

/// Open connections, and listeners, by flow.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: HashMap<FlowKey, u32>,
    /// A flow found no room: that one is not in here says nothing any more.
    overflowed: bool,
}

/// What a pass saw of a flow: how many sockets are open, and what happened while it looked.
#[derive(Clone, Copy, Debug, Default)]
struct Sight {
    open: u32,
    opened: u32,
    closed: u32,
}

/// What a pass saw.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<FlowKey, Sight>);

/// A flow of which the map has other connections open than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// So many were closed without the map knowing.
    Closed(u32),
    /// So many are open without the map knowing.
    Opened(u32),
}

impl Seen {
    /// What a drain brought after the pass began.
    pub(super) fn drained(&mut self, key: &FlowKey, value: &FlowValue) {
        let sight = self.0.entry(*key).or_default();
        sight.open = sight.open.saturating_add(value.open);
        sight.opened = sight.opened.saturating_add(value.opened);
        sight.closed = sight.closed.saturating_add(value.closed);
    }

    /// A socket is open.
    pub(super) fn open(&mut self, key: &FlowKey) {
        let sight = self.0.entry(*key).or_default();
        sight.open = sight.open.saturating_add(1);
    }
}

impl Ledger {
    /// How many flows have something open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// What the map was told of a flow.
    pub(super) fn told(&mut self, key: &FlowKey, opened: u32, closed: u32) {
        let before = self.open.get(key).copied().unwrap_or(0);
        let now = before.saturating_add(opened).saturating_sub(closed);
        if now == 0 {
            self.open.remove(key);
        } else if before > 0 || self.open.len() < MOST_OPEN {
            self.open.insert(*key, now);
        } else {
            self.overflowed = true;
        }
    }

    /// Where this and what a pass saw of a part of all flows cannot both be true.
    ///
    /// A pass looks at one socket after the other while connections come and go. Of a flow of which it saw `n` open, while
    /// `o` were opened and `c` closed, at least `n - c` and at most `n + o` are open at its end. So a flow on which nothing
    /// happened is compared exactly, and a busy one never gets a correction that is not due.
    pub(super) fn differences(
        &self,
        seen: &Seen,
        is_part: impl Fn(&FlowKey) -> bool,
    ) -> Vec<(FlowKey, Difference)> {
        let sight = |key: &FlowKey| seen.0.get(key).copied().unwrap_or_default();
        let closed = self.open.iter().filter(|(key, _)| is_part(key)).filter_map(|(key, open)| {
            let sight = sight(key);
            let excess = open.saturating_sub(sight.open.saturating_add(sight.opened));
            (excess > 0).then_some((*key, Difference::Closed(excess)))
        });
        let opened = seen.0.iter().filter(|(key, _)| is_part(key)).filter_map(|(key, sight)| {
            let open = match self.open.get(key) {
                Some(open) => *open,
                None if self.overflowed => return None,
                None => 0,
            };
            let missing = sight.open.saturating_sub(sight.closed).saturating_sub(open);
            (missing > 0).then_some((*key, Difference::Opened(missing)))
        });
        closed.chain(opened).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> FlowKey {
        FlowKey { port, ..FlowKey::ZERO }
    }

    fn value(open: u32, opened: u32, closed: u32) -> FlowValue {
        FlowValue { open, opened, closed, ..FlowValue::ZERO }
    }

    /// What is found when the ledger has `open`, after a pass that drained `of` the same flow.
    fn found(open: u32, of: Option<FlowValue>) -> Vec<Difference> {
        let mut ledger = Ledger::default();
        ledger.told(&key(1), open, 0);
        let mut seen = Seen::default();
        if let Some(value) = of {
            ledger.told(&key(1), value.opened, value.closed);
            seen.drained(&key(1), &value);
        }
        let found = ledger.differences(&seen, |_| true);
        assert!(found.iter().all(|(found, _)| *found == key(1)));
        found.into_iter().map(|(_, difference)| difference).collect()
    }

    #[test]
    fn a_quiet_flow_is_compared_exactly() {
        assert_eq!(found(3, Some(value(3, 0, 0))), []);
        assert_eq!(found(3, Some(value(1, 0, 0))), [Difference::Closed(2)]);
        assert_eq!(found(3, None), [Difference::Closed(3)]);
        assert_eq!(found(3, Some(value(5, 0, 0))), [Difference::Opened(2)]);
        assert_eq!(found(0, Some(value(1, 0, 0))), [Difference::Opened(1)]);
    }

    #[test]
    fn a_busy_flow_gets_no_correction_that_is_not_due() {
        // Ten were open and all of them closed, before or after they were looked at; five came, likewise.
        for open in 0..=15 {
            assert_eq!(found(10, Some(value(open, 5, 10))), [], "{open}");
        }
        assert_eq!(found(20, Some(value(0, 5, 10))), [Difference::Closed(10)]);
    }

    #[test]
    fn only_the_part_that_was_looked_at_is_compared() {
        let mut ledger = Ledger::default();
        ledger.told(&key(1), 1, 0);
        ledger.told(&key(2), 1, 0);
        let found = ledger.differences(&Seen::default(), |key| key.port == 2);
        assert_eq!(found, [(key(2), Difference::Closed(1))]);
    }

    #[test]
    fn flows_beyond_the_bound_are_not_said_to_be_missing() {
        let mut ledger = Ledger::default();
        for cgroup in 0..=MOST_OPEN as u64 {
            ledger.told(&FlowKey { cgroup, ..FlowKey::ZERO }, 1, 0);
        }
        assert_eq!(ledger.len(), MOST_OPEN);
        let mut seen = Seen::default();
        seen.open(&FlowKey { cgroup: MOST_OPEN as u64, ..FlowKey::ZERO });
        assert_eq!(ledger.differences(&seen, |key| key.cgroup == MOST_OPEN as u64), []);
    }
}
