//! The `otlp_grpc` exporter: what a real Collector receives and writes into its files.

use serde_json::Value;
use servicemap_tests::agent::{Agent, TOLD, pipeline};
use servicemap_tests::collector::Collector;
use servicemap_tests::edge::Edge;
use servicemap_tests::netns::Family;
use servicemap_tests::otlp::Record;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;

use crate::cases::{Case, Door, Seen, put_through};

struct Exported {
    agent: Agent,
    collector: Collector,
}

impl Exported {
    fn start() -> Self {
        let (collector, address) = Collector::receiving();
        let settings = format!("{{endpoint: '{address}', tls: {{insecure: true}}}}");
        let agent = Agent::start(&pipeline("otlp_grpc", &settings, &["logs", "metrics"]));
        Self { agent, collector }
    }
}

impl Door for Exported {
    fn process(&mut self) -> &mut Process {
        &mut self.agent.process
    }

    /// Logs begin with a snapshot; what it holds is not told again.
    fn wait_until_observing(&mut self) {
        let snapshot = until(TOLD, || self.collector.records().into_iter().find(is_snapshot));
        assert!(snapshot.is_some(), "no snapshot came\n{:?}\n{:?}", self.agent, self.collector);
    }

    fn edges(&mut self) -> Vec<Edge> {
        self.collector.edges()
    }
}

crate::cases!(Exported::start);

fn is_snapshot(record: &Record) -> bool {
    record.event_name == "servicemap.snapshot"
}

/// The log record of this name about the edge that was seen.
fn record(seen: &Seen<Exported>, event_name: &str) -> Record {
    let expected = [seen.edge.source.clone(), seen.edge.destination.clone()];
    let about = |record: &Record| record.event_name == event_name && ends(record) == expected;
    until(TOLD, || seen.door.collector.records().into_iter().find(about)).unwrap_or_else(|| {
        panic!("no {event_name} of {:?} among {:#?}", seen.edge, seen.door.collector.records())
    })
}

/// `namespace/name` of both ends, as the attributes have them.
fn ends(record: &Record) -> [String; 2] {
    ["source", "destination"].map(|end| {
        let part = |part: &str| {
            record.attributes.get(&format!("servicemap.{end}.{part}")).cloned().unwrap_or_default()
        };
        format!("{}/{}", part("namespace"), part("name"))
    })
}

#[test]
fn an_established_connection_is_a_log_record() {
    require!(Need::Root, Need::Btf);
    let seen = put_through(Case { family: Family::V4, before_the_start: false }, Exported::start);
    let record = record(&seen, "servicemap.connection.established");
    assert_eq!(record.attributes["destination.port"], seen.edge.port.to_string());
    assert_eq!(record.attributes["network.transport"], "tcp");
    assert_eq!(record.attributes["network.connection.state"], "established");
}

#[test]
fn a_detected_dependency_is_a_log_record() {
    require!(Need::Root, Need::Btf);
    let seen = put_through(Case { family: Family::V4, before_the_start: false }, Exported::start);
    let record = record(&seen, "servicemap.dependency.detected");
    assert_eq!(record.attributes["destination.port"], seen.edge.port.to_string());
    assert_eq!(record.attributes["servicemap.dependency.cross_namespace"], "false");
}

#[test]
fn a_connection_opened_before_the_start_is_in_the_snapshot_that_comes_first() {
    require!(Need::Root, Need::Btf);
    let seen = put_through(Case { family: Family::V4, before_the_start: true }, Exported::start);
    let first = until(TOLD, || seen.door.collector.records().into_iter().next()).expect("a log record");
    assert!(is_snapshot(&first), "{first:?}");
    assert_eq!(first.attributes["servicemap.snapshot.parts"], "1");
    let map: Value = serde_json::from_str(&first.body).expect("the JSON map");
    let connections = map["connections"].as_array().expect("connections");
    assert!(connections.iter().filter_map(Edge::from_map).any(|edge| edge == seen.edge), "{map:#}");
}

#[test]
fn the_resource_is_the_observer() {
    require!(Need::Root, Need::Btf);
    let seen = put_through(Case { family: Family::V4, before_the_start: false }, Exported::start);
    let record = record(&seen, "servicemap.connection.established");
    assert_eq!(record.resource["service.name"], "servicemap");
    assert_eq!(record.resource["host.name"], servicemap_tests::peers::host_name());
}
