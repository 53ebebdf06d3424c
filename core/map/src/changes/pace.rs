//! When an immediate event may be told: at once, unless its subject was spoken of a moment ago.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::collections::HashMap;
use crate::model::{GapReason, ServiceId, Timestamp};

/// What an immediate event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A service: whether it is there, and whether it is unhealthy.
    Service(ServiceId),
    /// A dependency.
    Dependency(ServiceId, ServiceId),
    /// A kind of loss.
    Gap(GapReason),
}

/// Keeps `min_emit_interval` between two immediate events about one subject.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    spoken: HashMap<Subject, Timestamp>,
    /// The same in the order of time, to forget what is longer ago than the interval.
    order: VecDeque<(Timestamp, Subject)>,
    waiting: BTreeSet<(Timestamp, Subject)>,
}

impl Pace {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, spoken: HashMap::default(), order: VecDeque::new(), waiting: BTreeSet::new() }
    }

    /// Whether the subject may be spoken of now. If not, it waits for the end of its interval.
    pub(crate) fn ask(&mut self, subject: &Subject, now: Timestamp) -> bool {
        self.forget(now);
        let Some(spoken) = self.spoken.get(subject) else { return true };
        self.waiting.insert((*spoken + self.interval, subject.clone()));
        false
    }

    /// The subject was spoken of.
    pub(crate) fn spoke(&mut self, subject: Subject, now: Timestamp) {
        if !self.interval.is_zero() {
            self.spoken.insert(subject.clone(), now);
            self.order.push_back((now, subject));
        }
    }

    /// Takes out a subject whose waiting is over.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Subject> {
        if self.next()? > now {
            return None;
        }
        self.pop()
    }

    /// Takes out a subject that waits, however long it would have to.
    pub(crate) fn pop(&mut self) -> Option<Subject> {
        self.waiting.pop_first().map(|(_, subject)| subject)
    }

    /// When the next waiting is over.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _)| *at)
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.order.front()
            && *at + self.interval <= now
        {
            if let Some((at, subject)) = self.order.pop_front()
                && self.spoken.get(&subject) == Some(&at)
            {
                self.spoken.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_nanos(milliseconds * 1_000_000)
    }

    #[test]
    fn a_second_event_waits_for_the_end_of_the_interval() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let subject = Subject::Gap(GapReason::FlowMapFull);
        assert!(pace.ask(&subject, at(0)));
        pace.spoke(subject.clone(), at(0));
        assert!(!pace.ask(&subject, at(400)));
        assert!(!pace.ask(&subject, at(500)));
        assert_eq!((pace.next(), pace.pop_due(at(999))), (Some(at(1000)), None));
        assert_eq!(pace.pop_due(at(1000)), Some(subject.clone()));
        assert_eq!(pace.next(), None, "it waits once however often it was asked for");
        assert!(pace.ask(&subject, at(1000)));
        assert!(pace.spoken.is_empty() && pace.order.is_empty());
    }

    #[test]
    fn subjects_do_not_wait_for_each_other() {
        let mut pace = Pace::new(Duration::from_secs(1));
        pace.spoke(Subject::Gap(GapReason::FlowMapFull), at(0));
        assert!(pace.ask(&Subject::Gap(GapReason::MapBound), at(1)));
    }
}
