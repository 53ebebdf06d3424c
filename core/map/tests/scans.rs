//! A source that only fails on many ports of one destination that nobody offers is one edge, and moves no health.

mod lab;

use lab::cluster::{pod, policy, scope, service, slice};
use lab::{Delta, HOST, Lab, at, client, listener};
use proptest::prelude::*;
use servicemap_map::model::{ConnectionRef, HealthStatus};

const TARGET: &str = "192.0.2.1";
const SCAN: &str = "box/nmap->/192.0.2.1:~scan/tcp";

/// An attempt at a port that is refused.
fn knock(port: u16) -> Delta {
    client("nmap", TARGET, port).refused(1)
}

fn scan(lab: &mut Lab, remote: &str, ports: std::ops::RangeInclusive<u16>) {
    for port in ports {
        lab.tell(client("nmap", remote, port).refused(1));
    }
    lab.settle();
}

/// A Service `shop/db` that is healthy by its only pod, at 10.1.0.2:5432 and 10.96.0.2:5432.
fn with_service(lab: &mut Lab) {
    let db = pod("shop", "db-1", "db", "10.1.0.2");
    lab.object(service("shop", "db", "10.96.0.2").port("", 5432));
    lab.object(slice("shop", "db").port("", 5432).holds(&db));
    lab.object(db);
    lab.settle();
    lab.until(35.0);
    assert_eq!(lab.service("service:shop/db").health.status, HealthStatus::Healthy);
    lab.events();
}

#[test]
fn twenty_ports_are_twenty_edges_and_one_more_is_a_scan() {
    let mut lab = Lab::new();
    scan(&mut lab, TARGET, 1..=20);
    assert_eq!(lab.edges().len(), 20);
    scan(&mut lab, TARGET, 21..=21);
    assert_eq!(lab.edges(), [SCAN]);
    let edge = lab.edge(SCAN);
    assert_eq!((edge.totals.failed.refused, edge.edge.port), (21, ConnectionRef::SCAN));
    assert!(edge.edge.is_scan());
    scan(&mut lab, TARGET, 22..=40);
    assert_eq!(lab.edges(), [SCAN]);
    assert_eq!(lab.edge(SCAN).totals.failed.refused, 40);
    assert_eq!(lab.services(), ["process:box/nmap", "external:/192.0.2.1"]);
}

#[test]
fn the_same_port_again_and_again_is_no_scan() {
    let mut lab = Lab::new();
    for _ in 0..30 {
        scan(&mut lab, TARGET, 1..=20);
    }
    assert_eq!(lab.edges().len(), 20);
}

#[test]
fn the_json_of_a_scan_says_so_and_that_of_other_edges_does_not() {
    let mut lab = Lab::new();
    scan(&mut lab, TARGET, 1..=21);
    lab.tell(client("curl", TARGET, 443).opened(1));
    lab.settle();
    let map = serde_json::to_value(lab.snapshot()).unwrap();
    let edges: Vec<_> =
        map["connections"].as_array().unwrap().iter().map(|edge| (&edge["port"], edge.get("scan"))).collect();
    assert_eq!(edges, [(&443.into(), None), (&0.into(), Some(&true.into()))]);
}

#[test]
fn a_scan_of_all_ports_takes_no_more_room_than_its_batches() {
    let mut lab = Lab::with(|settings| settings.max_flows = 200);
    for first in (1..=u16::MAX).step_by(100) {
        scan(&mut lab, TARGET, first..=first.saturating_add(99));
    }
    assert_eq!(lab.edges(), [SCAN]);
    assert_eq!(lab.edge(SCAN).totals.failed.refused, 65_535);
    assert!(lab.snapshot().gaps.is_empty(), "nothing was turned away");
}

#[test]
fn a_scan_in_one_batch_is_told_as_one_edge() {
    let mut lab = Lab::new();
    scan(&mut lab, TARGET, 1..=10_000);
    lab.until(3.0);
    let told = lab.news();
    let expected = [
        "service.discovered external:/192.0.2.1".to_owned(),
        "service.discovered process:box/nmap".to_owned(),
        format!("connection.failed {SCAN}"),
        "topology.changed topology".to_owned(),
    ];
    let mut sorted = told.clone();
    sorted.sort_unstable();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
    assert!(lab.map.statistics().dependencies_detected.is_empty());
}

#[test]
fn a_scan_moves_no_health_neither_outside_nor_of_a_service() {
    let mut lab = Lab::in_cluster();
    with_service(&mut lab);
    // Slow enough that each port is told by itself, and that unhealthy would take effect before it is known as a scan.
    for port in 1..=60 {
        for remote in [TARGET, "10.1.0.2", "10.96.0.2"] {
            scan(&mut lab, remote, port..=port);
        }
        lab.until(35.0 + f64::from(port));
    }
    lab.until(99.0);
    assert_eq!(lab.service("external:/192.0.2.1").health.status, HealthStatus::Unknown);
    assert_eq!(lab.service("service:shop/db").health.status, HealthStatus::Healthy);
    let changes: Vec<_> = lab.news().into_iter().filter(|line| line.starts_with("health")).collect();
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn the_first_port_that_nobody_offers_does_move_health() {
    let mut lab = Lab::new();
    for _ in 0..20 {
        lab.tell(knock(443));
    }
    lab.settle();
    lab.until(2.0);
    assert_eq!(lab.service("external:/192.0.2.1").health.status, HealthStatus::Unhealthy);
}

#[test]
fn ports_that_are_offered_or_open_are_edges_of_their_own() {
    let mut lab = Lab::in_cluster();
    with_service(&mut lab);
    scan(&mut lab, "10.96.0.2", 1..=100);
    lab.tell(client("nmap", "10.96.0.2", 5432).refused(1));
    lab.tell(client("nmap", "10.96.0.2", 60).short(1));
    lab.settle();
    let edges = ["box/nmap->shop/db:60/tcp", "box/nmap->shop/db:5432/tcp", "box/nmap->shop/db:~scan/tcp"];
    let mut found = lab.edges();
    found.sort_by_key(|edge| (edge.contains('~'), edge.len()));
    assert_eq!(found, edges);
    lab.tell(client("nmap", "10.96.0.2", 60).refused(1));
    lab.settle();
    assert_eq!(lab.edge(edges[0]).totals.failed.refused, 1, "it was open before");
}

#[test]
fn ports_on_which_connections_succeeded_are_no_scan() {
    let mut lab = Lab::new();
    for port in 5001..=5100 {
        lab.tell(client("ftp", TARGET, port).short(1));
    }
    lab.settle();
    for port in 5001..=5100 {
        lab.tell(client("ftp", TARGET, port).refused(1));
    }
    lab.settle();
    assert_eq!(lab.edges().len(), 100);
}

#[test]
fn failing_on_many_ports_where_somebody_listens_is_no_scan() {
    let mut lab = Lab::new();
    for port in 1..=30 {
        lab.tell(listener("many", "0.0.0.0", port));
    }
    lab.settle();
    scan(&mut lab, "127.0.0.1", 1..=30);
    assert_eq!(lab.edges().len(), 30);
}

#[test]
fn a_few_sources_that_fail_on_a_few_ports_each_are_no_scan() {
    let mut lab = Lab::new();
    for port in 1..=30 {
        lab.tell(client(if port > 15 { "one" } else { "two" }, TARGET, port).refused(1));
    }
    lab.settle();
    assert_eq!(lab.edges().len(), 30);
}

#[test]
fn a_scan_that_is_over_is_gone_and_a_few_ports_are_edges_again() {
    let mut lab = Lab::new();
    scan(&mut lab, TARGET, 1..=30);
    lab.until(31.0);
    assert!(lab.edges().is_empty());
    scan(&mut lab, TARGET, 1..=3);
    assert_eq!(lab.edges().len(), 3);
}

#[test]
fn a_scan_moves_along_when_its_source_is_named_differently() {
    let mut lab = Lab::new();
    for port in 1..=50 {
        lab.tell(knock(port).in_cgroup(7));
    }
    lab.settle();
    assert_eq!(lab.edge(SCAN).totals.failed.refused, 50);
    lab.cgroup(7, "/system.slice/scanner.service");
    lab.settle();
    let moved = "box/scanner.service->/192.0.2.1:~scan/tcp";
    assert_eq!(lab.edges(), [moved]);
    for port in 51..=60 {
        lab.tell(knock(port).in_cgroup(7));
    }
    lab.settle();
    assert_eq!(lab.edges(), [moved]);
    assert_eq!(lab.edge(moved).totals.failed.refused, 60);
}

#[test]
fn a_scan_of_an_address_that_nobody_has_folds_when_it_has_waited() {
    let mut lab = Lab::in_cluster();
    scan(&mut lab, "10.1.0.9", 1..=500);
    lab.until(10.0);
    assert_eq!(lab.edges(), ["box/nmap->/10.1.0.9:~scan/tcp"]);
    assert_eq!(lab.edge("box/nmap->/10.1.0.9:~scan/tcp").totals.failed.refused, 500);
}

#[test]
fn a_scan_of_the_machine_itself_is_one_edge() {
    let mut lab = Lab::new();
    lab.address(HOST, "10.7.0.1");
    scan(&mut lab, "10.7.0.1", 1..=100);
    scan(&mut lab, "127.0.0.1", 101..=200);
    assert_eq!(lab.edges(), ["box/nmap->/box:~scan/tcp"]);
    assert_eq!(lab.edge("box/nmap->/box:~scan/tcp").totals.failed.refused, 200);
}

#[test]
fn what_failed_at_an_address_before_it_changed_hands_is_no_part_of_a_scan_of_its_next_owner() {
    let mut lab = Lab::in_cluster();
    lab.object(pod("shop", "a-1", "a", "10.1.0.9"));
    lab.object(pod("shop", "b-1", "b", "10.1.0.8"));
    scan(&mut lab, "10.1.0.9", 5..=5);
    scan(&mut lab, "10.1.0.8", 1..=30);
    lab.until(10.0);
    lab.pod_gone("a-1");
    lab.until(12.0);
    lab.object(pod("shop", "b-2", "b", "10.1.0.9").started(at(11.0)));
    lab.until(13.0);
    scan(&mut lab, "10.1.0.9", 5..=5);
    assert_eq!(lab.edge("box/nmap->shop/a:5/tcp").totals.failed.refused, 1);
    let of_b = lab.snapshot().connections.into_iter().filter(|edge| *edge.edge.destination.name == *"b");
    assert_eq!(of_b.map(|edge| edge.totals.failed.refused).sum::<u64>(), 31);
}

#[test]
fn network_policies_are_not_held_against_a_scan() {
    let mut lab = Lab::in_cluster();
    lab.object(scope(false));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1").label("app", "web"));
    lab.object(policy("shop", "nothing-out", &[("app", "web")]).restricts_egress());
    let knock = |port| client("nmap", TARGET, port).in_cgroup(7).in_namespace(2).refused(1);
    lab.tell(knock(1));
    lab.settle();
    assert_eq!(lab.snapshot().topology.disallowed_connections.len(), 1);
    (2..=30).for_each(|port| lab.tell(knock(port)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.1:~scan/tcp"]);
    assert!(lab.snapshot().topology.disallowed_connections.is_empty());
}

/// Attempts at a port: source, destination, port, and whether they are refused rather than succeed.
type Attempt = (usize, usize, u16, bool);

const SOURCES: &[&str] = &["one", "two"];
const DESTINATIONS: &[&str] = &[TARGET, "10.1.0.2", "10.96.0.2", "10.1.0.9"];

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let one = (0..SOURCES.len(), 0..DESTINATIONS.len(), 1..60_u16, prop::bool::weighted(0.97));
    prop::collection::vec(one, 1..400)
}

#[expect(clippy::indexing_slicing, reason = "the numbers are below the lengths")]
fn try_all(attempts: &[Attempt], batch: usize) -> Lab {
    let mut lab = Lab::in_cluster();
    with_service(&mut lab);
    for attempts in attempts.chunks(batch) {
        for (source, destination, port, refused) in attempts {
            let (source, remote) = (SOURCES[*source], DESTINATIONS[*destination]);
            let delta = client(source, remote, *port);
            lab.tell(if *refused { delta.refused(1) } else { delta.short(1) });
        }
        lab.settle();
    }
    lab.until(46.0);
    lab
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_attempt_is_lost_or_counted_twice_by_folding_and_no_pair_keeps_more_than_twenty_ports_that_only_fail(
        attempts in attempts(), batch in 1..100_usize,
    ) {
        let lab = try_all(&attempts, batch);
        let (mut failed, mut opened) = (0, 0);
        let mut vain = std::collections::BTreeMap::new();
        for edge in lab.snapshot().connections {
            failed += edge.totals.failed.total();
            opened += edge.totals.opened;
            let offered = edge.edge.port == 5432 && *edge.edge.destination.name == *"db";
            if edge.totals.opened == 0 && !offered && !edge.edge.is_scan() {
                *vain.entry((edge.edge.source.clone(), edge.edge.destination.clone())).or_insert(0) += 1;
            }
        }
        let refused = attempts.iter().filter(|(_, _, _, refused)| *refused).count() as u64;
        prop_assert_eq!((failed, opened), (refused, attempts.len() as u64 - refused));
        prop_assert!(vain.values().all(|ports| *ports <= 20), "{:?}", vain);
    }

    #[test]
    fn the_order_within_a_batch_does_not_show(
        (attempts, shuffled) in attempts().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let map = |attempts: &[Attempt]| serde_json::to_value(try_all(attempts, attempts.len()).snapshot()).unwrap();
        prop_assert_eq!(map(&attempts), map(&shuffled));
    }
}
