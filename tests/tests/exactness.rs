//! Nothing is missed and nothing counts twice.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use servicemap_tests::map::MapCommand;
use servicemap_tests::netns::Family;
use servicemap_tests::peers::{DEADLINE as STARTED, Outcome, Stage};
use servicemap_tests::process::output_of;
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;

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

/// How many sockets of the client `ss` lists in a state, by its name of it.
fn listed(stage: &Stage, server: SocketAddr, name: &str) -> usize {
    let mut ss = stage.pair.client.command("ss");
    let port = format!(":{}", server.port());
    output_of(ss.args(["-Htn", "state", name, "dport", "=", &port])).lines().count()
}

fn wait_for_listed(stage: &Stage, server: SocketAddr, name: &str, count: usize) {
    until(STARTED, || (listed(stage, server, name) == count).then_some(()))
        .unwrap_or_else(|| panic!("not {count} in {name}"));
}

/// The server's sockets with a byte that it has not read, as `ss` lists them.
fn unread(stage: &Stage, server: SocketAddr) -> Vec<String> {
    let mut ss = stage.pair.server.command("ss");
    let port = format!(":{}", server.port());
    let sockets = output_of(ss.args(["-Htn", "state", "established", "sport", "=", &port]));
    sockets.lines().filter(|line| !line.starts_with("0 ")).map(str::to_owned).collect()
}

#[test]
fn connections_whose_server_has_closed_are_open_as_long_as_their_client_holds_them() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let mut server = stage.serve(Family::V4);
    let before = stage.hold(server.address, 3);
    let map = MapCommand::attached(OBSERVE);
    let after = stage.hold(server.address, 4);
    // Closing with a byte unread would be a reset.
    until(STARTED, || unread(&stage, server.address).is_empty().then_some(())).expect("the server reads");
    server.process.kill();
    wait_for_listed(&stage, server.address, "close-wait", 7);

    let edges = edges_of_the_client(&stage, map);
    assert_eq!(listed(&stage, server.address, "close-wait"), 7);
    let [edge] = &edges[..] else { panic!("not one edge: {edges:#?}") };
    let numbers = ["opened", "preexisting", "active"].map(|key| edge[key].as_u64());
    assert_eq!(numbers, [Some(7), Some(3), Some(7)], "{edge:#}");
    drop((before, after));
}

#[test]
fn connections_that_their_client_has_shut_down_are_not_open_though_the_server_holds_them() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    // The kernel accepts them, and nobody closes them.
    server.process.freeze();
    let before = stage.hold_half(server.address, 3);
    wait_for_listed(&stage, server.address, "fin-wait-2", 3);
    let map = MapCommand::attached(OBSERVE);
    let after = stage.hold_half(server.address, 4);
    wait_for_listed(&stage, server.address, "fin-wait-2", 7);

    let edges = edges_of_the_client(&stage, map);
    let [edge] = &edges[..] else { panic!("not one edge: {edges:#?}") };
    let numbers = ["opened", "preexisting", "active"].map(|key| edge[key].as_u64());
    assert_eq!(numbers, [Some(4), Some(0), Some(0)], "those from before were on their way out: {edge:#}");
    drop((before, after));
}
