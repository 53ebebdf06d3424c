//! Connection attempts of the last while, in buckets of time.

use crate::model::Timestamp;
use crate::settings::HealthSettings;

/// Parts of the window: what is forgotten is forgotten a twelfth at a time, 5 s of a minute.
const BUCKETS: u8 = 12;

/// The same as a length of time in buckets.
pub(super) const SPAN: u64 = BUCKETS as u64;

/// Attempts that were seen from begin to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// All of them.
    pub(crate) made: u64,
    /// Those that failed.
    pub(crate) failed: u64,
    /// Those that succeeded, but only after a handshake so long that a part of it was lost.
    pub(crate) slow: u64,
}

impl Attempts {
    /// Whether at least this share of at least so many is `part`.
    pub(super) fn is_share(self, part: u64, ratio: f64, least: u64) -> bool {
        self.made >= least && part > 0 && part as f64 >= ratio * self.made as f64
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    made: u32,
    failed: u32,
    slow: u32,
    traffic: bool,
}

impl Bucket {
    fn add(&mut self, attempts: Attempts) {
        let add = |to: &mut u32, more: u64| *to = to.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        add(&mut self.made, attempts.made);
        add(&mut self.failed, attempts.failed);
        add(&mut self.slow, attempts.slow);
        self.traffic = true;
    }

    fn attempts(self) -> Attempts {
        Attempts { made: self.made.into(), failed: self.failed.into(), slow: self.slow.into() }
    }
}

/// A sliding window of attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    buckets: [Bucket; BUCKETS as usize],
    /// Number of the newest bucket: time divided by a bucket's length.
    newest: u64,
}

impl Window {
    /// Counts attempts at an instant; older ones than the window are past caring.
    pub(super) fn record(&mut self, at: Timestamp, attempts: Attempts, settings: &HealthSettings) {
        self.count(number(at, settings), attempts);
    }

    fn count(&mut self, number: u64, attempts: Attempts) {
        self.turn_to(number);
        if number + SPAN > self.newest
            && let Some(bucket) = self.bucket_mut(number)
        {
            bucket.add(attempts);
        }
    }

    /// Takes over the attempts of another one.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.turn_to(other.newest);
        for number in other.newest.saturating_sub(SPAN - 1)..=other.newest {
            if let Some(theirs) = other.bucket(number).filter(|bucket| bucket.traffic) {
                self.count(number, theirs.attempts());
            }
        }
    }

    /// All attempts in the window.
    pub(super) fn attempts(&self) -> Attempts {
        let add = |sum: Attempts, bucket: &Bucket| Attempts {
            made: sum.made + u64::from(bucket.made),
            failed: sum.failed + u64::from(bucket.failed),
            slow: sum.slow + u64::from(bucket.slow),
        };
        self.buckets.iter().fold(Attempts::default(), add)
    }

    /// Whether anything was seen in the window, also without attempts: bytes on open connections.
    pub(super) fn has_traffic(&self) -> bool {
        self.buckets.iter().any(|bucket| bucket.traffic)
    }

    /// When what is in the window becomes less: each turn while there is something bad in it, else when the last is
    /// forgotten.
    pub(super) fn next_turn(&self, settings: &HealthSettings) -> Option<Timestamp> {
        let used = |number: &u64| self.bucket(*number).is_some_and(|bucket| bucket.traffic);
        let oldest = self.newest.saturating_sub(SPAN - 1);
        let mut numbers = oldest..=self.newest;
        let Attempts { failed, slow, .. } = self.attempts();
        let turning = if failed > 0 || slow > 0 { numbers.find(used) } else { numbers.rfind(used) }?;
        Some(Timestamp::from_nanos((turning + SPAN).saturating_mul(length(settings))))
    }

    /// Moves the window forward to an instant.
    pub(super) fn turn(&mut self, now: Timestamp, settings: &HealthSettings) {
        self.turn_to(number(now, settings));
    }

    fn turn_to(&mut self, number: u64) {
        if number <= self.newest {
            return;
        }
        for empty in (self.newest + 1..=number).rev().take(usize::from(BUCKETS)) {
            if let Some(bucket) = self.bucket_mut(empty) {
                *bucket = Bucket::default();
            }
        }
        self.newest = number;
    }

    fn bucket(&self, number: u64) -> Option<&Bucket> {
        self.buckets.get(usize::try_from(number % SPAN).ok()?)
    }

    fn bucket_mut(&mut self, number: u64) -> Option<&mut Bucket> {
        self.buckets.get_mut(usize::try_from(number % SPAN).ok()?)
    }
}

fn length(settings: &HealthSettings) -> u64 {
    u64::try_from(settings.window.as_nanos()).unwrap_or(u64::MAX).div_ceil(SPAN).max(1)
}

fn number(at: Timestamp, settings: &HealthSettings) -> u64 {
    at.as_nanos() / length(settings)
}

/// Successes of an edge on which nothing bad happened of late, in a few bytes: how many in this window's length of time and
/// in the one before. Should something fail, they are what it is held against.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Successes {
    /// Number of this window's length of time.
    turn: u32,
    now: u32,
    before: u32,
}

impl Successes {
    /// Counts successes at an instant.
    pub(crate) fn record(&mut self, at: Timestamp, made: u64, settings: &HealthSettings) {
        let turn = u32::try_from(number(at, settings) / SPAN).unwrap_or(u32::MAX);
        let made = u32::try_from(made).unwrap_or(u32::MAX);
        self.merge(Self { turn, now: made, before: 0 });
    }

    /// Takes over those of another edge.
    pub(crate) fn merge(&mut self, other: Self) {
        let newest = self.turn.max(other.turn);
        let [ours, theirs] = [self.at(newest), other.at(newest)];
        *self = Self {
            turn: newest,
            now: ours.now.saturating_add(theirs.now),
            before: ours.before.saturating_add(theirs.before),
        };
    }

    /// As they are seen at a later length of time.
    fn at(self, turn: u32) -> Self {
        match turn - self.turn {
            0 => self,
            1 => Self { turn, now: 0, before: self.now },
            _ => Self { turn, ..Self::default() },
        }
    }

    /// A window at an instant that holds them, as if each length of time had seen them evenly.
    pub(super) fn spread(self, at: Timestamp, settings: &HealthSettings) -> Window {
        let mut window = Window::default();
        let newest = number(at, settings);
        let turn = u32::try_from(newest / SPAN).unwrap_or(u32::MAX).max(self.turn);
        let seen = self.at(turn);
        let begin = u64::from(turn) * SPAN;
        let passed = newest.saturating_sub(begin) + 1;
        for bucket in begin..begin + passed {
            window.count_evenly(bucket, seen.now, (bucket - begin, passed));
        }
        for place in passed..SPAN {
            if let Some(bucket) = (begin + place).checked_sub(SPAN) {
                window.count_evenly(bucket, seen.before, (place, SPAN));
            }
        }
        window
    }
}

impl Window {
    /// Counts the share of a bucket, which is in this place of so many, in a number of attempts.
    fn count_evenly(&mut self, number: u64, made: u32, (place, of): (u64, u64)) {
        let made = u64::from(made);
        let share = made * (place + 1) / of - made * place / of;
        if share > 0 {
            self.count(number, Attempts { made: share, ..Attempts::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds after the begin of a minute.
    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos((1_800_000_000 + seconds) * 1_000_000_000)
    }

    fn made(successes: Successes, at: Timestamp) -> u64 {
        successes.spread(at, &HealthSettings::default()).attempts().made
    }

    #[test]
    fn successes_of_this_minute_are_all_in_the_window() {
        let mut successes = Successes::default();
        successes.record(at(3), 7, &HealthSettings::default());
        successes.record(at(31), 600, &HealthSettings::default());
        assert_eq!(made(successes, at(31)), 607);
    }

    #[test]
    fn successes_of_the_minute_before_are_in_the_window_by_its_share_in_it() {
        let mut successes = Successes::default();
        successes.record(at(20), 1200, &HealthSettings::default());
        assert_eq!(made(successes, at(60 + 29)), 600);
        assert_eq!(made(successes, at(60 + 59)), 0);
        assert_eq!(made(successes, at(120)), 0);
    }

    #[test]
    fn successes_of_two_edges_add_up_whichever_is_newer() {
        let settings = HealthSettings::default();
        let [mut old, mut new] = [Successes::default(); 2];
        old.record(at(0), 12, &settings);
        new.record(at(60), 5, &settings);
        let (mut one, mut other) = (old, new);
        one.merge(new);
        other.merge(old);
        assert_eq!((made(one, at(60)), made(other, at(60))), (16, 16));
    }
}
