//! Who had an address when: intervals in time.
//!
//! A pod's address is given to another one soon after the pod is gone, while counters of it may be told late. So owners
//! that are gone are remembered for a while, and asked for by the instant of the fact.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Key;
use crate::collections::HashMap;
use crate::model::Timestamp;

/// How long somebody who is gone can still be named. Counters are at most 30 s late, objects of the API server a few
/// minutes where it was away.
pub(crate) const GRACE: Duration = Duration::from_mins(5);

/// Ended intervals that are kept: five minutes of 50 pods a second that come and go. The oldest make room.
pub(crate) const MAX_TOMBSTONES: usize = 16_384;

/// Somebody who may have an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A pod with an address of its own, by UID.
    Pod(Arc<str>),
    /// A Service.
    Service(Key),
    /// A node, by name.
    Node(Arc<str>),
}

#[derive(Debug)]
struct Interval {
    owner: Owner,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Interval {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    fn lately(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_some_and(|until| at < until + GRACE)
    }
}

/// Owners by address.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    intervals: HashMap<IpAddr, Vec<Interval>>,
    /// Ends of intervals, in the order in which they were told.
    ended: VecDeque<(Timestamp, IpAddr)>,
}

impl Owners {
    /// An owner has an address from an instant on.
    pub(crate) fn begin(&mut self, address: IpAddr, owner: &Owner, from: Timestamp) {
        let intervals = self.intervals.entry(address.to_canonical()).or_default();
        match intervals.iter_mut().find(|one| one.owner == *owner && one.until.is_none()) {
            Some(known) => known.from = known.from.min(from),
            None => intervals.push(Interval { owner: owner.clone(), from, until: None }),
        }
    }

    /// An owner has an address no longer.
    pub(crate) fn end(&mut self, address: IpAddr, owner: &Owner, at: Timestamp) {
        let address = address.to_canonical();
        let Some(intervals) = self.intervals.get_mut(&address) else { return };
        if let Some(open) = intervals.iter_mut().find(|one| one.owner == *owner && one.until.is_none()) {
            open.until = Some(at);
            self.ended.push_back((at, address));
        }
    }

    /// Who has an address at an instant, the latest first; where nobody has it, who had it lately.
    pub(crate) fn at(&self, address: IpAddr, at: Timestamp) -> Vec<&Owner> {
        let Some(intervals) = self.intervals.get(&address.to_canonical()) else { return Vec::new() };
        let mut found: Vec<_> = intervals.iter().filter(|one| one.holds(at)).collect();
        if found.is_empty() {
            found.extend(
                intervals
                    .iter()
                    .filter(|one| one.lately(at))
                    .max_by_key(|one| (one.until, one.from, &one.owner)),
            );
        }
        // Of two that say so of the same instant one must be first, whichever was told first.
        found.sort_by_key(|one| (Reverse(one.from), &one.owner));
        found.into_iter().map(|one| &one.owner).collect()
    }

    /// Forgets who went too long ago.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some((at, address)) = self.ended.front().copied()
            && (at + GRACE <= now || self.ended.len() > MAX_TOMBSTONES)
        {
            self.ended.pop_front();
            let Some(intervals) = self.intervals.get_mut(&address) else { continue };
            if let Some(index) = intervals.iter().position(|one| one.until == Some(at)) {
                intervals.remove(index);
            }
            if intervals.is_empty() {
                self.intervals.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    fn pod(uid: &str) -> Owner {
        Owner::Pod(uid.into())
    }

    fn address() -> IpAddr {
        "10.1.0.5".parse().unwrap()
    }

    fn reused() -> Owners {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        owners.end(address(), &pod("a"), at(20));
        owners.begin(address(), &pod("b"), at(25));
        owners
    }

    #[test]
    fn an_address_is_whose_it_was_at_the_instant() {
        let owners = reused();
        assert!(owners.at(address(), at(9)).is_empty());
        assert_eq!(owners.at(address(), at(10)), [&pod("a")]);
        assert_eq!(owners.at(address(), at(22)), [&pod("a")], "nobody has it yet");
        assert_eq!(owners.at(address(), at(25)), [&pod("b")]);
    }

    #[test]
    fn of_two_that_overlap_the_later_one_is_first() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("b"), at(25));
        owners.begin(address(), &pod("a"), at(10));
        assert_eq!(owners.at(address(), at(30)), [&pod("b"), &pod("a")]);
    }

    #[test]
    fn who_went_is_named_for_five_minutes() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        owners.end(address(), &pod("a"), at(20));
        assert_eq!(owners.at(address(), at(319)), [&pod("a")]);
        assert!(owners.at(address(), at(320)).is_empty());
    }

    #[test]
    fn after_that_nothing_is_kept() {
        let mut owners = reused();
        owners.forget(at(319));
        assert_eq!(owners.at(address(), at(12)), [&pod("a")]);
        owners.forget(at(320));
        assert!(owners.at(address(), at(12)).is_empty());
        assert_eq!(owners.at(address(), at(320)), [&pod("b")]);
    }

    #[test]
    fn tombstones_are_bounded() {
        let mut owners = Owners::default();
        for n in 0..=u32::try_from(MAX_TOMBSTONES).unwrap() {
            let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            owners.begin(address, &pod("a"), at(1));
            owners.end(address, &pod("a"), at(2));
        }
        owners.forget(at(2));
        assert_eq!((owners.ended.len(), owners.intervals.len()), (MAX_TOMBSTONES, MAX_TOMBSTONES));
    }
}
