//! The map as a table of connections for people.

use std::collections::BTreeMap;

use servicemap_map::model::{
    Connection, Failures, Gap, HealthStatus, ServiceId, ServiceRef, ServiceType, Snapshot,
};

use super::text::{bytes, clip, columns, counted, round_trip, shorten, span, visible};

/// Names are not cut below this many columns while there are figures that can be left out instead.
const MIN_NAME: usize = 16;
/// From this width on two spaces stand between columns, below it one.
const ROOMY: usize = 100;

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// How a table is to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Columns to fit into; none: as wide as it needs.
    pub(crate) width: Option<usize>,
    /// With colours.
    pub(crate) colour: bool,
}

/// A table in its parts, so that the live one can show as many rows as the terminal has.
#[derive(Debug)]
pub(crate) struct Table {
    /// Who observes, sums, what was lost.
    pub(crate) heading: Vec<String>,
    /// The columns' titles.
    pub(crate) titles: String,
    /// A line a connection, by source, destination and port.
    pub(crate) rows: Vec<String>,
}

impl Table {
    /// All lines, each ended.
    pub(crate) fn to_text(&self) -> String {
        let lines = self.heading.iter().chain([&self.titles]).chain(&self.rows);
        lines.flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// The map as a table.
pub(crate) fn table(snapshot: &Snapshot, style: Style) -> Table {
    let health: BTreeMap<_, _> =
        snapshot.services.iter().map(|service| (&service.id, service.health.status)).collect();
    let mut connections: Vec<_> = snapshot.connections.iter().collect();
    connections.sort_by(|a, b| a.edge.cmp(&b.edge));
    let lines: Vec<Line> =
        connections.into_iter().map(|connection| Line::new(snapshot, connection)).collect();
    let layout = Layout::new(&lines, style.width);
    let rows = lines.iter().map(|line| layout.row(line, paint_of(line, &health), style));
    Table {
        heading: heading(snapshot, style),
        titles: emphasise(&fit(&layout.titles(), style), BOLD, style.colour),
        rows: rows.collect(),
    }
}

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
    Column { title: "PORT", until: 4, figure: |connection, _| connection.edge.port.to_string() },
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
struct Line<'a> {
    connection: &'a Connection,
    source: String,
    destination: String,
    figures: [String; COLUMNS.len()],
    /// FAILED with its reason, where there is room.
    failed: String,
}

impl<'a> Line<'a> {
    fn new(snapshot: &Snapshot, connection: &'a Connection) -> Self {
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
struct Layout {
    level: u8,
    gap: usize,
    source: usize,
    destination: usize,
    figures: [usize; COLUMNS.len()],
}

impl Layout {
    /// Levels of detail: everything; no reasons of failures; no LAST SEEN; no RTT; no bytes.
    const LEVELS: std::ops::RangeInclusive<u8> = 0..=4;

    fn new(lines: &[Line], width: Option<usize>) -> Self {
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

    fn titles(&self) -> String {
        let mut line = self.names(&shorten("SOURCE", self.source), &shorten("DESTINATION", self.destination));
        self.shown().for_each(|(_, column, width)| self.append(&mut line, column.title, width));
        line
    }

    fn row(&self, line: &Line, paint: Option<&str>, style: Style) -> String {
        let mut text =
            self.names(&shorten(&line.source, self.source), &shorten(&line.destination, self.destination));
        self.shown()
            .for_each(|(index, _, width)| self.append(&mut text, line.figure(index, self.level), width));
        let text = fit(&text, style);
        paint.map_or_else(|| text.clone(), |paint| emphasise(&text, paint, style.colour))
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

/// Red for a destination that does not work, yellow for one that works partly.
fn paint_of(line: &Line, health: &BTreeMap<&ServiceId, HealthStatus>) -> Option<&'static str> {
    match health.get(&line.connection.edge.destination.id())? {
        HealthStatus::Unhealthy => Some(RED),
        HealthStatus::Degraded => Some(YELLOW),
        HealthStatus::Healthy | HealthStatus::Unknown => None,
    }
}

/// The last resort where even names of no width do not make a line short enough.
fn fit(line: &str, style: Style) -> String {
    style.width.map_or_else(|| line.to_owned(), |width| clip(line, width))
}

fn emphasise(text: &str, paint: &str, colour: bool) -> String {
    if colour { format!("{paint}{text}{PLAIN}") } else { text.to_owned() }
}

fn heading(snapshot: &Snapshot, style: Style) -> Vec<String> {
    let totals = &snapshot.totals;
    let mut parts = vec![
        visible(&snapshot.observer.host),
        counted(totals.services, "service"),
        counted(totals.connections, "connection"),
        format!("{} external", totals.external_services),
    ];
    for status in [HealthStatus::Unhealthy, HealthStatus::Degraded] {
        let count = snapshot.services.iter().filter(|service| service.health.status == status).count();
        if count > 0 {
            parts.push(format!("{count} {}", status.as_str()));
        }
    }
    if snapshot.gaps.is_empty() {
        parts.push("nothing lost".to_owned());
    }
    parts.push(format!("observed for {}", span(snapshot.at.since(snapshot.observer.started_at))));
    let mut lines = vec![fit(&parts.join(" · "), style)];
    if !snapshot.gaps.is_empty() {
        lines.push(emphasise(&fit(&lost(&snapshot.gaps), style), YELLOW, style.colour));
    }
    lines
}

/// What was lost, by reason: `lost: 12 flow_map_full (mended), 3 untracked_socket`.
fn lost(gaps: &[Gap]) -> String {
    let mut by_reason: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for gap in gaps {
        let (count, healed) = by_reason.entry(gap.reason.as_str()).or_insert((0, true));
        *count = count.saturating_add(gap.count);
        *healed &= gap.healed;
    }
    let describe = |(reason, (count, healed)): (&str, (u64, bool))| {
        format!("{count} {reason}{}", if healed { " (mended)" } else { "" })
    };
    format!("lost: {}", by_reason.into_iter().map(describe).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn plain(width: Option<usize>) -> Style {
        Style { width, colour: false }
    }

    #[test]
    fn reads_well_on_200_columns() {
        insta::assert_snapshot!(table(&sample::shop(), plain(Some(200))).to_text());
    }

    #[test]
    fn reads_well_on_80_columns() {
        insta::assert_snapshot!(table(&sample::shop(), plain(Some(80))).to_text());
    }

    #[test]
    fn odd_names_stay_inside_their_cell() {
        insta::assert_snapshot!(table(&sample::odd(), plain(Some(120))).to_text());
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for snapshot in [sample::shop(), sample::odd(), sample::empty()] {
            for width in 1..220 {
                let text = table(&snapshot, plain(Some(width))).to_text();
                for line in text.lines() {
                    assert!(columns(line) <= width, "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn a_pipe_gets_whole_names() {
        let text = table(&sample::shop(), plain(None)).to_text();
        assert!(text.contains("notification-dispatcher-with-a-long-name.service"), "{text}");
    }

    #[test]
    fn colours_tell_what_does_not_work() {
        let table = table(&sample::shop(), Style { width: None, colour: true });
        let red: Vec<_> = table.rows.iter().filter(|row| row.starts_with(RED)).collect();
        assert_eq!(red.len(), 1);
        assert!(red.iter().all(|row| row.contains("cache")), "{red:?}");
    }

    #[test]
    fn losses_are_told_with_what_became_of_them() {
        let text = table(&sample::odd(), plain(None)).to_text();
        assert!(text.contains("lost: 12 flow_map_full, 3 untracked_socket (mended)"), "{text}");
    }

    #[test]
    fn several_reasons_show_the_most_frequent() {
        let failures = Failures { refused: 1, timeout: 4, ..Failures::default() };
        assert_eq!(failed(&failures), "5 timeout+");
        assert_eq!(failed(&Failures::default()), "0");
    }

    #[test]
    fn rows_are_in_the_order_of_their_edges_whatever_the_input() {
        let sorted = table(&sample::shop(), plain(None)).rows;
        let mut shuffled = sample::shop();
        shuffled.connections.reverse();
        assert_eq!(table(&shuffled, plain(None)).rows, sorted);
    }
}
