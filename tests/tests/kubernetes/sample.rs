//! The sample of deploy/: what its pods really do to each other is the graph that is written beside it, edge for edge.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use servicemap_tests::artifacts;
use servicemap_tests::cluster_map::{line, lines, observe, party, within};
use servicemap_tests::kubelab::Lab;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::account;

/// As long as observing takes, on a busy machine.
const DONE: Duration = Duration::from_mins(2);

#[test]
fn the_map_of_the_sample_is_the_expected_graph() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let lab = Lab::start(2);
    lab.plane.apply("deploy/sample-microservices.yaml");
    let expected = std::fs::read(artifacts::repository().join("deploy/sample-microservices.expected.json"));
    let expected: Value = serde_json::from_slice(&expected.expect("the expected graph")).expect("JSON");
    let namespaces: Vec<&str> =
        list(&expected["namespaces"]).iter().map(|name| name.as_str().expect("a name")).collect();
    for namespace in &namespaces {
        lab.all_ready(namespace);
    }

    let mut map = observe(&account::kubeconfig(&lab.plane), "15s");
    map.process.wait_for_end(DONE);
    let document = map.document().expect("the map");
    let connections = list(&document["connections"]);
    let wanted: BTreeSet<String> = list(&expected["connections"]).iter().map(line).collect();
    assert_eq!(lines(connections, &namespaces), wanted);

    let here = |service: &&Value| namespaces.contains(&service["namespace"].as_str().unwrap_or_default());
    let services: BTreeSet<String> = list(&document["services"]).iter().filter(here).map(party).collect();
    assert_eq!(services, list(&expected["services"]).iter().map(party).collect());
    assert_eq!(document["gaps"], Value::Array(Vec::new()));
    for one in within(connections, &namespaces) {
        assert_eq!(one["failed"], serde_json::json!({}), "{one}");
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}
