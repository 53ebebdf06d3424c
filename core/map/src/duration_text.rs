//! Lengths of time as text with units: `30s`, `1m 30s`, `250ms`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // What jiff cannot hold is 292 billion years, and ends no wait either way.
    let duration = SignedDuration::try_from(*duration).unwrap_or(SignedDuration::MAX);
    serializer.collect_str(&format_args!("{duration:#}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused = |why: &dyn std::fmt::Display| {
        serde::de::Error::custom(format_args!(
            "{text:?} is no length of time ({why}); write for example \"1m 30s\""
        ))
    };
    let duration: SignedDuration = text.parse().map_err(|error| refused(&error))?;
    Duration::try_from(duration).map_err(|_| refused(&"it is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, Deserialize)]
    struct Wait(#[serde(with = "super")] Duration);

    #[test]
    fn any_length_is_read_as_it_was_written() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (250_000_000, "250ms"),
            (90_000_000_000, "1m 30s"),
            (86_400_000_000_000, "24h"),
            (u64::MAX, "5124095h 34m 33s 709ms 551µs 615ns"),
        ] {
            let json = serde_json::to_string(&Wait(Duration::from_nanos(nanos))).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Wait>(&json).unwrap().0, Duration::from_nanos(nanos));
        }
    }

    #[test]
    fn what_is_no_length_is_refused_with_an_example() {
        for text in ["5", "-5s", "soon", ""] {
            let error = serde_json::from_str::<Wait>(&format!("\"{text}\"")).err().unwrap().to_string();
            assert!(error.contains(&format!("{text:?} is no length of time")), "{error}");
        }
    }
}
