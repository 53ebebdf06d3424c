//! `servicemap map -o json`: the map as one JSON document.

use std::fs;

use serde_json::Value;
use servicemap_tests::artifacts::repository;
use servicemap_tests::edge::Edge;
use servicemap_tests::map::MapCommand;
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::cases::{Case, Door, Seen, put_through};

/// Long enough that the peers can connect while it observes, also on a busy machine.
const OBSERVE: &str = "6s";

impl Door for MapCommand {
    fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn edges(&mut self) -> Vec<Edge> {
        self.edges()
    }
}

fn start() -> MapCommand {
    MapCommand::start(OBSERVE)
}

crate::cases!(start);

fn connection_of(seen: &mut Seen<MapCommand>) -> Value {
    let found = seen
        .door
        .connections()
        .into_iter()
        .find(|connection| Edge::from_map(connection).as_ref() == Some(&seen.edge));
    found.expect("the edge that was seen")
}

#[test]
fn the_document_is_as_its_schema_says() {
    require!(Need::Root, Need::Btf);
    let mut seen = put_through(Case { family: Family::V4, before_the_start: false }, start);
    let path = repository().join("docs/map.schema.json");
    let schema = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema = serde_json::from_str(&schema).expect("a JSON schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid JSON schema");
    let map = seen.door.document().expect("the map");
    let errors: Vec<String> =
        validator.iter_errors(&map).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn open_connections_are_active_and_their_direction_is_seen() {
    require!(Need::Root, Need::Btf);
    let mut seen = put_through(Case { family: Family::V4, before_the_start: false }, start);
    let connection = connection_of(&mut seen);
    assert_eq!(connection["active"], seen.edge.opened);
    assert_eq!(connection["preexisting"], 0);
    assert_eq!(connection["provenance"]["side"], "client");
    assert_eq!(connection["provenance"]["direction_known"], true);
}

#[test]
fn connections_open_before_the_start_are_counted_as_such() {
    require!(Need::Root, Need::Btf);
    let mut seen = put_through(Case { family: Family::V6, before_the_start: true }, start);
    let connection = connection_of(&mut seen);
    assert_eq!(connection["active"], seen.edge.opened);
    assert_eq!(connection["preexisting"], seen.edge.opened);
}
