//! What follows from the graph, as the snapshot shows it.

mod lab;

use lab::{Lab, client, listener};
use servicemap_map::model::Chain;

/// Where each program listens.
const PORTS: [(&str, u16); 4] = [("web", 80), ("gateway", 81), ("api", 82), ("db", 83)];

/// A lab in which those programs listen.
fn with_programs() -> Lab {
    let mut lab = Lab::new();
    for (program, port) in PORTS {
        lab.tell(listener(program, "0.0.0.0", port));
    }
    lab.settle();
    lab
}

fn needs(lab: &mut Lab, from: &str, to: &str, times: u64) {
    let port = PORTS.iter().find(|(program, _)| *program == to).unwrap().1;
    lab.tell(client(from, "127.0.0.1", port).short(times));
    lab.settle();
}

fn id(program: &str) -> String {
    format!("process:box/{program}")
}

#[test]
fn a_dependency_is_in_the_topology_after_its_connections_expired() {
    let mut lab = with_programs();
    needs(&mut lab, "web", "db", 1);
    lab.until(100.0);
    assert!(lab.edges().is_empty());
    let topology = lab.snapshot().topology;
    let ends: Vec<_> = topology
        .dependencies
        .iter()
        .map(|one| (one.source.to_string(), one.destination.to_string()))
        .collect();
    assert_eq!(ends, [(id("web"), id("db"))]);
}

#[test]
fn what_everybody_needs_is_a_single_point_of_failure() {
    let mut lab = with_programs();
    needs(&mut lab, "app", "gateway", 1);
    needs(&mut lab, "web", "gateway", 1);
    needs(&mut lab, "gateway", "db", 1);
    let found: Vec<_> = lab
        .snapshot()
        .topology
        .single_points_of_failure
        .into_iter()
        .map(|one| (one.service, one.dependents, one.entry_points, one.separates))
        .collect();
    assert_eq!(found, [(id("db"), 3, 2, false), (id("gateway"), 2, 2, true)]);
}

#[test]
fn the_longest_and_the_busiest_chain_are_told_with_their_least_used_dependency() {
    let mut lab = with_programs();
    needs(&mut lab, "web", "gateway", 5);
    needs(&mut lab, "gateway", "api", 1);
    needs(&mut lab, "api", "db", 7);
    needs(&mut lab, "report", "db", 1_000);
    let topology = lab.snapshot().topology;
    let chain = |programs: &[&str], connections| {
        Some(Chain { steps: programs.iter().map(|program| vec![id(program)]).collect(), connections })
    };
    assert_eq!(topology.longest_chain, chain(&["web", "gateway", "api", "db"], 1));
    assert_eq!(topology.busiest_chain, chain(&["report", "db"], 1_000));
}

#[test]
fn a_cycle_is_told_by_its_members_and_by_the_way_round() {
    let mut lab = with_programs();
    for (from, to) in [("web", "db"), ("db", "api"), ("api", "web")] {
        needs(&mut lab, from, to, 1);
    }
    let topology = lab.snapshot().topology;
    assert_eq!(topology.cycles, [[id("api"), id("db"), id("web")]]);
    assert_eq!(topology.shortest_cycles, [[id("api"), id("web"), id("db")]]);
}

#[test]
fn more_than_is_listed_is_counted() {
    let mut lab = with_programs();
    for number in 0..1_003 {
        lab.tell(client(&format!("client-{number}"), "127.0.0.1", 83).short(1));
    }
    lab.settle();
    let topology = lab.snapshot().topology;
    assert_eq!((topology.orphans.len(), topology.left_out.orphans), (1_000, 3));
}
