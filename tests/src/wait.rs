//! Waiting for conditions with a deadline: nothing in these tests sleeps for a while and hopes.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between two looks at a condition.
const POLL: Duration = Duration::from_millis(10);

/// Looks again and again until `look` has something; `None` when the deadline passes first.
pub fn until<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_comes_true_ends_the_wait() {
        let mut looks = 0;
        let found = until(Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, Some(3));
    }

    #[test]
    fn a_condition_that_stays_false_ends_at_the_deadline() {
        assert_eq!(until(Duration::from_millis(30), || None::<()>), None);
    }
}
