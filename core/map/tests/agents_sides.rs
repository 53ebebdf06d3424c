//! A connection that is counted on both of its machines counts once, from the client's side; the server's side stands in
//! where the client's was not counted, and nothing jumps when that changes.

mod lab;

use lab::cluster::{node, path_of, pod, service, slice, uid};
use lab::{Delta, Lab, at, client, listener, server};
use proptest::prelude::*;
use servicemap_map::model::{FactBody, Side};

const WEB: u32 = 11;
const DB: u32 = 12;
const WEB_TO_DB: &str = "shop/web->shop/db:80/tcp";

/// Nodes `one`, `two` and `three`; pod `web-1` of workload `web` on `one`, `db-1` behind Service `db` (port 80 → 8080) on
/// `two`. No agent has told anything yet.
fn cluster() -> Lab {
    let mut lab = Lab::in_cluster();
    for (name, address) in [("one", "192.0.2.1"), ("two", "192.0.2.2"), ("three", "192.0.2.3")] {
        lab.object(node(name, address));
    }
    let db = pod("shop", "db-1", "db", "10.1.2.1").on_node("two");
    lab.object(pod("shop", "web-1", "web", "10.1.1.1").on_node("one"));
    lab.object(db.clone());
    lab.object(service("shop", "db", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "db").port("", 8080).holds(&db));
    lab.settle();
    lab
}

/// The agents of all three nodes are heard, from second 0 on.
fn observed_cluster() -> Lab {
    let mut lab = cluster();
    for (machine, name) in [(1, "one"), (2, "two"), (3, "three")] {
        lab.observed(machine, name, 0.0);
        lab.agent_address(machine, lab::HOST, &format!("192.0.2.{machine}"));
    }
    lab.agent(1, FactBody::Cgroup { id: 7, path: path_of(&uid("web-1")).into() });
    lab.agent(2, FactBody::Cgroup { id: 7, path: path_of(&uid("db-1")).into() });
    lab.settle();
    lab
}

/// Connections of the pod on `one` to the Service.
fn calls() -> Delta {
    client("app", "10.96.0.2", 80).in_cgroup(7).in_namespace(WEB)
}

/// The same as the pod on `two` accepts them.
fn accepts() -> Delta {
    server("db", "10.1.1.1", 8080).in_cgroup(7).in_namespace(DB)
}

/// What the pod on `two` accepts from the address of node `one`.
fn accepts_from_node() -> Delta {
    server("db", "192.0.2.1", 8080).in_cgroup(7).in_namespace(DB)
}

fn opened(lab: &Lab, edge: &str) -> (u64, u64) {
    let totals = lab.edge(edge).totals;
    (totals.opened, totals.active)
}

#[test]
fn both_sides_are_one_edge_counted_once_whichever_is_told_first() {
    for server_first in [false, true] {
        for together in [false, true] {
            let mut lab = observed_cluster();
            for is_server in [server_first, !server_first] {
                let (machine, delta) = if is_server { (2, accepts()) } else { (1, calls()) };
                lab.agent_tells(machine, delta.opened(3).closed(1));
                if !together {
                    lab.settle();
                }
            }
            lab.settle();
            assert_eq!(lab.edges(), [WEB_TO_DB], "{server_first} {together}");
            assert_eq!(opened(&lab, WEB_TO_DB), (3, 2), "{server_first} {together}");
            assert_eq!(lab.edge(WEB_TO_DB).provenance.side, Side::Client);
        }
    }
}

#[test]
fn while_the_client_is_observed_its_server_alone_makes_no_edge() {
    let mut lab = observed_cluster();
    lab.agent_tells(2, accepts().opened(1));
    lab.settle();
    assert_eq!(lab.edges(), [""; 0]);
    assert!(lab.services().contains(&"service:shop/db".to_owned()));
}

#[test]
fn what_a_server_told_before_its_clients_counts_beside_them_as_soon_as_they_have_an_edge() {
    let mut lab = observed_cluster();
    lab.agent_tells(2, accepts().opened(3));
    lab.settle();
    lab.agent_tells(1, calls().opened(2));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (3, 3));
}

#[test]
fn where_the_clients_node_is_not_observed_the_server_counts() {
    let mut lab = observed_cluster();
    lab.lost(1, "one");
    lab.agent_tells(2, accepts().opened(2).bytes(5, 7));
    lab.settle();
    let edge = lab.edge(WEB_TO_DB);
    assert_eq!((edge.provenance.side, edge.totals.opened), (Side::Server, 2));
    assert_eq!((edge.totals.bytes_sent, edge.totals.bytes_received), (7, 5), "from client to server");
}

#[test]
fn what_the_client_missed_while_its_agent_restarted_is_the_servers_count() {
    let mut lab = observed_cluster();
    lab.agent_tells(1, calls().short(10));
    lab.agent_tells(2, accepts().short(10));
    lab.settle();
    lab.agent_tells(2, accepts().short(4));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (14, 0));
    lab.agent_tells(1, calls().short(1));
    lab.agent_tells(2, accepts().short(1));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (15, 0));
}

#[test]
fn an_agent_that_is_lost_and_back_makes_nothing_count_twice_and_nothing_jump() {
    let mut lab = observed_cluster();
    lab.agent_tells(1, calls().opened(5).closed(2));
    lab.agent_tells(2, accepts().opened(5).closed(2));
    lab.until(1.0);
    lab.lost(1, "one");
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (5, 3));
    lab.agent_tells(2, accepts().opened(4).closed(5));
    lab.until(2.0);
    assert_eq!(opened(&lab, WEB_TO_DB), (9, 2));
    lab.observed(1, "one", 0.0);
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (9, 2));
    lab.agent_tells(1, calls().opened(4).closed(5));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (9, 2), "the agent had counted all along");
    lab.agent_tells(1, calls().closed(2));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (9, 0));
}

#[test]
fn an_agent_that_begins_later_takes_over_without_a_jump() {
    let mut lab = observed_cluster();
    lab.lost(1, "one");
    lab.agent_tells(2, accepts().opened(50).closed(48));
    lab.until(1.0);
    assert_eq!(opened(&lab, WEB_TO_DB), (50, 2));
    lab.observed(1, "one", 1.0);
    lab.agent_tells(1, calls().preexisting(2));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (50, 2));
    lab.agent_tells(1, calls().opened(1));
    lab.agent_tells(2, accepts().opened(1));
    lab.settle();
    assert_eq!(opened(&lab, WEB_TO_DB), (51, 3));
}

#[test]
fn what_a_server_told_before_the_agent_of_its_clients_that_was_there_already_is_theirs() {
    let mut lab = cluster();
    lab.observed(2, "two", 0.0);
    lab.agent(2, FactBody::Cgroup { id: 7, path: path_of(&uid("db-1")).into() });
    lab.agent_tells(2, accepts().short(3));
    lab.until(1.0);
    assert_eq!(opened(&lab, WEB_TO_DB), (3, 0));
    lab.observed(1, "one", 0.0);
    lab.agent(1, FactBody::Cgroup { id: 7, path: path_of(&uid("web-1")).into() });
    lab.agent_tells(1, calls().short(3));
    lab.settle();
    assert_eq!(lab.edges(), [WEB_TO_DB]);
    assert_eq!(opened(&lab, WEB_TO_DB), (3, 0));
}

#[test]
fn clients_of_several_nodes_add_up() {
    let mut lab = observed_cluster();
    lab.object(pod("shop", "web-2", "web", "10.1.3.1").on_node("three"));
    lab.agent(3, FactBody::Cgroup { id: 9, path: path_of(&uid("web-2")).into() });
    lab.agent_tells(1, calls().opened(2));
    lab.agent_tells(2, accepts().opened(2));
    lab.agent_tells(3, calls().in_cgroup(9).opened(3));
    lab.agent_tells(2, server("db", "10.1.3.1", 8080).in_cgroup(7).in_namespace(DB).opened(3));
    lab.settle();
    assert_eq!(lab.edges(), [WEB_TO_DB]);
    assert_eq!(opened(&lab, WEB_TO_DB), (5, 5));
}

#[test]
fn clients_from_outside_add_to_nobodys_counts() {
    let mut lab = observed_cluster();
    lab.agent_tells(2, server("db", "198.51.100.1", 8080).in_cgroup(7).in_namespace(DB).opened(2));
    lab.settle();
    assert_eq!(lab.edges(), ["/198.51.100.1->shop/db:80/tcp"]);
    assert_eq!(lab.edge("/198.51.100.1->shop/db:80/tcp").provenance.side, Side::Server);
}

#[test]
fn two_services_before_one_pod_make_no_second_edge() {
    let mut lab = observed_cluster();
    let db = pod("shop", "db-1", "db", "10.1.2.1").on_node("two");
    lab.object(service("shop", "db-read", "10.96.0.3").port("", 81));
    lab.object(slice("shop", "db-read").port("", 8080).holds(&db));
    lab.agent_tells(1, client("app", "10.96.0.3", 81).in_cgroup(7).in_namespace(WEB).opened(1));
    lab.agent_tells(2, accepts().opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/db-read:81/tcp"]);
}

#[test]
fn what_comes_from_a_nodes_address_is_kept_aside() {
    let mut lab = observed_cluster();
    lab.agent_tells(1, calls().opened(2));
    lab.agent_tells(2, accepts_from_node().opened(2));
    lab.settle();
    assert_eq!(lab.edges(), [WEB_TO_DB, "/one->shop/db:80/tcp"]);
    assert_eq!(lab.edge("/one->shop/db:80/tcp").provenance.source_rule, "via_node");
    assert_eq!(opened(&lab, WEB_TO_DB), (2, 2), "masqueraded connections are counted by their client");
}

#[test]
fn what_a_nodes_own_programs_do_is_not_kept_aside_too() {
    for server_first in [false, true] {
        let mut lab = observed_cluster();
        for is_server in [server_first, !server_first] {
            if is_server {
                lab.agent_tells(2, accepts_from_node().opened(2));
            } else {
                lab.agent_tells(1, client("kubelet", "10.1.2.1", 8080).opened(2));
            }
            lab.settle();
        }
        assert_eq!(lab.edges(), ["/one->shop/db:80/tcp"], "{server_first}");
        let edge = lab.edge("/one->shop/db:80/tcp");
        assert_eq!((edge.totals.opened, edge.provenance.side), (2, Side::Client), "{server_first}");
    }
}

#[test]
fn a_pod_in_its_nodes_network_is_not_its_node_at_the_server() {
    for server_first in [false, true] {
        let mut lab = observed_cluster();
        lab.object(pod("kube-system", "proxy-1", "proxy", "192.0.2.1").on_host("one"));
        lab.agent(1, FactBody::Cgroup { id: 8, path: path_of(&uid("proxy-1")).into() });
        for is_server in [server_first, !server_first] {
            if is_server {
                lab.agent_tells(2, accepts_from_node().opened(2));
            } else {
                lab.agent_tells(1, client("proxy", "10.1.2.1", 8080).in_cgroup(8).opened(2));
            }
            lab.settle();
        }
        assert_eq!(lab.edges(), ["kube-system/proxy->shop/db:80/tcp"], "{server_first}");
        assert_eq!(opened(&lab, "kube-system/proxy->shop/db:80/tcp"), (2, 2));
    }
}

#[test]
fn without_kubernetes_a_machine_stands_in_for_its_programs_while_it_is_not_observed() {
    let mut lab = Lab::new();
    for machine in [1, 2] {
        lab.observed(machine, if machine == 1 { "one" } else { "two" }, 0.0);
        lab.agent_address(machine, lab::HOST, &format!("192.0.2.{machine}"));
    }
    lab.agent_tells(2, listener("nginx", "0.0.0.0", 80));
    lab.agent_tells(1, client("curl", "192.0.2.2", 80).short(1));
    lab.agent_tells(2, server("nginx", "192.0.2.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->two/nginx:80/tcp"]);
    lab.until(1.0);
    lab.lost(1, "one");
    lab.agent_tells(2, server("nginx", "192.0.2.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->two/nginx:80/tcp", "/one->two/nginx:80/tcp"]);
    assert_eq!(opened(&lab, "/one->two/nginx:80/tcp"), (1, 0));
    assert_eq!(lab.edge("/one->two/nginx:80/tcp").first_seen, at(1.0));
}

#[test]
fn an_edge_from_before_there_were_other_machines_keeps_its_counts() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "198.51.100.9", 443).short(3));
    lab.settle();
    lab.observed(1, "one", 0.0);
    lab.tell(client("curl", "198.51.100.9", 443).short(2));
    lab.settle();
    assert_eq!(opened(&lab, "box/curl->/198.51.100.9:443/tcp"), (5, 0));
}

/// What three agents tell of one traffic: two clients on different nodes, each seen at its server, too; one behind its node's
/// address; a program of a node.
fn traffic(second: u32) -> Vec<(u32, Delta)> {
    let opened = u64::from(second % 3 + 1);
    let web = |delta: Delta| delta.short(opened);
    let from_three = || server("db", "10.1.3.1", 8080).in_cgroup(7).in_namespace(DB);
    vec![
        (1, web(calls())),
        (2, web(accepts())),
        (3, web(calls().in_cgroup(9))),
        (2, web(from_three())),
        (2, web(accepts_from_node())),
        (3, web(client("kubelet", "10.1.2.1", 8080))),
        (2, web(server("db", "192.0.2.3", 8080).in_cgroup(7).in_namespace(DB))),
    ]
}

proptest! {
    #[test]
    fn the_sums_are_the_same_in_whichever_order_agents_tell(
        order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
        settles in proptest::collection::vec(any::<bool>(), 7),
        rounds in 1..4_u32,
    ) {
        let mut lab = observed_cluster();
        lab.object(pod("shop", "web-2", "web", "10.1.3.1").on_node("three"));
        lab.agent(3, FactBody::Cgroup { id: 9, path: path_of(&uid("web-2")).into() });
        let mut expected = 0;
        for round in 0..rounds {
            let told = traffic(round);
            expected += u64::from(round % 3 + 1);
            for (index, settles) in order.iter().zip(&settles) {
                let (machine, delta) = told[*index].clone();
                lab.agent_tells(machine, delta);
                if *settles {
                    lab.settle();
                }
            }
            lab.until(f64::from(round + 1));
        }
        let mut counts: Vec<_> = lab
            .snapshot()
            .connections
            .iter()
            .map(|edge| (edge.edge.key(), edge.totals.opened, edge.totals.active))
            .collect();
        counts.sort();
        let edge = |key: &str, times: u64| (key.to_owned(), times * expected, 0);
        prop_assert_eq!(counts, [edge("/one->shop/db:80/tcp", 1), edge("/three->shop/db:80/tcp", 1), edge(WEB_TO_DB, 2)]);
    }
}
