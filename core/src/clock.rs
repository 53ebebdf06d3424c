//! Wall time that never goes back.
//!
//! The map's time only moves forward, so a wall clock that is set back by an hour would stop it for as long: no window
//! would close, and every short connection would be over before it was told. Time therefore is the kernel's monotonic clock
//! with the largest distance to the wall clock that was seen: it follows the wall clock forward, and keeps running at its
//! own pace when that is set back.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};
use servicemap_map::model::Timestamp;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: AtomicU64,
}

impl Clock {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = self.ahead();
        Timestamp::from_nanos(ahead.saturating_add(read(ClockId::Monotonic)))
    }

    /// What to add to the kernel's monotonic clock (`bpf_ktime_get_ns`), in nanoseconds.
    pub(crate) fn ahead(&self) -> u64 {
        // In this order an interruption between the two makes the distance smaller, which changes nothing.
        let wall = read(ClockId::Realtime);
        self.follow(wall, read(ClockId::Monotonic))
    }

    fn follow(&self, wall: u64, monotonic: u64) -> u64 {
        let ahead = wall.saturating_sub(monotonic);
        self.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead)
    }
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, nanos) =
        (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_forward_is_followed_and_one_that_is_set_back_is_not() {
        let clock = Clock::default();
        assert_eq!(clock.follow(1_000, 10), 990);
        assert_eq!(clock.follow(2_011, 11), 2_000);
        assert_eq!(clock.follow(1_002, 12), 2_000);
        assert_eq!(clock.follow(0, 13), 2_000);
    }

    #[test]
    fn it_shows_the_wall_clocks_time() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let shown = Duration::from_nanos(Clock::default().now().as_nanos());
        assert!(shown >= wall && shown.abs_diff(wall) < Duration::from_mins(1), "{shown:?} {wall:?}");
    }
}
