//! What is added up, and when it ends.

mod lab;

use lab::{Lab, at, client, ip, listener, server};
use servicemap_map::model::{Endpoint, Fact, FactBody, GapReason, HealthStatus, Origin, SourceId};

const EDGE: &str = "box/curl->box/web:80/tcp";

fn with_listener() -> Lab {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.settle();
    lab
}

#[test]
fn deltas_add_up() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(600).closed(500).bytes(10, 20).rtt(90));
    lab.until(1.0);
    lab.tell(client("curl", "127.0.0.1", 80).opened(400).closed(450).refused(2).bytes(1, 2).rtt(80));
    lab.settle();
    let edge = lab.edge(EDGE);
    assert_eq!((edge.totals.opened, edge.totals.active, edge.totals.failed.refused), (1000, 50, 2));
    assert_eq!((edge.totals.bytes_sent, edge.totals.bytes_received, edge.totals.rtt_us), (11, 22, Some(80)));
    assert_eq!((edge.first_seen, edge.last_seen), (at(0.0), at(1.0)));
}

#[test]
fn the_first_socket_is_the_example() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1).from("127.0.0.1", 11));
    lab.until(1.0);
    lab.tell(client("curl", "127.0.0.1", 80).opened(1).from("127.0.0.1", 12));
    lab.settle();
    assert_eq!(lab.edge(EDGE).example.as_ref().map(|example| example.cookie), Some(11));
}

#[test]
fn direction_is_known_once_a_connection_was_seen_to_begin() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.settle();
    assert!(!lab.edge(EDGE).provenance.direction_known);
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert!(lab.edge(EDGE).provenance.direction_known);
    assert_eq!((lab.edge(EDGE).totals.opened, lab.edge(EDGE).totals.preexisting), (2, 1));
}

#[test]
fn closes_of_unknown_connections_do_not_eat_later_ones() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1).closed(3));
    lab.settle();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edge(EDGE).totals.active, 1);
    assert_eq!(lab.map.statistics().closes_without_open, 2);
}

#[test]
fn a_close_that_comes_before_its_open_in_one_batch_counts() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).closed(1));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edge(EDGE).totals.active, 0);
    assert_eq!(lab.map.statistics().closes_without_open, 0);
}

#[test]
fn a_repeated_counter_fact_changes_nothing() {
    let mut lab = with_listener();
    let fact = |sequence| Fact {
        at: at(0.0),
        origin: Origin { source: SourceId::Capture, sequence },
        body: FactBody::Flow(client("curl", "127.0.0.1", 80).opened(1).into()),
    };
    lab.map.apply(fact(1));
    lab.map.apply(fact(1));
    lab.map.apply(fact(2));
    lab.settle();
    assert_eq!(lab.edge(EDGE).totals.opened, 2);
    assert_eq!(lab.map.statistics().facts_repeated, 1);
}

#[test]
fn an_edge_expires_without_open_socket_and_traffic() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(10.0);
    lab.tell(client("curl", "127.0.0.1", 80).bytes(1, 1));
    lab.until(39.9);
    assert_eq!(lab.edges(), [EDGE]);
    lab.until(40.0);
    assert!(lab.edges().is_empty());
}

#[test]
fn an_open_socket_keeps_its_edge() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(2));
    lab.until(10.0);
    lab.tell(client("curl", "127.0.0.1", 80).closed(1));
    lab.until(3600.0);
    assert_eq!(lab.edge(EDGE).totals.active, 1);
    lab.tell(client("curl", "127.0.0.1", 80).closed(1));
    lab.until(3629.0);
    assert_eq!(lab.edges(), [EDGE]);
    lab.until(3630.0);
    assert!(lab.edges().is_empty());
}

#[test]
fn an_edge_that_returns_begins_at_zero() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(7));
    lab.until(60.0);
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge(EDGE).totals.opened, 1);
    assert_eq!(lab.edge(EDGE).first_seen, at(60.0));
}

#[test]
fn what_an_idle_flow_counted_stays_in_its_edge() {
    let mut lab = Lab::with(|settings| settings.max_externals = 0);
    lab.tell(client("curl", "192.0.2.1", 443).short(5));
    lab.tell(client("curl", "192.0.2.2", 443).opened(1));
    lab.until(100.0);
    assert_eq!(lab.edge("box/curl->/~other:443/tcp").totals.opened, 6);
}

#[test]
fn a_service_goes_when_nothing_was_seen_of_it_for_its_timeout() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(299.9);
    assert_eq!(lab.services(), ["process:box/curl", "process:box/web"]);
    lab.until(300.0);
    assert_eq!(lab.services(), ["process:box/web"], "its listener keeps it");
    lab.tell(listener("web", "0.0.0.0", 80).opened(0).closed(1));
    lab.until(599.0);
    assert_eq!(lab.services(), ["process:box/web"]);
    lab.until(600.0);
    assert!(lab.services().is_empty());
}

#[test]
fn a_server_is_seen_through_what_it_accepts() {
    let mut lab = Lab::new();
    lab.tell(server("web", "127.0.0.1", 80).short(1));
    lab.until(200.0);
    lab.tell(server("web", "127.0.0.1", 80).short(1));
    lab.until(400.0);
    assert_eq!(lab.services(), ["process:box/web"]);
}

#[test]
fn listeners_are_the_endpoints_of_their_service() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "127.0.0.1", 8080));
    lab.tell(listener("web", "::", 80));
    lab.tell(listener("web", "::", 80));
    lab.settle();
    let endpoint = |address, port| Endpoint::new(ip(address), port, true);
    assert_eq!(*lab.service("process:box/web").endpoints, [endpoint("127.0.0.1", 8080), endpoint("::", 80)]);
    lab.tell(listener("web", "::", 80).opened(0).closed(2));
    lab.settle();
    assert_eq!(*lab.service("process:box/web").endpoints, [endpoint("127.0.0.1", 8080)]);
}

#[test]
fn flows_beyond_the_bound_count_for_other_addresses_and_are_told() {
    let mut lab = Lab::with(|settings| settings.max_flows = 2);
    for port in 1..=4 {
        lab.tell(client("curl", "192.0.2.1", port).opened(1));
    }
    lab.settle();
    assert_eq!(
        lab.edges(),
        [
            "box/curl->/192.0.2.1:1/tcp",
            "box/curl->/192.0.2.1:2/tcp",
            "box/curl->/~other:3/tcp",
            "box/curl->/~other:4/tcp"
        ]
    );
    let gaps = lab.snapshot().gaps;
    assert_eq!(
        gaps.iter().map(|gap| (gap.reason, gap.count)).collect::<Vec<_>>(),
        [(GapReason::MapBound, 2)]
    );
    assert_eq!(lab.map.statistics().gaps.get(&GapReason::MapBound), Some(&2));
    assert!(lab.news().contains(&"capture.gap gap:map_bound".to_owned()));
}

#[test]
fn services_beyond_the_bound_are_other_and_told() {
    let mut lab = Lab::with(|settings| settings.max_services = 2);
    lab.tell(client("a", "192.0.2.1", 443).opened(1));
    lab.until(1.0);
    lab.tell(client("b", "192.0.2.1", 443).opened(1));
    lab.tell(client("a", "192.0.2.2", 443).opened(1));
    lab.settle();
    assert_eq!(
        lab.edges(),
        ["box/a->/192.0.2.1:443/tcp", "box/a->/~other:443/tcp", "box/~other->/192.0.2.1:443/tcp"]
    );
    assert_eq!(lab.snapshot().gaps.iter().map(|gap| gap.count).sum::<u64>(), 2);
}

#[test]
fn a_client_without_room_for_its_server_has_other_for_it_and_is_counted_once() {
    let mut lab = Lab::with(|settings| settings.max_services = 3);
    lab.tell(client("a", "192.0.2.1", 443).opened(1));
    lab.until(1.0);
    lab.tell(client("b", "192.0.2.2", 443).opened(1));
    lab.settle();
    lab.tell(client("b", "192.0.2.2", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edge("box/b->/~other:443/tcp").totals.opened, 2);
    assert_eq!(lab.map.statistics().gaps.get(&GapReason::MapBound), Some(&1));
}

#[test]
fn a_late_call_lets_an_edge_expire_before_it_returns() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(7));
    lab.settle();
    lab.now = at(60.0);
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge(EDGE).totals.opened, 1);
    assert_eq!(lab.edge(EDGE).first_seen, at(60.0));
}

#[test]
fn a_snapshot_is_sorted_and_sums_up() {
    let mut lab = with_listener();
    lab.tell(client("b", "192.0.2.1", 443).opened(1));
    lab.tell(client("a", "127.0.0.1", 80).opened(1));
    lab.tell(client("a", "192.0.2.1", 443).opened(1));
    lab.settle();
    let services = ["process:box/a", "process:box/b", "process:box/web", "external:/192.0.2.1"];
    assert_eq!(lab.services(), services);
    let edges = ["box/a->box/web:80/tcp", "box/a->/192.0.2.1:443/tcp", "box/b->/192.0.2.1:443/tcp"];
    assert_eq!(lab.edges(), edges);
    let totals = lab.snapshot().totals;
    assert_eq!((totals.services, totals.connections), (4, 3));
    assert_eq!((totals.cross_namespace, totals.external_services), (0, 1));
}

#[test]
fn two_that_need_each_other_are_a_cycle() {
    let mut lab = with_listener();
    lab.tell(listener("db", "0.0.0.0", 5432));
    lab.tell(client("web", "127.0.0.1", 5432).opened(1));
    lab.tell(client("db", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.snapshot().topology.cycles, [["process:box/db", "process:box/web"]]);
}

#[test]
fn a_snapshot_shares_what_did_not_change() {
    let mut lab = with_listener();
    lab.tell(client("a", "127.0.0.1", 80).opened(1));
    lab.tell(client("b", "127.0.0.1", 80).opened(1));
    lab.settle();
    let before = lab.snapshot().connections;
    lab.tell(client("b", "127.0.0.1", 80).opened(1));
    lab.settle();
    let after = lab.snapshot().connections;
    assert!(std::sync::Arc::ptr_eq(&before[0], &after[0]));
    assert_eq!((before[1].totals.opened, after[1].totals.opened), (1, 2));
}

#[test]
fn a_connection_cut_off_in_mid_life_is_a_reset_but_no_failed_attempt() {
    let mut lab = with_listener();
    for second in 0..40 {
        lab.tell(client("curl", "127.0.0.1", 80).short(1).cut(1));
        lab.until(11.0 + f64::from(second));
    }
    let totals = lab.edge(EDGE).totals;
    assert_eq!((totals.failed.reset, totals.cut, totals.opened), (40, 40, 40));
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Healthy);
    assert!(lab.news().iter().all(|line| !line.starts_with("connection.failed")));
}

#[test]
fn connect_latencies_add_up_over_flows_and_move_with_them() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(2).connected_fast(2));
    lab.tell(client("curl", "127.0.0.1", 80).short(3).connected_fast(3));
    lab.tell(client("curl", "127.0.0.1", 80).in_cgroup(7).short(5).connected_fast(5));
    lab.until(11.0);
    let latency = lab.edge(EDGE).connect_latency.clone().expect("a latency");
    assert_eq!((latency.counts[0], latency.count(), latency.sum_us), (10, 10, 10));
    // The cgroup becomes known: its flow is another service's, with all that it counted.
    lab.cgroup(7, "/system.slice/job.service");
    lab.until(12.0);
    let count = |edge: &str| lab.edge(edge).connect_latency.as_ref().map(|latency| latency.count());
    assert_eq!((count(EDGE), count("box/job.service->box/web:80/tcp")), (Some(5), Some(5)));
}

#[test]
fn what_a_transparent_proxy_says_of_its_local_address_is_not_believed() {
    let mut lab = with_listener();
    lab.tell(client("envoy", "10.0.0.9", 80).from("10.0.0.5", 9).transparent().short(1));
    lab.tell(client("curl", "10.0.0.5", 80).short(1));
    lab.until(11.0);
    let edges = lab.edges();
    assert!(edges.contains(&"box/curl->/10.0.0.5:80/tcp".to_owned()), "{edges:?}");
}
