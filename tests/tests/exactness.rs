//! Nothing is missed and nothing counts twice.

use std::time::Duration;

use serde_json::{Value, json};
use servicemap_tests::map::MapCommand;
use servicemap_tests::netns::Family;
use servicemap_tests::peers::{Outcome, Stage};
use servicemap_tests::require;
use servicemap_tests::skip::Need;

/// The connections below take well under a second; the rest is for a busy machine.
const OBSERVE: &str = "10s";
/// `OBSERVE` and the time to start, stop and print.
const DEADLINE: Duration = Duration::from_mins(1);

/// The connections of the map whose source is the client of this stage.
fn edges_of_the_client(stage: &Stage, mut map: MapCommand) -> Vec<Value> {
    map.process.wait_for_end(DEADLINE);
    let client = stage.client_name();
    map.connections()
        .into_iter()
        .filter(|connection| connection["source"]["name"] == client.as_str())
        .collect()
}

#[test]
fn a_thousand_short_connections_are_exactly_a_thousand_on_one_edge() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let map = MapCommand::attached(OBSERVE);
    let outcome = stage.connect_and_close(server.address, 1_000);
    assert_eq!(outcome, Outcome { opened: 1_000, refused: 0, other: 0 });

    let edges = edges_of_the_client(&stage, map);
    let [edge] = &edges[..] else { panic!("not one edge: {edges:#?}") };
    assert_eq!(edge["destination"]["name"], stage.server_name());
    assert_eq!(edge["opened"], 1_000, "{edge:#}");
    assert_eq!(edge["active"], 0, "{edge:#}");
    assert_eq!(edge["failed"], json!({}), "{edge:#}");
}

#[test]
fn a_hundred_refused_connections_are_exactly_a_hundred_failures() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    // The server is gone by the next line, so nobody listens there.
    let address = stage.serve(Family::V4).address;
    let map = MapCommand::attached(OBSERVE);
    let outcome = stage.connect_and_close(address, 100);
    assert_eq!(outcome, Outcome { opened: 0, refused: 100, other: 0 });

    let edges = edges_of_the_client(&stage, map);
    let [edge] = &edges[..] else { panic!("not one edge: {edges:#?}") };
    assert_eq!(edge["port"], address.port());
    assert_eq!(edge["opened"], 0, "{edge:#}");
    assert_eq!(edge["failed"], json!({"refused": 100}), "{edge:#}");
}

#[test]
fn connections_of_two_clients_to_two_servers_do_not_mix() {
    require!(Need::Root, Need::Btf);
    let (first, second) = (Stage::set(), Stage::set());
    let servers = [first.serve(Family::V4), second.serve(Family::V6)];
    let map = MapCommand::attached(OBSERVE);
    first.connect_and_close(servers[0].address, 30);
    second.connect_and_close(servers[1].address, 70);

    let mut map = map;
    map.process.wait_for_end(DEADLINE);
    let opened = |stage: &Stage, edges: &[Value]| -> Vec<u64> {
        let ours = |edge: &&Value| edge["source"]["name"] == stage.client_name().as_str();
        edges.iter().filter(ours).filter_map(|edge| edge["opened"].as_u64()).collect()
    };
    let edges = map.connections();
    assert_eq!(opened(&first, &edges), [30]);
    assert_eq!(opened(&second, &edges), [70]);
}
