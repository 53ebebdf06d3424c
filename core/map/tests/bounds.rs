//! Ten times what is configured: an explicit `~other`, a counter, sums that stay right; never a crash or a silent drop.

mod lab;

use std::collections::BTreeMap;

use lab::cluster::{pod, service};
use lab::{Lab, client, listener, server};
use servicemap_map::model::{Bound, GapReason, ServiceType};

/// The bound that is set, and ten times as much.
const BOUND: usize = 50;
const MANY: u16 = 500;

fn bounded(lab: &Lab, bound: Bound) -> u64 {
    lab.map.statistics().bounded.get(&bound).copied().unwrap_or_default()
}

/// Connections that were opened and that are open, over all edges.
fn totals(lab: &Lab) -> (u64, u64) {
    let edges = lab.snapshot().connections;
    edges
        .iter()
        .fold((0, 0), |(opened, active), edge| (opened + edge.totals.opened, active + edge.totals.active))
}

fn gaps(lab: &Lab) -> BTreeMap<GapReason, u64> {
    lab.map.statistics().gaps.clone()
}

#[test]
fn ten_times_as_many_programs_as_services_are_other_of_this_machine() {
    let mut lab = Lab::with(|settings| settings.max_services = BOUND);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.settle();
    for n in 0..MANY {
        lab.tell(client(&format!("p{n}"), "127.0.0.1", 80).opened(2).closed(1));
    }
    lab.settle();
    assert_eq!(lab.services().len(), BOUND + 1, "and the one that stands for the rest");
    assert_eq!(totals(&lab), (2 * u64::from(MANY), u64::from(MANY)));
    let beyond = u64::from(MANY) - (BOUND as u64 - 1);
    assert_eq!(lab.edge("box/~other->box/web:80/tcp").totals.opened, 2 * beyond);
    assert_eq!(bounded(&lab, Bound::Services), beyond);
    assert_eq!(gaps(&lab), BTreeMap::from([(GapReason::MapBound, beyond)]));
    lab.until(5.0);
    let news = lab.news();
    assert!(news.contains(&"service.discovered process:box/~other".to_owned()));
    assert!(news.contains(&"dependency.detected box/~other->box/web".to_owned()));
}

#[test]
fn what_counts_for_other_stays_there_when_there_is_room_again() {
    let mut lab = Lab::with(|settings| settings.max_services = 3);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("a", "127.0.0.1", 80).short(1));
    lab.until(1.0);
    lab.tell(client("b", "127.0.0.1", 80).opened(1));
    lab.until(2.0);
    lab.tell(client("c", "127.0.0.1", 80).opened(1));
    lab.until(400.0);
    assert_eq!(lab.services(), ["process:box/b", "process:box/web", "process:box/~other"]);
    lab.tell(client("c", "127.0.0.1", 80).opened(1));
    lab.tell(client("d", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edge("box/~other->box/web:80/tcp").totals.opened, 3, "c and d: nothing has left");
    lab.tell(client("c", "127.0.0.1", 80).closed(2));
    lab.tell(client("d", "127.0.0.1", 80).closed(1));
    lab.tell(client("b", "127.0.0.1", 80).closed(1));
    lab.until(1000.0);
    assert_eq!(lab.services(), ["process:box/web"]);
    lab.tell(client("c", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/c->box/web:80/tcp"]);
}

#[test]
fn ten_times_as_many_services_of_a_cluster_are_other_in_the_cluster() {
    let mut lab = Lab::in_cluster_with(|settings| settings.max_services = BOUND);
    for n in 0..MANY {
        lab.object(service("shop", &format!("s{n}"), &format!("10.96.{}.{}", n / 250, n % 250 + 1)));
    }
    lab.object(pod("shop", "web-1", "web", "10.1.0.1"));
    lab.settle();
    assert_eq!(lab.services().len(), BOUND);
    for n in 0..MANY {
        lab.tell(client("curl", &format!("10.96.{}.{}", n / 250, n % 250 + 1), 80).opened(1));
    }
    lab.settle();
    assert_eq!(totals(&lab), (u64::from(MANY), u64::from(MANY)));
    assert!(lab.services().contains(&"workload:/~other-in-cluster".to_owned()), "{:?}", lab.services());
    assert!(bounded(&lab, Bound::Services) >= u64::from(MANY) - BOUND as u64);
}

#[test]
fn ten_times_as_many_addresses_outside_are_other() {
    let mut lab = Lab::with(|settings| settings.max_externals = BOUND);
    for n in 0..MANY {
        lab.tell(client("curl", &format!("192.0.{}.{}", n / 250, n % 250 + 1), 443).opened(1));
    }
    lab.settle();
    assert_eq!(lab.services().len(), 1 + BOUND + 1);
    assert_eq!(totals(&lab), (u64::from(MANY), u64::from(MANY)));
    let beyond = u64::from(MANY) - BOUND as u64;
    assert_eq!(lab.edge("box/curl->/~other:443/tcp").totals.opened, beyond);
    assert_eq!(bounded(&lab, Bound::Externals), beyond);
    assert_eq!(lab.snapshot().unnamed, BTreeMap::from([("~other".into(), beyond)]));
    assert!(gaps(&lab).is_empty(), "nothing is lost");
}

#[test]
fn ten_times_as_many_label_values_are_counted_together() {
    let mut lab = Lab::in_cluster_with(|settings| settings.max_label_values = BOUND);
    for n in 0..MANY {
        lab.object(service(&format!("ns{n}"), "web", &format!("10.96.{}.{}", n / 250, n % 250 + 1)));
    }
    lab.settle();
    for n in 0..MANY {
        lab.tell(client("curl", &format!("10.96.{}.{}", n / 250, n % 250 + 1), 80).opened(1));
    }
    lab.settle();
    let statistics = lab.map.statistics();
    let discovered = &statistics.services_discovered;
    assert!(discovered.len() <= BOUND + 2, "one more of each type: {}", discovered.len());
    assert_eq!(discovered.values().sum::<u64>(), lab.services().len() as u64);
    assert!(discovered[&("~other".into(), ServiceType::ClusterIP)] >= u64::from(MANY) - BOUND as u64);
    let tracked = &statistics.connections_tracked;
    assert_eq!(tracked.len(), BOUND + 1);
    assert_eq!(tracked[&("~other".into(), "~other".into())], u64::from(MANY) - BOUND as u64);
    assert!(bounded(&lab, Bound::LabelValues) >= 2 * (u64::from(MANY) - BOUND as u64));
}

#[test]
fn ten_times_as_many_flows_of_a_program_count_for_other_addresses() {
    let mut lab = Lab::with(|settings| settings.max_flows = BOUND);
    let address = |n: u16| format!("192.0.{}.{}", n / 250, n % 250 + 1);
    for n in 0..MANY {
        lab.tell(client("curl", &address(n), 443).opened(2).closed(1));
    }
    lab.settle();
    assert_eq!(totals(&lab), (2 * u64::from(MANY), u64::from(MANY)));
    let beyond = u64::from(MANY) - BOUND as u64;
    assert_eq!(lab.edge("box/curl->/~other:443/tcp").totals.opened, 2 * beyond);
    assert!(bounded(&lab, Bound::Flows) >= beyond);
    assert!(gaps(&lab)[&GapReason::MapBound] >= 1);
    // Whatever closes, closes where it was opened, also when there is room again.
    for n in 0..MANY {
        lab.tell(client("curl", &address(n), 443).closed(1));
        if n % 100 == 0 {
            lab.until(f64::from(n));
        }
    }
    lab.settle();
    assert_eq!(totals(&lab).1, 0);
    lab.until(2000.0);
    assert!(lab.edges().is_empty() && lab.services().is_empty());
    lab.tell(client("curl", &address(0), 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/192.0.0.1:443/tcp"]);
}

#[test]
fn flows_of_more_programs_than_there_is_room_for_count_for_other_programs() {
    let mut lab = Lab::with(|settings| settings.max_flows = 5);
    let many = 5_000;
    for n in 0..many {
        lab.tell(client(&format!("p{n}"), "192.0.2.1", 443).opened(1));
    }
    lab.settle();
    assert_eq!(totals(&lab), (many, many));
    assert!(lab.edge("box/~other->/~other:443/tcp").totals.opened > 0);
    assert!(lab.services().len() < 1_100, "{}", lab.services().len());
}

#[test]
fn what_clients_count_themselves_is_not_counted_again_when_there_is_no_room_for_it() {
    let mut lab = Lab::with(|settings| settings.max_flows = 2);
    lab.address(lab::HOST, "10.0.0.1");
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "10.0.0.1", 80).opened(1));
    lab.settle();
    lab.tell(server("web", "10.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(totals(&lab), (1, 1));
    assert_eq!(bounded(&lab, Bound::Flows), 1);
}
