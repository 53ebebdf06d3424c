//! A snapshot as a row of `servicemap.snapshot` records: the JSON map, cut into parts that any receiver takes. The
//! bodies of one snapshot id, joined in the order of their parts, are the document.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use servicemap_map::model::{EventId, Severity, Snapshot};

use super::SNAPSHOT_PART_BYTES;
use crate::telemetry::otlp;

const EVENT_TYPE: &str = "snapshot";

/// The records of a snapshot, in order.
pub(super) fn records(snapshot: &Snapshot) -> Vec<LogRecord> {
    let json = match serde_json::to_string(snapshot) {
        Ok(json) => json,
        Err(error) => {
            tracing::error!("a snapshot could not be written as JSON and is not sent: {error}");
            return Vec::new();
        }
    };
    let parts = cut(&json, SNAPSHOT_PART_BYTES);
    let run = snapshot.observer.run_id.to_string();
    let cluster = snapshot.observer.cluster_identity();
    let id = EventId::new(cluster, EVENT_TYPE, &run, snapshot.at).to_string();
    let total = parts.len() as u64;
    let record = |(index, part): (u64, &&str)| {
        let part_id = EventId::new(cluster, EVENT_TYPE, &format!("{id}/{index}"), snapshot.at);
        let attributes = vec![
            otlp::text("servicemap.event.id", part_id.to_string()),
            otlp::text("servicemap.run.id", run.as_str()),
            otlp::integer("servicemap.sequence", snapshot.sequence),
            otlp::text("servicemap.snapshot.id", id.as_str()),
            otlp::integer("servicemap.snapshot.part", index),
            otlp::integer("servicemap.snapshot.parts", total),
        ];
        let name = format!("servicemap.{EVENT_TYPE}");
        super::record(name, Severity::Info, snapshot.at, snapshot.at, (*part).to_owned(), attributes)
    };
    (1..).zip(&parts).map(record).collect()
}

/// Cuts text into parts of at most `max` bytes, between characters.
fn cut(mut text: &str, max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > max {
        let (part, rest) = text.split_at(text.floor_char_boundary(max));
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters_and_joins_to_the_same() {
        let text = "ab\u{e4}\u{1f980}cd";
        let parts = cut(text, 4);
        assert_eq!(parts, ["ab\u{e4}", "\u{1f980}", "cd"]);
        assert_eq!(parts.concat(), text);
    }
}
