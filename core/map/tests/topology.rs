//! What follows from the graph, as the snapshot shows it.

mod lab;

use std::sync::Arc;
use std::time::Duration;

use lab::{Lab, client, listener};
use servicemap_map::MapSettings;
use servicemap_map::model::{Chain, EventData, TopologyChange};

/// Where each program listens.
const PORTS: [(&str, u16); 4] = [("web", 80), ("gateway", 81), ("api", 82), ("db", 83)];

/// A lab in which those programs listen.
fn with_programs() -> Lab {
    with_settings(|_| {})
}

fn with_settings(change: impl FnOnce(&mut MapSettings)) -> Lab {
    let mut lab = Lab::with(change);
    for (program, port) in PORTS {
        lab.tell(listener(program, "0.0.0.0", port));
    }
    lab.settle();
    lab
}

fn needs(lab: &mut Lab, from: &str, to: &str, times: u64) {
    let port = PORTS.into_iter().find_map(|(program, port)| (program == to).then_some(port));
    let port = port.unwrap_or_else(|| unreachable!("nobody is called {to}"));
    lab.tell(client(from, "127.0.0.1", port).short(times));
    lab.settle();
}

/// What was told of the graph since this was last asked: once a window.
fn changes(lab: &mut Lab) -> Vec<Arc<TopologyChange>> {
    let told = lab.events().into_iter().filter_map(|event| match &event.data {
        EventData::Topology(change) => Some(change.clone()),
        _ => None,
    });
    told.collect()
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
    let mut lab = Lab::with(|settings| settings.orphan_after = Duration::ZERO);
    lab.tell(listener("db", "0.0.0.0", 83));
    for number in 0..1_003 {
        lab.tell(client(&format!("client-{number}"), "127.0.0.1", 83).short(1));
    }
    lab.settle();
    let topology = lab.snapshot().topology;
    assert_eq!((topology.orphans.len(), topology.left_out.orphans), (1_000, 3));
}

#[test]
fn a_cycle_that_appears_is_told_with_what_made_it() {
    let mut lab = with_programs();
    needs(&mut lab, "web", "db", 1);
    lab.until(10.0);
    changes(&mut lab);
    needs(&mut lab, "db", "web", 1);
    lab.until(20.0);
    let told = changes(&mut lab);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].connections_added, ["box/db->box/web:80/tcp"]);
    assert_eq!(told[0].cycles_added, [[id("db"), id("web")]]);
    assert!(told[0].cycles_removed.is_empty());
}

#[test]
fn a_cycle_that_grows_is_another_one() {
    let mut lab = with_programs();
    needs(&mut lab, "web", "db", 1);
    needs(&mut lab, "db", "web", 1);
    lab.until(10.0);
    changes(&mut lab);
    needs(&mut lab, "db", "api", 1);
    needs(&mut lab, "api", "db", 1);
    lab.until(20.0);
    let told = changes(&mut lab);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].cycles_added, [[id("api"), id("db"), id("web")]]);
    assert_eq!(told[0].cycles_removed, [[id("db"), id("web")]]);
}

#[test]
fn a_cycle_that_comes_and_goes_inside_a_window_is_not_told() {
    let mut lab = with_settings(|settings| {
        settings.debounce_window = Duration::from_mins(1);
        settings.connection_timeout = Duration::from_secs(1);
        settings.dependency_retention = Duration::from_secs(5);
    });
    lab.until(70.0);
    changes(&mut lab);
    needs(&mut lab, "web", "db", 1);
    needs(&mut lab, "db", "web", 1);
    assert_eq!(lab.snapshot().topology.cycles.len(), 1);
    lab.until(100.0);
    assert!(lab.snapshot().topology.cycles.is_empty());
    lab.until(200.0);
    assert!(changes(&mut lab).is_empty());
}

#[test]
fn a_cycle_that_goes_with_a_forgotten_dependency_is_told_as_gone() {
    let mut lab = with_settings(|settings| settings.dependency_retention = Duration::from_secs(100));
    needs(&mut lab, "web", "db", 1);
    needs(&mut lab, "db", "web", 1);
    lab.until(90.0);
    changes(&mut lab);
    lab.until(110.0);
    let told = changes(&mut lab);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].cycles_removed, [[id("db"), id("web")]]);
}

#[test]
fn single_points_of_failure_that_come_and_go_are_told() {
    let mut lab = with_settings(|settings| settings.dependency_retention = Duration::from_secs(100));
    needs(&mut lab, "web", "db", 1);
    needs(&mut lab, "api", "db", 1);
    lab.until(90.0);
    let told = changes(&mut lab);
    assert_eq!(told[0].single_points_of_failure_added, [id("db")]);
    lab.until(110.0);
    let told = changes(&mut lab);
    assert_eq!(told[0].single_points_of_failure_removed, [id("db")]);
}

#[test]
fn who_nobody_connects_to_for_long_is_told_as_an_orphan_by_time_alone() {
    let mut lab = with_settings(|settings| settings.orphan_after = Duration::from_mins(30));
    needs(&mut lab, "web", "db", 1);
    lab.tell(client("web", "127.0.0.1", 82).opened(1));
    lab.until(1_700.0);
    changes(&mut lab);
    assert!(lab.snapshot().topology.orphans.is_empty());
    lab.until(1_840.0);
    let told = changes(&mut lab);
    // The edge to the database expired after 30 s; somebody is connected to the API still.
    let told: Vec<_> = told.iter().map(|change| change.orphans_added.clone()).collect();
    assert_eq!(told, [vec![id("gateway"), id("web")], vec![id("db")]]);
    assert_eq!(lab.snapshot().topology.orphans, [id("db"), id("gateway"), id("web")]);
}

#[test]
fn an_orphan_that_somebody_connects_to_is_none_any_more() {
    let mut lab = with_settings(|settings| settings.orphan_after = Duration::from_mins(1));
    lab.until(100.0);
    changes(&mut lab);
    needs(&mut lab, "web", "db", 1);
    lab.until(110.0);
    let told = changes(&mut lab);
    assert_eq!(told[0].orphans_removed, [id("db")]);
    // The edge expires at second 130.
    lab.until(189.0);
    assert!(!lab.snapshot().topology.orphans.contains(&id("db")));
    lab.until(190.0);
    assert!(lab.snapshot().topology.orphans.contains(&id("db")));
}

#[test]
fn an_orphan_that_goes_is_told_as_none_any_more() {
    let mut lab = with_settings(|settings| settings.orphan_after = Duration::from_mins(1));
    lab.until(100.0);
    changes(&mut lab);
    lab.tell(listener("db", "0.0.0.0", 83).opened(0).closed(1));
    lab.until(1_000.0);
    let told = changes(&mut lab);
    assert_eq!(told[0].services_removed, ["box/db"]);
    assert_eq!(told[0].orphans_removed, [id("db")]);
}
