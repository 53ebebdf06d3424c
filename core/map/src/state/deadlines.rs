//! Things to look at again at an instant. An entry is a reminder and promises nothing: whoever takes it out checks whether
//! its time has really come, and sets a later one if not. So moving a deadline costs nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Timestamp;

#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    heap: BinaryHeap<Reverse<(Timestamp, K)>>,
}

impl<K: Ord> Default for Deadlines<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<K: Ord> Deadlines<K> {
    pub(crate) fn set(&mut self, at: Timestamp, key: K) {
        self.heap.push(Reverse((at, key)));
    }

    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one entry that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<K> {
        if self.first()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key))| key)
    }
}
