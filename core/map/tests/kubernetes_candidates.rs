//! Pods before which several Services stand: who else an end might have been called.

mod lab;

use lab::cluster::{PodObject, pod, service, slice};
use lab::{Lab, client, server};
use servicemap_map::model::Provenance;

fn api() -> PodObject {
    pod("shop", "api-1", "api", "10.1.0.9")
}

/// A map with a client in cgroup 7, and Services `a`, `b` and `c` before the pod of `api`; `c` leads to another port.
fn with_services() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(api());
    for (name, address, target) in
        [("a", "10.96.0.1", 8080), ("b", "10.96.0.2", 8080), ("c", "10.96.0.3", 9090)]
    {
        lab.object(service("shop", name, address).port("", 80));
        lab.object(slice("shop", name).port("", target).holds(&api()));
    }
    lab.settle();
    lab
}

fn candidates(provenance: &Provenance) -> [Vec<String>; 2] {
    [&provenance.source_candidates, &provenance.destination_candidates]
        .map(|ids| ids.iter().map(ToString::to_string).collect())
}

#[test]
fn of_several_services_before_the_pod_at_that_port_those_that_do_not_name_it_are_candidates() {
    let mut lab = with_services();
    lab.tell(client("curl", "10.1.0.9", 8080).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    let provenance = &lab.edge("shop/web->shop/a:80/tcp").provenance;
    assert_eq!(candidates(provenance), [vec![], vec!["service:shop/b".to_owned()]]);
}

#[test]
fn whoever_asks_for_the_address_of_a_service_means_no_other() {
    let mut lab = with_services();
    lab.tell(client("curl", "10.96.0.1", 80).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(candidates(&lab.edge("shop/web->shop/a:80/tcp").provenance), [vec![], vec![] as Vec<String>]);
}

#[test]
fn a_pod_of_several_services_that_connects_or_accepts_may_be_each_of_them() {
    let mut lab = with_services();
    lab.runs(9, &api());
    lab.tell(client("api", "192.0.2.1", 443).in_cgroup(9).opened(1));
    lab.tell(server("api", "192.0.2.7", 8080).in_cgroup(9).opened(1));
    lab.settle();
    let names = |names: &[&str]| names.iter().map(|name| format!("service:shop/{name}")).collect::<Vec<_>>();
    let out = &lab.edge("shop/a->/192.0.2.1:443/tcp").provenance;
    assert_eq!(candidates(out), [names(&["b", "c"]), vec![]]);
    let into = &lab.edge("/192.0.2.7->shop/a:80/tcp").provenance;
    assert_eq!(candidates(into), [vec![], names(&["b"])]);
}

#[test]
fn a_service_that_comes_later_is_a_candidate_until_it_is_deleted() {
    let mut lab = with_services();
    lab.tell(client("curl", "10.1.0.9", 8080).in_cgroup(7).opened(1));
    lab.until(1.0);
    lab.object(service("shop", "late", "10.96.0.4").port("", 80));
    lab.object(slice("shop", "late").port("", 8080).holds(&api()));
    lab.settle();
    let among = |lab: &Lab| {
        let [_, others] = candidates(&lab.edge("shop/web->shop/a:80/tcp").provenance);
        others.contains(&"service:shop/late".to_owned())
    };
    assert!(among(&lab));
    lab.service_gone("shop", "late");
    lab.settle();
    assert!(!among(&lab));
}

#[test]
fn of_very_many_candidates_the_first_ones_by_name_are_kept() {
    let mut lab = with_services();
    for number in 0..20 {
        let name = format!("many-{number:02}");
        lab.object(service("shop", &name, &format!("10.96.1.{number}")).port("", 80));
        lab.object(slice("shop", &name).port("", 8080).holds(&api()));
    }
    lab.tell(client("curl", "10.1.0.9", 8080).in_cgroup(7).opened(1));
    lab.settle();
    let [_, others] = candidates(&lab.edge("shop/web->shop/a:80/tcp").provenance);
    assert_eq!(
        (others.len(), others[0].as_str(), others[15].as_str()),
        (16, "service:shop/b", "service:shop/many-14")
    );
}
