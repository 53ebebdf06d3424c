//! Pods that get another name: a Service begins to stand before them, or is deleted.

mod lab;

use lab::cluster::{PodObject, pod, service, slice};
use lab::{Lab, at, client};
use servicemap_map::model::{EventData, KubernetesFact, ServiceType, TopologyChange};

const TO_DATABASE: &str = "shop/web->shop/db:5432/tcp";

/// The pod that is another service's from some instant on. Its label is `app`, `web`.
fn web() -> PodObject {
    pod("shop", "web-1", "web", "10.1.0.1").label("app", "web")
}

/// A map with that pod in cgroup 7, a client of it in cgroup 8, and a Service `db` of which it has needed something. All of
/// that has been told.
fn with_history() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &web());
    lab.runs(8, &pod("shop", "gate-1", "gate", "10.1.0.8"));
    lab.object(service("shop", "db", "10.96.0.5").port("", 5432));
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).in_namespace(7).opened(3).bytes(10, 20));
    lab.tell(client("gate", "10.1.0.1", 8080).in_cgroup(8).in_namespace(8).opened(2).closed(1));
    lab.until(5.0);
    lab.events();
    lab
}

/// The only `topology.changed` among what was told since this was last asked, and the lines of all else.
fn told(lab: &mut Lab) -> (TopologyChange, Vec<String>) {
    let mut others = Vec::new();
    let mut changes = Vec::new();
    for event in lab.events() {
        match &event.data {
            EventData::Topology(change) => changes.push((**change).clone()),
            _ => others.push(format!("{} {}", event.event_type, event.subject)),
        }
    }
    assert_eq!(changes.len(), 1, "{changes:?}");
    (changes.remove(0), others)
}

fn renamed(change: &TopologyChange) -> Vec<String> {
    change.renamed.iter().map(|one| format!("{} {}", one.from, one.to)).collect()
}

#[test]
fn a_workload_that_a_service_begins_to_select_is_told_as_renamed_and_as_nothing_else() {
    let mut lab = with_history();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.until(5.1);
    lab.object(slice("shop", "front").port("", 8080).holds(&web()));
    lab.until(10.0);
    let (change, others) = told(&mut lab);
    assert_eq!(others, ["service.discovered service:shop/front"]);
    assert_eq!(renamed(&change), ["workload:shop/web service:shop/front"]);
    assert_eq!(change.services_added, ["shop/front"]);
    assert!(change.services_removed.is_empty(), "{change:?}");
    assert_eq!(change.connections_added, ["shop/gate->shop/front:80/tcp"], "at the port that it offers");
    assert_eq!(change.connections_removed, ["shop/gate->shop/web:8080/tcp"]);
    let counts = [change.service_count_before, change.service_count];
    assert_eq!((counts, change.connection_count_before), ([3, 3], change.connection_count));
    assert_eq!(lab.edges(), ["shop/front->shop/db:5432/tcp", "shop/gate->shop/front:80/tcp"]);
}

#[test]
fn counters_and_first_sights_move_along_with_the_name() {
    let mut lab = with_history();
    let before = (lab.edge(TO_DATABASE), lab.service("workload:shop/web").first_seen);
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.until(10.0);
    let after = lab.edge("shop/front->shop/db:5432/tcp");
    assert_eq!((after.totals, after.first_seen), (before.0.totals, before.0.first_seen));
    assert_eq!(after.edge.source.service_type, ServiceType::ClusterIP);
    assert_eq!(lab.service("service:shop/front").first_seen, before.1);
    let statistics = lab.map.statistics();
    assert_eq!(statistics.connections_tracked.values().sum::<u64>(), 2, "no edge is seen for the first time");
    assert_eq!(statistics.dependencies_detected[&false], 2);
    assert!(statistics.services_removed.is_empty());
}

#[test]
fn what_is_counted_after_a_renaming_is_added_to_what_was_counted_before() {
    let mut lab = with_history();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.until(6.0);
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).in_namespace(7).opened(1).closed(4));
    lab.until(8.0);
    let totals = lab.edge("shop/front->shop/db:5432/tcp").totals;
    assert_eq!((totals.opened, totals.active, totals.bytes_sent), (4, 0, 10));
    lab.until(60.0);
    assert_eq!(lab.edges(), ["shop/gate->shop/front:8080/tcp"], "what is idle expires like any other");
}

#[test]
fn a_dependency_without_connections_moves_along_and_its_return_is_no_news() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &web());
    lab.object(service("shop", "db", "10.96.0.5").port("", 5432));
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).short(3));
    lab.until(100.0);
    assert!(lab.edges().is_empty());
    lab.events();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.until(110.0);
    let (change, others) = told(&mut lab);
    assert_eq!(renamed(&change), ["workload:shop/web service:shop/front"]);
    assert_eq!(others, ["service.discovered service:shop/front"]);
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).short(1));
    lab.until(113.0);
    assert!(lab.news_but_topology().is_empty(), "the dependency is known, and so is its edge");
}

#[test]
fn edges_of_the_old_name_and_of_the_new_one_become_one() {
    let mut lab = with_history();
    let front = service("shop", "front", "10.96.0.2").port("", 80);
    let other = pod("shop", "other-1", "other", "10.1.0.2");
    lab.runs(9, &other);
    lab.object(front.clone());
    lab.object(slice("shop", "front").port("", 8080).holds(&other));
    lab.tell(client("front", "10.96.0.5", 5432).in_cgroup(9).in_namespace(9).opened(4).bytes(1, 2));
    lab.until(10.0);
    let counts = lab.snapshot().totals;
    lab.events();
    lab.object(slice("shop", "front").port("", 8080).holds(&other).holds(&web()));
    lab.until(15.0);
    let (change, others) = told(&mut lab);
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(renamed(&change), ["workload:shop/web service:shop/front"]);
    assert_eq!((change.service_count_before, change.service_count), (counts.services, counts.services - 1));
    assert_eq!(change.connection_count_before, counts.connections);
    assert_eq!(change.connection_count, counts.connections - 1);
    let totals = lab.edge("shop/front->shop/db:5432/tcp").totals;
    assert_eq!((totals.opened, totals.active, totals.bytes_sent), (7, 7, 11));
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).in_namespace(7).closed(3));
    lab.until(60.0);
    assert_eq!(lab.edge("shop/front->shop/db:5432/tcp").totals.active, 4);
}

#[test]
fn a_workload_whose_pods_become_those_of_several_services_is_gone_and_each_flow_is_its_pods() {
    let mut lab = with_history();
    let blue = pod("shop", "web-2", "web", "10.1.0.2").label("app", "blue");
    lab.runs(9, &blue);
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(9).in_namespace(9).opened(2));
    lab.until(10.0);
    lab.events();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.object(service("shop", "blue", "10.96.0.3").port("", 80).selects("app", "blue"));
    lab.until(15.0);
    let (change, others) = told(&mut lab);
    assert!(change.renamed.is_empty() && others.contains(&"service.removed workload:shop/web".to_owned()));
    assert_eq!(lab.edge("shop/front->shop/db:5432/tcp").totals.opened, 3);
    assert_eq!(lab.edge("shop/blue->shop/db:5432/tcp").totals.opened, 2);
}

#[test]
fn pods_of_a_deleted_service_are_their_workload_and_what_they_did_moves_along() {
    let mut lab = with_history();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.object(slice("shop", "front").port("", 8080).holds(&web()));
    lab.until(10.0);
    lab.events();
    lab.service_gone("shop", "front");
    lab.until(10.1);
    lab.object(KubernetesFact::EndpointSliceGone { namespace: "shop".into(), name: "front-1".into() });
    lab.until(15.0);
    let (change, others) = told(&mut lab);
    assert_eq!(others, ["service.discovered workload:shop/web", "service.removed service:shop/front"]);
    assert_eq!(renamed(&change), ["service:shop/front workload:shop/web"]);
    assert!(change.services_removed.is_empty(), "{change:?}");
    assert_eq!(lab.edges(), ["shop/gate->shop/web:8080/tcp", TO_DATABASE]);
    let totals = lab.edge(TO_DATABASE).totals;
    assert_eq!((totals.opened, totals.active, totals.bytes_received), (3, 3, 20));
    let totals = lab.edge("shop/gate->shop/web:8080/tcp").totals;
    assert_eq!((totals.opened, totals.active), (2, 1));
    lab.tell(client("web", "10.96.0.5", 5432).in_cgroup(7).in_namespace(7).closed(3));
    lab.until(16.0);
    let totals = lab.edge(TO_DATABASE).totals;
    assert_eq!((totals.opened, totals.active), (3, 0));
}

#[test]
fn whoever_asked_for_the_address_of_a_deleted_service_has_lost_what_it_needed() {
    let mut lab = with_history();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.object(slice("shop", "front").port("", 8080).holds(&web()));
    lab.runs(9, &pod("shop", "shell-1", "shell", "10.1.0.9"));
    lab.tell(client("shell", "10.96.0.2", 80).in_cgroup(9).in_namespace(9).opened(1));
    lab.until(10.0);
    lab.events();
    lab.service_gone("shop", "front");
    lab.until(13.0);
    let (change, others) = told(&mut lab);
    let removed = ["shop/gate->shop/front:80/tcp", "shop/shell->shop/front:80/tcp"];
    assert_eq!(change.connections_removed, removed, "the first one is at another port now");
    assert!(others.contains(&"connection.expired shop/shell->shop/front:80/tcp".to_owned()), "{others:?}");
    assert!(others.contains(&"dependency.removed shop/shell->shop/front".to_owned()), "{others:?}");
    assert!(!others.iter().any(|line| line.contains("gate")), "{others:?}");
    lab.until(400.0);
    let again = lab.news().into_iter().filter(|line| line.contains("discovered service:shop/front"));
    assert_eq!(again.count(), 0, "an open connection does not bring a deleted Service back");
}

#[test]
fn what_is_told_late_of_a_deleted_service_does_not_bring_it_back() {
    let mut lab = with_history();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.until(10.0);
    lab.service_gone("shop", "front");
    lab.until(11.0);
    lab.events();
    lab.now = at(9.5);
    lab.tell(client("web", "192.0.2.1", 443).in_cgroup(7).in_namespace(7).short(1));
    lab.now = at(11.0);
    lab.until(15.0);
    assert!(lab.services().iter().all(|id| id != "service:shop/front"), "{:?}", lab.services());
    assert_eq!(lab.edge("shop/web->/192.0.2.1:443/tcp").totals.opened, 1);
}

#[test]
fn a_service_that_is_deleted_and_made_anew_within_a_window_keeps_what_it_had() {
    let mut lab = with_history();
    let front = service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web");
    lab.object(front.clone());
    lab.until(10.0);
    lab.events();
    lab.service_gone("shop", "front");
    lab.until(10.5);
    lab.object(front);
    lab.until(15.0);
    let (change, others) = told(&mut lab);
    assert_eq!(renamed(&change), ["workload:shop/web service:shop/front"], "which was told in between");
    assert_eq!((change.services_added, change.services_removed), (vec![], vec![]));
    assert_eq!(lab.edge("shop/front->shop/db:5432/tcp").totals.opened, 3);
    assert!(others.iter().all(|line| line.starts_with("service.")), "{others:?}");
}

#[test]
fn a_service_that_no_longer_selects_pods_keeps_what_it_has() {
    let mut lab = with_history();
    let front = service("shop", "front", "10.96.0.2").port("", 80);
    lab.object(front.clone().selects("app", "web"));
    lab.object(slice("shop", "front").port("", 8080).holds(&web()));
    lab.until(10.0);
    lab.events();
    lab.object(front.selects("app", "other"));
    lab.object(slice("shop", "front").port("", 8080));
    lab.until(15.0);
    let (change, _) = told(&mut lab);
    assert!(change.renamed.is_empty(), "the Service is there still: {change:?}");
    assert_eq!(lab.edge("shop/front->shop/db:5432/tcp").totals.opened, 3);
}

#[test]
fn what_is_in_the_map_before_it_is_ready_is_renamed_silently() {
    let mut lab = Lab::starting(servicemap_map::MapSettings::default());
    lab.runs(7, &web());
    lab.tell(client("web", "192.0.2.1", 443).in_cgroup(7).opened(1));
    lab.settle();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.settle();
    lab.ready();
    lab.until(5.0);
    assert!(lab.news().is_empty());
    assert_eq!(lab.services(), ["service:shop/front", "external:/192.0.2.1"]);
}

#[test]
fn a_scan_goes_on_under_the_new_name() {
    let mut lab = with_history();
    let knock = |lab: &mut Lab, ports: std::ops::RangeInclusive<u16>| {
        for port in ports {
            lab.tell(client("web", "192.0.2.1", port).in_cgroup(7).in_namespace(7).refused(1));
        }
        lab.settle();
    };
    knock(&mut lab, 1..=15);
    let front = service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web");
    lab.object(front);
    lab.settle();
    knock(&mut lab, 16..=25);
    assert_eq!(lab.edge("shop/front->/192.0.2.1:~scan/tcp").totals.failed.refused, 25);
    lab.service_gone("shop", "front");
    lab.settle();
    knock(&mut lab, 26..=30);
    assert_eq!(lab.edge("shop/web->/192.0.2.1:~scan/tcp").totals.failed.refused, 30);
    assert_eq!(lab.edges().len(), 3, "{:?}", lab.edges());
}
