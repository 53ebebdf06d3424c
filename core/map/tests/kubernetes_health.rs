//! Health of Services by their endpoints, and by endpoints and traffic together.

mod lab;

use lab::cluster::{PodObject, ServiceObject, SliceObject, pod, service, slice};
use lab::{Lab, START, client};
use servicemap_map::model::{HealthReason, HealthStatus};

fn backend(number: u8) -> PodObject {
    pod("shop", &format!("api-{number}"), "api", &format!("10.1.1.{number}"))
}

fn api() -> ServiceObject {
    service("shop", "api", "10.96.0.9").port("", 80)
}

/// A slice with so many endpoints that are ready, and so many that are not.
fn endpoints(ready: u8, other: u8) -> SliceObject {
    let mut slice = slice("shop", "api").port("", 8080);
    for number in 0..ready + other {
        slice = slice.holds(&backend(number));
        if number >= ready {
            slice = slice.not_ready();
        }
    }
    slice
}

fn with_endpoints(ready: u8, other: u8) -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(api());
    lab.object(endpoints(ready, other));
    lab
}

fn health(lab: &Lab) -> (HealthStatus, Vec<HealthReason>) {
    let health = &lab.service("service:shop/api").health;
    (health.status, health.reasons.clone())
}

#[test]
fn none_ready_is_unhealthy_after_two_seconds_and_told_at_once() {
    let mut lab = with_endpoints(0, 2);
    lab.until(1.9);
    assert_eq!(health(&lab).0, HealthStatus::Unknown);
    lab.events();
    lab.until(2.0);
    assert_eq!(health(&lab), (HealthStatus::Unhealthy, vec![HealthReason::EndpointsNotReady]));
    assert!(lab.news().contains(&"health.changed service:shop/api".to_owned()));
}

#[test]
fn fewer_than_three_quarters_ready_is_degraded_and_three_quarters_are_healthy() {
    let mut lab = with_endpoints(2, 1);
    lab.until(10.0);
    assert_eq!(health(&lab), (HealthStatus::Degraded, vec![HealthReason::EndpointsNotReady]));
    let mut lab = with_endpoints(3, 1);
    lab.until(30.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
}

#[test]
fn no_endpoints_at_all_are_unknown_until_attempts_fail() {
    let mut lab = with_endpoints(0, 0);
    lab.until(100.0);
    assert_eq!(health(&lab), (HealthStatus::Unknown, vec![HealthReason::NoEndpoints]));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).refused(1));
    lab.until(103.0);
    let reasons = vec![HealthReason::NoEndpoints, HealthReason::ConnectionsFail];
    assert_eq!(health(&lab), (HealthStatus::Unhealthy, reasons));
}

#[test]
fn of_endpoints_and_traffic_the_worse_counts() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    assert_eq!(health(&lab).0, HealthStatus::Healthy);
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).refused(10));
    lab.until(43.0);
    assert_eq!(health(&lab), (HealthStatus::Unhealthy, vec![HealthReason::ConnectionsFail]));
    lab.until(200.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
}

#[test]
fn endpoints_that_recover_within_the_trial_change_nothing() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    lab.events();
    lab.object(endpoints(0, 4));
    lab.until(41.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
    lab.object(endpoints(4, 0));
    lab.until(60.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
    assert!(lab.news().is_empty());
}

#[test]
fn services_that_have_no_endpoints_by_nature_are_not_judged_by_them() {
    let mut lab = Lab::in_cluster();
    lab.object(api().external_name("db.example.com"));
    lab.until(5.0);
    assert_eq!(health(&lab), (HealthStatus::Unknown, vec![HealthReason::NoTraffic]));
}

/// An endpoint goes and comes again so often, each time for a second and with a second in between.
fn flap(lab: &mut Lab, times: u8) {
    for _ in 0..times {
        for ready in [3, 4] {
            lab.object(endpoints(ready, 4 - ready));
            let second = lab.now.as_nanos() as f64 / 1e9 - START.as_nanos() as f64 / 1e9;
            lab.until(second + 1.0);
        }
    }
}

#[test]
fn endpoints_that_go_and_come_again_twice_in_five_minutes_flap_until_that_is_past() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    flap(&mut lab, 1);
    lab.until(60.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
    lab.events();
    flap(&mut lab, 1);
    lab.until(70.9);
    assert_eq!(health(&lab).0, HealthStatus::Healthy);
    lab.until(71.0);
    assert_eq!(health(&lab), (HealthStatus::Degraded, vec![HealthReason::EndpointsFlap]));
    lab.until(73.0);
    assert_eq!(lab.news(), ["health.changed service:shop/api"]);
    // The first of the four changes was at second 40.
    lab.until(369.9);
    assert_eq!(health(&lab).0, HealthStatus::Degraded);
    lab.until(370.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
}

#[test]
fn flaps_within_a_debounce_window_that_end_where_they_began_make_no_event_but_count() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    lab.events();
    for _ in 0..5 {
        lab.object(endpoints(0, 4));
        lab.object(endpoints(4, 0));
    }
    lab.until(49.9);
    assert!(lab.news().is_empty());
    lab.until(50.0);
    assert_eq!(health(&lab), (HealthStatus::Degraded, vec![HealthReason::EndpointsFlap]));
}

#[test]
fn what_alternates_between_none_ready_and_flapping_is_degraded() {
    let mut lab = with_endpoints(1, 0);
    lab.until(40.0);
    for half in 0..40_u32 {
        lab.object(if half % 2 == 0 { endpoints(0, 1) } else { endpoints(1, 0) });
        lab.until(40.0 + f64::from(half + 1));
    }
    let reasons = vec![HealthReason::EndpointsFlap];
    assert_eq!(health(&lab), (HealthStatus::Degraded, reasons));
}

#[test]
fn an_outage_that_all_endpoints_share_is_one_outage_and_no_flapping() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    for (second, ready) in [(40, 3), (41, 2), (42, 1), (43, 0), (50, 1), (51, 2), (52, 4)] {
        lab.until(f64::from(second));
        lab.object(endpoints(ready, 4 - ready));
    }
    lab.until(82.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
}

/// The slice in the middle of a rolling update: pods up to a number are gone, that one goes, and its successor starts.
fn updating(size: u8, replaced: u8, starting_is_ready: bool) -> SliceObject {
    let mut slice = slice("shop", "api").port("", 8080).port("metrics", 9090);
    for old in replaced..size {
        slice = slice.holds(&backend(old));
        if old == replaced {
            slice = slice.terminating();
        }
    }
    for new in 0..=replaced {
        slice = slice.holds(&backend(100 + new));
        if new == replaced && !starting_is_ready {
            slice = slice.not_ready();
        }
    }
    slice
}

#[test]
fn a_rolling_update_of_fifty_pods_is_no_flapping() {
    let mut lab = with_endpoints(50, 0);
    lab.until(40.0);
    lab.events();
    for replaced in 0..50 {
        lab.object(updating(50, replaced, false));
        lab.until(40.5 + f64::from(replaced));
        lab.object(updating(50, replaced, true));
        lab.until(41.0 + f64::from(replaced));
    }
    lab.until(200.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
    assert!(lab.news().is_empty());
}

#[test]
fn pods_that_take_each_others_address_do_not_flap() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    let sharing = |name: &str| pod("shop", name, "api", "10.1.1.0");
    for number in 0..10 {
        let old = sharing(&format!("old-{number}"));
        lab.object(slice("shop", "api").port("", 8080).holds(&old));
        lab.object(slice("shop", "api").port("", 8080).holds(&sharing(&format!("new-{number}"))).not_ready());
    }
    lab.object(endpoints(4, 0));
    lab.until(80.0);
    assert_eq!(health(&lab), (HealthStatus::Healthy, vec![HealthReason::EndpointsReady]));
}

#[test]
fn a_list_of_what_is_known_already_counts_nothing() {
    let mut lab = with_endpoints(4, 0);
    lab.until(40.0);
    flap(&mut lab, 1);
    for _ in 0..10 {
        lab.object(api());
        lab.object(endpoints(4, 0));
        lab.until(60.0);
    }
    assert_eq!(health(&lab).0, HealthStatus::Healthy);
    // What was counted before is remembered: the next outage is the second one.
    flap(&mut lab, 1);
    lab.until(80.0);
    assert_eq!(health(&lab).0, HealthStatus::Degraded);
}

#[test]
fn how_many_changes_are_flapping_and_how_many_endpoints_are_enough_can_be_set() {
    let mut lab = Lab::in_cluster_with(|settings| {
        settings.health.flap_changes = 2;
        settings.health.degraded_ready_ratio = 0.5;
    });
    lab.object(api());
    lab.object(endpoints(2, 2));
    lab.until(40.0);
    assert_eq!(health(&lab).0, HealthStatus::Healthy);
    lab.object(endpoints(1, 3));
    lab.object(endpoints(2, 2));
    lab.until(50.0);
    assert_eq!(health(&lab), (HealthStatus::Degraded, vec![HealthReason::EndpointsFlap]));
}
