//! Which errors may pass, and how long to wait before the next attempt: the Collector's `retry_on_failure`.

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::settings::reader::Section;

/// The Collector's `retry_on_failure`.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Whether to try again at all.
    pub enabled: bool,
    /// Wait before the second attempt (5 s).
    pub initial_interval: Duration,
    /// How much chance there is in a wait: from (1 - factor) to (1 + factor) of it (0.5).
    pub randomization_factor: f64,
    /// How much longer each wait is than the one before (1.5).
    pub multiplier: f64,
    /// The longest wait (30 s).
    pub max_interval: Duration,
    /// A request is dropped this long after its first attempt (5 min); zero: never.
    pub max_elapsed_time: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_mins(5),
        }
    }
}

impl RetrySettings {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let day = Duration::from_hours(24);
        let default = Self::default();
        let settings = Self {
            enabled: section.flag("enabled").unwrap_or(default.enabled),
            initial_interval: section
                .duration("initial_interval", Duration::from_millis(1)..=day)
                .unwrap_or(default.initial_interval),
            randomization_factor: section
                .number("randomization_factor", 0.0..=1.0)
                .unwrap_or(default.randomization_factor),
            multiplier: section.number("multiplier", 1.0..=100.0).unwrap_or(default.multiplier),
            max_interval: section
                .duration("max_interval", Duration::from_millis(1)..=day)
                .unwrap_or(default.max_interval),
            max_elapsed_time: section
                .duration("max_elapsed_time", Duration::ZERO..=day)
                .unwrap_or(default.max_elapsed_time),
        };
        let longest = settings.initial_interval.max(settings.max_interval);
        if !settings.max_elapsed_time.is_zero() && settings.max_elapsed_time < longest {
            section.problem(
                "max_elapsed_time",
                "is less than initial_interval or max_interval; make it longer, or 0 for no end",
            );
        }
        settings
    }

    /// Whether it is tried until it succeeds.
    pub(super) const fn is_endless(&self) -> bool {
        self.enabled && self.max_elapsed_time.is_zero()
    }
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again, not before the time that the server asked for.
    Retry(Option<Duration>),
    /// It will not pass.
    GiveUp,
}

/// The verdict on an error: the codes that OTLP calls retryable, an exhausted resource only if the server says when
/// there will be more, and a connection that broke before there was an answer.
pub(super) fn verdict(status: &Status) -> Verdict {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::Retry(delay),
        Code::ResourceExhausted if delay.is_some() => Verdict::Retry(delay),
        // A status that the server sent has no source; one made of a broken transport has.
        Code::Unknown | Code::Internal if status.source().is_some() => Verdict::Retry(None),
        _ => Verdict::GiveUp,
    }
}

/// The waits of one request.
#[derive(Debug)]
pub(super) struct Backoff<'a> {
    settings: &'a RetrySettings,
    interval: Duration,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(settings: &'a RetrySettings) -> Self {
        Self { settings, interval: settings.initial_interval }
    }

    /// How long to wait now; `None` when the time for this request is over. `chance` is from 0 to 1.
    pub(super) fn next(
        &mut self,
        elapsed: Duration,
        asked: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        let settings = self.settings;
        if !settings.enabled {
            return None;
        }
        let factor = (2.0 * chance - 1.0).mul_add(settings.randomization_factor, 1.0);
        let wait = self.interval.mul_f64(factor.max(0.0)).max(asked.unwrap_or_default());
        self.interval = self.interval.mul_f64(settings.multiplier).min(settings.max_interval);
        let over =
            !settings.max_elapsed_time.is_zero() && elapsed.saturating_add(wait) > settings.max_elapsed_time;
        (!over).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn throttled(code: Code, delay: Duration) -> Status {
        Status::with_error_details(code, "", ErrorDetails::with_retry_info(Some(delay)))
    }

    #[test]
    fn retryable_codes_are_those_of_otlp() {
        let retryable = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for number in 1..=16 {
            let code = Code::from_i32(number);
            let expected = if retryable.contains(&code) { Verdict::Retry(None) } else { Verdict::GiveUp };
            assert_eq!(verdict(&Status::new(code, "")), expected, "{code:?}");
        }
    }

    #[test]
    fn exhausted_resource_is_tried_again_only_when_the_server_says_when() {
        let delay = Duration::from_secs(7);
        assert_eq!(verdict(&throttled(Code::ResourceExhausted, delay)), Verdict::Retry(Some(delay)));
        assert_eq!(verdict(&Status::new(Code::ResourceExhausted, "")), Verdict::GiveUp);
    }

    #[test]
    fn broken_transport_is_tried_again() {
        let broken = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::BrokenPipe)));
        assert!(matches!(verdict(&broken), Verdict::Retry(_)), "{broken:?}");
    }

    #[test]
    fn waits_grow_to_the_longest_one() {
        let settings = RetrySettings { max_elapsed_time: Duration::ZERO, ..RetrySettings::default() };
        let mut backoff = Backoff::new(&settings);
        let waits: Vec<_> =
            (0..7).map(|_| backoff.next(Duration::ZERO, None, 0.5).unwrap().as_secs_f64()).collect();
        assert_eq!(waits, [5.0, 7.5, 11.25, 16.875, 25.312_5, 30.0, 30.0]);
    }

    #[test]
    fn chance_moves_a_wait_by_the_factor_to_both_sides() {
        let settings = RetrySettings::default();
        let first = |chance| Backoff::new(&settings).next(Duration::ZERO, None, chance).unwrap();
        assert_eq!(first(0.0), Duration::from_millis(2_500));
        assert_eq!(first(1.0), Duration::from_millis(7_500));
    }

    #[test]
    fn wait_is_at_least_what_the_server_asked_for() {
        let settings = RetrySettings::default();
        let mut backoff = Backoff::new(&settings);
        assert_eq!(
            backoff.next(Duration::ZERO, Some(Duration::from_secs(20)), 0.5),
            Some(Duration::from_secs(20))
        );
        assert_eq!(
            backoff.next(Duration::ZERO, Some(Duration::from_secs(1)), 0.5),
            Some(Duration::from_millis(7_500))
        );
    }

    #[test]
    fn request_is_given_up_after_its_time() {
        let settings = RetrySettings::default();
        let mut backoff = Backoff::new(&settings);
        assert!(backoff.next(Duration::from_secs(290), None, 0.5).is_some());
        assert_eq!(backoff.next(Duration::from_secs(299), None, 0.5), None);
    }

    #[test]
    fn nothing_is_tried_again_when_it_is_switched_off() {
        let settings = RetrySettings { enabled: false, ..RetrySettings::default() };
        assert_eq!(Backoff::new(&settings).next(Duration::ZERO, None, 0.5), None);
    }
}
