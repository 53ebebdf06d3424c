//! Whose a socket is by its network namespace: of a proxy in the namespaces of others, and where cgroups say nothing.

mod lab;

use lab::cluster::{container_of, node, path_of, pod, uid};
use lab::{Delta, HOST, Lab, at, client, listener};
use servicemap_map::model::{ContainerCgroup, FactBody};

const WEB: u32 = 2;
const PROXY: u32 = 3;
const OUTSIDE: &str = "192.0.2.9";

impl Lab {
    /// The processes of a namespace are in the cgroup of a container.
    fn home(&mut self, netns: u32, path: &str, unified: bool) {
        let cgroup = Some(ContainerCgroup { path: path.into(), unified });
        self.state(FactBody::NamespaceCgroup { netns, cgroup });
    }
}

/// Pods `web-1` and `proxy-1`, each in its own cgroup and namespace.
fn with_proxy() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.object(node("box", "172.16.0.1"));
    for (name, owner, address, cgroup, netns) in
        [("web-1", "web", "10.1.0.1", 7, WEB), ("proxy-1", "proxy", "10.1.0.2", 8, PROXY)]
    {
        lab.runs(cgroup, &pod("shop", name, owner, address).on_node("box"));
        lab.home(netns, &path_of(&uid(name)), true);
    }
    lab
}

/// The path of `web-1` with the cgroupfs driver.
fn in_v1() -> String {
    format!("/kubepods/besteffort/pod{}/{}", uid("web-1"), container_of(&uid("web-1")))
}

/// Pod `web-1`, whose cgroup is in a v1 hierarchy alone.
fn on_v1() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.object(node("box", "172.16.0.1"));
    lab.object(pod("shop", "web-1", "web", "10.1.0.1").on_node("box"));
    lab.home(WEB, &in_v1(), false);
    lab
}

fn call(cgroup: u64, netns: u32) -> Delta {
    client("curl", OUTSIDE, 443).in_cgroup(cgroup).in_namespace(netns)
}

fn source_rule(lab: &Lab, edge: &str) -> &'static str {
    lab.edge(edge).provenance.source_rule
}

#[test]
fn a_proxys_socket_in_a_pods_namespace_is_the_pods() {
    let mut lab = with_proxy();
    lab.tell(call(8, WEB).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
    assert_eq!(source_rule(&lab, "shop/web->/192.0.2.9:443/tcp"), "proxied");
}

#[test]
fn a_proxys_socket_in_its_own_namespace_is_its_own() {
    let mut lab = with_proxy();
    lab.tell(call(8, PROXY).opened(1));
    lab.settle();
    assert_eq!(source_rule(&lab, "shop/proxy->/192.0.2.9:443/tcp"), "cgroup");
}

#[test]
fn what_is_accepted_by_a_proxy_in_a_pods_namespace_is_accepted_by_the_pod() {
    let mut lab = with_proxy();
    lab.address(WEB, "10.7.0.1");
    lab.tell(listener("ztunnel", "0.0.0.0", 15_008).in_cgroup(8).in_namespace(WEB));
    lab.tell(client("curl", "10.7.0.1", 15_008).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["/box->shop/web:15008/tcp"]);
}

#[test]
fn a_pod_in_its_nodes_network_owns_no_namespace() {
    let mut lab = Lab::in_cluster();
    lab.object(node("box", "172.16.0.1"));
    lab.runs(7, &pod("kube-system", "agent-1", "agent", "172.16.0.1").on_host("box"));
    lab.home(WEB, &path_of(&uid("agent-1")), true);
    lab.tell(call(9, WEB).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl@2->/192.0.2.9:443/tcp"]);
}

#[test]
fn where_cgroups_are_v1_the_namespace_names_the_pod() {
    let mut lab = on_v1();
    lab.tell(call(1, WEB).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
    assert_eq!(source_rule(&lab, "shop/web->/192.0.2.9:443/tcp"), "network_namespace");
}

#[test]
fn on_a_hybrid_machine_the_unit_of_the_runtime_does_not_name_its_containers() {
    let mut lab = on_v1();
    lab.cgroup(9, "/system.slice/containerd.service");
    lab.tell(call(9, WEB).opened(1));
    lab.tell(call(9, HOST).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp", "/box->/192.0.2.9:443/tcp"]);
}

#[test]
fn a_pod_that_is_not_known_yet_is_waited_for() {
    let mut lab = Lab::in_cluster();
    lab.home(WEB, &in_v1(), false);
    lab.tell(call(1, WEB).opened(1));
    lab.until(1.0);
    assert!(lab.edges().is_empty());
    lab.object(pod("shop", "web-1", "web", "10.1.0.1"));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->/192.0.2.9:443/tcp"]);
}

#[test]
fn a_namespace_that_is_told_late_names_what_was_counted_before() {
    let mut lab = with_proxy();
    lab.object(pod("shop", "late-1", "late", "10.1.0.3").on_node("box"));
    lab.tell(call(1, 5).opened(1));
    lab.settle();
    lab.home(5, &path_of(&uid("late-1")), false);
    lab.settle();
    assert_eq!(lab.edges(), ["shop/late->/192.0.2.9:443/tcp"]);
}

#[test]
fn an_address_on_this_machine_at_which_nobody_listens_is_waited_for_until_its_pod_is_told() {
    let mut lab = with_proxy();
    lab.address(WEB, "10.1.0.7");
    lab.tell(client("curl", "10.1.0.7", 8080).in_cgroup(8).in_namespace(PROXY).refused(1));
    lab.until(1.0);
    assert!(lab.edges().is_empty(), "{:?}", lab.edges());
    lab.object(pod("shop", "late-1", "late", "10.1.0.7").on_node("box").started(at(0.0)));
    lab.settle();
    assert_eq!(lab.edges(), ["shop/proxy->shop/late:8080/tcp"]);
}

#[test]
fn without_a_cluster_a_container_in_a_v1_hierarchy_has_its_short_id() {
    let mut lab = Lab::new();
    let id = container_of(&uid("web"));
    lab.cgroup(9, "/system.slice/containerd.service");
    lab.home(WEB, &format!("/docker/{id}"), false);
    lab.tell(call(9, WEB).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), [format!("box/{}->/192.0.2.9:443/tcp", &id[..12])]);
}
