//! Containers are known by their cgroups, whoever made them and wherever they are: a node for each layout, all on one machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use servicemap_tests::cluster_map::{line, observe, within};
use servicemap_tests::kubelab::{Lab, Layout};
use servicemap_tests::netns::Family;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::account;

const DONE: Duration = Duration::from_mins(2);
/// Longer than it takes: the map is asked for when everything has happened.
const OBSERVED: &str = "5m";
/// No container says that it listens there, so no address leads to who does.
const PORT: u16 = 7000;

const fn layout(driver: &'static str, runtime: &'static str, hierarchy: &'static str) -> Layout {
    Layout { driver, runtime, hierarchy }
}

const LAYOUTS: [Layout; 9] = [
    layout("systemd", "containerd", "unified"),
    layout("cgroupfs", "containerd", "unified"),
    layout("systemd", "cri-o", "unified"),
    layout("cgroupfs", "cri-o", "unified"),
    layout("systemd", "docker", "unified"),
    layout("cgroupfs", "docker", "unified"),
    layout("cgroupfs", "containerd", "hybrid"),
    layout("systemd", "cri-o", "v1"),
    layout("cgroupfs", "docker", "v1"),
];

/// A pod of each quality of service has a place of its own in the tree.
const RESOURCES: [&str; 3] =
    ["{}", "{requests: {cpu: 10m}}", "{requests: {cpu: 10m, memory: 1Mi}, limits: {cpu: 10m, memory: 1Mi}}"];

fn node(index: usize) -> String {
    format!("n{}", index + 1)
}

/// In cgroup v2 the sockets of a container are known wherever they are, so pods are put where nothing else tells: in the
/// node's network. In a v1 hierarchy their network is what tells.
fn is_in_nodes_network(layout: Layout) -> bool {
    layout.hierarchy == "unified"
}

/// A client and a server on each node.
fn objects() -> String {
    let mut yaml = "apiVersion: v1\nkind: Namespace\nmetadata: {name: layouts}\n".to_owned();
    for (index, layout) in LAYOUTS.iter().enumerate() {
        let (node, resources) = (node(index), RESOURCES[index % RESOURCES.len()]);
        let serve = format!("busybox, nc, -ll, -p, '{PORT}', -e, busybox, cat");
        for (name, words) in [("client", "sleep, '3600'"), ("server", &*serve)] {
            let network = is_in_nodes_network(*layout);
            write!(
                yaml,
                "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}-{node}, namespace: layouts}}
spec:
  nodeName: {node}
  hostNetwork: {network}
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: busybox, command: [{words}], resources: {resources}}}]
"
            )
            .expect("text");
        }
    }
    yaml
}

/// How often an edge was seen, and the rules that named its ends.
type Seen = (u64, String, String);

fn seen(connection: &Value) -> Seen {
    let rule = |key: &str| connection["provenance"][key].as_str().expect("a rule").to_owned();
    (connection["opened"].as_u64().expect("a count"), rule("source_rule"), rule("destination_rule"))
}

#[test]
fn both_ends_are_known_under_every_driver_runtime_and_hierarchy() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let lab = Lab::with_layouts(&LAYOUTS);
    lab.plane.apply_text(&objects());
    lab.all_ready("layouts");

    let mut map = observe(&account::kubeconfig(&lab.plane), OBSERVED);
    let mut expected = BTreeMap::new();
    for (index, layout) in LAYOUTS.iter().enumerate() {
        let (client, next) = (node(index), (index + 1) % LAYOUTS.len());
        let server = format!("server-{}", node(next));
        // The server of the next node, so that each layout is at either end.
        let address: IpAddr = lab.address("layouts", &server, Family::V4);
        let count = u32::try_from(index + 1).expect("a small number");
        lab.connect("layouts", &format!("client-{client}"), address, PORT, count);
        let source_rule = if is_in_nodes_network(*layout) { "cgroup" } else { "network_namespace" };
        let destination_rule = if is_in_nodes_network(LAYOUTS[next]) { "listener" } else { "pod" };
        expected.insert(
            format!("layouts/client-{client}:Workload -> layouts/{server}:Workload {PORT}"),
            (u64::from(count), source_rule.to_owned(), destination_rule.to_owned()),
        );
    }
    map.process.terminate(DONE);
    let connections = map.connections();
    let found: BTreeMap<_, _> =
        within(&connections, &["layouts"]).map(|one| (line(one), seen(one))).collect();
    assert_eq!(found, expected);
}
