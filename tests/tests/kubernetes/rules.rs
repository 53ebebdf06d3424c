//! Who is at the two ends of a socket, rule by rule, with real pods and real connections on one cluster of two nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use servicemap_tests::cluster_map::{line, observe, within};
use servicemap_tests::kubelab::Lab;
use servicemap_tests::netns::Family;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::account;

const DONE: Duration = Duration::from_mins(2);

/// A client and a server on each node, one of the servers in its node's own network, and Services of every kind.
const OBJECTS: &str = include_str!("rules.yaml");

/// The edges within the namespace `rules`, with how many connections were opened.
type Opened = BTreeMap<String, u64>;

fn is(edges: &[(&str, u64)]) -> Opened {
    edges.iter().map(|(edge, opened)| ((*edge).to_owned(), *opened)).collect()
}

struct Stage {
    lab: Lab,
    kubeconfig: std::path::PathBuf,
}

impl Stage {
    fn set() -> Self {
        let lab = Lab::start(2);
        lab.plane.apply_text(OBJECTS);
        lab.all_ready("rules");
        let kubeconfig = account::kubeconfig(&lab.plane);
        let stage = Self { lab, kubeconfig };
        stage.wait_for_proxies();
        stage
    }

    /// kube-proxy has written its rules when every cluster address answers on every node.
    fn wait_for_proxies(&self) {
        for client in ["client-1", "client-2"] {
            for service in ["plain", "port", "first", "second", "dual"] {
                let address = self.service(service, 0);
                servicemap_tests::wait::until(DONE, || {
                    let script = format!("exec 3<>/dev/tcp/{address}/80");
                    let mut probe =
                        self.lab.in_pod("rules", client, "timeout", &["5", "bash", "-c", &script]);
                    probe.output().expect("bash").status.success().then_some(())
                })
                .unwrap_or_else(|| panic!("{service} ({address}) does not answer {client}"));
            }
        }
    }

    /// A cluster address of a Service.
    fn service(&self, name: &str, index: usize) -> IpAddr {
        self.lab.cluster_address("rules", name, index)
    }

    fn node(&self, name: &str) -> IpAddr {
        let object = self.lab.plane.get(&["node", name]);
        object["status"]["addresses"][0]["address"].as_str().expect("an address").parse().expect("an address")
    }

    fn pod(&self, name: &str, family: Family) -> IpAddr {
        self.lab.address("rules", name, family)
    }

    fn connect(&self, client: &str, address: IpAddr, port: u16, count: u32) {
        self.lab.connect("rules", client, address, port, count);
    }

    /// Observes while something happens; what came of it within the namespace.
    fn observed(&self, happens: impl FnOnce()) -> Opened {
        let mut map = observe(&self.kubeconfig, "8s");
        happens();
        map.process.wait_for_end(DONE);
        let connections = map.connections();
        let within = within(&connections, &["rules"]);
        within.map(|one| (line(one), one["opened"].as_u64().expect("a count"))).collect()
    }
}

/// One stage for all: a cluster with nodes takes seconds to make, and one at a time can be.
#[test]
fn each_rule_holds_between_real_pods() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let stage = Stage::set();
    a_cluster_address_leads_to_its_service_also_across_nodes(&stage);
    a_pods_address_leads_to_its_service_by_the_port_and_without_one_to_its_workload(&stage);
    a_node_port_leads_to_its_service(&stage);
    a_pod_in_its_nodes_network_is_known_by_its_cgroup_and_by_its_port(&stage);
    a_pods_connections_to_itself_are_no_edge(&stage);
    both_families_lead_to_one_service(&stage);
}

/// Rules 3 and 8: seen at both ends, on either node, it counts once.
fn a_cluster_address_leads_to_its_service_also_across_nodes(stage: &Stage) {
    let edges = stage.observed(|| {
        stage.connect("client-1", stage.service("plain", 0), 80, 10);
        stage.connect("client-2", stage.service("plain", 0), 80, 20);
    });
    assert_eq!(
        edges,
        is(&[
            ("rules/client-1:Workload -> rules/plain:ClusterIP 80", 10),
            ("rules/client-2:Workload -> rules/plain:ClusterIP 80", 20),
        ])
    );
}

/// Rule 4: of several Services of one pod the port decides, then the name.
fn a_pods_address_leads_to_its_service_by_the_port_and_without_one_to_its_workload(stage: &Stage) {
    let edges = stage.observed(|| {
        let several = stage.pod("several", Family::V4);
        stage.connect("client-1", several, 8080, 3);
        stage.connect("client-1", several, 9090, 4);
        stage.connect("client-2", stage.pod("alone", Family::V4), 8080, 5);
        stage.connect("client-2", stage.pod("headless-0", Family::V4), 8080, 6);
    });
    assert_eq!(
        edges,
        is(&[
            ("rules/client-1:Workload -> rules/first:ClusterIP 80", 3),
            ("rules/client-1:Workload -> rules/second:ClusterIP 80", 4),
            ("rules/client-2:Workload -> rules/alone:Workload 8080", 5),
            ("rules/client-2:Workload -> rules/headless:Headless 8080", 6),
        ])
    );
}

/// Rule 3: the port that the Service offers, not the node's.
fn a_node_port_leads_to_its_service(stage: &Stage) {
    let edges = stage.observed(|| stage.connect("client-1", stage.node("n2"), 30080, 7));
    assert_eq!(edges, is(&[("rules/client-1:Workload -> rules/port:NodePort 80", 7)]));
}

/// Rules 1 and 5: its address says nothing, it is the node's.
fn a_pod_in_its_nodes_network_is_known_by_its_cgroup_and_by_its_port(stage: &Stage) {
    let edges = stage.observed(|| {
        stage.connect("host", stage.pod("alone", Family::V4), 8080, 8);
        stage.connect("client-1", stage.node("n2"), 9100, 9);
    });
    assert_eq!(
        edges,
        is(&[
            ("rules/client-1:Workload -> rules/host:Workload 9100", 9),
            ("rules/host:Workload -> rules/alone:Workload 8080", 8),
        ])
    );
}

/// Rule 7, by its own address and over loopback.
fn a_pods_connections_to_itself_are_no_edge(stage: &Stage) {
    let edges = stage.observed(|| {
        stage.connect("alone", stage.pod("alone", Family::V4), 8080, 5);
        stage.connect("alone", IpAddr::from([127, 0, 0, 1]), 8080, 5);
    });
    assert_eq!(edges, Opened::new());
}

/// Rule 10: by the cluster addresses and by the pod's own.
fn both_families_lead_to_one_service(stage: &Stage) {
    let edges = stage.observed(|| {
        stage.connect("client-1", stage.service("dual", 0), 80, 1);
        stage.connect("client-1", stage.service("dual", 1), 80, 2);
        stage.connect("client-1", stage.pod("dual", Family::V4), 8080, 4);
        stage.connect("client-1", stage.pod("dual", Family::V6), 8080, 8);
    });
    assert_eq!(edges, is(&[("rules/client-1:Workload -> rules/dual:ClusterIP 80", 15)]));
}
