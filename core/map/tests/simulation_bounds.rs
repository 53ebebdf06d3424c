//! A cluster ten times as large as the map may become: the map stays within its bounds, says what it turned away, and what
//! the connections counted is still in it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod lab;

use std::time::Duration;

use lab::{Lab, client};
use servicemap_map::model::{Bound, Direction, FactBody, GapReason, RunId};
use servicemap_map::simulate::{Plan, Rate, Script, Simulation};
use servicemap_map::{MapSettings, ServiceMap};
use uuid::Uuid;

const SERVICES: usize = 20;
const FLOWS: usize = 100;
const EXTERNALS: usize = 10;
/// Services that stand for what found no room, and the machine.
const SPARE: usize = 3;

/// A map with these bounds after ten seconds of a cluster, and the connections that its clients opened.
fn overwhelmed(settings: MapSettings) -> (ServiceMap, u64) {
    let plan = Plan {
        services: 10 * 20,
        edges: 10 * 100,
        pods: 1,
        nodes: Some(1),
        churn: "5/s".parse().unwrap(),
        counters: Rate { count: 100_000, per: Duration::from_secs(1) },
        duration: Duration::from_secs(10),
        ..Plan::default()
    };
    let settings = MapSettings { host: plan.host(), ..settings };
    let mut map = ServiceMap::new(settings, RunId(Uuid::nil()), plan.start);
    let mut opened = 0;
    for batch in Simulation::new(plan, &Script::default()).unwrap() {
        for fact in batch.facts {
            if let FactBody::Flow(delta) = &fact.body
                && delta.key.direction == Direction::Outbound
            {
                opened += delta.opened;
            }
            map.apply(fact);
        }
        map.advance(batch.at);
    }
    (map, opened)
}

fn turned_away(map: &ServiceMap, bound: Bound) -> u64 {
    map.statistics().bounded.get(&bound).copied().unwrap_or_default()
}

#[test]
fn ten_times_as_many_services_leave_the_bound_of_them_and_are_counted() {
    let (map, opened) = overwhelmed(MapSettings { max_services: SERVICES, ..MapSettings::default() });
    let snapshot = map.snapshot(Plan::default().start + Duration::from_secs(10));
    assert!(snapshot.services.len() <= SERVICES + SPARE, "{}", snapshot.services.len());
    assert!(turned_away(&map, Bound::Services) > 0);
    assert!(snapshot.gaps.iter().any(|gap| gap.reason == GapReason::MapBound));
    let kept: u64 = snapshot.connections.iter().map(|edge| edge.totals.opened).sum();
    assert_eq!(kept, opened, "what both ends see counts once, also where there is no room for them");
}

#[test]
fn ten_times_as_many_flows_leave_the_bound_of_them_and_are_counted() {
    let (map, opened) = overwhelmed(MapSettings { max_flows: FLOWS, ..MapSettings::default() });
    let snapshot = map.snapshot(Plan::default().start + Duration::from_secs(10));
    assert!(snapshot.connections.len() <= 2 * FLOWS, "{}", snapshot.connections.len());
    assert!(turned_away(&map, Bound::Flows) > 0);
    assert!(snapshot.gaps.iter().any(|gap| gap.reason == GapReason::MapBound));
    let kept: u64 = snapshot.connections.iter().map(|edge| edge.totals.opened).sum();
    assert_eq!(kept, opened);
}

#[test]
fn ten_times_as_many_addresses_outside_are_one_service_beyond_the_bound() {
    let mut lab = Lab::with(|settings| settings.max_externals = EXTERNALS);
    for number in 0..10 * EXTERNALS {
        lab.tell(client("curl", &format!("203.0.113.{number}"), 443).opened(1));
    }
    lab.settle();
    let snapshot = lab.snapshot();
    let externals =
        snapshot.services.iter().filter(|service| service.id.to_string().starts_with("external:"));
    assert_eq!(externals.count(), EXTERNALS + 1);
    assert_eq!(turned_away(&lab.map, Bound::Externals), 9 * EXTERNALS as u64);
    assert_eq!(
        snapshot.connections.iter().map(|edge| edge.totals.opened).sum::<u64>(),
        10 * EXTERNALS as u64
    );
}
