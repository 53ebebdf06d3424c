//! Readings as OTLP metrics: cumulative, counted since the run or, for an edge, since it was first seen.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use prost::Message as _;
use servicemap_map::model::{ObserverInfo, Readings, Timestamp};

use super::Encoded;
use super::descriptors::{Attribute, Descriptor, Kind, Label};
use super::families::{Family, LabelValue, Point, PointValue, families};
use super::otlp::{self, SCHEMA_URL};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Points of one metric in one message, where requests are bounded: 1,000 points of an edge are about 400 KB.
const MAX_POINTS: usize = 1_000;

/// Readings as an encoded `ExportMetricsServiceRequest`; at most `max_edge_series` edges have points of their own.
pub fn encode_metrics(readings: &Readings, max_edge_series: usize) -> Encoded {
    let (mut metrics, mut items) = (Vec::new(), 0);
    for family in sent_families(readings, max_edge_series) {
        items += family.points.len();
        metrics.push(metric(family.descriptor, &family.points, readings.at));
    }
    Encoded { bytes: request(metrics, &readings.snapshot.observer).encode_to_vec(), items }
}

/// The same in as many requests as it takes for the metrics of each to be at most `max_bytes` long.
pub fn requests(
    readings: &Readings,
    max_edge_series: usize,
    max_bytes: usize,
) -> Vec<ExportMetricsServiceRequest> {
    let mut metrics = Vec::new();
    for family in sent_families(readings, max_edge_series) {
        metrics.extend(
            family.points.chunks(MAX_POINTS).map(|points| metric(family.descriptor, points, readings.at)),
        );
    }
    let groups = otlp::pack(metrics, max_bytes);
    groups.into_iter().map(|metrics| request(metrics, &readings.snapshot.observer)).collect()
}

/// Data points in a request.
pub fn data_points(request: &ExportMetricsServiceRequest) -> usize {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(data_points_of).sum()
}

fn data_points_of(metric: &Metric) -> usize {
    match &metric.data {
        Some(metric::Data::Sum(sum)) => sum.data_points.len(),
        Some(metric::Data::Histogram(histogram)) => histogram.data_points.len(),
        // No other kind is made here.
        _ => 0,
    }
}

fn sent_families(readings: &Readings, max_edge_series: usize) -> impl Iterator<Item = Family<'_>> {
    families(readings, max_edge_series)
        .into_iter()
        .filter(|family| !family.points.is_empty() && !family.descriptor.otlp.is_empty())
}

fn request(metrics: Vec<Metric>, observer: &ObserverInfo) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(otlp::resource(observer)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(otlp::scope(observer)),
                metrics,
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

fn metric(descriptor: &Descriptor, points: &[Point<'_>], at: Timestamp) -> Metric {
    let data = if descriptor.kind == Kind::Histogram {
        let points = points.iter().filter_map(|point| durations(descriptor, point, at));
        metric::Data::Histogram(Histogram {
            data_points: points.collect(),
            aggregation_temporality: CUMULATIVE,
        })
    } else {
        let points = points.iter().filter_map(|point| number(descriptor.labels, point, at));
        metric::Data::Sum(Sum {
            data_points: points.collect(),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: descriptor.kind == Kind::Counter,
        })
    };
    Metric {
        name: descriptor.otlp.to_owned(),
        description: descriptor.help.to_owned(),
        unit: descriptor.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(labels: &[Label], point: &Point<'_>, at: Timestamp) -> Option<NumberDataPoint> {
    let PointValue::Count(count) = point.value else { return None };
    Some(NumberDataPoint {
        attributes: attributes(labels, &point.labels),
        start_time_unix_nano: point.start.as_nanos(),
        time_unix_nano: at.as_nanos(),
        value: Some(number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
        ..NumberDataPoint::default()
    })
}

fn durations(descriptor: &Descriptor, point: &Point<'_>, at: Timestamp) -> Option<HistogramDataPoint> {
    let PointValue::Durations(durations) = point.value else { return None };
    let in_seconds = |duration: f64| duration / descriptor.units_per_second();
    Some(HistogramDataPoint {
        attributes: attributes(descriptor.labels, &point.labels),
        start_time_unix_nano: point.start.as_nanos(),
        time_unix_nano: at.as_nanos(),
        count: durations.count(),
        sum: Some(in_seconds(durations.sum)),
        bucket_counts: durations.counts.to_vec(),
        explicit_bounds: durations.bounds.iter().copied().map(in_seconds).collect(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(labels: &[Label], values: &[LabelValue<'_>]) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(labels.len() + 2);
    for (label, value) in labels.iter().zip(values) {
        let text = &*value.text;
        match label.otlp {
            Attribute::Text(key) => attributes.push(otlp::text(key, text)),
            Attribute::Flag(key) => attributes.push(otlp::flag(key, text == "true")),
            Attribute::Integer(key) => attributes.push(otlp::integer(key, text.parse().unwrap_or_default())),
            Attribute::Namespace(key, kubernetes) => {
                both(&mut attributes, key, kubernetes, text, value.kubernetes);
            }
            Attribute::ServiceType(key, kubernetes) => {
                attributes.push(otlp::text(key, text));
                if value.kubernetes {
                    attributes.push(otlp::text(kubernetes, otlp::kubernetes_type(text)));
                }
            }
            Attribute::Service => {
                let (namespace, name) = text.split_once('/').unwrap_or(("", text));
                both(
                    &mut attributes,
                    "servicemap.service.namespace",
                    "k8s.namespace.name",
                    namespace,
                    value.kubernetes,
                );
                both(&mut attributes, "servicemap.service.name", "k8s.service.name", name, value.kubernetes);
            }
            Attribute::None => {}
        }
    }
    attributes
}

fn both(attributes: &mut Vec<KeyValue>, key: &str, kubernetes_key: &str, value: &str, kubernetes: bool) {
    attributes.push(otlp::text(key, value));
    if kubernetes {
        attributes.push(otlp::text(kubernetes_key, value));
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
