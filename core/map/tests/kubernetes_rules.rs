//! What no other test of naming says of the rules in docs/resolution.md: families of addresses, legs inside a pod, ports by
//! name, and what is known of an edge's direction.

mod lab;

use lab::cluster::{node, pod, service, slice};
use lab::{Delta, Lab, client, server};
use servicemap_map::model::Side;

/// The cgroup and the network namespace of the pod `web-1`.
const WEB: (u64, u32) = (7, 11);

fn with_client() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(WEB.0, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.settle();
    lab
}

fn call(program: &str, remote: &str, port: u16) -> Delta {
    client(program, remote, port).in_cgroup(WEB.0).in_namespace(WEB.1)
}

#[test]
fn both_families_and_mapped_addresses_of_a_pod_are_one_edge() {
    let mut lab = with_client();
    let db = pod("shop", "db-1", "db", "10.1.0.2").also("fd00:1::2");
    lab.object(service("shop", "db", "10.96.0.2").also("fd00:1::96").port("", 80));
    lab.object(slice("shop", "db").port("", 8080).holds(&db));
    lab.object(db);
    for (remote, port) in [
        ("10.1.0.2", 8080),
        ("fd00:1::2", 8080),
        ("::ffff:10.1.0.2", 8080),
        ("10.96.0.2", 80),
        ("::ffff:10.96.0.2", 80),
        ("fd00:1::96", 80),
    ] {
        lab.tell(call("app", remote, port).opened(1));
    }
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/db:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/db:80/tcp").totals.opened, 6);
}

#[test]
fn a_client_is_the_same_pod_whether_its_address_is_mapped_or_not() {
    let mut lab = with_client();
    lab.object(pod("shop", "api-1", "api", "10.1.0.3"));
    for remote in ["10.1.0.3", "::ffff:10.1.0.3"] {
        lab.tell(server("app", remote, 80).in_cgroup(WEB.0).in_namespace(WEB.1).opened(1));
    }
    lab.settle();
    assert_eq!(lab.edges(), ["shop/api->shop/web:80/tcp"]);
    assert_eq!(lab.edge("shop/api->shop/web:80/tcp").totals.opened, 2);
}

#[test]
fn an_address_outside_is_the_same_whether_it_is_mapped_or_not() {
    let mut lab = with_client();
    for remote in ["192.0.2.9", "::ffff:192.0.2.9"] {
        lab.tell(call("app", remote, 443).opened(1));
    }
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
}

#[test]
fn the_leg_from_an_app_to_its_sidecar_is_no_edge_and_the_sidecars_own_connection_is_the_pods() {
    let mut lab = with_client();
    lab.tell(call("app", "127.0.0.1", 15_001).opened(1));
    lab.tell(call("app", "::1", 15_001).opened(1));
    lab.tell(call("envoy", "192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
    assert_eq!(lab.edge("shop/web->/192.0.2.9:443/tcp").totals.opened, 1);
    assert_eq!(lab.snapshot().excluded.into_iter().collect::<Vec<_>>(), [("itself", 2)]);
}

#[test]
fn ports_of_one_number_behind_two_names_are_told_apart_by_the_slices_of_the_service() {
    let mut lab = with_client();
    let one = pod("shop", "db-1", "db", "10.1.0.2");
    let two = pod("shop", "db-2", "db", "10.1.0.3");
    lab.object(service("shop", "db", "10.96.0.2").port("sql", 5432).port("admin", 80));
    // A named target port is another number in each pod: each has a slice of its own.
    lab.object(slice("shop", "db").named("db-a").port("sql", 6000).port("admin", 7000).holds(&one));
    lab.object(slice("shop", "db").named("db-b").port("sql", 7000).port("admin", 6000).holds(&two));
    lab.object(one);
    lab.object(two);
    lab.tell(call("app", "10.1.0.2", 6000).opened(1));
    lab.tell(call("app", "10.1.0.3", 7000).opened(2));
    lab.tell(call("app", "10.1.0.3", 6000).opened(4));
    lab.settle();
    assert_eq!(lab.edge("shop/web->shop/db:5432/tcp").totals.opened, 3);
    assert_eq!(lab.edge("shop/web->shop/db:80/tcp").totals.opened, 4);
}

#[test]
fn an_edge_says_from_which_side_by_which_rules_and_whether_its_direction_was_seen() {
    let mut lab = with_client();
    lab.object(node("far", "172.16.0.2"));
    lab.object(pod("shop", "api-1", "api", "10.1.0.3"));
    lab.tell(call("app", "10.1.0.3", 80).preexisting(1));
    lab.tell(server("app", "172.16.0.2", 80).in_cgroup(WEB.0).in_namespace(WEB.1).opened(1));
    lab.settle();
    let said = |key: &str| {
        let known = lab.edge(key).provenance.clone();
        (known.side, known.source_rule, known.destination_rule, known.direction_known)
    };
    assert_eq!(said("shop/web->shop/api:80/tcp"), (Side::Client, "cgroup", "pod", false));
    assert_eq!(said("/far->shop/web:80/tcp"), (Side::Server, "node", "cgroup", true));
    lab.tell(call("app", "10.1.0.3", 80).opened(1));
    lab.settle();
    let said = lab.edge("shop/web->shop/api:80/tcp");
    assert!(said.provenance.direction_known, "one was seen to begin");
    assert_eq!((said.totals.preexisting, said.totals.opened), (1, 2));
}

#[test]
fn a_service_of_another_namespace_that_has_the_labels_of_a_pod_does_not_select_it() {
    let mut lab = Lab::in_cluster();
    lab.runs(WEB.0, &pod("shop", "web-1", "web", "10.1.0.1").label("app", "web"));
    lab.object(service("billing", "front", "10.96.0.3").port("", 80).selects("app", "web"));
    lab.tell(call("app", "192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
}
