//! Text for people: names made visible and cut to a width, numbers with their units.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Stands where something was cut out.
const ELLIPSIS: char = '…';
/// Stands where nothing is known.
pub(super) const NOTHING: &str = "–";

/// `name` with everything that a terminal would obey or hide written out: control characters, and the invisible ones
/// that change direction or join letters, as `\u{1b}`; an empty name as `""`.
pub(crate) fn visible(name: &str) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        if is_hidden(character) { out.extend(character.escape_default()) } else { out.push(character) }
    }
    out
}

/// Whether a terminal would obey or hide this character (Unicode general categories Cc, Cf, Zl, Zp, private use, for which
/// no two terminals agree on a width, and what is no character and stands in no XML).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Columns that `text` takes on a terminal.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width` columns; what does not fit is cut from the end.
pub(crate) fn clip(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = prefix(text, width.saturating_sub(1)).to_owned();
    if width > 0 {
        kept.push(ELLIPSIS);
    }
    kept
}

/// `text` in at most `width` columns; what does not fit is cut from the middle, where names differ least.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = prefix(text, room.div_ceil(2));
    let tail = suffix(text, room - columns(head).min(room));
    if width == 0 { String::new() } else { format!("{head}{ELLIPSIS}{tail}") }
}

/// The longest beginning of `text` that fits.
fn prefix(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(index, character)| {
        used += character.width().unwrap_or(0);
        (used > width).then_some(index)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The longest end of `text` that fits.
fn suffix(text: &str, width: usize) -> &str {
    let mut used = 0;
    let start = text.char_indices().rev().find_map(|(index, character)| {
        used += character.width().unwrap_or(0);
        (used > width).then_some(index + character.len_utf8())
    });
    start.and_then(|start| text.get(start..)).unwrap_or(text)
}

/// Bytes in IEC units with three to four digits: `999 B`, `1.5 KiB`, `231 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = "KiB";
    for larger in UNITS.into_iter().skip(1) {
        // What would be rounded to 1024 belongs to the next unit.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A round-trip time in microseconds: `85 µs`, `1.2 ms`, `310 ms`, `2.5 s`.
pub(super) fn round_trip(microseconds: Option<u32>) -> String {
    let Some(microseconds) = microseconds else { return NOTHING.to_owned() };
    let value = f64::from(microseconds);
    match microseconds {
        ..1_000 => format!("{microseconds} µs"),
        1_000..9_950 => format!("{:.1} ms", value / 1e3),
        9_950..999_500 => format!("{:.0} ms", value / 1e3),
        _ => format!("{:.1} s", value / 1e6),
    }
}

/// A time span in its largest unit: `12s`, `3m`, `2h`, `5d`.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// `1 service`, `2 services`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let mut text = format!("{count} {noun}");
    if count != 1 {
        let _ = write!(text, "s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(visible("a\u{1b}[31m\n\u{202e}b"), r"a\u{1b}[31m\n\u{202e}b");
        assert_eq!(visible("\u{9b}2J"), r"\u{9b}2J");
        assert_eq!(visible(""), "\"\"");
        assert_eq!(visible("日本"), "日本");
    }

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(shorten("systemd-resolved.service", 11), "syste…rvice");
        assert_eq!(shorten("nginx", 5), "nginx");
        assert_eq!(shorten("nginx", 1), "…");
        assert_eq!(shorten("nginx", 0), "");
    }

    #[test]
    fn wide_letters_take_two_columns() {
        for width in 0..12 {
            assert!(columns(&shorten("日本語日本語", width)) <= width);
            assert!(columns(&clip("日本語日本語", width)) <= width);
        }
    }

    #[test]
    fn bytes_have_iec_units() {
        let cases = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (10_239, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (242_221_056, "231 MiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn round_trips_have_units() {
        let cases = [(0, "0 µs"), (999, "999 µs"), (1_240, "1.2 ms"), (9_990, "10 ms"), (2_500_000, "2.5 s")];
        for (value, text) in cases {
            assert_eq!(round_trip(Some(value)), text);
        }
        assert_eq!(round_trip(None), "–");
    }

    #[test]
    fn spans_are_in_their_largest_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (172_800, "2d")] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
