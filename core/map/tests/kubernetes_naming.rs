//! Who is at the two ends of a flow, in a cluster.

mod lab;

use lab::cluster::{container_of, headless, node, path_of, pod, scope, service, slice, uid};
use lab::{HOST, Lab, at, client, listener, server};
use servicemap_map::model::{FactBody, PodPhase, ServiceType, Side};

const POD: u32 = 2;

/// A map with pod `web-1` of workload `shop/web` in cgroup 7 of this machine.
fn with_client() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab
}

/// A connection of that pod.
fn call(remote: &str, port: u16) -> lab::Delta {
    client("curl", remote, port).in_cgroup(7).in_namespace(POD)
}

#[test]
fn a_local_end_is_its_pods_workload_by_its_cgroup() {
    let mut lab = with_client();
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
    assert_eq!(lab.edge("shop/web->/192.0.2.9:443/tcp").provenance.source_rule, "cgroup");
    assert_eq!(lab.service("workload:shop/web").service_type, ServiceType::Workload);
}

#[test]
fn a_pod_whose_uid_in_the_path_is_another_is_known_by_its_container() {
    let mut lab = Lab::in_cluster();
    lab.object(pod("kube-system", "static", "static", "10.1.0.1"));
    let hash = "0123456789abcdef0123456789abcdef";
    lab.cgroup(7, &format!("/kubepods/pod{hash}/{}", container_of(&uid("static"))));
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["kube-system/static->/192.0.2.9:443/tcp"]);
}

#[test]
fn a_local_end_is_the_service_before_its_pod_not_headless_ones_first_then_by_name() {
    let mut lab = with_client();
    let web = pod("shop", "web-1", "web", "10.1.0.1");
    for (object, name) in [
        (headless("shop", "a-headless"), "a-headless"),
        (service("shop", "c", "10.96.0.3").port("", 80), "c"),
        (service("shop", "b", "10.96.0.2").port("", 80), "b"),
    ] {
        lab.object(object);
        lab.object(slice("shop", name).port("", 8080).holds(&web));
    }
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/b->/192.0.2.9:443/tcp"]);
}

#[test]
fn a_pod_keeps_the_name_of_its_service_when_another_begins_to_select_it() {
    let mut lab = with_client();
    let web = pod("shop", "web-1", "web", "10.1.0.1");
    lab.object(service("shop", "b", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "b").port("", 8080).holds(&web));
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.until(1.0);
    lab.object(service("shop", "a", "10.96.0.1").port("", 80));
    lab.object(slice("shop", "a").port("", 8080).holds(&web));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/b->/192.0.2.9:443/tcp"]);
    lab.until(2.0);
    lab.object(slice("shop", "b").port("", 8080));
    lab.until(3.0);
    lab.tell(call("192.0.2.8", 443).opened(1));
    lab.settle();
    assert!(lab.edges().contains(&"shop/a->/192.0.2.8:443/tcp".to_owned()), "{:?}", lab.edges());
}

#[test]
fn a_pod_is_its_service_by_the_selector_before_a_slice_has_it() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.object(service("shop", "other", "10.96.0.3").port("", 80).selects("app", "api"));
    lab.object(service("shop", "by-hand", "10.96.0.4").port("", 80));
    let web = pod("shop", "web-1", "web", "10.1.0.1").label("app", "web");
    lab.runs(7, &web);
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.until(5.0);
    assert_eq!(lab.edges(), ["shop/front->/192.0.2.9:443/tcp"]);
    lab.events();
    lab.object(slice("shop", "front").port("", 8080).holds(&web));
    lab.until(10.0);
    assert_eq!(lab.edges(), ["shop/front->/192.0.2.9:443/tcp"]);
    let news = lab.news();
    let moved = |line: &String| line.contains("workload:") || line.starts_with("topology");
    assert!(!news.iter().any(moved), "nobody comes or goes by the slice: {news:?}");
}

#[test]
fn a_service_that_begins_or_ceases_to_select_a_pod_gives_it_another_name() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1").label("app", "web"));
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.until(1.0);
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
    let front = service("shop", "front", "10.96.0.2").port("", 80);
    lab.object(front.clone().selects("app", "web"));
    lab.until(2.0);
    assert_eq!(lab.edges(), ["shop/front->/192.0.2.9:443/tcp"]);
    lab.object(front.selects("app", "api"));
    lab.until(3.0);
    lab.tell(call("192.0.2.8", 443).opened(1));
    lab.settle();
    assert!(lab.edges().contains(&"shop/web->/192.0.2.8:443/tcp".to_owned()), "{:?}", lab.edges());
}

#[test]
fn counters_move_along_when_a_service_begins_to_select_the_workload() {
    let mut lab = with_client();
    lab.tell(call("192.0.2.9", 443).opened(3));
    lab.until(1.0);
    lab.object(service("shop", "web", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "web").port("", 8080).holds(&pod("shop", "web-1", "web", "10.1.0.1")));
    lab.settle();
    let edge = lab.edge("shop/web->/192.0.2.9:443/tcp");
    assert_eq!((edge.edge.source.service_type, edge.totals.opened), (ServiceType::ClusterIP, 3));
    assert_eq!(
        lab.services(),
        ["service:shop/web", "external:/192.0.2.9"],
        "the workload is nobody any more"
    );
}

#[test]
fn a_service_is_found_at_each_of_its_addresses() {
    let mut lab = with_client();
    let api = service("shop", "api", "10.96.0.9").port("http", 80).external_ip("203.0.113.5");
    lab.object(api.balanced_at("203.0.113.6").also("fd00:1::9"));
    for address in ["10.96.0.9", "203.0.113.5", "203.0.113.6", "fd00:1::9"] {
        lab.tell(call(address, 80).opened(1));
    }
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp"]);
    let edge = lab.edge("shop/web->shop/api:80/tcp");
    assert_eq!((edge.totals.opened, edge.provenance.destination_rule), (4, "service"));
}

#[test]
fn two_services_of_one_address_are_told_apart_by_the_port() {
    let mut lab = with_client();
    lab.object(service("shop", "a", "10.96.0.1").port("", 80).balanced_at("203.0.113.6"));
    lab.object(service("shop", "b", "10.96.0.2").port("", 81).balanced_at("203.0.113.6"));
    lab.tell(call("203.0.113.6", 81).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/b:81/tcp"]);
}

#[test]
fn a_node_port_leads_to_the_service_and_its_own_port() {
    let mut lab = with_client();
    lab.object(node("far", "172.16.0.2"));
    lab.object(service("shop", "api", "10.96.0.9").node_port(80, 30_080));
    lab.tell(call("172.16.0.2", 30_080).opened(1));
    lab.tell(call("172.16.0.2", 10_250).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp", "shop/web->/far:10250/tcp"]);
}

#[test]
fn a_pods_address_and_port_lead_to_the_service_at_the_port_that_it_offers() {
    let mut lab = with_client();
    let api = pod("shop", "api-1", "api", "10.1.0.9").also("fd00:1::1:9");
    lab.object(api.clone());
    lab.object(service("shop", "api", "10.96.0.9").port("http", 80).port("metrics", 9000));
    lab.object(slice("shop", "api").port("http", 8080).port("metrics", 9100).holds(&api));
    lab.tell(call("10.1.0.9", 8080).opened(1));
    lab.tell(call("fd00:1::1:9", 8080).opened(1));
    lab.tell(call("10.1.0.9", 9100).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp", "shop/web->shop/api:9000/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/api:80/tcp").totals.opened, 2);
}

#[test]
fn of_several_services_before_a_pod_the_one_with_the_port_is_taken_then_the_first() {
    let mut lab = with_client();
    let db = pod("shop", "db-1", "db", "10.1.0.9");
    lab.object(db.clone());
    for (name, address, port) in [("a", "10.96.0.1", 1), ("b", "10.96.0.2", 2), ("c", "10.96.0.3", 2)] {
        lab.object(service("shop", name, address).port("", port));
        lab.object(slice("shop", name).port("", port).holds(&db));
    }
    lab.tell(call("10.1.0.9", 2).opened(1));
    lab.tell(call("10.1.0.9", 3).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/a:3/tcp", "shop/web->shop/b:2/tcp"]);
}

#[test]
fn a_pod_without_service_is_its_workload() {
    let mut lab = with_client();
    lab.object(pod("batch", "job-1", "nightly", "10.1.0.9"));
    lab.tell(call("10.1.0.9", 8080).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->batch/nightly:8080/tcp"]);
}

#[test]
fn an_endpoint_that_two_slices_hold_stays_when_one_lets_it_go() {
    let mut lab = with_client();
    let api = pod("shop", "api-1", "api", "10.1.0.9");
    lab.object(api.clone());
    lab.object(service("shop", "front", "10.96.0.9").port("", 80));
    for name in ["front-1", "front-2"] {
        let both = slice("shop", "front").named(name).port("", 8080);
        lab.object(both.holds(&api).by_hand("10.1.0.10"));
    }
    lab.until(1.0);
    lab.object(slice("shop", "front").named("front-2").port("", 8080));
    lab.until(2.0);
    lab.tell(call("10.1.0.9", 8080).opened(1));
    lab.tell(call("10.1.0.10", 8080).opened(1));
    lab.settle();
    assert_eq!(lab.edge("shop/web->shop/front:80/tcp").totals.opened, 2);
}

#[test]
fn endpoints_made_by_hand_lead_to_their_service() {
    let mut lab = with_client();
    lab.object(node("far", "172.16.0.2"));
    lab.object(service("default", "kubernetes", "10.96.0.1").port("https", 443));
    lab.object(slice("default", "kubernetes").port("https", 6443).by_hand("172.16.0.2"));
    lab.tell(call("172.16.0.2", 6443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->default/kubernetes:443/tcp"]);
}

#[test]
fn a_host_network_pod_is_found_at_a_port_that_it_declares_and_the_node_at_others() {
    let mut lab = with_client();
    lab.object(node("far", "172.16.0.2"));
    lab.object(pod("monitoring", "exporter-1", "exporter", "172.16.0.2").on_host("far").declares(9100));
    lab.tell(call("172.16.0.2", 9100).opened(1));
    lab.tell(call("172.16.0.2", 22).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->monitoring/exporter:9100/tcp", "shop/web->/far:22/tcp"]);
}

#[test]
fn a_host_network_pod_of_this_node_is_found_where_it_was_seen_listening() {
    let mut lab = with_client();
    lab.object(node("box", "172.16.0.1"));
    lab.address(HOST, "172.16.0.1");
    lab.runs(8, &pod("monitoring", "exporter-1", "exporter", "172.16.0.1").on_host("box"));
    lab.tell(listener("exporter", "0.0.0.0", 9100).in_cgroup(8));
    lab.tell(call("172.16.0.1", 9100).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->monitoring/exporter:9100/tcp"]);
}

#[test]
fn programs_of_a_node_are_the_node() {
    let mut lab = with_client();
    lab.object(node("box", "172.16.0.1"));
    lab.cgroup(9, "/system.slice/kubelet.service");
    lab.tell(client("kubelet", "10.1.0.1", 8080).in_cgroup(9).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["/box->shop/web:8080/tcp"]);
    assert_eq!(lab.service("node:/box").labels.get("zone"), Some(&"a".into()));
}

/// A node `box` with pod `web-1`, and its kubelet in cgroup 9.
fn with_kubelet(mut lab: Lab) -> Lab {
    lab.object(node("box", "172.16.0.1"));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1").on_node("box"));
    lab.cgroup(9, "/system.slice/kubelet.service");
    lab
}

#[test]
fn probes_of_a_node_to_its_own_pods_are_no_edges_and_counted_as_excluded() {
    let mut lab = with_kubelet(Lab::in_cluster());
    lab.tell(client("kubelet", "10.1.0.1", 8080).in_cgroup(9).opened(3).closed(1));
    lab.settle();
    assert!(lab.edges().is_empty());
    assert_eq!(lab.snapshot().excluded.into_iter().collect::<Vec<_>>(), [("kubelet_probe", 2)]);
}

#[test]
fn probes_are_marked_edges_where_they_are_asked_for() {
    let mut lab = with_kubelet(Lab::with(|settings| settings.kubelet_probes = true));
    lab.object(scope(false));
    lab.tell(client("kubelet", "10.1.0.1", 8080).in_cgroup(9).opened(3));
    lab.settle();
    assert_eq!(lab.edges(), ["/box->shop/web:8080/tcp"]);
    assert_eq!(lab.edge("/box->shop/web:8080/tcp").provenance.source_rule, "kubelet_probe");
    assert!(lab.snapshot().excluded.is_empty());
}

#[test]
fn what_a_node_calls_elsewhere_or_a_pod_in_its_network_calls_is_no_probe() {
    let mut lab = with_kubelet(Lab::in_cluster());
    lab.object(service("shop", "front", "10.96.0.9").port("", 80));
    lab.object(pod("shop", "api-1", "api", "10.1.0.9"));
    lab.runs(8, &pod("monitoring", "scraper-1", "scraper", "172.16.0.1").on_host("box"));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(9).opened(1));
    lab.tell(client("curl", "10.1.0.9", 8080).in_cgroup(9).opened(1));
    lab.tell(client("scraper", "10.1.0.1", 8080).in_cgroup(8).opened(1));
    lab.settle();
    assert_eq!(
        lab.edges(),
        ["monitoring/scraper->shop/web:8080/tcp", "/box->shop/front:80/tcp", "/box->shop/api:8080/tcp"]
    );
}

#[test]
fn late_facts_about_a_reused_address_name_who_had_it_then() {
    let mut lab = with_client();
    lab.object(pod("shop", "a-1", "a", "10.1.0.9"));
    lab.until(10.0);
    lab.pod_gone("a-1");
    lab.until(20.0);
    lab.object(pod("shop", "b-1", "b", "10.1.0.9").started(at(15.0)));
    lab.settle();
    for (second, port) in [(9.0, 1), (12.0, 2), (15.0, 3), (19.0, 4)] {
        lab.now = at(second);
        lab.tell(call("10.1.0.9", port).short(1));
    }
    lab.now = at(20.0);
    lab.settle();
    assert_eq!(
        lab.edges(),
        [
            "shop/web->shop/a:1/tcp",
            "shop/web->shop/a:2/tcp",
            "shop/web->shop/b:3/tcp",
            "shop/web->shop/b:4/tcp"
        ]
    );
}

#[test]
fn what_was_counted_before_an_address_changed_hands_stays_where_it_was() {
    let mut lab = with_client();
    lab.object(pod("shop", "a-1", "a", "10.1.0.9"));
    lab.tell(call("10.1.0.9", 80).short(2));
    lab.until(5.0);
    lab.pod_gone("a-1");
    lab.object(pod("shop", "b-1", "b", "10.1.0.9"));
    lab.until(6.0);
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    lab.tell(call("10.1.0.9", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 2);
    assert_eq!(lab.edge("shop/web->shop/b:80/tcp").totals.opened, 1);
}

#[test]
fn late_closes_count_where_the_opens_did() {
    let mut lab = with_client();
    lab.object(pod("shop", "a-1", "a", "10.1.0.9"));
    lab.tell(call("10.1.0.9", 80).opened(1));
    lab.until(5.0);
    lab.pod_gone("a-1");
    lab.object(pod("shop", "b-1", "b", "10.1.0.9"));
    lab.until(6.0);
    lab.tell(call("10.1.0.9", 80).closed(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.active, 0);
}

#[test]
fn a_pod_that_left_its_service_because_it_ended_was_the_services_until_then() {
    let mut lab = with_client();
    let api = pod("shop", "api-1", "api", "10.1.0.9");
    lab.object(api.clone());
    lab.object(service("shop", "front", "10.96.0.9").port("", 80));
    lab.object(slice("shop", "front").port("", 8080).holds(&api));
    lab.until(5.0);
    lab.object(slice("shop", "front").port("", 8080));
    lab.until(6.0);
    lab.pod_gone("api-1");
    lab.now = at(5.5);
    lab.tell(call("10.1.0.9", 8080).short(1));
    lab.now = at(6.0);
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/front:80/tcp"]);
}

#[test]
fn a_pod_that_is_over_has_its_address_no_longer() {
    let mut lab = with_client();
    let job = pod("batch", "job-1", "nightly", "10.1.0.9");
    lab.object(job.clone());
    lab.until(5.0);
    lab.object(job.phase(PodPhase::Succeeded));
    lab.object(pod("shop", "b-1", "b", "10.1.0.9"));
    lab.until(6.0);
    lab.tell(call("10.1.0.9", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/b:80/tcp"]);
}

#[test]
fn an_address_inside_the_cluster_waits_for_its_pod() {
    let mut lab = with_client();
    lab.tell(call("10.1.0.9", 80).opened(2));
    lab.until(9.0);
    assert!(lab.edges().is_empty());
    lab.object(pod("shop", "a-1", "a", "10.1.0.9").started(at(0.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/a:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").totals.opened, 2);
    assert_eq!(lab.edge("shop/web->shop/a:80/tcp").first_seen, at(0.0));
}

#[test]
fn what_waits_is_not_lost_when_it_is_over_before_it_is_named() {
    let mut lab = Lab::with(|settings| settings.connection_timeout = std::time::Duration::from_secs(5));
    lab.object(scope(false));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.tell(call("10.1.0.9", 80).short(1));
    lab.until(4.9);
    assert!(lab.edges().is_empty());
    lab.until(5.0);
    assert_eq!(lab.map.statistics().connections_tracked.values().sum::<u64>(), 1);
}

/// A Service of the first list was there before the observer began, and so were the connections to it.
#[test]
fn a_connection_older_than_the_first_list_leads_to_the_service_that_was_there() {
    let mut lab = with_client();
    lab.until(100.0);
    lab.tell(call("10.96.0.2", 80).opened(1));
    lab.settle();
    assert!(lab.edges().is_empty(), "an address of the cluster, of nobody known");
    lab.until(101.0);
    lab.object(service("shop", "api", "10.96.0.2").port("", 80).created(at(50.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp"]);
}

#[test]
fn a_local_pod_that_is_not_known_yet_is_waited_for() {
    let mut lab = Lab::in_cluster();
    lab.cgroup(7, &path_of(&uid("web-1")));
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.until(3.0);
    assert!(lab.services().is_empty());
    lab.object(pod("shop", "web-1", "web", "10.1.0.1"));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
}

#[test]
fn a_local_pod_that_stays_unknown_is_its_container() {
    let mut lab = Lab::in_cluster();
    lab.cgroup(7, &path_of(&uid("web-1")));
    lab.tell(call("192.0.2.9", 443).opened(1));
    lab.until(10.0);
    let id = &container_of(&uid("web-1"))[..12];
    assert_eq!(lab.edges(), [format!("box/{id}->/192.0.2.9:443/tcp")]);
}

#[test]
fn a_pods_traffic_to_itself_is_no_edge() {
    let mut lab = with_client();
    lab.tell(call("127.0.0.1", 15_001).opened(1));
    lab.tell(call("10.1.0.1", 8080).opened(1));
    lab.settle();
    assert!(lab.edges().is_empty());
    assert_eq!(lab.snapshot().excluded.into_iter().collect::<Vec<_>>(), [("itself", 2)]);
}

#[test]
fn a_pods_traffic_to_another_of_its_service_is_an_edge() {
    let mut lab = with_client();
    let (one, two) = (pod("shop", "web-1", "web", "10.1.0.1"), pod("shop", "web-2", "web", "10.1.0.2"));
    lab.object(two.clone());
    lab.object(service("shop", "web", "10.96.0.2").port("", 80));
    lab.object(slice("shop", "web").port("", 8080).holds(&one).holds(&two));
    lab.tell(call("10.1.0.2", 8080).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/web:80/tcp"]);
}

#[test]
fn seen_at_both_ends_it_is_counted_once_at_the_client() {
    let mut lab = with_client();
    let api = pod("shop", "api-1", "api", "10.1.0.9");
    lab.runs(8, &api);
    lab.object(service("shop", "api", "10.96.0.9").port("", 80));
    lab.object(slice("shop", "api").port("", 8080).holds(&api));
    lab.address(POD, "10.1.0.1");
    lab.address(3, "10.1.0.9");
    lab.tell(call("10.96.0.9", 80).opened(2));
    lab.tell(server("api", "10.1.0.1", 8080).in_cgroup(8).in_namespace(3).opened(2));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp"]);
    assert_eq!(lab.edge("shop/web->shop/api:80/tcp").totals.opened, 2);
}

#[test]
fn where_the_client_is_on_another_node_the_server_counts_at_the_port_of_its_service() {
    let mut lab = with_client();
    let web = pod("shop", "web-1", "web", "10.1.0.1");
    lab.object(service("shop", "front", "10.96.0.2").port("http", 80));
    lab.object(slice("shop", "front").port("http", 8080).holds(&web));
    lab.object(pod("edge", "gate-1", "gate", "10.1.0.9"));
    lab.tell(server("web", "10.1.0.9", 8080).in_cgroup(7).in_namespace(POD).opened(1));
    lab.tell(server("web", "198.51.100.7", 8080).in_cgroup(7).in_namespace(POD).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["edge/gate->shop/front:80/tcp", "/198.51.100.7->shop/front:80/tcp"]);
    assert_eq!(lab.edge("edge/gate->shop/front:80/tcp").provenance.side, Side::Server);
}

#[test]
fn a_connection_that_comes_through_a_node_is_the_nodes() {
    let mut lab = with_client();
    lab.object(node("far", "172.16.0.2"));
    lab.tell(server("web", "172.16.0.2", 8080).in_cgroup(7).in_namespace(POD).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["/far->shop/web:8080/tcp"]);
    assert_eq!(lab.edge("/far->shop/web:8080/tcp").provenance.source_rule, "node");
}

#[test]
fn what_is_of_no_cluster_is_named_as_without_one() {
    let mut lab = Lab::in_cluster();
    lab.state(FactBody::NetworkNamespace { netns: 5, name: Some("red".into()) });
    lab.address(5, "10.7.0.2");
    lab.tell(listener("nc", "0.0.0.0", 7000).in_namespace(5));
    lab.tell(client("curl", "10.7.0.2", 7000).opened(1));
    lab.tell(client("curl", "192.0.2.1", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/nc@red:7000/tcp", "box/curl->/192.0.2.1:443/tcp"]);
}
