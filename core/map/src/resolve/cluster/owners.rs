//! Who had an address when: intervals in time.
//!
//! A pod's address is given to another one soon after the pod is gone, while counters of it may be told late. So owners
//! that are gone are remembered for a while, and asked for by the instant of the fact.
//!
//! Instants that a cluster tells are seconds off. So each time an address changes hands gets a number, its *generation*,
//! which the kernel notes with connections that are opened from then on: those are never the former owner's.

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

/// A pod's begin is told in whole seconds, rounded down: it may have begun up to this much later.
const ROUNDED_BY: Duration = Duration::from_secs(1);

/// Somebody who may have an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A pod with an address of its own, by UID.
    Pod(Arc<str>),
    /// A Service. Most owners are pods, and are not to take more room than that.
    Service(Box<Key>),
    /// A node, by name.
    Node(Arc<str>),
}

#[derive(Debug)]
struct Interval {
    owner: Owner,
    from: Timestamp,
    until: Option<Timestamp>,
    /// The generation with which another owner's time began.
    over_from: Option<u32>,
}

impl Interval {
    fn is_pods(&self) -> bool {
        matches!(self.owner, Owner::Pod(_))
    }

    fn holds(&self, at: Timestamp, generation: u32) -> bool {
        self.may_hold(generation) && self.from <= at && self.until.is_none_or(|until| at < until)
    }

    fn lately(&self, at: Timestamp, generation: u32) -> bool {
        self.may_hold(generation) && self.from <= at && self.until.is_some_and(|until| at < until + GRACE)
    }

    fn may_hold(&self, generation: u32) -> bool {
        self.over_from.is_none_or(|over_from| generation < over_from)
    }
}

/// Owners by address.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    intervals: HashMap<IpAddr, Vec<Interval>>,
    /// Ends of intervals, in the order in which they were told.
    ended: VecDeque<(Timestamp, IpAddr)>,
    /// Counts changes of hands, of all addresses together: no address ever has a number twice.
    generation: u32,
    /// Addresses that changed hands since this was last asked, in that order.
    reused: VecDeque<(IpAddr, u32)>,
    /// Those that were forgotten before anybody asked.
    forgotten: u64,
}

impl Owners {
    /// An owner has an address from an instant on.
    pub(crate) fn begin(&mut self, address: IpAddr, owner: &Owner, from: Timestamp) {
        let address = address.to_canonical();
        let intervals = self.intervals.entry(address).or_default();
        if let Some(known) = intervals.iter_mut().find(|one| one.owner == *owner && one.until.is_none()) {
            known.from = known.from.min(from);
            return;
        }
        // No two pods have an address at a time: the end of the one that was there has not been told yet.
        let is_pod = matches!(owner, Owner::Pod(_));
        let replaced =
            |one: &Interval| is_pod && one.is_pods() && one.until.is_none() && one.over_from.is_none();
        let next = self.generation + 1;
        let mut changes_hands = false;
        for one in intervals.iter_mut().filter(|one| replaced(one)) {
            one.over_from = Some(next);
            changes_hands = true;
        }
        // Hardly an address has more than one owner at a time.
        intervals.reserve_exact(1);
        intervals.push(Interval { owner: owner.clone(), from, until: None, over_from: None });
        if changes_hands {
            self.change_hands(address);
        }
    }

    /// An owner has an address no longer.
    pub(crate) fn end(&mut self, address: IpAddr, owner: &Owner, at: Timestamp) {
        let address = address.to_canonical();
        let Some(intervals) = self.intervals.get_mut(&address) else { return };
        if let Some(open) = intervals.iter_mut().find(|one| one.owner == *owner && one.until.is_none()) {
            open.until = Some(at);
            self.ended.push_back((at, address));
            if intervals.iter().all(|one| one.until.is_some()) {
                let next = self.generation + 1;
                for one in intervals.iter_mut() {
                    one.over_from.get_or_insert(next);
                }
                self.change_hands(address);
            }
        }
    }

    fn change_hands(&mut self, address: IpAddr) {
        self.generation += 1;
        if self.reused.len() == MAX_TOMBSTONES {
            self.reused.pop_front();
            self.forgotten += 1;
        }
        self.reused.push_back((address, self.generation));
    }

    /// Addresses that changed hands since this was last asked, with the generation that began. Of more than the kernel is
    /// told of at a time the latest are kept: those that are forgotten are told apart by instants alone.
    pub(crate) fn take_reused(&mut self) -> Vec<(IpAddr, u32)> {
        self.reused.drain(..).collect()
    }

    /// How many of them were forgotten since this was last asked.
    pub(crate) fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// Who has an address at an instant, the latest first; where nobody has it, who had it lately. Of a connection of that
    /// generation, which says who had the address no longer when it was opened.
    pub(crate) fn at(&self, address: IpAddr, at: Timestamp, generation: u32) -> Vec<&Owner> {
        let Some(intervals) = self.intervals.get(&address.to_canonical()) else { return Vec::new() };
        let holds = |one: &&Interval| one.holds(at, generation) && begin(one, intervals) <= at;
        let mut found: Vec<_> = intervals.iter().filter(holds).collect();
        if found.is_empty() {
            found.extend(
                intervals
                    .iter()
                    .filter(|one| one.lately(at, generation))
                    .max_by_key(|one| (one.until, one.from, &one.owner)),
            );
        }
        // Of two that say so of the same instant one must be first, whichever was told first.
        found.sort_by_key(|one| (Reverse(begin(one, intervals)), &one.owner));
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

/// When an interval begins: a pod's not before the end of another pod's in the second to which its begin was rounded down.
fn begin(one: &Interval, all: &[Interval]) -> Timestamp {
    let is_rounded = u128::from(one.from.as_nanos()).is_multiple_of(ROUNDED_BY.as_nanos());
    if all.len() < 2 || !is_rounded || !one.is_pods() {
        return one.from;
    }
    let others = all.iter().filter(|other| other.owner != one.owner && other.is_pods());
    let ends = others.filter_map(|other| other.until).filter(|end| *end < one.from + ROUNDED_BY);
    ends.fold(one.from, Timestamp::max)
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
        assert!(owners.at(address(), at(9), 0).is_empty());
        assert_eq!(owners.at(address(), at(10), 0), [&pod("a")]);
        assert_eq!(owners.at(address(), at(22), 0), [&pod("a")], "nobody has it yet");
        assert_eq!(owners.at(address(), at(25), 0), [&pod("b")]);
    }

    #[test]
    fn of_two_that_overlap_the_later_one_is_first() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("b"), at(25));
        owners.begin(address(), &pod("a"), at(10));
        assert_eq!(owners.at(address(), at(30), 0), [&pod("b"), &pod("a")]);
    }

    #[test]
    fn who_went_is_named_for_five_minutes() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        owners.end(address(), &pod("a"), at(20));
        assert_eq!(owners.at(address(), at(319), 0), [&pod("a")]);
        assert!(owners.at(address(), at(320), 0).is_empty());
    }

    #[test]
    fn after_that_nothing_is_kept() {
        let mut owners = reused();
        owners.forget(at(319));
        assert_eq!(owners.at(address(), at(12), 0), [&pod("a")]);
        owners.forget(at(320));
        assert!(owners.at(address(), at(12), 0).is_empty());
        assert_eq!(owners.at(address(), at(320), 0), [&pod("b")]);
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

    #[test]
    fn an_address_changes_hands_when_its_owner_goes_and_not_again_when_the_next_one_comes() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        assert!(owners.take_reused().is_empty());
        owners.end(address(), &pod("a"), at(20));
        assert_eq!(owners.take_reused(), [(address(), 1)]);
        owners.begin(address(), &pod("b"), at(25));
        assert!(owners.take_reused().is_empty());
    }

    #[test]
    fn an_address_changes_hands_when_the_next_pod_is_told_of_before_the_last_ones_end() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        owners.begin(address(), &pod("b"), at(25));
        assert_eq!(owners.take_reused(), [(address(), 1)]);
        owners.end(address(), &pod("a"), at(26));
        assert!(owners.take_reused().is_empty());
        owners.end(address(), &pod("b"), at(27));
        assert_eq!(owners.take_reused(), [(address(), 2)]);
    }

    #[test]
    fn services_that_share_an_address_do_not_take_it_from_each_other() {
        let service = |name: &str| Owner::Service(Box::new(("shop".into(), name.into())));
        let mut owners = Owners::default();
        owners.begin(address(), &service("a"), at(10));
        owners.begin(address(), &service("b"), at(11));
        owners.end(address(), &service("a"), at(12));
        assert!(owners.take_reused().is_empty());
        assert_eq!(owners.at(address(), at(11), 9), [&service("b"), &service("a")]);
    }

    #[test]
    fn a_connection_of_a_later_generation_is_never_the_former_owners() {
        let mut owners = Owners::default();
        owners.begin(address(), &pod("a"), at(10));
        owners.end(address(), &pod("a"), at(20));
        assert_eq!(owners.at(address(), at(19), 0), [&pod("a")]);
        assert!(owners.at(address(), at(19), 1).is_empty(), "instants are a little off, generations are not");
        assert!(owners.at(address(), at(21), 1).is_empty(), "nor is it who had it lately");
    }

    #[test]
    fn of_addresses_that_nobody_asks_for_the_latest_are_kept() {
        let mut owners = Owners::default();
        for n in 0..=u32::try_from(MAX_TOMBSTONES).unwrap() {
            let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            owners.begin(address, &pod("a"), at(1));
            owners.end(address, &pod("a"), at(2));
        }
        let reused = owners.take_reused();
        assert_eq!((reused.len(), reused[0].1), (MAX_TOMBSTONES, 2));
        assert_eq!((owners.take_forgotten(), owners.take_forgotten()), (1, 0));
    }
}
