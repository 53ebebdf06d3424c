//! What the map of a large cluster takes: bytes of a service, an edge and a flow, facts a second, and how both grow from
//! 1,000 to 10,000 services. Clusters are simulated. Prints tables and asserts nothing.
//!
//! Bytes are those that were asked of the allocator and not given back, after a snapshot was taken and dropped, as at an
//! observer that is asked for its map now and then. What a thing takes is the difference between a cluster that has all of
//! its kind and one that has half of them, so what is there once is in none of the figures. A pod that connects adds a flow
//! to the edge, and its server's side another one; so with two pods a service an edge has four flows where it has two with
//! one, and both equations together give the two figures.
//!
//! `scale rounds N` applies N rounds of counter facts and prints how many: for `valgrind --tool=cachegrind`, where the
//! difference of two such runs is what one fact takes, in instructions.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where something fails"
)]

use std::alloc::System;
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, RunId, Timestamp};
use servicemap_map::simulate::{Plan, Rate, Script, Simulation};
use servicemap_map::{MapSettings, ServiceMap};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use uuid::Uuid;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Services of the small and the large cluster; each has ten edges a service.
const SIZES: [u32; 2] = [1_000, 10_000];
const EDGES_A_SERVICE: u32 = 10;
/// Nodes where agents tell; with one, the observer is on it.
const NODES: u32 = 100;
/// Counter facts are taken this many times.
const ROUNDS: u32 = 20;
/// Instructions are counted on a cluster that a simulated processor goes through in seconds.
const COUNTED_SERVICES: u32 = 1_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rounds] = &words[..]
        && mode == "rounds"
    {
        return count_facts(rounds.parse().unwrap());
    }
    println!(
        "\n| live bytes at rest | a service | an edge | a flow | snapshot of it all, an edge |\n|---|---|---|---|---|"
    );
    for nodes in [1, NODES] {
        for services in SIZES {
            memory(services, nodes);
        }
    }
    println!(
        "\n| counter facts on flows that are known | ns a fact to apply | to settle | facts a second, both |\n|---|---|---|---|"
    );
    for nodes in [1, NODES] {
        for services in SIZES {
            speed(services, nodes);
        }
    }
}

fn plan(services: u32, edges: u32, pods: u32, nodes: u32) -> Plan {
    let rate = Rate { count: u32::MAX, per: Duration::from_secs(1) };
    Plan { services, edges, pods, nodes: Some(nodes), counters: rate, ..Plan::default() }
}

/// A map that has taken what exists at the start of a simulation.
fn begun(plan: Plan) -> (ServiceMap, Simulation, Timestamp) {
    let settings = MapSettings {
        host: plan.host(),
        max_flows: 10_000_000,
        max_services: 1_000_000,
        ..MapSettings::default()
    };
    let start = plan.start;
    let mut simulation = Simulation::new(plan, &Script::default()).unwrap();
    let mut map = ServiceMap::new(settings, RunId(Uuid::nil()), start);
    for fact in simulation.next().unwrap().facts {
        map.apply(fact);
    }
    map.advance(start);
    (map, simulation, start)
}

/// Live bytes of a map, and those of a snapshot besides.
fn live(plan: Plan) -> (f64, f64) {
    let before = allocated();
    let (map, simulation, now) = begun(plan);
    drop(simulation);
    let cold = allocated();
    drop(map.snapshot(now));
    let warm = allocated();
    ((warm - before) as f64, (warm - cold) as f64)
}

fn memory(services: u32, nodes: u32) {
    let edges = services * EDGES_A_SERVICE;
    let whole = live(plan(services, edges, 1, nodes));
    let half = live(plan(services, edges / 2, 1, nodes));
    let more = live(plan(services, edges, 2, nodes)).0 - live(plan(services, edges / 2, 2, nodes)).0;
    let more_flows = (more - (whole.0 - half.0)) / f64::from(edges / 2);
    let flow = more_flows / 2.0;
    let edge = (whole.0 - half.0) / f64::from(edges / 2) - 2.0 * flow;
    // Without edges: one pod each, which listens.
    let service = (live(plan(services, 0, 1, nodes)).0 - live(plan(services / 2, 0, 1, nodes)).0)
        / f64::from(services / 2);
    let snapshot = (whole.1 - half.1) / f64::from(edges / 2);
    println!("| {} | {service:.0} | {edge:.0} | {flow:.0} | {snapshot:.0} |", name(services, nodes));
}

fn name(services: u32, nodes: u32) -> String {
    let edges = services * EDGES_A_SERVICE;
    let from = if nodes == 1 { "from the only node" } else { "told by the agents of 100 nodes" };
    format!("{services} services, {edges} edges, {from}")
}

/// The facts of a drain, later: numbered on, so that none came before.
fn later(facts: &mut [Fact], round: u32, start: Timestamp) -> Timestamp {
    let at = start + Duration::from_secs(1) * round;
    let count = facts.len() as u64;
    for fact in facts {
        fact.at = at;
        fact.origin.sequence += count;
        if let FactBody::Flow(delta) = &mut fact.body {
            (delta.first, delta.last) = (at, at);
        }
    }
    at
}

fn speed(services: u32, nodes: u32) {
    let (mut map, mut simulation, start) = begun(plan(services, services * EDGES_A_SERVICE, 1, nodes));
    let mut facts = simulation.next().unwrap().facts;
    drop(simulation);
    let (mut apply, mut settle) = (Duration::MAX, Duration::MAX);
    for round in 1..=ROUNDS {
        let at = later(&mut facts, round, start);
        let told = facts.clone();
        let begin = Instant::now();
        for fact in told {
            map.apply(fact);
        }
        let applied = Instant::now();
        map.advance(at);
        apply = apply.min(applied - begin);
        settle = settle.min(applied.elapsed());
    }
    let each = |time: Duration| time.as_nanos() as f64 / facts.len() as f64;
    let rate = 1e9 / each(apply + settle);
    println!("| {} | {:.0} | {:.0} | {rate:.0} |", name(services, nodes), each(apply), each(settle));
}

/// Applies rounds of counter facts and says how many facts those were.
fn count_facts(rounds: u32) {
    let edges = COUNTED_SERVICES * EDGES_A_SERVICE;
    let (mut map, mut simulation, start) = begun(plan(COUNTED_SERVICES, edges, 1, 1));
    let mut facts = simulation.next().unwrap().facts;
    for round in 1..=rounds {
        let at = later(&mut facts, round, start);
        facts.iter().cloned().for_each(|fact| map.apply(fact));
        map.advance(at);
    }
    println!("{}", facts.len() * rounds as usize);
}

/// Bytes that were asked for and not given back.
fn allocated() -> isize {
    let stats = HEAP.stats();
    stats.bytes_allocated.cast_signed() - stats.bytes_deallocated.cast_signed()
}
