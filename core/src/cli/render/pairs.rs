//! The pairs behind a connection as a table.

use std::fmt::Write as _;

use servicemap_map::model::{EdgePairs, Pair, PairEnd};

use super::grid::grid;
use super::text::{NOTHING, bytes, counted, round_trip, visible};

const TITLES: [&str; 10] =
    ["SOURCE", "FROM", "DESTINATION", "TO", ">OPENED", ">ACTIVE", ">FAILED", ">SENT", ">RECEIVED", ">RTT"];

/// The pairs as a table, ended by a newline.
pub(crate) fn pairs(found: &EdgePairs) -> String {
    let shown = found.pairs.len() as u64;
    let mut text = format!("{} · {}", visible(&found.edge.key()), counted(shown + found.left_out, "pair"));
    if found.left_out > 0 {
        let _ = write!(text, ", of which these {shown} opened the most");
    }
    text.push('\n');
    text.push_str(&grid(&TITLES, &found.pairs.iter().map(row).collect::<Vec<_>>()));
    text
}

fn row(pair: &Pair) -> Vec<String> {
    let totals = &pair.totals;
    vec![
        who(&pair.source),
        address(&pair.source),
        who(&pair.destination),
        address(&pair.destination),
        totals.opened.to_string(),
        totals.active.to_string(),
        totals.failed.total().to_string(),
        bytes(totals.bytes_sent),
        bytes(totals.bytes_received),
        round_trip(totals.rtt_us),
    ]
}

/// A pod, with its program where that is known; else the program, else the machine.
fn who(end: &PairEnd) -> String {
    match (&end.pod, &end.program, &end.node) {
        (Some(pod), Some(program), _) => format!("{} ({})", visible(pod), visible(program)),
        (Some(name), None, _) | (None, Some(name), _) | (None, None, Some(name)) => visible(name),
        (None, None, None) => NOTHING.to_owned(),
    }
}

fn address(end: &PairEnd) -> String {
    end.address.map_or_else(|| NOTHING.to_owned(), |address| address.to_string())
}

#[cfg(test)]
mod tests {
    use servicemap_map::model::{FlowTotals, Side, Timestamp};

    use super::super::sample;
    use super::*;

    fn end(pod: Option<&str>, program: Option<&str>, address: Option<&str>) -> PairEnd {
        PairEnd {
            pod: pod.map(Into::into),
            program: program.map(Into::into),
            address: address.map(|address| address.parse().unwrap()),
            ..PairEnd::default()
        }
    }

    fn pair(source: PairEnd, destination: PairEnd, opened: u64) -> Pair {
        let totals =
            FlowTotals { opened, active: 1, rtt_us: Some(85), bytes_sent: 2_048, ..FlowTotals::default() };
        let at = Timestamp::ZERO;
        Pair { source, destination, side: Side::Client, totals, first_seen: at, last_seen: at }
    }

    #[test]
    fn each_pair_is_a_line_and_what_is_left_out_is_said() {
        let edge = sample::shop().connections[0].edge.clone();
        let pairs = vec![
            pair(
                end(Some("web-1"), Some("nginx"), Some("10.1.0.1")),
                end(Some("db-1"), None, Some("10.1.0.9")),
                12,
            ),
            pair(end(None, Some("curl\u{1b}"), None), end(None, None, Some("fd00::9")), 3),
        ];
        insta::assert_snapshot!(super::pairs(&EdgePairs { edge, pairs, left_out: 40 }));
    }
}
