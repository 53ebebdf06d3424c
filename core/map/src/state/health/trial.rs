//! Hysteresis: a status takes effect once it has held.
//!
//! What alternates between two bad statuses has been at least as bad as the better of them all the while. Therefore each
//! status is on trial by itself: a worse one holds while what is judged is at least as bad. On the way back from unhealthy,
//! degraded holds while what is judged is at most as bad, but takes effect only at a moment at which it is judged: what
//! recovers by way of it is healthy at once.

use std::time::Duration;

use crate::model::{HealthStatus, Timestamp};
use crate::settings::HealthSettings;

/// All statuses in their order.
const STATUSES: [HealthStatus; 4] =
    [HealthStatus::Unknown, HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unhealthy];

/// The least time between two instants.
const TICK: Duration = Duration::from_nanos(1);

/// Since when each status has held, other than the one in effect.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trial {
    since: [Option<Timestamp>; STATUSES.len()],
}

impl Trial {
    /// Takes what is judged at `now`; returns the status that takes effect, with the instant since which it held.
    pub(super) fn judge(
        &mut self,
        judged: HealthStatus,
        current: HealthStatus,
        now: Timestamp,
        settings: &HealthSettings,
    ) -> Option<(HealthStatus, Timestamp)> {
        for (since, status) in self.since.iter_mut().zip(STATUSES) {
            *since = since.filter(|_| holds(status, judged, current));
            if holds(status, judged, current) {
                since.get_or_insert(now);
            }
        }
        let over =
            |(status, since): (HealthStatus, Timestamp)| since + hold(current, status, settings) <= now;
        // The farthest from the one in effect: of worse ones the worst, of better ones the best.
        let worse = self.running().rev().find(|one| one.0 > current && over(*one));
        let change = worse.or_else(|| {
            self.running().find(|one| one.0 < current && takes_effect(one.0, judged) && over(*one))
        });
        if let Some((status, held)) = change {
            for (since, other) in self.since.iter_mut().zip(STATUSES) {
                let goes_on = holds(other, judged, status) && (other > status) == (other > current);
                // Two changes of one instant would be one event, by its id.
                *since = since.filter(|_| goes_on).map(|since| since.max(held + TICK));
            }
        }
        change
    }

    /// When the next status takes effect if what is judged stays as it is.
    pub(super) fn due(
        &self,
        judged: HealthStatus,
        current: HealthStatus,
        settings: &HealthSettings,
    ) -> Option<Timestamp> {
        let due = self.running().filter(|(status, _)| *status > current || takes_effect(*status, judged));
        due.map(|(status, since)| since + hold(current, status, settings)).min()
    }

    /// Whether a status other than the one in effect is on trial.
    pub(super) fn is_running(&self) -> bool {
        self.running().next().is_some()
    }

    fn running(&self) -> impl DoubleEndedIterator<Item = (HealthStatus, Timestamp)> {
        STATUSES.into_iter().zip(self.since).filter_map(|(status, since)| Some((status, since?)))
    }
}

/// Whether what is judged speaks for a status instead of the current one.
fn holds(status: HealthStatus, judged: HealthStatus, current: HealthStatus) -> bool {
    if status == current {
        false
    } else if status > current && status >= HealthStatus::Degraded {
        judged >= status
    } else if status < current && status == HealthStatus::Degraded {
        judged <= status
    } else {
        judged == status
    }
}

/// Whether a better status, once it has held, takes effect at a moment at which this is judged.
fn takes_effect(status: HealthStatus, judged: HealthStatus) -> bool {
    status != HealthStatus::Degraded || judged == status
}

/// How long a status must hold before it takes effect.
fn hold(from: HealthStatus, to: HealthStatus, settings: &HealthSettings) -> Duration {
    match (from, to) {
        (_, HealthStatus::Unhealthy) => settings.unhealthy_after,
        (HealthStatus::Unknown | HealthStatus::Healthy, HealthStatus::Degraded) => settings.worse_after,
        _ => settings.better_after,
    }
}

#[cfg(test)]
mod tests {
    use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(1_800_000_000_000_000_000 + seconds * 1_000_000_000)
    }

    /// What takes effect, and when, if this is judged from these seconds on; asked each second.
    fn changes(current: HealthStatus, judged: &[(u64, HealthStatus)], end: u64) -> Vec<(u64, HealthStatus)> {
        let (mut trial, mut current, mut changes) = (Trial::default(), current, Vec::new());
        for second in 0..=end {
            let (_, judged) = judged.iter().rev().find(|(from, _)| *from <= second).unwrap();
            let change = trial.judge(*judged, current, at(second), &HealthSettings::default());
            if let Some((status, _)) = change {
                current = status;
                changes.push((second, status));
            }
        }
        changes
    }

    #[test]
    fn worse_and_better_take_effect_after_their_times() {
        assert_eq!(changes(Healthy, &[(0, Degraded)], 60), [(10, Degraded)]);
        assert_eq!(changes(Healthy, &[(0, Unhealthy)], 60), [(2, Unhealthy)]);
        assert_eq!(changes(Unhealthy, &[(0, Healthy)], 60), [(30, Healthy)]);
        assert_eq!(changes(Degraded, &[(0, Healthy)], 60), [(30, Healthy)]);
        assert_eq!(changes(Unhealthy, &[(0, Degraded)], 60), [(30, Degraded)]);
        assert_eq!(changes(Healthy, &[(0, Unknown)], 60), [(30, Unknown)]);
    }

    #[test]
    fn what_alternates_between_degraded_and_unhealthy_is_degraded() {
        let judged: Vec<_> =
            (0..20).map(|second| (second, if second % 2 == 0 { Unhealthy } else { Degraded })).collect();
        assert_eq!(changes(Healthy, &judged, 20), [(10, Degraded)]);
    }

    #[test]
    fn what_alternates_between_healthy_and_degraded_is_unhealthy_no_longer() {
        let judged: Vec<_> =
            (0..40).map(|second| (second, if second % 2 == 0 { Healthy } else { Degraded })).collect();
        // At second 30 it is judged healthy.
        assert_eq!(changes(Unhealthy, &judged, 39), [(31, Degraded)]);
    }

    #[test]
    fn what_recovers_by_way_of_degraded_is_healthy_at_once() {
        assert_eq!(changes(Unhealthy, &[(0, Degraded), (20, Healthy)], 60), [(50, Healthy)]);
    }

    #[test]
    fn what_is_broken_off_begins_anew() {
        assert_eq!(changes(Healthy, &[(0, Degraded), (9, Healthy), (10, Degraded)], 19), []);
        assert_eq!(changes(Unhealthy, &[(0, Healthy), (29, Unhealthy), (30, Healthy)], 59), []);
        assert_eq!(changes(Unhealthy, &[(0, Healthy), (29, Unhealthy), (30, Healthy)], 60), [(60, Healthy)]);
    }

    #[test]
    fn two_changes_are_never_of_one_instant() {
        let settings =
            HealthSettings { unhealthy_after: Duration::from_secs(20), ..HealthSettings::default() };
        let mut trial = Trial::default();
        assert_eq!(trial.judge(Unhealthy, Healthy, at(0), &settings), None);
        let first = trial.judge(Unhealthy, Healthy, at(10), &settings);
        let second = trial.judge(Unhealthy, Degraded, at(21), &settings);
        assert_eq!(first, Some((Degraded, at(0))));
        assert_eq!(second, Some((Unhealthy, at(0) + TICK)));
    }

    #[test]
    fn what_became_degraded_may_yet_become_unhealthy() {
        assert_eq!(changes(Healthy, &[(0, Degraded), (9, Unhealthy)], 60), [(10, Degraded), (11, Unhealthy)]);
    }
}
