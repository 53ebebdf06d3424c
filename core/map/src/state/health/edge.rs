//! Health of one edge. Nearly all edges are healthy nearly always: what is needed to judge one is there only once something
//! bad has happened, and until what followed from that is over.

use std::sync::{Arc, LazyLock};

use super::{Attempts, Successes, Tracker};
use crate::model::{Health, HealthReason, HealthStatus, Timestamp};
use crate::settings::HealthSettings;

/// What is known of the attempts on an edge.
#[derive(Debug, Default)]
pub(crate) struct EdgeHealth {
    successes: Successes,
    trouble: Option<Box<Trouble>>,
}

#[derive(Clone, Debug)]
struct Trouble {
    tracker: Tracker,
    health: Health,
}

impl EdgeHealth {
    /// Counts attempts at an instant. `carries` says whether connections were established on the edge. Returns whether it
    /// has to be reviewed.
    pub(crate) fn record(
        &mut self,
        at: Timestamp,
        attempts: Attempts,
        carries: bool,
        settings: &HealthSettings,
    ) -> bool {
        if attempts.failed == 0 && attempts.slow == 0 && self.trouble.is_none() {
            if attempts.made > 0 {
                self.successes.record(at, attempts.made, settings);
            }
            return false;
        }
        let successes = self.successes;
        let trouble = self.trouble.get_or_insert_with(|| {
            let tracker = Tracker { window: successes.spread(at, settings), ..Tracker::default() };
            Box::new(Trouble { tracker, health: Health::clone(in_peace(carries)) })
        });
        trouble.tracker.record(at, attempts, settings);
        self.successes.record(at, attempts.made.saturating_sub(attempts.failed), settings);
        true
    }

    /// Judges at `now`. Returns whether the health is another one, and when to review again.
    pub(crate) fn review(
        &mut self,
        now: Timestamp,
        carries: bool,
        settings: &HealthSettings,
    ) -> (bool, Option<Timestamp>) {
        let Some(trouble) = &mut self.trouble else { return (false, None) };
        let review = trouble.tracker.review(&mut trouble.health, now, settings);
        if trouble.tracker.is_calm() && trouble.health == **in_peace(carries) {
            self.trouble = None;
            return (true, None);
        }
        (review.is_other, review.remind)
    }

    /// Takes over that of an edge that is the same one by now; it has to be reviewed if this returns true.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        self.successes.merge(other.successes);
        match (&mut self.trouble, &other.trouble) {
            (Some(ours), Some(theirs)) => ours.tracker.absorb(&theirs.tracker),
            (None, Some(theirs)) => {
                let Trouble { tracker, health } = (**theirs).clone();
                let tracker = tracker.without_endpoints();
                self.trouble = Some(Box::new(Trouble { tracker, health }));
            }
            (_, None) => return false,
        }
        true
    }

    /// The health as consumers see it.
    pub(crate) fn view(&self, carries: bool) -> Arc<Health> {
        self.trouble
            .as_ref()
            .map_or_else(|| in_peace(carries).clone(), |trouble| Arc::new(trouble.health.clone()))
    }
}

/// The health of an edge on which nothing bad happened of late; one for all, since nearly all edges are so.
fn in_peace(carries: bool) -> &'static Arc<Health> {
    static WORKS: LazyLock<Arc<Health>> =
        LazyLock::new(|| with_reason(HealthStatus::Healthy, HealthReason::ConnectionsSucceed));
    static SILENT: LazyLock<Arc<Health>> =
        LazyLock::new(|| with_reason(HealthStatus::Unknown, HealthReason::NoTraffic));
    if carries { &WORKS } else { &SILENT }
}

fn with_reason(status: HealthStatus, reason: HealthReason) -> Arc<Health> {
    Arc::new(Health { status, reasons: vec![reason], ..Health::default() })
}
