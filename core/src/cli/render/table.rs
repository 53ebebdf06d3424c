//! The map as a table of connections for people.

use std::collections::BTreeMap;

use servicemap_map::model::{Gap, HealthStatus, ServiceId, Snapshot};

use super::layout::{Layout, Line};
use super::text::{clip, counted, span, visible};

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
    let rows = lines.iter().map(|line| row(&layout.row(line), paint_of(line, &health), style));
    Table {
        heading: heading(snapshot, style),
        titles: emphasise(&fit(&layout.titles(), style), BOLD, style.colour),
        rows: rows.collect(),
    }
}

fn row(text: &str, paint: Option<&str>, style: Style) -> String {
    let text = fit(text, style);
    paint.map_or_else(|| text.clone(), |paint| emphasise(&text, paint, style.colour))
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
pub(super) fn lost(gaps: &[Gap]) -> String {
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
    use super::super::text::columns;
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
    fn rows_are_in_the_order_of_their_edges_whatever_the_input() {
        let sorted = table(&sample::shop(), plain(None)).rows;
        let mut shuffled = sample::shop();
        shuffled.connections.reverse();
        assert_eq!(table(&shuffled, plain(None)).rows, sorted);
    }
}
