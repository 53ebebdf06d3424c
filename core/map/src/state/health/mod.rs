//! Health of services and edges: what is judged of attempts and endpoints, and a status that changes only once that has held.

mod edge;
mod trial;
mod window;

use std::sync::Arc;

pub(crate) use edge::EdgeHealth;
use trial::Trial;
use window::Window;
pub(crate) use window::{Attempts, Successes};

use crate::model::{Health, HealthReason, HealthStatus, Timestamp};
use crate::settings::HealthSettings;

/// What the API server tells of a service's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// How many take connections.
    pub(crate) ready: usize,
    pub(crate) total: usize,
    /// When the readiness of one of them changed, oldest first: the latest ones.
    pub(crate) changes: Arc<[Timestamp]>,
}

impl Readiness {
    /// None ready is unhealthy, too small a share degraded; no endpoints say nothing.
    fn status(&self, settings: &HealthSettings) -> HealthStatus {
        match *self {
            Self { total: 0, .. } => HealthStatus::Unknown,
            Self { ready: 0, .. } => HealthStatus::Unhealthy,
            Self { ready, total, .. } if (ready as f64) < settings.degraded_ready_ratio * total as f64 => {
                HealthStatus::Degraded
            }
            _ => HealthStatus::Healthy,
        }
    }

    /// Until when endpoints flap that do so at an instant.
    fn flaps_until(&self, settings: &HealthSettings) -> Option<Timestamp> {
        let changes = usize::try_from(settings.flap_changes).ok()?;
        let first = self.changes.get(self.changes.len().checked_sub(changes)?)?;
        Some(*first + settings.flap_window)
    }
}

/// Attempts to one service in a sliding window, its endpoints, and the statuses on trial.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    window: Window,
    /// Its endpoints, where the API server tells of them.
    pub(crate) endpoints: Option<Readiness>,
    trial: Trial,
    /// When a reminder is set; later ones are not needed before it.
    reminder: Option<Timestamp>,
}

/// What an evaluation says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    /// The new status with the instant since which it has held, once that is long enough.
    change: Option<(HealthStatus, Timestamp)>,
    /// Why the status is what it is, after the change; empty where it is only its trial that keeps it.
    reasons: Vec<HealthReason>,
    /// When to evaluate again if nothing comes.
    next: Option<Timestamp>,
}

/// What a review did to a health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Review {
    /// The status before, if it is another one now, and since when that has held.
    pub(crate) was: Option<(HealthStatus, Timestamp)>,
    /// Status or reasons are other ones.
    pub(crate) is_other: bool,
    /// When to review again; `None` if a reminder is set already.
    pub(crate) remind: Option<Timestamp>,
}

/// What the parts say by themselves.
struct Opinions {
    endpoints: HealthStatus,
    failures: HealthStatus,
    is_failing: bool,
    is_slow: bool,
    flaps: bool,
}

impl Tracker {
    /// The attempts alone: endpoints are told anew, and a reminder was for the service that went.
    pub(crate) fn without_endpoints(self) -> Self {
        Self { endpoints: None, reminder: None, ..self }
    }

    /// Counts attempts at an instant; older ones than the window are past caring.
    pub(crate) fn record(&mut self, at: Timestamp, attempts: Attempts, settings: &HealthSettings) {
        self.window.record(at, attempts, settings);
    }

    /// Takes over the attempts of another one.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.window.absorb(&other.window);
    }

    /// Whether nothing bad is in the window, and no other status on trial.
    fn is_calm(&self) -> bool {
        let Attempts { failed, slow, .. } = self.window.attempts();
        failed == 0 && slow == 0 && !self.trial.is_running()
    }

    /// Judges at `now`, and changes a health accordingly.
    pub(crate) fn review(
        &mut self,
        health: &mut Health,
        now: Timestamp,
        settings: &HealthSettings,
    ) -> Review {
        self.reminder = self.reminder.filter(|reminder| *reminder > now);
        let before = health.status;
        let verdict = self.evaluate(now, before, settings);
        let remind = verdict.next.filter(|next| self.reminder.is_none_or(|reminder| *next < reminder));
        self.reminder = remind.or(self.reminder);
        let other_reasons = !verdict.reasons.is_empty() && health.reasons != verdict.reasons;
        let is_other = verdict.change.is_some() || other_reasons;
        if is_other {
            health.status = verdict.change.map_or(before, |(status, _)| status);
            health.reasons = verdict.reasons;
        }
        Review { was: verdict.change.map(|(_, since)| (before, since)), is_other, remind }
    }

    fn evaluate(&mut self, now: Timestamp, current: HealthStatus, settings: &HealthSettings) -> Verdict {
        self.window.turn(now, settings);
        let opinions = self.opinions(now, settings);
        let judged = self.judge(&opinions);
        let change = self.trial.judge(judged, current, now, settings);
        let status = change.map_or(current, |(status, _)| status);
        let flaps_until = self.endpoints.as_ref().and_then(|endpoints| endpoints.flaps_until(settings));
        let moments = [
            self.trial.due(judged, status, settings),
            self.window.next_turn(settings),
            flaps_until.filter(|until| *until > now),
        ];
        Verdict {
            change,
            reasons: self.reasons(&opinions, status),
            next: moments.into_iter().flatten().min().map(|next| next.max(now)),
        }
    }

    fn opinions(&self, now: Timestamp, settings: &HealthSettings) -> Opinions {
        let attempts = self.window.attempts();
        let endpoints = self.endpoints.as_ref();
        Opinions {
            endpoints: endpoints.map_or(HealthStatus::Unknown, |endpoints| endpoints.status(settings)),
            failures: self.by_failures(attempts, settings),
            is_failing: attempts.failed > 0,
            is_slow: attempts.is_share(
                attempts.slow,
                settings.degraded_slow_ratio,
                settings.degraded_min_attempts,
            ),
            flaps: endpoints
                .and_then(|endpoints| endpoints.flaps_until(settings))
                .is_some_and(|until| now < until),
        }
    }

    /// The worst of what endpoints and traffic say. Where there are no endpoints, attempts that all fail are enough.
    fn judge(&self, opinions: &Opinions) -> HealthStatus {
        let is_degraded = opinions.is_slow || opinions.flaps;
        let by_shares = if is_degraded { HealthStatus::Degraded } else { HealthStatus::Unknown };
        let nobody_answers =
            self.has_no_endpoints() && opinions.failures == HealthStatus::Unknown && opinions.is_failing;
        let by_absence = if nobody_answers { HealthStatus::Unhealthy } else { HealthStatus::Unknown };
        opinions.failures.max(opinions.endpoints).max(by_shares).max(by_absence)
    }

    fn by_failures(&self, attempts: Attempts, settings: &HealthSettings) -> HealthStatus {
        let Attempts { made, failed, .. } = attempts;
        if attempts.is_share(failed, settings.unhealthy_ratio, settings.unhealthy_min_attempts) {
            HealthStatus::Unhealthy
        } else if attempts.is_share(failed, settings.degraded_ratio, settings.degraded_min_attempts) {
            HealthStatus::Degraded
        } else if failed < made || (made == 0 && self.window.has_traffic()) {
            HealthStatus::Healthy
        } else {
            // Nothing was seen, or only some failures: too few to call it unhealthy, none that would call it healthy.
            HealthStatus::Unknown
        }
    }

    fn has_no_endpoints(&self) -> bool {
        self.endpoints.as_ref().is_some_and(|endpoints| endpoints.total == 0)
    }

    /// The reasons that speak for a status, most important first.
    fn reasons(&self, opinions: &Opinions, status: HealthStatus) -> Vec<HealthReason> {
        let is_bad = |status| status >= HealthStatus::Degraded;
        let no_endpoints = self.has_no_endpoints();
        let reasons: &[(bool, HealthReason)] = match status {
            HealthStatus::Healthy => &[
                (opinions.endpoints == HealthStatus::Healthy, HealthReason::EndpointsReady),
                (opinions.failures == HealthStatus::Healthy, HealthReason::ConnectionsSucceed),
            ],
            HealthStatus::Degraded | HealthStatus::Unhealthy => &[
                (is_bad(opinions.endpoints), HealthReason::EndpointsNotReady),
                (no_endpoints, HealthReason::NoEndpoints),
                (
                    is_bad(opinions.failures) || (no_endpoints && opinions.is_failing),
                    HealthReason::ConnectionsFail,
                ),
                (opinions.flaps, HealthReason::EndpointsFlap),
                (opinions.is_slow, HealthReason::SlowHandshakes),
            ],
            HealthStatus::Unknown => &[
                (no_endpoints, HealthReason::NoEndpoints),
                (opinions.is_failing, HealthReason::ConnectionsFail),
                (!no_endpoints && !opinions.is_failing, HealthReason::NoTraffic),
            ],
        };
        reasons.iter().filter(|(speaks, _)| *speaks).map(|(_, reason)| *reason).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(1_800_000_000_000_000_000 + seconds * 1_000_000_000)
    }

    fn made(made: u64, failed: u64) -> Attempts {
        Attempts { made, failed, slow: 0 }
    }

    fn judge(tracker: &mut Tracker, now: Timestamp) -> HealthStatus {
        let settings = HealthSettings::default();
        tracker.window.turn(now, &settings);
        let opinions = tracker.opinions(now, &settings);
        tracker.judge(&opinions)
    }

    fn judged(attempts: u64, failed: u64) -> HealthStatus {
        let settings = HealthSettings::default();
        let mut tracker = Tracker::default();
        tracker.record(at(0), made(attempts, failed), &settings);
        judge(&mut tracker, at(0))
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
        tracker.record(at(0), made(10, 10), &settings);
        let verdict = tracker.evaluate(at(0), HealthStatus::Healthy, &settings);
        assert_eq!((verdict.change, verdict.next), (None, Some(at(2))));
        let verdict = tracker.evaluate(at(2), HealthStatus::Healthy, &settings);
        assert_eq!(verdict.change, Some((HealthStatus::Unhealthy, at(0))));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let settings = HealthSettings::default();
        let mut tracker = Tracker::default();
        tracker.record(at(0), made(10, 10), &settings);
        let next = tracker.evaluate(at(0), HealthStatus::Unhealthy, &settings).next.unwrap();
        assert!(next > at(55) && next <= at(60), "{next}");
        assert_eq!(judge(&mut tracker, next), HealthStatus::Unknown);
    }

    #[test]
    fn traffic_on_open_connections_is_healthy() {
        assert_eq!(judged(0, 0), HealthStatus::Healthy);
        assert_eq!(judge(&mut Tracker::default(), at(0)), HealthStatus::Unknown);
    }

    #[test]
    fn a_twentieth_of_twenty_handshakes_that_lost_a_part_is_degraded() {
        let settings = HealthSettings::default();
        let judged = |slow| {
            let mut tracker = Tracker::default();
            tracker.record(at(0), Attempts { made: 20, failed: 0, slow }, &settings);
            judge(&mut tracker, at(0))
        };
        assert_eq!((judged(0), judged(1)), (HealthStatus::Healthy, HealthStatus::Degraded));
    }

    #[test]
    fn endpoints_flap_while_as_many_changes_as_it_takes_are_within_the_window() {
        let changes: Vec<_> = [0, 100, 200, 290].into_iter().map(at).collect();
        let flapping = |now, changes: &[Timestamp]| {
            let endpoints = Readiness { ready: 1, total: 1, changes: changes.into() };
            let mut tracker = Tracker { endpoints: Some(endpoints), ..Tracker::default() };
            judge(&mut tracker, now)
        };
        assert_eq!(flapping(at(299), &changes), HealthStatus::Degraded);
        assert_eq!(flapping(at(300), &changes), HealthStatus::Healthy);
        assert_eq!(flapping(at(299), &changes[1..]), HealthStatus::Healthy);
    }
}
