//! Health by traffic and endpoints: attempts of the last while, and a status that changes only once it has held.

use std::time::Duration;

use crate::model::{HealthReason, HealthStatus, Timestamp};
use crate::settings::HealthSettings;

/// Parts of the window: what is forgotten is forgotten a twelfth at a time, 5 s of a minute.
const BUCKETS: u8 = 12;

/// The same as a length of time in buckets.
const SPAN: u64 = BUCKETS as u64;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    attempts: u32,
    failed: u32,
    traffic: bool,
}

/// How many of a service's endpoints take connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) ready: usize,
    pub(crate) total: usize,
}

impl Readiness {
    /// None ready is unhealthy, fewer than three quarters degraded; no endpoints say nothing.
    fn status(self) -> HealthStatus {
        match self {
            Self { total: 0, .. } => HealthStatus::Unknown,
            Self { ready: 0, .. } => HealthStatus::Unhealthy,
            Self { ready, total } if ready * 4 < total * 3 => HealthStatus::Degraded,
            _ => HealthStatus::Healthy,
        }
    }
}

/// Attempts to one service in a sliding window, and the status on trial.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    buckets: [Bucket; BUCKETS as usize],
    /// Number of the newest bucket: time divided by a bucket's length.
    newest: u64,
    /// Its endpoints, where the API server tells of them.
    pub(crate) endpoints: Option<Readiness>,
    /// A status other than the service's, and since when it has held.
    candidate: Option<(HealthStatus, Timestamp)>,
    /// When a reminder is set; later ones are not needed before it.
    pub(crate) reminder: Option<Timestamp>,
}

/// What an evaluation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The new status with the instant since which it has held, once that is long enough.
    pub(crate) change: Option<(HealthStatus, Timestamp)>,
    /// Why the status is what it is, after the change; empty where it is only its trial that keeps it.
    pub(crate) reasons: Vec<HealthReason>,
    /// When to evaluate again if nothing comes.
    pub(crate) next: Option<Timestamp>,
}

impl Tracker {
    /// The attempts alone: endpoints are told anew, and a reminder was for the service that went.
    pub(crate) fn without_endpoints(self) -> Self {
        Self { endpoints: None, reminder: None, ..self }
    }

    /// Counts attempts at an instant; older ones than the window are past caring.
    pub(crate) fn record(
        &mut self,
        at: Timestamp,
        (attempts, failed): (u64, u64),
        settings: &HealthSettings,
    ) {
        let number = number(at, settings);
        self.turn(number);
        if number + SPAN <= self.newest {
            return;
        }
        if let Some(bucket) = self.bucket_mut(number) {
            let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
            bucket.attempts = bucket.attempts.saturating_add(narrow(attempts));
            bucket.failed = bucket.failed.saturating_add(narrow(failed));
            bucket.traffic = true;
        }
    }

    /// Takes over the attempts of another one.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.turn(other.newest);
        for number in other.newest.saturating_sub(SPAN - 1)..=other.newest {
            let Some(theirs) = other.bucket(number).filter(|_| number + SPAN > self.newest) else { continue };
            if let Some(ours) = self.bucket_mut(number) {
                ours.attempts = ours.attempts.saturating_add(theirs.attempts);
                ours.failed = ours.failed.saturating_add(theirs.failed);
                ours.traffic |= theirs.traffic;
            }
        }
    }

    /// Judges at `now`, where the service's status is `current`.
    pub(crate) fn evaluate(
        &mut self,
        now: Timestamp,
        current: HealthStatus,
        settings: &HealthSettings,
    ) -> Verdict {
        self.turn(number(now, settings));
        let judged = self.judge(settings);
        if judged == current {
            self.candidate = None;
            return self.verdict(None, current, self.next_turn(settings), settings);
        }
        let since = match self.candidate {
            Some((candidate, since)) if candidate == judged => since,
            _ => now,
        };
        let due = since + hold(current, judged, settings);
        if due <= now {
            self.candidate = None;
            return self.verdict(Some((judged, since)), judged, self.next_turn(settings), settings);
        }
        self.candidate = Some((judged, since));
        let next = self.next_turn(settings).map_or(due, |turn| turn.min(due));
        self.verdict(None, current, Some(next), settings)
    }

    fn verdict(
        &self,
        change: Option<(HealthStatus, Timestamp)>,
        status: HealthStatus,
        next: Option<Timestamp>,
        settings: &HealthSettings,
    ) -> Verdict {
        let reasons = match self.endpoints {
            None => vec![self.reason_by_traffic(status)],
            Some(endpoints) => self.reasons_by_both(endpoints, status, settings),
        };
        Verdict { change, reasons, next }
    }

    fn reason_by_traffic(&self, status: HealthStatus) -> HealthReason {
        match status {
            HealthStatus::Unknown if !self.is_failing() => HealthReason::NoTraffic,
            HealthStatus::Healthy => HealthReason::ConnectionsSucceed,
            HealthStatus::Unknown | HealthStatus::Degraded | HealthStatus::Unhealthy => {
                HealthReason::ConnectionsFail
            }
        }
    }

    /// The reasons that speak for a status.
    fn reasons_by_both(
        &self,
        endpoints: Readiness,
        status: HealthStatus,
        settings: &HealthSettings,
    ) -> Vec<HealthReason> {
        let (by_endpoints, by_traffic) = (endpoints.status(), self.by_traffic(settings));
        let is_bad = |status| status >= HealthStatus::Degraded;
        let reasons = match status {
            HealthStatus::Healthy => [
                (by_endpoints == HealthStatus::Healthy, HealthReason::EndpointsReady),
                (by_traffic == HealthStatus::Healthy, HealthReason::ConnectionsSucceed),
                (false, HealthReason::NoEndpoints),
            ],
            HealthStatus::Degraded | HealthStatus::Unhealthy => [
                (is_bad(by_endpoints), HealthReason::EndpointsNotReady),
                (endpoints.total == 0, HealthReason::NoEndpoints),
                (
                    is_bad(by_traffic) || (endpoints.total == 0 && self.is_failing()),
                    HealthReason::ConnectionsFail,
                ),
            ],
            HealthStatus::Unknown => [
                (endpoints.total == 0, HealthReason::NoEndpoints),
                (self.is_failing(), HealthReason::ConnectionsFail),
                (endpoints.total > 0 && !self.is_failing(), HealthReason::NoTraffic),
            ],
        };
        reasons.into_iter().filter(|(speaks, _)| *speaks).map(|(_, reason)| reason).collect()
    }

    fn is_failing(&self) -> bool {
        self.buckets.iter().any(|bucket| bucket.failed > 0)
    }

    /// The worse of what endpoints and traffic say. Where there are no endpoints, attempts that all fail are enough.
    fn judge(&self, settings: &HealthSettings) -> HealthStatus {
        let by_traffic = self.by_traffic(settings);
        match self.endpoints {
            None => by_traffic,
            Some(Readiness { total: 0, .. }) if by_traffic == HealthStatus::Unknown && self.is_failing() => {
                HealthStatus::Unhealthy
            }
            Some(endpoints) => by_traffic.max(endpoints.status()),
        }
    }

    fn by_traffic(&self, settings: &HealthSettings) -> HealthStatus {
        let sum =
            |of: fn(&Bucket) -> u32| self.buckets.iter().map(|bucket| u64::from(of(bucket))).sum::<u64>();
        let (attempts, failed) = (sum(|bucket| bucket.attempts), sum(|bucket| bucket.failed));
        let at_least = |ratio: f64| failed > 0 && failed as f64 >= ratio * attempts as f64;
        if attempts >= settings.unhealthy_min_attempts && at_least(settings.unhealthy_ratio) {
            HealthStatus::Unhealthy
        } else if attempts >= settings.degraded_min_attempts && at_least(settings.degraded_ratio) {
            HealthStatus::Degraded
        } else if failed < attempts || (attempts == 0 && self.buckets.iter().any(|bucket| bucket.traffic)) {
            HealthStatus::Healthy
        } else {
            // Nothing was seen, or only some failures: too few to call it unhealthy, none that would call it healthy.
            HealthStatus::Unknown
        }
    }

    /// When what is in the window becomes less: each turn while there are failures, else when the last is forgotten.
    fn next_turn(&self, settings: &HealthSettings) -> Option<Timestamp> {
        let used = |number: &u64| self.bucket(*number).is_some_and(|bucket| bucket.traffic);
        let oldest = self.newest.saturating_sub(SPAN - 1);
        let mut numbers = oldest..=self.newest;
        let turning = if self.is_failing() { numbers.find(used) } else { numbers.rfind(used) }?;
        Some(Timestamp::from_nanos((turning + SPAN).saturating_mul(length(settings))))
    }

    /// Moves the window forward.
    fn turn(&mut self, number: u64) {
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

/// How long a status must hold before it takes effect.
fn hold(from: HealthStatus, to: HealthStatus, settings: &HealthSettings) -> Duration {
    match (from, to) {
        (_, HealthStatus::Unhealthy) => settings.unhealthy_after,
        (HealthStatus::Unknown | HealthStatus::Healthy, HealthStatus::Degraded) => settings.worse_after,
        _ => settings.better_after,
    }
}

fn length(settings: &HealthSettings) -> u64 {
    u64::try_from(settings.window.as_nanos()).unwrap_or(u64::MAX).div_ceil(SPAN).max(1)
}

fn number(at: Timestamp, settings: &HealthSettings) -> u64 {
    at.as_nanos() / length(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(1_800_000_000_000_000_000 + seconds * 1_000_000_000)
    }

    fn judged(attempts: u64, failed: u64) -> HealthStatus {
        let settings = HealthSettings::default();
        let mut tracker = Tracker::default();
        tracker.record(at(0), (attempts, failed), &settings);
        tracker.turn(number(at(0), &settings));
        tracker.judge(&settings)
    }

    #[test]
    fn half_of_ten_is_unhealthy_and_less_of_either_is_not() {
        assert_eq!(judged(10, 5), HealthStatus::Unhealthy);
        assert_eq!(judged(9, 8), HealthStatus::Healthy);
        assert_eq!(judged(10, 4), HealthStatus::Healthy);
    }

    #[test]
    fn a_twentieth_of_twenty_is_degraded_and_less_of_either_is_not() {
        assert_eq!(judged(20, 1), HealthStatus::Degraded);
        assert_eq!(judged(19, 1), HealthStatus::Healthy);
        assert_eq!(judged(100, 4), HealthStatus::Healthy);
    }

    #[test]
    fn a_few_failures_alone_say_nothing() {
        assert_eq!(judged(3, 3), HealthStatus::Unknown);
    }

    #[test]
    fn unhealthy_takes_two_seconds() {
        let settings = HealthSettings::default();
        let mut tracker = Tracker::default();
        tracker.record(at(0), (10, 10), &settings);
        let verdict = tracker.evaluate(at(0), HealthStatus::Healthy, &settings);
        assert_eq!((verdict.change, verdict.next), (None, Some(at(2))));
        let verdict = tracker.evaluate(at(2), HealthStatus::Healthy, &settings);
        assert_eq!(verdict.change, Some((HealthStatus::Unhealthy, at(0))));
    }

    #[test]
    fn a_trial_that_is_broken_off_begins_anew() {
        let settings = HealthSettings { worse_after: Duration::from_secs(10), ..HealthSettings::default() };
        let mut tracker = Tracker::default();
        tracker.record(at(0), (20, 1), &settings);
        assert_eq!(tracker.evaluate(at(0), HealthStatus::Healthy, &settings).next, Some(at(10)));
        tracker.record(at(5), (100, 0), &settings);
        tracker.evaluate(at(5), HealthStatus::Healthy, &settings);
        tracker.record(at(9), (100, 90), &settings);
        tracker.evaluate(at(9), HealthStatus::Healthy, &settings);
        assert_eq!(tracker.evaluate(at(10), HealthStatus::Healthy, &settings).change, None);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let settings = HealthSettings::default();
        let mut tracker = Tracker::default();
        tracker.record(at(0), (10, 10), &settings);
        let next = tracker.evaluate(at(0), HealthStatus::Unhealthy, &settings).next.unwrap();
        assert!(next > at(55) && next <= at(60), "{next}");
        tracker.turn(number(next, &settings));
        assert_eq!(tracker.judge(&settings), HealthStatus::Unknown);
    }

    #[test]
    fn traffic_on_open_connections_is_healthy() {
        assert_eq!(judged(0, 0), HealthStatus::Healthy);
        assert_eq!(Tracker::default().judge(&HealthSettings::default()), HealthStatus::Unknown);
    }
}
