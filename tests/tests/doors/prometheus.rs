//! `/metrics`, read by a real Prometheus.

use std::net::SocketAddr;

use servicemap_tests::agent::{Agent, free_address, pipeline};
use servicemap_tests::edge::Edge;
use servicemap_tests::http;
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::prometheus::{Prometheus, Series, promtool_findings};
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::cases::{Case, Door, put_through};

struct Scraped {
    agent: Agent,
    metrics: SocketAddr,
    prometheus: Prometheus,
}

impl Scraped {
    fn start() -> Self {
        let metrics = free_address();
        let agent =
            Agent::start(&pipeline("prometheus", &format!("{{endpoint: '{metrics}'}}"), &["metrics"]));
        Self { agent, metrics, prometheus: Prometheus::start(metrics) }
    }
}

impl Door for Scraped {
    fn process(&mut self) -> &mut Process {
        &mut self.agent.process
    }

    fn edges(&mut self) -> Vec<Edge> {
        self.prometheus.query("servicemap_edge_connections_opened_total").iter().map(edge).collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of connections in a test"
)]
fn edge(series: &Series) -> Edge {
    let label = |label: &str| series.labels.get(label).map(String::as_str).unwrap_or_default();
    let end = |end: &str| format!("{}/{}", label(&format!("{end}_namespace")), label(&format!("{end}_name")));
    Edge {
        source: end("source"),
        destination: end("destination"),
        port: label("port").parse().expect("a port"),
        opened: series.value as u64,
    }
}

crate::cases!(Scraped::start);

#[test]
fn promtool_finds_nothing_but_the_documented_name_in_milliseconds() {
    require!(Need::Root, Need::Btf, Need::Program("promtool"));
    let seen = put_through(Case { family: Family::V4, before_the_start: false }, Scraped::start);
    let (status, metrics) = http::get(seen.door.metrics, "/metrics").expect("the metrics");
    assert_eq!(status, 200);
    let findings = promtool_findings(&metrics);
    assert_eq!(findings, ["processing_duration_ms metric names should not contain abbreviated units"]);
}

#[test]
fn the_documented_metrics_are_there() {
    require!(Need::Root, Need::Btf);
    let seen = put_through(Case { family: Family::V4, before_the_start: false }, Scraped::start);
    let (_, metrics) = http::get(seen.door.metrics, "/metrics").expect("the metrics");
    let names = [
        "services_discovered_total",
        "services_removed_total",
        "services_active",
        "connections_tracked_total",
        "dependencies_detected_total",
        "connections_active",
        "health_changes_total",
        "unhealthy_services",
        "ebpf_events_total",
        "processing_duration_ms",
    ];
    let described = |name: &&str| metrics.lines().any(|line| line.starts_with(&format!("# TYPE {name} ")));
    let missing: Vec<&str> = names.into_iter().filter(|name| !described(name)).collect();
    assert!(missing.is_empty(), "{missing:?} not in\n{metrics}");
}
