//! OTLP JSON lines as a Collector's file exporter writes them: one export request a line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::edge::Edge;

/// Attributes by key; values as text.
pub type Attributes = BTreeMap<String, String>;

/// One log record.
#[derive(Clone, Debug)]
pub struct Record {
    /// `event_name`.
    pub event_name: String,
    /// Its body, as text.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its resource's attributes.
    pub resource: Attributes,
}

/// One point of a metric.
#[derive(Clone, Debug)]
pub struct Point {
    /// Name of the metric.
    pub metric: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// The value of a sum or gauge.
    pub value: f64,
}

/// The log records in a file; none while it does not exist yet.
pub fn records(file: &Path) -> Vec<Record> {
    let mut found = Vec::new();
    for resource_logs in lines(file).iter().flat_map(|line| list(line, "resourceLogs")) {
        let resource = attributes(&resource_logs["resource"]);
        for record in list(resource_logs, "scopeLogs").iter().flat_map(|scope| list(scope, "logRecords")) {
            found.push(Record {
                event_name: record["eventName"].as_str().unwrap_or_default().to_owned(),
                body: any_value(&record["body"]),
                attributes: attributes(record),
                resource: resource.clone(),
            });
        }
    }
    found
}

/// The points of sums and gauges in a file, oldest first.
pub fn points(file: &Path) -> Vec<Point> {
    let mut found = Vec::new();
    for resource_metrics in lines(file).iter().flat_map(|line| list(line, "resourceMetrics")) {
        for metric in list(resource_metrics, "scopeMetrics").iter().flat_map(|scope| list(scope, "metrics")) {
            let points = ["sum", "gauge"].iter().flat_map(|kind| list(&metric[*kind], "dataPoints"));
            found.extend(points.map(|point| Point {
                metric: metric["name"].as_str().unwrap_or_default().to_owned(),
                attributes: attributes(point),
                value: number(point),
            }));
        }
    }
    found
}

/// The edges in a file of metrics, each as its newest point shows it.
pub fn edges(file: &Path) -> Vec<Edge> {
    let mut newest = BTreeMap::new();
    for point in points(file).into_iter().filter(|point| point.metric == "servicemap.edge.connections.opened")
    {
        let end = |end: &str| {
            let part =
                |part: &str| point.attributes.get(&format!("servicemap.{end}.{part}")).map(String::as_str);
            Some(format!("{}/{}", part("namespace").unwrap_or_default(), part("name")?))
        };
        let port = point.attributes.get("destination.port").and_then(|port| port.parse().ok());
        if let (Some(source), Some(destination), Some(port)) = (end("source"), end("destination"), port) {
            newest.insert((source, destination, port), point.value);
        }
    }
    newest
        .into_iter()
        .map(|((source, destination, port), value)| edge(source, destination, port, value))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of connections in a test"
)]
fn edge(source: String, destination: String, port: u16, value: f64) -> Edge {
    Edge { source, destination, port, opened: value as u64 }
}

/// Complete lines only: the Collector may be in the middle of one.
fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", file.display()))
        })
        .collect()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn attributes(value: &Value) -> Attributes {
    list(value, "attributes")
        .iter()
        .filter_map(|pair| Some((pair["key"].as_str()?.to_owned(), any_value(&pair["value"]))))
        .collect()
}

/// OTLP/JSON has 64-bit integers as strings.
fn any_value(value: &Value) -> String {
    let inner = value.as_object().and_then(|object| object.values().next());
    match inner {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn number(point: &Value) -> f64 {
    let integer = point["asInt"].as_str().and_then(|text| text.parse().ok());
    integer.or_else(|| point["asDouble"].as_f64()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_with(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn log_records_are_read_with_name_and_attributes() {
        let file = file_with(concat!(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"h"}}]},"#,
            r#""scopeLogs":[{"logRecords":[{"eventName":"servicemap.connection.established","attributes":["#,
            r#"{"key":"destination.port","value":{"intValue":"80"}}]}]}]}]}"#,
            "\n"
        ));
        let found = records(file.path());
        assert_eq!(found[0].event_name, "servicemap.connection.established");
        assert_eq!(found[0].attributes["destination.port"], "80");
        assert_eq!(found[0].resource["host.name"], "h");
    }

    #[test]
    fn the_newest_point_of_an_edge_counts() {
        let line = |count: u32| {
            format!(
                concat!(
                    r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"servicemap.edge.connections.opened","#,
                    r#""sum":{{"dataPoints":[{{"asInt":"{}","attributes":["#,
                    r#"{{"key":"servicemap.source.namespace","value":{{"stringValue":"h"}}}},"#,
                    r#"{{"key":"servicemap.source.name","value":{{"stringValue":"a"}}}},"#,
                    r#"{{"key":"servicemap.destination.name","value":{{"stringValue":"192.0.2.1"}}}},"#,
                    r#"{{"key":"destination.port","value":{{"intValue":"80"}}}}]}}]}}}}]}}]}}]}}"#,
                    "\n"
                ),
                count
            )
        };
        let file = file_with(&(line(1) + &line(3)));
        let expected = Edge { source: "h/a".into(), destination: "/192.0.2.1".into(), port: 80, opened: 3 };
        assert_eq!(edges(file.path()), [expected]);
    }

    #[test]
    fn half_a_line_is_left_for_later() {
        let file = file_with(r#"{"resourceLogs":["#);
        assert!(records(file.path()).is_empty());
    }
}
