//! The `debug` exporter: shows on a stream what other exporters would send.

use std::fmt::Write as _;
use std::io::{self, Write};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use servicemap_map::model::{EventTypes, Timestamp};

use super::metrics::data_points;
use crate::settings::event_types;
use crate::settings::reader::Section;

/// Bytes of a body that are shown, unless everything is: a snapshot's may have a million.
const MAX_BODY: usize = 200;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// How many there are, one line a request.
    #[default]
    Basic,
    /// One line a record or point.
    Normal,
    /// Everything.
    Detailed,
}

/// Settings of the exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How much is shown.
    pub verbosity: Verbosity,
    /// Types of events that it gets; `None` for those of the receiver.
    pub events: Option<EventTypes>,
}

impl Settings {
    /// Reads the exporter's section.
    pub fn read(section: &mut Section<'_, '_>) -> Self {
        let choices =
            [("basic", Verbosity::Basic), ("normal", Verbosity::Normal), ("detailed", Verbosity::Detailed)];
        let verbosity = section.choice("verbosity", &choices).unwrap_or_default();
        Self { verbosity, events: event_types(section) }
    }
}

/// Shows log records.
pub fn show_logs(
    out: &mut impl Write,
    id: &str,
    request: &ExportLogsServiceRequest,
    verbosity: Verbosity,
) -> io::Result<()> {
    for logs in &request.resource_logs {
        let records = || logs.scope_logs.iter().flat_map(|scope| &scope.log_records);
        writeln!(out, "{id}: {} log records", records().count())?;
        if verbosity == Verbosity::Detailed {
            let resource = logs.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            writeln!(out, "  resource {}", attributes(resource))?;
        }
        if verbosity != Verbosity::Basic {
            for record in records() {
                show_record(out, record, verbosity)?;
            }
        }
    }
    out.flush()
}

fn show_record(out: &mut impl Write, record: &LogRecord, verbosity: Verbosity) -> io::Result<()> {
    let at = Timestamp::from_nanos(record.time_unix_nano);
    let mut body = record.body.as_ref().map(text).unwrap_or_default();
    if verbosity != Verbosity::Detailed && body.len() > MAX_BODY {
        body.truncate(body.floor_char_boundary(MAX_BODY));
        body.push('…');
    }
    writeln!(out, "  {at} severity={} {}: {body}", record.severity_number, record.event_name)?;
    if verbosity == Verbosity::Detailed {
        writeln!(out, "    {}", attributes(&record.attributes))?;
    }
    Ok(())
}

/// Shows metrics.
pub fn show_metrics(
    out: &mut impl Write,
    id: &str,
    request: &ExportMetricsServiceRequest,
    verbosity: Verbosity,
) -> io::Result<()> {
    for metrics in &request.resource_metrics {
        let all = || metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics);
        writeln!(out, "{id}: {} metrics with {} data points", all().count(), data_points(request))?;
        if verbosity == Verbosity::Detailed {
            let resource = metrics.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            writeln!(out, "  resource {}", attributes(resource))?;
        }
        if verbosity != Verbosity::Basic {
            for metric in all() {
                show_metric(out, metric, verbosity)?;
            }
        }
    }
    out.flush()
}

fn show_metric(out: &mut impl Write, metric: &Metric, verbosity: Verbosity) -> io::Result<()> {
    if verbosity == Verbosity::Detailed {
        writeln!(out, "  {} ({}): {}", metric.name, metric.unit, metric.description)?;
    }
    match &metric.data {
        Some(metric::Data::Sum(sum)) => {
            for point in &sum.data_points {
                let value = match point.value {
                    Some(number_data_point::Value::AsInt(value)) => value.to_string(),
                    Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
                    None => String::new(),
                };
                writeln!(out, "  {}{{{}}} {value}", metric.name, attributes(&point.attributes))?;
            }
        }
        Some(metric::Data::Histogram(histogram)) => {
            for point in &histogram.data_points {
                let (labels, sum) = (attributes(&point.attributes), point.sum.unwrap_or_default());
                writeln!(out, "  {}{{{labels}}} count={} sum={sum}", metric.name, point.count)?;
                if verbosity == Verbosity::Detailed {
                    writeln!(out, "    buckets {:?} up to {:?}", point.bucket_counts, point.explicit_bounds)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn attributes(attributes: &[KeyValue]) -> String {
    let mut shown = String::new();
    for attribute in attributes {
        let value = attribute.value.as_ref().map(text).unwrap_or_default();
        let separator = if shown.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(shown, "{separator}{}={value:?}", attribute.key);
    }
    shown
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use servicemap_map::model::{EventData, EventType, HealthStatus, ServiceType, Severity};

    use super::*;
    use crate::settings::LabelFilter;
    use crate::telemetry::{fixtures, logs, metrics};

    fn logs_shown(verbosity: Verbosity) -> String {
        let service =
            fixtures::service(fixtures::HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
        let event =
            fixtures::event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
        let requests =
            logs::requests(&[event], None, &fixtures::observer(), &LabelFilter::default(), usize::MAX);
        let mut out = Vec::new();
        show_logs(&mut out, "debug", &requests[0], verbosity).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn basic_counts() {
        assert_eq!(logs_shown(Verbosity::Basic), "debug: 1 log records\n");
    }

    #[test]
    fn normal_shows_a_line_for_each_record() {
        assert_eq!(
            logs_shown(Verbosity::Normal),
            "debug: 1 log records\n  2026-09-21T14:13:50.000000000Z severity=9 servicemap.service.discovered: \
             web-1/nginx.service was discovered\n"
        );
    }

    #[test]
    fn long_bodies_are_cut_unless_everything_is_shown() {
        let snapshot = fixtures::snapshot();
        let requests =
            logs::requests(&[], Some(&snapshot), &fixtures::observer(), &LabelFilter::default(), usize::MAX);
        let shown = |verbosity| {
            let mut out = Vec::new();
            show_logs(&mut out, "debug", &requests[0], verbosity).unwrap();
            String::from_utf8(out).unwrap()
        };
        let json = serde_json::to_string(&snapshot).unwrap();
        assert!(shown(Verbosity::Normal).ends_with(&format!("{}…\n", &json[..MAX_BODY])));
        assert!(shown(Verbosity::Detailed).contains(&json));
    }

    #[test]
    fn detailed_shows_attributes_and_the_resource() {
        let shown = logs_shown(Verbosity::Detailed);
        assert!(shown.contains("\n  resource service.name=\"servicemap\" "), "{shown}");
        assert!(shown.contains(" servicemap.service.type=\"Process\""), "{shown}");
    }

    #[test]
    fn metrics_are_shown_with_their_points() {
        let requests = metrics::requests(&fixtures::readings(), 10, usize::MAX);
        let mut out = Vec::new();
        show_metrics(&mut out, "debug/m", &requests[0], Verbosity::Normal).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.starts_with("debug/m: 26 metrics with "), "{shown}");
        assert!(shown.contains("  servicemap.facts{} 12\n"), "{shown}");
        assert!(
            shown.contains("  servicemap.ebpf.events{servicemap.ebpf.event_type=\"connect\"} 21\n"),
            "{shown}"
        );
    }
}
