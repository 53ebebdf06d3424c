//! Events as OTLP log records, and snapshots as a row of them.
//!
//! Every record has an event name and a severity number, no severity text, a body of one line to show, and flat
//! attributes. A service of any kind is named by `servicemap.*` attributes; `k8s.*` ones are added where they are true.

mod attributes;
mod snapshot;

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use servicemap_map::model::{Event, ObserverInfo, Severity, Snapshot, Timestamp};

use super::Encoded;
use super::otlp::{self, SCHEMA_URL};
use crate::settings::LabelFilter;

/// Largest body of one record of a snapshot.
pub const SNAPSHOT_PART_BYTES: usize = 1 << 20;

/// A snapshot (if any) and then events, as one encoded `ExportLogsServiceRequest` with those labels that may leave.
pub fn encode_logs(
    events: &[Arc<Event>],
    snapshot: Option<&Snapshot>,
    observer: &ObserverInfo,
    labels: &LabelFilter,
) -> Encoded {
    let records = records(events, snapshot, labels);
    let items = records.len();
    Encoded { bytes: request(records, observer).encode_to_vec(), items }
}

/// The same in as many requests as it takes for the records of each to be at most `max_bytes` long.
pub fn requests(
    events: &[Arc<Event>],
    snapshot: Option<&Snapshot>,
    observer: &ObserverInfo,
    labels: &LabelFilter,
    max_bytes: usize,
) -> Vec<ExportLogsServiceRequest> {
    let groups = otlp::pack(records(events, snapshot, labels), max_bytes);
    groups.into_iter().map(|records| request(records, observer)).collect()
}

fn records(events: &[Arc<Event>], snapshot: Option<&Snapshot>, labels: &LabelFilter) -> Vec<LogRecord> {
    let mut records =
        snapshot.map(|snapshot| snapshot::records(&labels.snapshot(snapshot))).unwrap_or_default();
    records.extend(events.iter().map(|event| event_record(&labels.event(event))));
    records
}

fn request(records: Vec<LogRecord>, observer: &ObserverInfo) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(otlp::resource(observer)),
            scope_logs: vec![ScopeLogs {
                scope: Some(otlp::scope(observer)),
                log_records: records,
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

fn event_record(event: &Event) -> LogRecord {
    let mut attributes = vec![
        otlp::text("servicemap.event.id", event.id.to_string()),
        otlp::text("servicemap.run.id", event.run_id.to_string()),
        otlp::integer("servicemap.sequence", event.sequence),
    ];
    if event.initial {
        attributes.push(otlp::flag("servicemap.initial", true));
    }
    if event.learning {
        attributes.push(otlp::flag("servicemap.learning", true));
    }
    if let Some(ratio) = event.sampling_ratio {
        attributes.push(otlp::double("servicemap.sampling.ratio", ratio));
    }
    let body = attributes::describe(event, &mut attributes);
    record(
        format!("servicemap.{}", event.event_type),
        event.severity,
        event.at,
        event.observed_at,
        body,
        attributes,
    )
}

fn record(
    event_name: String,
    severity: Severity,
    at: Timestamp,
    observed_at: Timestamp,
    body: String,
    attributes: Vec<KeyValue>,
) -> LogRecord {
    LogRecord {
        event_name,
        time_unix_nano: at.as_nanos(),
        observed_time_unix_nano: observed_at.as_nanos(),
        severity_number: severity as i32,
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes,
        ..LogRecord::default()
    }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
