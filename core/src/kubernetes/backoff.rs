//! How long to wait before trying again.

use std::time::Duration;

/// The first wait: an API server that merely closed a connection is asked again at once.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait: a server that is back is noticed within it.
const LONGEST: Duration = Duration::from_secs(3);
/// A permission that is missing is asked for again this often; it is to be noticed within ten seconds when it is given.
const DENIED: Duration = Duration::from_secs(6);
/// The longest time for which a server's own word about when to come back is followed.
const LONGEST_ASKED_FOR: Duration = Duration::from_mins(1);

/// Waits that grow from failure to failure, each of them a random part of what it could be: clients that failed together
/// do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Something worked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether it failed more than once in a row.
    pub(super) const fn is_repeated(&self) -> bool {
        self.failures > 1
    }

    /// How long to wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        between(longest / 2, longest)
    }
}

/// How long to wait before asking again for what was denied.
pub(super) fn after_denial() -> Duration {
    between(DENIED / 2, DENIED)
}

/// How long to wait when the server said when to come back.
pub(super) fn as_asked(wait: Duration) -> Duration {
    let wait = wait.min(LONGEST_ASKED_FOR);
    between(wait, wait + wait / 4)
}

pub(super) fn between(least: Duration, most: Duration) -> Duration {
    least + most.saturating_sub(least).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST), "{waits:?}");
        assert!(waits[39] >= LONGEST / 2, "{waits:?}");
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn waits_are_not_all_the_same() {
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| after_denial()).collect();
        assert!(waits.len() > 1);
    }

    #[test]
    fn a_server_that_asks_for_hours_is_asked_again_after_a_minute_or_so() {
        assert!(as_asked(Duration::from_hours(5)) <= LONGEST_ASKED_FOR * 2);
    }
}
