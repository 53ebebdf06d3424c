use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::*;
use crate::telemetry::fixtures::{self, HOST, at};

fn decoded() -> BTreeMap<String, Metric> {
    let encoded = encode_metrics(&fixtures::readings(), 10);
    let request = ExportMetricsServiceRequest::decode(&*encoded.bytes).unwrap();
    let metrics = request.resource_metrics[0].scope_metrics[0].metrics.clone();
    metrics.into_iter().map(|metric| (metric.name.clone(), metric)).collect()
}

fn sum(name: &str) -> Sum {
    match decoded()[name].data.clone().unwrap() {
        metric::Data::Sum(sum) => sum,
        other => panic!("unexpected {other:?}"),
    }
}

fn shown(attributes: &[KeyValue]) -> Vec<(&str, String)> {
    let text = |value: &KeyValue| match value.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => format!("int {number}"),
        Value::BoolValue(flag) => format!("bool {flag}"),
        other => panic!("unexpected {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
}

#[test]
fn counter_is_a_monotonic_cumulative_sum_since_the_start_of_the_run() {
    let sum = sum("servicemap.services.discovered");
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, CUMULATIVE);
    for point in &sum.data_points {
        assert_eq!(point.start_time_unix_nano, at(0).as_nanos());
        assert_eq!(point.time_unix_nano, at(60).as_nanos());
    }
}

#[test]
fn gauge_is_a_sum_that_may_go_down() {
    assert!(!sum("servicemap.service.active").is_monotonic);
    assert_eq!(decoded()["servicemap.service.active"].unit, "{service}");
}

#[test]
fn kubernetes_attributes_are_there_only_where_they_are_true() {
    let sum = sum("servicemap.services.discovered");
    let text = str::to_owned;
    assert_eq!(
        shown(&sum.data_points[0].attributes),
        [
            ("servicemap.service.namespace", text("shop")),
            ("k8s.namespace.name", text("shop")),
            ("servicemap.service.type", text("Headless")),
            ("k8s.service.type", text("ClusterIP")),
        ]
    );
    assert_eq!(
        shown(&sum.data_points[1].attributes),
        [("servicemap.service.namespace", text(HOST)), ("servicemap.service.type", text("Process"))]
    );
}

#[test]
fn service_of_a_health_change_is_split_into_namespace_and_name() {
    let sum = sum("servicemap.health.changes");
    let text = str::to_owned;
    assert_eq!(
        shown(&sum.data_points[0].attributes),
        [
            ("servicemap.service.namespace", text("shop")),
            ("k8s.namespace.name", text("shop")),
            ("servicemap.service.name", text("api")),
            ("k8s.service.name", text("api")),
            ("servicemap.health.from", text("healthy")),
            ("servicemap.health.to", text("unhealthy")),
        ]
    );
}

#[test]
fn edge_counts_since_it_was_first_seen() {
    let sum = sum("servicemap.edge.connections.opened");
    let point = &sum.data_points[0];
    assert_eq!(point.value, Some(number_data_point::Value::AsInt(1_000)));
    assert_eq!(point.start_time_unix_nano, at(10).as_nanos());
    let text = str::to_owned;
    assert_eq!(
        shown(&point.attributes),
        [
            ("servicemap.source.namespace", text(HOST)),
            ("servicemap.source.name", text("curl")),
            ("servicemap.source.type", text("Process")),
            ("servicemap.destination.namespace", text("shop")),
            ("servicemap.destination.name", text("api")),
            ("servicemap.destination.type", text("ClusterIP")),
            ("destination.port", text("int 80")),
        ]
    );
}

#[test]
fn failures_of_an_edge_are_by_reason() {
    let sum = sum("servicemap.edge.connections.failed");
    let by_reason: Vec<_> = sum
        .data_points
        .iter()
        .map(|point| (shown(&point.attributes).pop().unwrap(), point.value.unwrap()))
        .collect();
    assert_eq!(
        by_reason,
        [
            (("error.type", "refused".to_owned()), number_data_point::Value::AsInt(3)),
            (("error.type", "reset".to_owned()), number_data_point::Value::AsInt(1)),
        ]
    );
}

#[test]
fn flag_is_a_boolean() {
    let sum = sum("servicemap.dependencies.detected");
    assert_eq!(
        shown(&sum.data_points[1].attributes),
        [("servicemap.dependency.cross_namespace", "bool true".to_owned())]
    );
}

#[test]
fn durations_are_in_seconds() {
    let metric::Data::Histogram(histogram) =
        decoded()["servicemap.processing.duration"].data.clone().unwrap()
    else {
        panic!("no histogram");
    };
    assert_eq!(decoded()["servicemap.processing.duration"].unit, "s");
    let point = &histogram.data_points[0];
    assert_eq!(point.count, 3);
    assert!((point.sum.unwrap() - 1.003_08).abs() < 1e-9);
    assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
    assert!((point.explicit_bounds[1] - 0.000_1).abs() < 1e-12);
    assert_eq!(point.bucket_counts, [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn families_without_points_and_build_info_are_not_sent() {
    let metrics = decoded();
    assert!(!metrics.contains_key("servicemap.k8s.api.calls"));
    assert!(!metrics.contains_key(""));
}

#[test]
fn items_are_the_data_points() {
    let points: usize = decoded()
        .values()
        .map(|metric| match metric.data.as_ref().unwrap() {
            metric::Data::Sum(sum) => sum.data_points.len(),
            metric::Data::Histogram(histogram) => histogram.data_points.len(),
            other => panic!("unexpected {other:?}"),
        })
        .sum();
    assert_eq!(encode_metrics(&fixtures::readings(), 10).items, points);
}

#[test]
fn requests_are_bounded_and_lose_no_point() {
    let mut readings = fixtures::readings();
    let mut snapshot = (*readings.snapshot).clone();
    snapshot.connections = (1..=3_000)
        .map(|port| fixtures::connection(10, port, servicemap_map::model::FlowTotals::default()))
        .collect();
    readings.snapshot = snapshot.into();
    let limit = 1 << 20;
    let requests = requests(&readings, 3_000, limit);
    let metrics: Vec<_> =
        requests.iter().flat_map(|request| &request.resource_metrics[0].scope_metrics[0].metrics).collect();
    let opened: usize = metrics
        .iter()
        .filter(|metric| metric.name == "servicemap.edge.connections.opened")
        .map(|metric| match metric.data.as_ref().unwrap() {
            metric::Data::Sum(sum) => sum.data_points.len(),
            other => panic!("unexpected {other:?}"),
        })
        .sum();
    assert_eq!(opened, 3_000);
    assert!(requests.iter().all(|request| request.encoded_len() <= limit + 1_000));
}
