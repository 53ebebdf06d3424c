//! What of a connection stands in the table, and how wide: where there is little room, figures are left out before names
//! become unreadable.

use servicemap_map::model::{Connection, Failures, ServiceRef, ServiceType, Snapshot};

use super::text::{bytes, columns, round_trip, shorten, span, visible};

/// Names are not cut below this many columns while there are figures that can be left out instead.
const MIN_NAME: usize = 16;
/// From this width on two spaces stand between columns, below it one.
const ROOMY: usize = 100;

/// A column of figures.
struct Column {
    title: &'static str,
    /// The last level of [`Layout::LEVELS`] that shows it.
    until: u8,
    figure: fn(&Connection, &Snapshot) -> String,
}

/// FAILED's place in [`COLUMNS`].
const FAILED: usize = 3;

const COLUMNS: [Column; 8] = [
    Column { title: "PORT", until: 4, figure: |connection, _| connection.edge.port_text() },
    Column { title: "OPENED", until: 4, figure: |connection, _| connection.totals.opened.to_string() },
    Column { title: "ACTIVE", until: 4, figure: |connection, _| connection.totals.active.to_string() },
    Column {
        title: "FAILED",
        until: 4,
        figure: |connection, _| connection.totals.failed.total().to_string(),
    },
    Column { title: "SENT", until: 3, figure: |connection, _| bytes(connection.totals.bytes_sent) },
    Column { title: "RECEIVED", until: 3, figure: |connection, _| bytes(connection.totals.bytes_received) },
    Column { title: "RTT", until: 2, figure: |connection, _| round_trip(connection.totals.rtt_us) },
    Column {
        title: "LAST SEEN",
        until: 1,
        figure: |connection, snapshot| span(snapshot.at.since(connection.last_seen)),
    },
];

/// One connection as text.
pub(super) struct Line<'a> {
    pub(super) connection: &'a Connection,
    source: String,
    destination: String,
    figures: [String; COLUMNS.len()],
    /// FAILED with its reason, where there is room.
    failed: String,
}

impl<'a> Line<'a> {
    pub(super) fn new(snapshot: &Snapshot, connection: &'a Connection) -> Self {
        Self {
            connection,
            source: name(snapshot, &connection.edge.source),
            destination: name(snapshot, &connection.edge.destination),
            figures: COLUMNS.map(|column| (column.figure)(connection, snapshot)),
            failed: failed(&connection.totals.failed),
        }
    }

    /// What stands in column `index` at `level`.
    fn figure(&self, index: usize, level: u8) -> &str {
        if index == FAILED && level == 0 {
            &self.failed
        } else {
            self.figures.get(index).map_or("", String::as_str)
        }
    }
}

/// What a person calls a service: without the namespace where it only repeats the machine's name.
fn name(snapshot: &Snapshot, service: &ServiceRef) -> String {
    let here = service.service_type == ServiceType::Process && service.namespace == snapshot.observer.host;
    if here || service.namespace.is_empty() {
        visible(&service.name)
    } else {
        format!("{}/{}", visible(&service.namespace), visible(&service.name))
    }
}

/// Failures with their reason: `3 refused`; of several, the most frequent one: `5 timeout+`.
fn failed(failures: &Failures) -> String {
    let total = failures.total();
    let mut reasons: Vec<_> = failures.by_reason().into_iter().filter(|(_, count)| *count > 0).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    match reasons.as_slice() {
        [] => "0".to_owned(),
        [(reason, _)] => format!("{total} {reason}"),
        [(reason, _), ..] => format!("{total} {reason}+"),
    }
}

/// Widths of all columns at the level of detail that fits.
pub(super) struct Layout {
    level: u8,
    gap: usize,
    source: usize,
    destination: usize,
    figures: [usize; COLUMNS.len()],
}

impl Layout {
    /// Levels of detail: everything; no reasons of failures; no LAST SEEN; no RTT; no bytes.
    const LEVELS: std::ops::RangeInclusive<u8> = 0..=4;

    /// Widths for these lines in at most `width` columns.
    pub(super) fn new(lines: &[Line], width: Option<usize>) -> Self {
        let widest = |title: &str, cell: &dyn Fn(&Line) -> usize| {
            lines.iter().map(cell).max().unwrap_or(0).max(columns(title))
        };
        let source = widest("SOURCE", &|line| columns(&line.source));
        let destination = widest("DESTINATION", &|line| columns(&line.destination));
        let gap = if width.is_some_and(|width| width < ROOMY) { 1 } else { 2 };
        let mut layout = Self { level: 0, gap, source, destination, figures: [0; COLUMNS.len()] };
        for level in Self::LEVELS {
            layout.level = level;
            for (index, (slot, column)) in layout.figures.iter_mut().zip(&COLUMNS).enumerate() {
                *slot = widest(column.title, &|line| columns(line.figure(index, level)));
            }
            let Some(width) = width else { break };
            let figures: usize = layout.shown().map(|(_, _, width)| gap + width).sum();
            let room = width.saturating_sub(figures + gap);
            (layout.source, layout.destination) = share(source, destination, room);
            if room >= source.min(MIN_NAME) + destination.min(MIN_NAME) {
                break;
            }
        }
        layout
    }

    /// Index, column and width of each column of figures that is shown.
    fn shown(&self) -> impl Iterator<Item = (usize, &'static Column, usize)> {
        let columns = COLUMNS.iter().zip(self.figures).enumerate();
        columns
            .filter(|(_, (column, _))| self.level <= column.until)
            .map(|(index, (column, width))| (index, column, width))
    }

    /// The line of titles.
    pub(super) fn titles(&self) -> String {
        let mut line = self.names(&shorten("SOURCE", self.source), &shorten("DESTINATION", self.destination));
        self.shown().for_each(|(_, column, width)| self.append(&mut line, column.title, width));
        line
    }

    /// The line of one connection.
    pub(super) fn row(&self, line: &Line) -> String {
        let mut text =
            self.names(&shorten(&line.source, self.source), &shorten(&line.destination, self.destination));
        self.shown()
            .for_each(|(index, _, width)| self.append(&mut text, line.figure(index, self.level), width));
        text
    }

    fn names(&self, source: &str, destination: &str) -> String {
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(columns(text)));
        let gap = " ".repeat(self.gap);
        format!(
            "{source}{}{gap}{destination}{}",
            pad(source, self.source),
            pad(destination, self.destination)
        )
    }

    fn append(&self, line: &mut String, figure: &str, width: usize) {
        line.extend(std::iter::repeat_n(' ', self.gap + width.saturating_sub(columns(figure))));
        line.push_str(figure);
    }
}

/// Shares `room` between two names: what one does not need the other gets.
fn share(source: usize, destination: usize, room: usize) -> (usize, usize) {
    let half = room / 2;
    if source + destination <= room {
        (source, destination)
    } else if source <= half {
        (source, room - source)
    } else if destination <= half {
        (room - destination, destination)
    } else {
        (room - half, half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_reasons_show_the_most_frequent() {
        let failures = Failures { refused: 1, timeout: 4, ..Failures::default() };
        assert_eq!(failed(&failures), "5 timeout+");
        assert_eq!(failed(&Failures::default()), "0");
    }

    #[test]
    fn a_short_name_gives_its_room_to_a_long_one() {
        assert_eq!(share(5, 40, 30), (5, 25));
        assert_eq!(share(40, 5, 30), (25, 5));
        assert_eq!(share(40, 40, 31), (16, 15));
        assert_eq!(share(5, 6, 30), (5, 6));
    }
}
