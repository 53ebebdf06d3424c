//! Addresses that are given from one pod to the next.

mod lab;

use lab::cluster::{node, pod};
use lab::{Lab, at, client, ip};

const POD: u32 = 2;
const OLD: &str = "shop/web->shop/a:80/tcp";
const NEW: &str = "shop/web->shop/b:80/tcp";

/// Pod `web-1` is in cgroup 7 of this machine, `a-1` has 10.1.0.9.
fn with_both() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(pod("shop", "a-1", "a", "10.1.0.9"));
    lab.settle();
    lab
}

fn call() -> lab::Delta {
    client("curl", "10.1.0.9", 80).in_cgroup(7).in_namespace(POD)
}

#[test]
fn an_address_that_changed_hands_is_told_once() {
    let mut lab = with_both();
    assert!(lab.map.take_reused().is_empty());
    lab.until(5.0);
    lab.pod_gone("a-1");
    assert_eq!(lab.map.take_reused(), [(ip("10.1.0.9"), 1)]);
    assert!(lab.map.take_reused().is_empty());
}

#[test]
fn a_pod_that_began_in_the_second_in_which_the_former_one_ended_began_after_that() {
    for end_first in [true, false] {
        let mut lab = with_both();
        lab.until(10.4);
        if end_first {
            lab.pod_gone("a-1");
        }
        // It began at 10.7; the API server tells whole seconds.
        lab.now = at(11.0);
        lab.object(pod("shop", "b-1", "b", "10.1.0.9").started(at(10.0)));
        if !end_first {
            lab.now = at(10.4);
            lab.pod_gone("a-1");
        }
        lab.now = at(10.2);
        lab.tell(call().short(1));
        lab.now = at(10.8);
        lab.tell(client("curl", "10.1.0.9", 81).in_cgroup(7).in_namespace(POD).short(2));
        lab.now = at(11.0);
        lab.settle();
        assert_eq!(lab.edges(), [OLD, "shop/web->shop/b:81/tcp"], "end first: {end_first}");
    }
}

#[test]
fn facts_from_before_are_the_old_pods_later_ones_the_new_ones_and_late_closes_where_the_opens_were() {
    let mut lab = with_both();
    lab.tell(call().opened(2));
    lab.until(10.0);
    lab.pod_gone("a-1");
    let generation = lab.map.take_reused()[0].1;
    lab.until(20.0);
    lab.object(pod("shop", "b-1", "b", "10.1.0.9"));
    lab.until(21.0);
    lab.tell(call().of_generation(generation).opened(1));
    lab.until(22.0);
    lab.tell(call().closed(1));
    lab.now = at(9.0);
    lab.tell(call().opened(1));
    lab.now = at(23.0);
    lab.tell(call().of_generation(generation).opened(1).closed(1));
    lab.settle();
    assert_eq!(lab.edges(), [OLD, NEW]);
    let counts = |key| {
        let totals = lab.edge(key).totals;
        (totals.opened, totals.active)
    };
    assert_eq!((counts(OLD), counts(NEW)), ((3, 2), (2, 1)));
}

#[test]
fn a_connection_of_a_new_generation_waits_for_the_new_pod_however_lately_the_old_one_went() {
    let mut lab = with_both();
    lab.until(10.0);
    lab.pod_gone("a-1");
    let generation = lab.map.take_reused()[0].1;
    lab.until(11.0);
    lab.tell(call().of_generation(generation).opened(1));
    lab.until(13.0);
    assert!(lab.edges().is_empty());
    lab.object(pod("shop", "b-1", "b", "10.1.0.9").started(at(11.0)));
    lab.settle();
    assert_eq!(lab.edges(), [NEW]);
}

#[test]
fn a_connection_of_a_new_generation_stays_the_new_pods_when_instants_say_otherwise() {
    let mut lab = with_both();
    lab.until(10.0);
    lab.object(pod("shop", "b-1", "b", "10.1.0.9").started(at(9.0)));
    let generation = lab.map.take_reused()[0].1;
    lab.tell(call().of_generation(generation).opened(1));
    lab.until(12.0);
    lab.pod_gone("a-1");
    lab.until(13.0);
    lab.pod_gone("b-1");
    lab.object(node("far", "172.16.0.2"));
    lab.until(14.0);
    assert_eq!(lab.edges(), [NEW]);
}

#[test]
fn connections_of_a_pod_that_is_gone_stay_its_own_when_they_are_heard_of_after_its_end() {
    let mut lab = with_both();
    lab.tell(call().opened(1));
    lab.until(10.0);
    lab.pod_gone("a-1");
    lab.object(pod("shop", "b-1", "b", "10.1.0.9"));
    lab.until(12.0);
    lab.tell(call().bytes(10, 10));
    lab.until(13.0);
    lab.object(node("far", "172.16.0.2"));
    lab.until(14.0);
    assert_eq!(lab.edges(), [OLD]);
}
