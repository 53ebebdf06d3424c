//! Lengths of time in text, as Go writes them: `1m30s`, `500ms`, `1.5h`, `0`.

use std::time::Duration;

use jiff::SignedDuration;

/// Units of Go's `time.ParseDuration`.
const UNITS: [&str; 8] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];

/// Reads a length of time; `Err` says what is wrong with it and how to write it.
///
/// A number without a unit is refused (except `0`), and so are spaces and signs, whatever other parsers make of them.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err("a duration is empty; write for example \"30s\"".to_owned());
    }
    if text.contains(char::is_whitespace) {
        let joined: String = text.split_whitespace().collect();
        return Err(format!("duration {text:?} has a space in it; write {joined:?}"));
    }
    if text.starts_with(['-', '+']) {
        return Err(format!("duration {text:?} has a sign; write it without, for example \"30s\""));
    }
    if text.parse::<f64>().is_ok() {
        return Err(format!("duration {text:?} has no unit; write for example \"{text}s\" or \"{text}ms\""));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = component(rest).ok_or_else(|| {
            format!("{text:?} is no duration; write numbers with the units h, m, s, ms, us or ns, for example \"1m30s\"")
        })?;
        total = total.checked_add(part).ok_or_else(|| format!("duration {text:?} is too long"))?;
        rest = after;
    }
    Ok(total)
}

/// The first number with its unit, and what comes after it.
fn component(text: &str) -> Option<(Duration, &str)> {
    let (number, rest) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit() && c != '.')?)?;
    let (unit, after) =
        rest.split_at_checked(rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len()))?;
    if !UNITS.contains(&unit) || !number.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    // Go takes `.5s` and `5.s`; jiff wants a digit on both sides of the point.
    let length: SignedDuration = format!("0{}{unit}", number.trim_end_matches('.')).parse().ok()?;
    Some((length.unsigned_abs(), after))
}

/// A length of time as [`parse`] reads it, for messages.
pub fn text(duration: Duration) -> String {
    if duration.is_zero() {
        return "0".to_owned();
    }
    match SignedDuration::try_from(duration) {
        Ok(duration) => format!("{duration:#}").replace(' ', ""),
        Err(_) => format!("{}s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (given, nanos) in [
            ("0", 0),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1.5h30m", 7_200_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("100µs", 100_000),
            ("100us", 100_000),
            ("7ns", 7),
            ("0s", 0),
        ] {
            assert_eq!(parse(given), Ok(Duration::from_nanos(nanos)), "{given}");
        }
    }

    #[test]
    fn number_without_unit_is_refused_with_the_value_and_the_mend() {
        assert_eq!(
            parse("5").unwrap_err(),
            "duration \"5\" has no unit; write for example \"5s\" or \"5ms\""
        );
    }

    #[test]
    fn spaces_are_refused() {
        assert_eq!(parse("1h 5m").unwrap_err(), "duration \"1h 5m\" has a space in it; write \"1h5m\"");
    }

    #[test]
    fn what_go_does_not_read_is_refused() {
        for given in
            ["", "5secs", "1d", "PT5S", "s", ".s", "1m5", "-5s", "+5s", "1e3s", "9999999999999999999h"]
        {
            assert!(parse(given).is_err(), "{given}");
        }
    }

    #[test]
    fn text_is_read_back_as_the_same_duration() {
        for given in ["0", "1m30s", "500ms", "24h", "7ns"] {
            let duration = parse(given).unwrap();
            assert_eq!(text(duration), given);
            assert_eq!(parse(&text(duration)), Ok(duration));
        }
    }
}
