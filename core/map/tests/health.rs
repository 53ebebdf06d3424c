//! Health of edges, and causes: what a service depends on that is not well.

mod lab;

use std::sync::Arc;

use lab::cluster::{pod, service, slice};
use lab::{Delta, Lab, client, server};
use servicemap_map::model::{Event, EventData, Health, HealthReason, HealthStatus};

/// Cgroups of the one pod of each service.
const CGROUPS: &[(&str, u64)] = &[("web", 1), ("api", 2), ("db", 3), ("cache", 4)];

fn cgroup(name: &str) -> u64 {
    let found = CGROUPS.iter().find(|(service, _)| *service == name).map(|(_, cgroup)| *cgroup);
    found.unwrap_or_else(|| unreachable!("no service {name}"))
}

/// One endpoint behind each of `web`, `api`, `db` and `cache`.
fn shop() -> Lab {
    let mut lab = Lab::in_cluster();
    for (name, cgroup) in CGROUPS {
        let pod = pod("shop", &format!("{name}-1"), name, &format!("10.1.0.{cgroup}"));
        lab.runs(*cgroup + 100, &pod);
        lab.object(service("shop", name, &format!("10.96.0.{cgroup}")).port("", 80));
        lab.object(slice("shop", name).port("", 8080).holds(&pod));
    }
    lab.until(35.0);
    lab
}

/// The pods of one service connect to another.
fn calls(from: &str, to: &str) -> Delta {
    client("app", &format!("10.96.0.{}", cgroup(to)), 80).in_cgroup(cgroup(from) + 100)
}

/// The endpoint of a service takes connections, or none.
fn set_ready(lab: &mut Lab, name: &str, ready: bool) {
    let pod = pod("shop", &format!("{name}-1"), name, &format!("10.1.0.{}", cgroup(name)));
    let slice = slice("shop", name).port("", 8080).holds(&pod);
    lab.object(if ready { slice } else { slice.not_ready() });
}

fn edge(lab: &Lab, from: &str, to: &str) -> Health {
    lab.edge(&format!("shop/{from}->shop/{to}:80/tcp")).health.as_ref().clone()
}

/// `distance name`, with ` via name` and ` root`.
fn causes(health: &Health) -> Vec<String> {
    let lines = health.causes.listed.iter().map(|cause| {
        let via = cause.via.as_ref().map(|via| format!(" via {}", via.name)).unwrap_or_default();
        let root = if cause.root { " root" } else { "" };
        format!("{} {} {}{via}{root}", cause.distance, cause.service.name, cause.status.as_str())
    });
    lines.collect()
}

fn service_health(lab: &Lab, name: &str) -> Health {
    lab.service(&format!("service:shop/{name}")).health.clone()
}

#[test]
fn each_edge_has_the_health_of_its_own_attempts() {
    let mut lab = shop();
    lab.tell(calls("web", "db").refused(10));
    lab.tell(calls("api", "db").short(90));
    lab.until(37.0);
    let of = |from| {
        let health = edge(&lab, from, "db");
        (health.status, health.reasons)
    };
    assert_eq!(of("web"), (HealthStatus::Unhealthy, vec![HealthReason::ConnectionsFail]));
    assert_eq!(of("api"), (HealthStatus::Healthy, vec![HealthReason::ConnectionsSucceed]));
}

#[test]
fn attempts_of_all_edges_add_up_at_the_destination() {
    let mut lab = shop();
    lab.tell(calls("web", "db").refused(5));
    lab.tell(calls("api", "db").refused(5));
    lab.until(37.0);
    assert_eq!(service_health(&lab, "db").status, HealthStatus::Unhealthy);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Unknown);
}

#[test]
fn failures_on_an_edge_are_held_against_the_successes_before_them() {
    let mut lab = shop();
    lab.tell(calls("web", "db").opened(1).closed(0));
    lab.tell(calls("web", "db").short(1000));
    lab.until(36.0);
    lab.tell(calls("web", "db").refused(10));
    lab.until(50.0);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Healthy);
    lab.tell(calls("web", "db").refused(60));
    lab.until(59.9);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Healthy);
    lab.until(60.0);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Degraded);
}

#[test]
fn an_edge_recovers_once_its_failures_are_forgotten_and_that_has_held() {
    let mut lab = shop();
    lab.tell(calls("web", "db").opened(1));
    lab.tell(calls("web", "db").refused(20));
    lab.until(37.0);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Unhealthy);
    // From now on a sixth of the attempts failed, and after a minute none.
    lab.tell(calls("web", "db").short(100));
    for (second, status) in [
        (66.9, HealthStatus::Unhealthy),
        (67.0, HealthStatus::Degraded),
        (124.9, HealthStatus::Degraded),
        (125.0, HealthStatus::Healthy),
    ] {
        lab.until(second);
        assert_eq!(edge(&lab, "web", "db").status, status, "at second {second}");
        lab.tell(calls("web", "db").short(1));
    }
}

#[test]
fn a_connection_that_is_reset_in_mid_life_is_no_failed_attempt() {
    let mut lab = shop();
    lab.tell(calls("web", "db").opened(50));
    lab.until(36.0);
    lab.tell(calls("web", "db").closed(50).cut(50));
    lab.until(40.0);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Healthy);
    assert_eq!(service_health(&lab, "db").status, HealthStatus::Healthy);
    let edge = lab.edge("shop/web->shop/db:80/tcp");
    assert_eq!((edge.totals.failed.reset, edge.totals.cut), (50, 50));
}

#[test]
fn what_a_server_sees_fail_was_the_client_doing_that() {
    let mut lab = shop();
    lab.tell(server("app", "192.0.2.9", 8080).in_cgroup(103).short(1).reset(30));
    lab.until(40.0);
    let edge = lab.snapshot().connections.into_iter().next().unwrap();
    assert_eq!(edge.edge.destination.name, "db".into());
    assert_eq!(edge.health.status, HealthStatus::Healthy);
}

#[test]
fn handshakes_that_lost_a_part_degrade_edge_and_destination() {
    let mut lab = shop();
    lab.tell(calls("web", "db").short(20).connected_slowly(1));
    lab.until(44.9);
    assert_eq!(edge(&lab, "web", "db").status, HealthStatus::Healthy);
    lab.until(45.0);
    let health = edge(&lab, "web", "db");
    assert_eq!((health.status, health.reasons), (HealthStatus::Degraded, vec![HealthReason::SlowHandshakes]));
    let health = service_health(&lab, "db");
    assert_eq!((health.status, health.reasons), (HealthStatus::Degraded, vec![HealthReason::SlowHandshakes]));
}

#[test]
fn a_scan_has_no_health_and_moves_none() {
    let mut lab = shop();
    for port in 1000..1040 {
        lab.tell(client("scan", "10.1.0.3", port).in_cgroup(101).refused(3));
    }
    lab.until(50.0);
    let scan = lab.edge("shop/web->shop/db:~scan/tcp");
    assert_eq!(scan.health.status, HealthStatus::Unknown);
    assert_eq!(service_health(&lab, "db").status, HealthStatus::Healthy);
}

/// `web` needs `api`, which needs `db`; `web` needs `cache`, too.
fn chain() -> Lab {
    let mut lab = shop();
    lab.tell(calls("web", "api").opened(1));
    lab.tell(calls("api", "db").opened(1));
    lab.tell(calls("web", "cache").opened(1));
    lab.until(40.0);
    lab.events();
    lab
}

/// The causes that an event about a service's health says, from the latest such event.
fn told_causes(events: &[Arc<Event>], name: &str) -> Vec<String> {
    let health = events.iter().rev().find_map(|event| match &event.data {
        EventData::Health(change) if &*change.service.name == name => Some(change.service.health.clone()),
        _ => None,
    });
    causes(&health.unwrap_or_else(|| unreachable!("nothing was told of {name}")))
}

#[test]
fn a_failure_that_takes_several_services_down_shows_the_way_to_the_first() {
    let mut lab = chain();
    set_ready(&mut lab, "db", false);
    lab.until(41.0);
    set_ready(&mut lab, "api", false);
    lab.until(42.0);
    set_ready(&mut lab, "web", false);
    lab.until(50.0);
    let expected = ["1 api unhealthy", "2 db unhealthy via api root"];
    assert_eq!(causes(&service_health(&lab, "web")), expected);
    assert_eq!(causes(&service_health(&lab, "api")), ["1 db unhealthy root"]);
    assert!(causes(&service_health(&lab, "db")).is_empty());
    let events = lab.events();
    assert_eq!(told_causes(&events, "web"), expected);
    assert!(told_causes(&events, "db").is_empty());
}

#[test]
fn a_cause_is_never_copied_into_the_status_of_who_depends_on_it() {
    let mut lab = chain();
    set_ready(&mut lab, "db", false);
    lab.until(80.0);
    let web = service_health(&lab, "web");
    assert_eq!((web.status, causes(&web)), (HealthStatus::Healthy, Vec::new()));
}

#[test]
fn what_is_well_in_between_hides_what_is_behind_it() {
    let mut lab = chain();
    set_ready(&mut lab, "db", false);
    set_ready(&mut lab, "web", false);
    lab.until(50.0);
    assert!(causes(&service_health(&lab, "web")).is_empty());
}

#[test]
fn a_cause_that_recovered_is_none() {
    let mut lab = chain();
    set_ready(&mut lab, "db", false);
    set_ready(&mut lab, "api", false);
    lab.until(50.0);
    assert_eq!(causes(&service_health(&lab, "api")), ["1 db unhealthy root"]);
    set_ready(&mut lab, "db", true);
    lab.until(90.0);
    let api = service_health(&lab, "api");
    assert_eq!((api.status, causes(&api)), (HealthStatus::Unhealthy, Vec::new()));
}
