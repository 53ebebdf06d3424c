//! Addresses inside the cluster that nobody known has: never outside, shown one by one as far as that makes sense, and
//! named once it is known whose they are.

mod lab;

use lab::cluster::{pod, scope, service};
use lab::{Delta, Lab, at, client, server};
use servicemap_map::model::ServiceType;

/// The cgroup and the network namespace of the pod `web-1`.
const WEB: (u64, u32) = (7, 11);

const TO_STRANGER: &str = "shop/web->/10.1.0.9:80/tcp";

fn with_client() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(WEB.0, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.settle();
    lab.events();
    lab
}

fn call(remote: &str, port: u16) -> Delta {
    client("app", remote, port).in_cgroup(WEB.0).in_namespace(WEB.1)
}

/// An address of the cluster's pods that no pod has.
fn nobodys(number: u32) -> String {
    format!("10.1.{}.{}", 100 + number / 250, 1 + number % 250)
}

#[test]
fn an_address_that_nobody_has_is_unresolved_after_ten_seconds() {
    let mut lab = with_client();
    lab.tell(call("10.1.0.9", 80).opened(2));
    lab.tell(call("10.1.0.8", 80).opened(1));
    lab.until(9.9);
    assert!(lab.edges().is_empty());
    lab.until(10.0);
    assert_eq!(lab.edges(), ["shop/web->/10.1.0.8:80/tcp", TO_STRANGER]);
    let edge = lab.edge(TO_STRANGER);
    assert_eq!((edge.totals.opened, edge.provenance.destination_rule), (2, "unresolved"));
    assert_eq!(edge.edge.destination.service_type, ServiceType::Workload);
    assert_eq!(lab.snapshot().totals.external_services, 0);
}

#[test]
fn where_not_all_is_watched_it_is_unwatched() {
    let mut lab = with_client();
    lab.object(scope(true));
    lab.tell(server("web", "10.1.0.9", 80).in_cgroup(WEB.0).in_namespace(WEB.1).opened(1));
    lab.until(10.0);
    let edge = lab.edge("/10.1.0.9->shop/web:80/tcp");
    assert_eq!(edge.provenance.source_rule, "unwatched");
}

#[test]
fn a_client_that_nobody_knows_is_waited_for_as_long() {
    let mut lab = with_client();
    lab.tell(server("web", "10.1.0.9", 80).in_cgroup(WEB.0).in_namespace(WEB.1).opened(1));
    lab.until(9.9);
    assert!(lab.edges().is_empty());
    lab.object(pod("shop", "a-1", "a", "10.1.0.9").started(at(0.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/a->shop/web:80/tcp"]);
}

#[test]
fn whose_it_was_all_along_gets_all_that_was_counted() {
    let mut lab = with_client();
    lab.tell(call("10.1.0.9", 80).opened(2));
    lab.until(15.0);
    lab.object(pod("shop", "a-1", "a", "10.1.0.9").started(at(0.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 2);
    assert!(!lab.services().contains(&"workload:/10.1.0.9".to_owned()), "nothing is left of the address");
}

#[test]
fn a_service_that_is_told_late_gets_all_that_was_counted() {
    let mut lab = with_client();
    lab.tell(call("10.96.0.9", 443).opened(3));
    lab.until(15.0);
    assert_eq!(lab.edges(), ["shop/web->/10.96.0.9:443/tcp"]);
    lab.object(service("shop", "db", "10.96.0.9").port("", 443).created(at(0.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/db:443/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/db:443/tcp").totals.opened, 3);
}

#[test]
fn who_has_it_only_later_gets_what_comes_from_then_on() {
    let mut lab = with_client();
    lab.tell(call("10.1.0.9", 80).short(2));
    lab.until(15.0);
    lab.object(pod("shop", "a-1", "a", "10.1.0.9").started(at(14.0)));
    lab.settle();
    assert_eq!(lab.edges(), [TO_STRANGER]);
    lab.tell(call("10.1.0.9", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge(TO_STRANGER).totals.opened, 2);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 1);
}

#[test]
fn beyond_the_bound_they_are_one_that_says_how_many() {
    let mut lab = with_client();
    for number in 0..250 {
        lab.tell(call(&nobodys(number), 80).opened(1));
    }
    lab.until(10.0);
    assert_eq!(lab.edges().len(), 101);
    let rest = lab.edge("shop/web->/~unresolved:80/tcp");
    assert_eq!((rest.totals.opened, rest.provenance.destination_rule), (150, "unresolved"));
    assert_eq!(lab.snapshot().unnamed, [("~unresolved".into(), 150)].into());
    lab.tell(call(&nobodys(0), 80).opened(1));
    lab.settle();
    let first = format!("shop/web->/{}:80/tcp", nobodys(0));
    assert_eq!(lab.edge(&first).totals.opened, 2, "who is shown stays so");
}

#[test]
fn one_of_the_rest_is_named_when_it_becomes_known() {
    let mut lab = with_client();
    for number in 0..150 {
        lab.tell(call(&nobodys(number), 80).opened(1));
    }
    lab.until(11.0);
    let last = nobodys(149);
    assert!(!lab.edges().iter().any(|edge| edge.contains(&last)));
    lab.object(pod("shop", "a-1", "a", &last).started(at(0.0)));
    lab.settle();
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 1);
    assert_eq!(lab.edge("shop/web->/~unresolved:80/tcp").totals.opened, 49);
    assert_eq!(lab.snapshot().unnamed, [("~unresolved".into(), 49)].into());
}

#[test]
fn ten_thousand_make_no_storm_of_events_neither_when_they_come_nor_when_they_become_known() {
    let mut lab = with_client();
    for number in 0..10_000 {
        lab.tell(call(&nobodys(number), 80).opened(1));
    }
    lab.until(13.0);
    let told = lab.news();
    let services = told.iter().filter(|line| line.starts_with("service.discovered")).count();
    assert_eq!(services, 101);
    assert!(told.len() <= 310, "{} events", told.len());
    for number in 0..10_000 {
        let name = format!("a-{number}");
        lab.object(pod("shop", &name, "a", &nobodys(number)).started(at(0.0)));
    }
    lab.until(16.0);
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 10_000);
    let told = lab.news();
    assert!(told.len() <= 310, "{} events", told.len());
}
