//! When the observer's thread drains the kernel's counters, and when it lets them be compared with the sockets.

use std::time::{Duration, Instant};

/// How long a flow that the kernel announced may wait to be fetched; looking costs no system call.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Least time between two drains because of new flows. The first one after a while is fetched at once; where flows come
/// all the time (a scan, clients with an address each) one drain brings many.
const HURRY_INTERVAL: Duration = Duration::from_millis(100);
/// How soon after a loss the map is mended. Where that does not help the wait doubles, up to the refresh interval.
const MEND_AFTER: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Drain,
    /// A drain with a comparison.
    Refresh,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Schedule {
    drain_interval: Duration,
    refresh_interval: Duration,
    drained: Instant,
    refreshed: Instant,
    /// The last drain because of new flows.
    hurried: Option<Instant>,
    /// A new flow waits to be fetched.
    announced: bool,
    /// A map of the kernel's is half full.
    filling: bool,
    mend_after: Duration,
}

impl Schedule {
    /// As if everything had been done just now.
    pub(super) const fn new(drain_interval: Duration, refresh_interval: Duration, now: Instant) -> Self {
        Self {
            drain_interval,
            refresh_interval,
            drained: now,
            refreshed: now,
            hurried: None,
            announced: false,
            filling: false,
            mend_after: MEND_AFTER,
        }
    }

    /// What the kernel says.
    pub(super) const fn note(&mut self, new_flow: bool, filling: bool) {
        self.announced |= new_flow;
        self.filling |= filling;
    }

    /// Whether a new flow waits already: another one changes nothing.
    pub(super) const fn knows_of_new_flow(&self) -> bool {
        self.announced
    }

    /// For how long there is nothing to do unless the kernel says something.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let drain = self.drain_interval.saturating_sub(now - self.drained);
        let hurry = if self.announced { self.hurry_in(now) } else { LOOK_INTERVAL };
        LOOK_INTERVAL.min(drain).min(hurry)
    }

    fn hurry_in(&self, now: Instant) -> Duration {
        self.hurried.map_or(Duration::ZERO, |hurried| HURRY_INTERVAL.saturating_sub(now - hurried))
    }

    /// What is due. `needs_mending`: something was lost since the last comparison.
    pub(super) fn due(&self, now: Instant, needs_mending: bool) -> Due {
        let refresh_in = if needs_mending { self.mend_after } else { self.refresh_interval };
        if now - self.refreshed >= refresh_in.min(self.refresh_interval) {
            Due::Refresh
        } else if self.filling
            || (self.announced && self.hurry_in(now).is_zero())
            || now - self.drained >= self.drain_interval
        {
            Due::Drain
        } else {
            Due::Nothing
        }
    }

    /// A drain is done.
    pub(super) const fn drained(&mut self, now: Instant) {
        if self.announced {
            self.hurried = Some(now);
        }
        self.drained = now;
        self.announced = false;
        self.filling = false;
    }

    /// A comparison is done, which includes a drain. `needs_mending`: it could not make good everything.
    pub(super) fn refreshed(&mut self, now: Instant, needs_mending: bool) {
        self.drained(now);
        self.refreshed = now;
        self.mend_after =
            if needs_mending { (self.mend_after * 2).min(self.refresh_interval) } else { MEND_AFTER };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Duration = Duration::from_secs(1);
    const REFRESH: Duration = Duration::from_mins(1);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn schedule() -> (Schedule, Instant) {
        let start = Instant::now();
        (Schedule::new(DRAIN, REFRESH, start), start)
    }

    #[test]
    fn without_news_drains_are_an_interval_apart() {
        let (mut schedule, start) = schedule();
        assert_eq!(schedule.due(start + ms(999), false), Due::Nothing);
        assert_eq!(schedule.due(start + ms(1_000), false), Due::Drain);
        schedule.drained(start + ms(1_000));
        assert_eq!(schedule.due(start + ms(1_999), false), Due::Nothing);
        assert_eq!(schedule.rest(start + ms(1_950)), ms(50));
    }

    #[test]
    fn a_first_new_flow_is_fetched_at_once_also_right_after_a_drain() {
        let (mut schedule, start) = schedule();
        schedule.drained(start + ms(10));
        schedule.note(true, false);
        assert_eq!(schedule.rest(start + ms(11)), Duration::ZERO);
        assert_eq!(schedule.due(start + ms(11), false), Due::Drain);
    }

    #[test]
    fn flows_that_are_new_all_the_time_are_fetched_ten_times_a_second() {
        let (mut schedule, start) = schedule();
        let mut drains = 0;
        for millisecond in 0..1_000 {
            let now = start + ms(millisecond);
            schedule.note(true, false);
            if schedule.due(now, false) == Due::Drain {
                schedule.drained(now);
                drains += 1;
            } else {
                assert!(schedule.rest(now) > Duration::ZERO, "nobody waits in a loop");
            }
        }
        assert_eq!(drains, 10);
    }

    #[test]
    fn a_map_that_fills_is_drained_at_once() {
        let (mut schedule, start) = schedule();
        schedule.note(true, false);
        schedule.drained(start);
        schedule.note(true, true);
        assert_eq!(schedule.due(start + ms(1), false), Due::Drain);
    }

    #[test]
    fn a_loss_is_mended_soon_and_less_and_less_often_where_that_does_not_help() {
        let (mut schedule, start) = schedule();
        assert_eq!(schedule.due(start + ms(999), true), Due::Nothing);
        let mut now = start;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_ne!(schedule.due(now + ms(wait * 1_000 - 1), true), Due::Refresh, "{wait}");
            now += ms(wait * 1_000);
            assert_eq!(schedule.due(now, true), Due::Refresh, "{wait}");
            schedule.refreshed(now, true);
        }
        schedule.refreshed(now, false);
        assert_eq!(schedule.due(now + ms(1_000), true), Due::Refresh);
        assert_eq!(schedule.due(now + REFRESH, false), Due::Refresh);
    }
}
