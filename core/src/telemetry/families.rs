//! Readings as points under the descriptors' labels: what both `/metrics` and OTLP are made of.

use std::borrow::Cow;
use std::collections::BTreeMap;

use servicemap_map::model::{
    Bound, ConnectLatency, Connection, DurationHistogram, HealthStatus, Readings, ServiceKind, ServiceRef,
    ServiceType, Timestamp,
};

use super::descriptors::{self as metric, Descriptor};

/// The value of a label that stands for all beyond the bound.
const OTHER: &str = "~other";

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelValue<'a> {
    /// Its text.
    pub text: Cow<'a, str>,
    /// Whether it names something that Kubernetes knows under this name.
    pub kubernetes: bool,
}

/// The value of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PointValue<'a> {
    /// A count.
    Count(u64),
    /// Durations.
    Durations(Durations<'a>),
}

/// A histogram of durations, in the unit that its metric has on `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Durations<'a> {
    /// Upper bounds; the last count has none.
    pub bounds: &'static [f64],
    /// How many were at most as long as the bound of the same index and longer than the one before.
    pub counts: &'a [u64],
    /// All of them together.
    pub sum: f64,
}

impl Durations<'_> {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl<'a> From<&'a DurationHistogram> for Durations<'a> {
    fn from(histogram: &'a DurationHistogram) -> Self {
        let sum = histogram.sum.as_secs_f64() * 1e3;
        Self { bounds: &DurationHistogram::BOUNDS_MS, counts: &histogram.counts, sum }
    }
}

impl<'a> From<&'a ConnectLatency> for Durations<'a> {
    fn from(latency: &'a ConnectLatency) -> Self {
        let sum = latency.sum_us as f64 / 1e6;
        Self { bounds: &ConnectLatency::BOUNDS_S, counts: &latency.counts, sum }
    }
}

/// One series at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// Values of the descriptor's labels, in its order.
    pub labels: Vec<LabelValue<'a>>,
    /// The value.
    pub value: PointValue<'a>,
    /// Since when it counts.
    pub start: Timestamp,
}

/// A metric with its points.
#[derive(Debug, PartialEq)]
pub struct Family<'a> {
    /// Which metric.
    pub descriptor: &'static Descriptor,
    /// Its series.
    pub points: Vec<Point<'a>>,
}

/// All metrics of these readings, in the order of [`ALL`](super::descriptors::ALL); families without series included.
///
/// At most `max_edge_series` edges have series: those seen first, so that a series stays while its edge does.
pub fn families(readings: &Readings, max_edge_series: usize) -> Vec<Family<'_>> {
    let builder = Builder { readings, start: readings.snapshot.observer.started_at };
    let mut families = builder.totals();
    families.extend(builder.edges(max_edge_series));
    families.extend(builder.own_health());
    families
}

struct Builder<'a> {
    readings: &'a Readings,
    start: Timestamp,
}

impl<'a> Builder<'a> {
    fn totals(&self) -> Vec<Family<'a>> {
        let statistics = &self.readings.statistics;
        let discovered = statistics.services_discovered.iter().map(|((namespace, service_type), n)| {
            self.point([typed_namespace(namespace, *service_type), of_type(*service_type)], *n)
        });
        let removed = statistics
            .services_removed
            .iter()
            .map(|(namespace, n)| self.point([self.namespace(namespace)], *n));
        let tracked = statistics.connections_tracked.iter().map(|((source, destination), n)| {
            self.point([self.namespace(source), self.namespace(destination)], *n)
        });
        let dependencies = statistics
            .dependencies_detected
            .iter()
            .map(|(cross, n)| self.point([text(if *cross { "true" } else { "false" })], *n));
        let changes = statistics.health_changes.iter().map(|((service, from, to), n)| {
            let namespace = service.split_once('/').map_or("", |(namespace, _)| namespace);
            let service = LabelValue { text: service.as_str().into(), ..self.namespace(namespace) };
            self.point([service, text(from.as_str()), text(to.as_str())], *n)
        });
        let kernel = self.readings.kernel.by_type().map(|(event_type, n)| self.point([text(event_type)], n));
        let api_calls = self.readings.k8s_api_calls.iter();
        let api_calls =
            api_calls.map(|((resource, operation), n)| self.point([text(resource), text(operation)], *n));
        let processing = self.readings.processing.iter().map(|(operation, durations)| Point {
            labels: vec![text(operation)],
            value: PointValue::Durations(durations.into()),
            start: self.start,
        });
        let (active, unhealthy) = self.services_by_namespace();
        vec![
            family(&metric::SERVICES_DISCOVERED, discovered),
            family(&metric::SERVICES_REMOVED, removed),
            family(&metric::SERVICES_ACTIVE, active),
            family(&metric::CONNECTIONS_TRACKED, tracked),
            family(&metric::DEPENDENCIES_DETECTED, dependencies),
            family(&metric::CONNECTIONS_ACTIVE, self.active_by_protocol()),
            family(&metric::HEALTH_CHANGES, changes),
            family(&metric::UNHEALTHY_SERVICES, unhealthy),
            family(&metric::K8S_API_CALLS, api_calls),
            family(&metric::EBPF_EVENTS, kernel),
            family(&metric::PROCESSING_DURATION, processing),
        ]
    }

    /// Services in the map and those of them that are unhealthy, the same namespaces in both. Beyond the bound those that
    /// come last in the alphabet are together.
    fn services_by_namespace(&self) -> (Vec<Point<'a>>, Vec<Point<'a>>) {
        let mut counts: BTreeMap<(&str, bool), (u64, u64)> = BTreeMap::new();
        for service in &self.readings.snapshot.services {
            let (active, unhealthy) = counts
                .entry((&service.namespace, has_kubernetes_namespace(service.service_type)))
                .or_default();
            *active += 1;
            *unhealthy += u64::from(service.health.status == HealthStatus::Unhealthy);
        }
        let mut rest = (0, 0);
        while counts.len() > self.readings.max_label_values
            && let Some((_, (active, unhealthy))) = counts.pop_last()
        {
            rest = (rest.0 + active, rest.1 + unhealthy);
        }
        if rest.0 > 0 {
            counts.insert((OTHER, false), rest);
        }
        counts
            .into_iter()
            .map(|((namespace, kubernetes), (active, unhealthy))| {
                let label = LabelValue { text: namespace.into(), kubernetes };
                (self.point([label.clone()], active), self.point([label], unhealthy))
            })
            .unzip()
    }

    fn active_by_protocol(&self) -> Vec<Point<'a>> {
        let mut counts = BTreeMap::from([("tcp", 0)]);
        for connection in &self.readings.snapshot.connections {
            *counts.entry(connection.edge.protocol).or_default() += u64::from(connection.totals.active > 0);
        }
        counts.into_iter().map(|(protocol, n)| self.point([text(protocol)], n)).collect()
    }

    fn edges(&self, max_edge_series: usize) -> Vec<Family<'a>> {
        let connections = &self.readings.snapshot.connections;
        let mut shown: Vec<&Connection> = connections.iter().map(AsRef::as_ref).collect();
        shown.sort_by_key(|connection| connection.first_seen);
        shown.truncate(max_edge_series);
        let left_out = connections.len() - shown.len();

        let one = |value: fn(&Connection) -> u64| {
            shown
                .iter()
                .map(move |connection| edge_point(connection, None, value(connection)))
                .collect::<Vec<_>>()
        };
        let failed = shown.iter().flat_map(|connection| {
            let reasons = connection.totals.failed.by_reason().into_iter().filter(|(_, n)| *n > 0);
            reasons.map(|(reason, n)| edge_point(connection, Some(reason), n))
        });
        let bytes = shown.iter().flat_map(|connection| {
            let directions =
                [("sent", connection.totals.bytes_sent), ("received", connection.totals.bytes_received)];
            directions.map(|(direction, n)| edge_point(connection, Some(direction), n))
        });
        let connect = shown.iter().filter_map(|connection| {
            let latency = connection.connect_latency.as_deref()?;
            let value = PointValue::Durations(latency.into());
            Some(Point { value, ..edge_point(connection, None, 0) })
        });
        vec![
            family(&metric::EDGE_OPENED, one(|connection| connection.totals.opened)),
            family(&metric::EDGE_FAILED, failed),
            family(&metric::EDGE_ACTIVE, one(|connection| connection.totals.active)),
            family(&metric::EDGE_BYTES, bytes),
            family(&metric::EDGE_RETRANSMITS, one(|connection| connection.totals.retransmits)),
            family(&metric::EDGE_CONNECT, connect),
            family(&metric::EDGES_LEFT_OUT, [self.point([], left_out as u64)]),
        ]
    }

    fn own_health(&self) -> Vec<Family<'a>> {
        let statistics = &self.readings.statistics;
        let gaps = statistics.gaps.iter().map(|(reason, n)| self.point([text(reason.as_str())], *n));
        let bounded = Bound::ALL.map(|bound| {
            let count = statistics.bounded.get(&bound).copied().unwrap_or_default();
            self.point([text(bound.as_str())], count)
        });
        let capture = &self.readings.capture;
        let degraded = capture.by_reason().map(|(reason, n)| self.point([text(reason)], n));
        let agents = self.readings.agents.as_ref();
        let heard = agents.map(|agents| [("observed", agents.observed), ("lost", agents.lost)]);
        let records = agents.map(|agents| {
            [
                ("taken", agents.taken),
                ("repeated", agents.repeated),
                ("stale", agents.stale),
                ("turned_away", agents.turned_away),
            ]
        });
        let labelled = |(label, n)| self.point([text(label)], n);
        vec![
            family(&metric::BUILD_INFO, [self.point([text(&self.readings.snapshot.observer.version)], 1)]),
            family(&metric::GAPS, gaps),
            family(&metric::FACTS, [self.point([], statistics.facts)]),
            family(&metric::FACTS_REPEATED, [self.point([], statistics.facts_repeated)]),
            family(&metric::EVENTS, [self.point([], statistics.events)]),
            family(&metric::EVENTS_SAMPLED_OUT, [self.point([], statistics.events_sampled_out)]),
            family(&metric::BOUNDED, bounded),
            family(&metric::CAPTURE_DEGRADED, degraded),
            family(&metric::CAPTURE_MENDED, [self.point([], capture.mended)]),
            family(&metric::CAPTURE_RESIDUAL, [self.point([], capture.residual)]),
            family(&metric::AGENTS, heard.into_iter().flatten().map(labelled)),
            family(&metric::AGENT_RECORDS, records.into_iter().flatten().map(labelled)),
            family(&metric::AGENT_RECORDS_MISSING, agents.map(|agents| self.point([], agents.missing))),
        ]
    }

    fn point<const N: usize>(&self, labels: [LabelValue<'a>; N], count: u64) -> Point<'a> {
        Point { labels: labels.into(), value: PointValue::Count(count), start: self.start }
    }

    /// A namespace of which only the name is known: this machine's name is the namespace of its Processes, Nodes and
    /// Externals have an empty one, every other one is Kubernetes'.
    fn namespace(&self, namespace: &'a str) -> LabelValue<'a> {
        let kubernetes = !namespace.is_empty() && namespace != &*self.readings.snapshot.observer.host;
        LabelValue { text: namespace.into(), kubernetes }
    }
}

fn family<'a>(descriptor: &'static Descriptor, points: impl IntoIterator<Item = Point<'a>>) -> Family<'a> {
    Family { descriptor, points: points.into_iter().collect() }
}

fn text(text: &str) -> LabelValue<'_> {
    LabelValue { text: text.into(), kubernetes: false }
}

fn typed_namespace(namespace: &str, service_type: ServiceType) -> LabelValue<'_> {
    LabelValue { text: namespace.into(), kubernetes: has_kubernetes_namespace(service_type) }
}

fn of_type<'a>(service_type: ServiceType) -> LabelValue<'a> {
    LabelValue { text: service_type.as_str().into(), kubernetes: service_type.kind() == ServiceKind::Service }
}

const fn has_kubernetes_namespace(service_type: ServiceType) -> bool {
    matches!(service_type.kind(), ServiceKind::Service | ServiceKind::Workload)
}

/// A point of an edge: it counts since the edge was first seen.
fn edge_point<'a>(connection: &'a Connection, more: Option<&'a str>, count: u64) -> Point<'a> {
    let edge = &connection.edge;
    let mut labels = Vec::with_capacity(8);
    for ServiceRef { namespace, name, service_type } in [&edge.source, &edge.destination] {
        labels.extend([text(namespace), text(name), text(service_type.as_str())]);
    }
    labels.push(LabelValue { text: edge.port.to_string().into(), kubernetes: false });
    labels.extend(more.map(text));
    Point { labels, value: PointValue::Count(count), start: connection.first_seen }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use servicemap_map::model::Service;

    use super::super::descriptors::ALL;
    use super::super::fixtures;
    use super::*;

    #[test]
    fn families_are_all_of_the_table_in_its_order() {
        let readings = fixtures::readings();
        let shown: Vec<_> =
            families(&readings, 10).into_iter().map(|family| family.descriptor.prometheus).collect();
        assert_eq!(shown, ALL.map(|descriptor| descriptor.prometheus));
    }

    #[test]
    fn each_point_has_a_value_for_each_label() {
        let readings = fixtures::readings();
        for family in families(&readings, 10) {
            for point in &family.points {
                assert_eq!(
                    point.labels.len(),
                    family.descriptor.labels.len(),
                    "{}",
                    family.descriptor.prometheus
                );
            }
        }
    }

    #[test]
    fn namespaces_over_the_bound_are_counted_together() {
        let mut readings = fixtures::readings();
        let one = readings.snapshot.services[0].clone();
        let mut snapshot = fixtures::snapshot();
        snapshot.services = (0..1_000)
            .map(|n| Arc::new(Service { namespace: format!("ns-{n:03}").into(), ..Service::clone(&one) }))
            .collect();
        readings.snapshot = Arc::new(snapshot);
        let families = families(&readings, 1);
        let active = families.iter().find(|family| family.descriptor == &metric::SERVICES_ACTIVE).unwrap();
        let value = |name: &str| {
            let found = active.points.iter().find(|point| point.labels[0].text == name);
            found.map(|point| point.value)
        };
        assert_eq!(active.points.len(), readings.max_label_values + 1);
        assert_eq!(value("ns-099"), Some(PointValue::Count(1)));
        assert_eq!((value("ns-100"), value(OTHER)), (None, Some(PointValue::Count(900))));
    }

    #[test]
    fn edges_over_the_bound_are_left_out_newest_first_and_counted() {
        let readings = fixtures::readings();
        assert_eq!(readings.snapshot.connections.len(), 2);
        let families = families(&readings, 1);
        let of = |descriptor: &Descriptor| {
            families.iter().find(|family| family.descriptor == descriptor).unwrap().points.clone()
        };
        let opened = of(&metric::EDGE_OPENED);
        assert_eq!(opened.len(), 1);
        assert_eq!(opened[0].start, fixtures::at(10));
        assert_eq!(of(&metric::EDGES_LEFT_OUT)[0].value, PointValue::Count(1));
    }
}
