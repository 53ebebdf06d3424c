//! Health of Services by their endpoints, and by endpoints and traffic together.

mod lab;

use lab::cluster::{PodObject, ServiceObject, SliceObject, pod, service, slice};
use lab::{Lab, client};
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
