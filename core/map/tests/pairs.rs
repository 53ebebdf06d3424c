//! An edge opened down to the pods, or programs, that are behind it.

mod lab;

use lab::cluster::{node, path_of, pod, service, slice, uid};
use lab::{HOST, Lab, at, client, ip, listener, server};
use servicemap_map::model::{EdgePairs, FactBody, Pair, PairEnd, Side};

const TO_DB: &str = "shop/web->shop/db:80/tcp";

fn pairs(lab: &Lab, edge: &str) -> EdgePairs {
    lab.map.pairs(edge).unwrap_or_else(|| unreachable!("no edge {edge} among {:?}", lab.edges()))
}

fn text(end: &PairEnd) -> String {
    let part = |part: &Option<std::sync::Arc<str>>| part.as_deref().unwrap_or("-").to_owned();
    let address = end.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    format!("{} {} {} {address}", part(&end.pod), part(&end.node), part(&end.program))
}

/// Source, destination and how many were opened.
fn lines(found: &EdgePairs) -> Vec<String> {
    let line =
        |pair: &Pair| format!("{} > {} {}", text(&pair.source), text(&pair.destination), pair.totals.opened);
    found.pairs.iter().map(line).collect()
}

/// Two pods of `web` on this machine, two of `db` elsewhere.
fn cluster() -> Lab {
    let mut lab = Lab::in_cluster();
    let databases = [("db-1", "10.1.2.1"), ("db-2", "10.1.2.2")]
        .map(|(name, address)| pod("shop", name, "db", address).on_node("far"));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.1.1").on_node("box"));
    lab.runs(8, &pod("shop", "web-2", "web", "10.1.1.2").on_node("box"));
    lab.object(service("shop", "db", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "db").port("", 8080).holds(&databases[0]).holds(&databases[1]));
    for database in databases {
        lab.object(database);
    }
    lab.settle();
    lab
}

#[test]
fn each_pair_of_pods_has_its_own_counters_and_the_busiest_is_first() {
    let mut lab = cluster();
    let calls = |cgroup, address| client("app", address, 8080).in_cgroup(cgroup).in_namespace(11);
    lab.tell(calls(7, "10.1.2.1").short(2).from("10.1.1.1", 1));
    lab.tell(calls(7, "10.1.2.2").opened(5).bytes(10, 20));
    lab.tell(calls(8, "10.1.2.1").opened(1).refused(3));
    lab.settle();
    let found = pairs(&lab, TO_DB);
    assert_eq!(
        lines(&found),
        [
            "web-1 box app - > db-2 far - 10.1.2.2 5",
            "web-1 box app 10.1.1.1 > db-1 far - 10.1.2.1 2",
            "web-2 box app - > db-1 far - 10.1.2.1 1",
        ]
    );
    assert_eq!(found.left_out, 0);
    assert_eq!(found.pairs[0].totals.bytes_received, 20);
    assert_eq!(found.pairs[1].totals.active, 0);
    assert_eq!(found.pairs[2].totals.failed.refused, 3);
    assert_eq!(
        (&found.pairs[0].source.namespace, found.edge.key()),
        (&Some("shop".into()), TO_DB.to_owned())
    );
    let opened: u64 = found.pairs.iter().map(|pair| pair.totals.opened).sum();
    assert_eq!(opened, lab.edge(TO_DB).totals.opened);
}

#[test]
fn flows_of_one_pair_are_one_line() {
    let mut lab = cluster();
    for (program, second) in [("app", 1.0), ("sidecar", 4.0)] {
        lab.until(second);
        lab.tell(client(program, "10.1.2.1", 8080).in_cgroup(7).in_namespace(11).opened(1));
    }
    lab.settle();
    let found = pairs(&lab, TO_DB);
    assert_eq!(lines(&found), ["web-1 box app - > db-1 far - 10.1.2.1 2"]);
    assert_eq!((found.pairs[0].first_seen, found.pairs[0].last_seen), (at(1.0), at(4.0)));
}

#[test]
fn a_hundred_pairs_are_shown_and_the_rest_is_counted() {
    let mut lab = Lab::new();
    lab.cgroup(7, "/system.slice/shop.service");
    lab.map.advance(lab.now);
    for number in 0..130_u32 {
        let netns = 100 + number;
        lab.tell(
            client(&format!("worker-{number}"), "203.0.113.5", 443)
                .in_cgroup(7)
                .in_namespace(netns)
                .opened(u64::from(number) + 1),
        );
    }
    lab.settle();
    let edges = lab.edges();
    let found = pairs(&lab, &edges[0]);
    assert_eq!((found.pairs.len(), found.left_out), (EdgePairs::MAX, 30));
    assert_eq!(found.pairs[0].totals.opened, 130);
    assert_eq!(found.pairs[99].totals.opened, 31);
}

#[test]
fn programs_of_one_machine_are_pairs_by_their_names() {
    let mut lab = Lab::new();
    lab.address(HOST, "127.0.0.1");
    lab.tell(listener("db", "127.0.0.1", 5432));
    lab.tell(client("api", "127.0.0.1", 5432).opened(3).from("127.0.0.1", 1));
    lab.settle();
    let found = pairs(&lab, "box/api->box/db:5432/tcp");
    assert_eq!(lines(&found), ["- box api 127.0.0.1 > - box db 127.0.0.1 3"]);
}

#[test]
fn what_two_machines_counted_of_one_pair_is_one_line() {
    let mut lab = Lab::in_cluster();
    for (machine, name) in [(1, "one"), (2, "two")] {
        lab.object(node(name, &format!("192.0.2.{machine}")));
        lab.observed(machine, name, 0.0);
        lab.agent_address(machine, HOST, &format!("192.0.2.{machine}"));
    }
    let db = pod("shop", "db-1", "db", "10.1.2.1").on_node("two");
    lab.object(pod("shop", "web-1", "web", "10.1.1.1").on_node("one"));
    lab.object(db.clone());
    lab.object(service("shop", "db", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "db").port("", 8080).holds(&db));
    lab.agent(1, FactBody::Cgroup { id: 7, path: path_of(&uid("web-1")).into() });
    lab.agent(2, FactBody::Cgroup { id: 7, path: path_of(&uid("db-1")).into() });
    lab.settle();
    let accepts = |lab: &mut Lab, opened| {
        lab.agent_tells(2, server("postgres", "10.1.1.1", 8080).in_cgroup(7).in_namespace(12).opened(opened));
    };

    // To the Service's address: only the pod's machine knows which pod it is.
    lab.agent_tells(1, client("app", "10.96.0.2", 80).in_cgroup(7).in_namespace(11).opened(3));
    lab.settle();
    assert_eq!(lines(&pairs(&lab, TO_DB)), ["web-1 one app - > - - - 10.96.0.2 3"]);
    accepts(&mut lab, 3);
    lab.settle();
    assert_eq!(lines(&pairs(&lab, TO_DB)), ["web-1 one - 10.1.1.1 > db-1 two postgres - 3"]);

    // To the pod's own address: both know.
    lab.agent_tells(1, client("app", "10.1.2.1", 8080).in_cgroup(7).in_namespace(11).opened(4));
    lab.settle();
    let found = pairs(&lab, TO_DB);
    assert_eq!(found.pairs[0].side, Side::Client);
    assert_eq!(text(&found.pairs[0].source), "web-1 one app 10.1.1.1");
    assert_eq!(text(&found.pairs[0].destination), "db-1 two postgres 10.1.2.1");
}

#[test]
fn many_addresses_that_the_kernel_put_together_have_none() {
    let mut lab = Lab::new();
    lab.tell(client("crawler", "0.0.0.0", 443).folded().opened(9));
    lab.settle();
    let edges = lab.edges();
    let found = pairs(&lab, &edges[0]);
    assert_eq!(found.pairs[0].destination, PairEnd::default());
    assert_eq!(found.pairs[0].totals.opened, 9);
}

#[test]
fn an_edge_that_is_not_there_has_no_pairs() {
    let lab = cluster();
    assert!(lab.map.pairs(TO_DB).is_none());
    assert!(lab.map.pairs("nonsense").is_none());
}

#[test]
fn pairs_are_json_with_what_is_known() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "203.0.113.5", 443).opened(1).from("10.0.0.1", 1));
    lab.settle();
    let found = serde_json::to_value(pairs(&lab, "box/curl->/203.0.113.5:443/tcp")).unwrap();
    assert_eq!(found["left_out"], 0);
    assert_eq!(found["edge"]["port"], 443);
    let pair = &found["pairs"][0];
    assert_eq!(
        pair["source"],
        serde_json::json!({"node": "box", "program": "curl", "address": ip("10.0.0.1")})
    );
    assert_eq!(pair["destination"], serde_json::json!({"address": "203.0.113.5"}));
    assert_eq!((&pair["opened"], &pair["side"]), (&1.into(), &"client".into()));
}
