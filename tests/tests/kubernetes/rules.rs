//! Who is at the two ends of a socket, rule by rule, with real pods and real connections on one cluster of two nodes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use servicemap_tests::agent::{Agent, TOLD, free_address};
use servicemap_tests::cluster::{Counted, edges};
use servicemap_tests::cluster_map::{line, observe, within};
use servicemap_tests::kubelab::Lab;
use servicemap_tests::netns::Family;
use servicemap_tests::process::{Process, output_of};
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;

use crate::account;

const DONE: Duration = Duration::from_mins(2);

/// Longer than it takes: the observer is told when to end. An edge is in the map for half a minute after its last connection.
const OBSERVED: &str = "5m";

/// A client and a server on each node, one of the servers in its node's own network, and Services of every kind.
const OBJECTS: &str = include_str!("rules.yaml");

/// A pod of which the API server hears late that it runs.
const LATE: &str = "
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: rules, annotations: {kubelab/told-after: 8s}}
spec:
  nodeName: n1
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: busybox, command: [busybox, nc, -ll, -p, '8080', -e, busybox, cat]}
";

/// Holds a connection until its standard input ends.
const HOLD: &str = r#"exec 3<>"/dev/tcp/$0/$1" && echo open && read -r; exec 3>&-"#;

/// Edges with how many connections were opened.
type Opened = BTreeMap<String, u64>;

fn is(edges: &[(&str, u64)]) -> Opened {
    edges.iter().map(|(edge, opened)| ((*edge).to_owned(), *opened)).collect()
}

fn address(text: &Value) -> IpAddr {
    text.as_str().expect("an address").parse().expect("an address")
}

struct Stage {
    lab: Lab,
    kubeconfig: PathBuf,
    /// The Services of the namespace; asked for once, since what happens must happen soon.
    services: Value,
    /// The address of the second node.
    node: IpAddr,
}

impl Stage {
    fn set() -> Self {
        let lab = Lab::start(2);
        lab.plane.apply_text(OBJECTS);
        lab.all_ready("rules");
        lab.all_ready("elsewhere");
        let kubeconfig = account::kubeconfig(&lab.plane);
        let services = lab.plane.get(&["-n", "rules", "services"]);
        let node = lab.plane.get(&["node", "n2"]);
        let node = address(&node["status"]["addresses"][0]["address"]);
        let stage = Self { lab, kubeconfig, services, node };
        stage.wait_for_proxies();
        stage
    }

    /// kube-proxy has written its rules when every cluster address answers on every node.
    fn wait_for_proxies(&self) {
        for client in ["client-1", "client-2"] {
            for service in ["plain", "port", "first", "second", "dual"] {
                self.wait_for_answer(client, self.service(service, 0), 80);
            }
        }
    }

    /// Connects until it is accepted, once.
    fn wait_for_answer(&self, client: &str, address: IpAddr, port: u16) {
        let script = format!("exec 3<>/dev/tcp/{address}/{port}");
        until(DONE, || {
            let mut probe = self.lab.in_pod("rules", client, "timeout", &["5", "bash", "-c", &script]);
            probe.output().expect("bash").status.success().then_some(())
        })
        .unwrap_or_else(|| panic!("{address} port {port} does not answer {client}"));
    }

    /// A cluster address of a Service.
    fn service(&self, name: &str, index: usize) -> IpAddr {
        let mut services = self.services["items"].as_array().expect("a list").iter();
        let service = services.find(|one| one["metadata"]["name"] == name).expect("a Service");
        address(&service["spec"]["clusterIPs"][index])
    }

    fn pod(&self, name: &str, family: Family) -> IpAddr {
        self.lab.address("rules", name, family)
    }

    /// An address in the range of the pods of `n2` that no pod has.
    fn nobodys(&self) -> IpAddr {
        let IpAddr::V4(address) = self.pod("client-2", Family::V4) else { unreachable!("asked for IPv4") };
        let [a, b, c, _] = address.octets();
        Ipv4Addr::new(a, b, c, 250).into()
    }

    fn connect(&self, client: &str, address: IpAddr, port: u16, count: u32) {
        self.lab.connect("rules", client, address, port, count);
    }

    fn hold(&self, client: &str, address: IpAddr, port: u16) -> Process {
        let arguments = ["-c", HOLD, &address.to_string(), &port.to_string()];
        let mut command = self.lab.in_pod("rules", client, "bash", &arguments);
        let mut held = Process::spawn("a held connection", &mut command);
        held.wait_for_line("open", DONE);
        held
    }

    /// An observer of one node and one namespace alone, whose map has the kubelets' probes; and where it shows what it counts.
    fn of_one_namespace(&self) -> (Agent, SocketAddr) {
        let metrics = free_address();
        let agent = Agent::start(&format!(
            "receivers: {{servicemap: {{kube_config: '{}', cgroup_root: '{}', watch_namespaces: [rules], kubelet_probes: true}}}}\n\
             exporters: {{prometheus: {{endpoint: '{metrics}'}}}}\n\
             service: {{pipelines: {{metrics: {{receivers: [servicemap], exporters: [prometheus]}}}}}}\n",
            self.kubeconfig.display(),
            self.lab.nodes()[1].cgroup
        ));
        (agent, metrics)
    }
}

/// One stage and one time of observing for all: both take long. Each rule has edges of its own, and there are no others.
#[test]
fn each_rule_holds_between_real_pods() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let stage = Stage::set();
    let (_agent, of_one_namespace) = stage.of_one_namespace();
    let mut map = observe(&stage.kubeconfig, OBSERVED);
    let rules = [
        other_namespaces_have_names_where_all_are_watched,
        an_address_inside_the_cluster_that_nobody_has_is_not_outside,
        a_pod_that_is_gone_is_named_for_what_was_its_own,
        a_pod_owns_its_address_from_the_start_whenever_that_is_told,
        a_cluster_address_leads_to_its_service_also_across_nodes,
        a_pods_address_leads_to_its_service_by_the_port_and_without_one_to_its_workload,
        a_node_port_leads_to_its_service,
        a_pod_in_its_nodes_network_is_known_by_its_cgroup_and_by_its_port,
        a_proxys_connection_in_a_pods_network_is_the_pods,
        a_pods_connections_to_itself_are_no_edge,
        a_sidecars_connection_is_the_pods_and_the_way_to_it_no_edge,
        both_families_lead_to_one_service,
    ];
    let expected: Opened = rules.iter().flat_map(|rule| rule(&stage)).collect();
    let probe = probe(&stage);
    // By then both observers have waited for the addresses that have no names.
    what_is_not_watched_is_unwatched_and_probes_are_edges_where_they_are_asked_for(&stage, of_one_namespace);
    map.process.terminate(DONE);

    let document = map.document().expect("the map");
    let connections = document["connections"].as_array().expect("a list");
    let found = within(connections, &["rules", "elsewhere"]);
    let found: Opened = found.map(|one| (line(one), one["opened"].as_u64().expect("a count"))).collect();
    assert_eq!(found, expected);
    the_rule_is_told(connections, &stage);
    // A readiness probe may be open at that moment, too.
    let probes = document["excluded"]["kubelet_probe"].as_u64();
    assert!(probes.is_some_and(|open| open >= 1), "{}", document["excluded"]);
    drop(probe);
}

/// Rule 9, of the ends that are known by something out of the ordinary.
fn the_rule_is_told(connections: &[Value], stage: &Stage) {
    let rule = |edge: &str, end: &str| {
        let found = connections.iter().find(|one| line(one) == edge).expect("an edge");
        found["provenance"][end].as_str().expect("a rule").to_owned()
    };
    let nobodys = format!("rules/client-2:Workload -> /{}:Workload 8080", stage.nobodys());
    assert_eq!(rule(&nobodys, "destination_rule"), "unresolved");
    assert_eq!(rule("rules/alone:Workload -> rules/plain:ClusterIP 80", "source_rule"), "proxied");
    assert_eq!(rule("rules/host:Workload -> rules/alone:Workload 8080", "source_rule"), "cgroup");
}

/// Rule 2. Connecting there fails after some seconds.
fn an_address_inside_the_cluster_that_nobody_has_is_not_outside(stage: &Stage) -> Opened {
    let nobodys = stage.nobodys();
    let script = format!("exec 3<>/dev/tcp/{nobodys}/8080");
    let mut command = stage.lab.in_pod("rules", "client-2", "bash", &["-c", &script]);
    assert!(!command.output().expect("bash").status.success(), "somebody has {nobodys}");
    is(&[(&format!("rules/client-2:Workload -> /{nobodys}:Workload 8080"), 0)])
}

/// Rule 2: also for the end of a connection that outlives the pod.
fn a_pod_that_is_gone_is_named_for_what_was_its_own(stage: &Stage) -> Opened {
    let brief = stage.pod("brief", Family::V4);
    stage.connect("client-2", brief, 8080, 2);
    let mut held = stage.hold("client-2", brief, 8080);
    stage.lab.plane.kubectl(&["-n", "rules", "delete", "pod", "brief", "--wait=true"]);
    held.close_stdin();
    held.wait_for_end(DONE);
    is(&[("rules/client-2:Workload -> rules/brief:Workload 8080", 3)])
}

/// Rule 2: it is talked to seconds before the API server knows its address.
fn a_pod_owns_its_address_from_the_start_whenever_that_is_told(stage: &Stage) -> Opened {
    stage.lab.plane.apply_text(LATE);
    stage.lab.started("rules", "late");
    let late = stage.pod("late", Family::V4);
    stage.wait_for_answer("client-2", late, 8080);
    stage.connect("client-2", late, 8080, 4);
    let object = stage.lab.plane.get(&["-n", "rules", "pod", "late"]);
    assert!(object["status"]["podIP"].is_null(), "told before it was talked to: {}", object["status"]);
    is(&[("rules/client-2:Workload -> rules/late:Workload 8080", 5)])
}

/// Rules 3 and 8: seen at both ends, on either node, it counts once.
fn a_cluster_address_leads_to_its_service_also_across_nodes(stage: &Stage) -> Opened {
    stage.connect("client-1", stage.service("plain", 0), 80, 10);
    stage.connect("client-2", stage.service("plain", 0), 80, 20);
    is(&[
        ("rules/client-1:Workload -> rules/plain:ClusterIP 80", 10),
        ("rules/client-2:Workload -> rules/plain:ClusterIP 80", 20),
    ])
}

/// Rule 4: of several Services of one pod the port decides, then the name.
fn a_pods_address_leads_to_its_service_by_the_port_and_without_one_to_its_workload(stage: &Stage) -> Opened {
    let several = stage.pod("several", Family::V4);
    stage.connect("client-1", several, 8080, 3);
    stage.connect("client-1", several, 9090, 4);
    stage.connect("client-2", stage.pod("alone", Family::V4), 8080, 5);
    stage.connect("client-2", stage.pod("headless-0", Family::V4), 8080, 6);
    is(&[
        ("rules/client-1:Workload -> rules/first:ClusterIP 80", 3),
        ("rules/client-1:Workload -> rules/second:ClusterIP 80", 4),
        ("rules/client-2:Workload -> rules/alone:Workload 8080", 5),
        ("rules/client-2:Workload -> rules/headless:Headless 8080", 6),
    ])
}

/// Rule 3: the port that the Service offers, not the node's.
fn a_node_port_leads_to_its_service(stage: &Stage) -> Opened {
    stage.connect("client-1", stage.node, 30080, 7);
    is(&[("rules/client-1:Workload -> rules/port:NodePort 80", 7)])
}

/// Rules 1 and 5: its address says nothing, it is the node's.
fn a_pod_in_its_nodes_network_is_known_by_its_cgroup_and_by_its_port(stage: &Stage) -> Opened {
    stage.connect("host", stage.pod("alone", Family::V4), 8080, 8);
    stage.connect("client-1", stage.node, 9100, 9);
    is(&[
        ("rules/client-1:Workload -> rules/host:Workload 9100", 9),
        ("rules/host:Workload -> rules/alone:Workload 8080", 8),
    ])
}

/// Rule 1, as in an ambient mesh: the cgroup is the proxy's, the network namespace the pod's.
fn a_proxys_connection_in_a_pods_network_is_the_pods(stage: &Stage) -> Opened {
    stage.lab.connect_by_proxy("rules", "mesh", "alone", stage.service("plain", 0), 80, 11);
    is(&[("rules/alone:Workload -> rules/plain:ClusterIP 80", 11)])
}

/// Rule 7, by its own address and over loopback.
fn a_pods_connections_to_itself_are_no_edge(stage: &Stage) -> Opened {
    stage.connect("alone", stage.pod("alone", Family::V4), 8080, 5);
    stage.connect("alone", IpAddr::from([127, 0, 0, 1]), 8080, 5);
    Opened::new()
}

/// Rule 7: what the proxy sends on is there when an answer has come back.
fn a_sidecars_connection_is_the_pods_and_the_way_to_it_no_edge(stage: &Stage) -> Opened {
    let script = "exec 3<>/dev/tcp/127.0.0.1/15001 && echo asked >&3 && read -r answer <&3 && echo $answer";
    for _ in 0..3 {
        let answer = output_of(&mut stage.lab.in_pod("rules", "meshed", "bash", &["-c", script]));
        assert_eq!(answer.trim(), "asked");
    }
    is(&[("rules/meshed:Workload -> rules/plain:ClusterIP 80", 3)])
}

/// Rule 10: by the cluster addresses and by the pod's own.
fn both_families_lead_to_one_service(stage: &Stage) -> Opened {
    stage.connect("client-1", stage.service("dual", 0), 80, 1);
    stage.connect("client-1", stage.service("dual", 1), 80, 2);
    stage.connect("client-1", stage.pod("dual", Family::V4), 8080, 4);
    stage.connect("client-1", stage.pod("dual", Family::V6), 8080, 8);
    is(&[("rules/client-1:Workload -> rules/dual:ClusterIP 80", 15)])
}

/// Rule 2: to be told from where they are not.
fn other_namespaces_have_names_where_all_are_watched(stage: &Stage) -> Opened {
    stage.connect("client-2", stage.lab.address("elsewhere", "other", Family::V4), 8080, 6);
    is(&[("rules/client-2:Workload -> elsewhere/other:Workload 8080", 6)])
}

/// Rule 7: the kubelet of the pod's node holds a connection to it, beside those of the readiness probe that come and go.
fn probe(stage: &Stage) -> Process {
    let probed = stage.pod("probed", Family::V4).to_string();
    let mut held =
        Process::spawn("a held probe", &mut stage.lab.on_node("n2", "bash", &["-c", HOLD, &probed, "8080"]));
    held.wait_for_line("open", DONE);
    held
}

/// Rules 2 and 7, of the same connections as seen by an observer of one namespace.
fn what_is_not_watched_is_unwatched_and_probes_are_edges_where_they_are_asked_for(
    stage: &Stage,
    metrics: SocketAddr,
) {
    let other = stage.lab.address("elsewhere", "other", Family::V4);
    let counted = |source: &str, destination: &str, opened, active| Counted {
        source: source.to_owned(),
        destination: destination.to_owned(),
        opened,
        active,
    };
    let expected = [
        counted("rules/client-2", &format!("/{other}"), 6, 0),
        counted("rules/client-2", &format!("/{}", stage.nobodys()), 0, 0),
        counted("rules/client-2", "rules/late", 5, 0),
        counted("/n2", "rules/probed", 1, 1),
    ];
    let mut found = Vec::new();
    until(TOLD, || {
        found = edges(metrics);
        expected.iter().all(|edge| found.contains(edge)).then_some(())
    })
    .unwrap_or_else(|| panic!("not all of {expected:#?} are among {found:#?}"));
}
