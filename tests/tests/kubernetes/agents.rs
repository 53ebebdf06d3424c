//! An agent on each of three nodes and one cluster instance: one map, each connection once, each event of the cluster once, whoever restarts.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use servicemap_tests::agent::{TOLD, config_file, wait_until_attached};
use servicemap_tests::artifacts;
use servicemap_tests::cluster::{Counted, edges_of};
use servicemap_tests::kubelab::Lab;
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;
use tempfile::TempDir;

use crate::account;

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const DONE: Duration = Duration::from_mins(2);
/// Where the cluster instance is, in the network that joins the nodes.
const INSTANCE: &str = "192.168.77.1";
const FLOWS_PORT: u16 = 4317;
const METRICS_PORT: u16 = 9464;

/// A client and a server on each node, the servers behind one Service.
fn objects() -> String {
    let mut yaml = "
apiVersion: v1
kind: Namespace
metadata: {name: agents}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: agents}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
"
    .to_owned();
    for node in NODES {
        for (name, app, words) in [
            (format!("client-{node}"), format!("client-{node}"), "sleep, '3600'"),
            (format!("server-{node}"), "server".to_owned(), "busybox, nc, -ll, -p, '8080', -e, busybox, cat"),
        ] {
            let pod = format!(
                "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: agents, labels: {{app: {app}}}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: busybox, command: [{words}]}}]
"
            );
            yaml += &pod;
        }
    }
    yaml
}

/// A `servicemap run` in a network namespace.
fn run(namespace: &str, config: &str, kubeconfig: &Path) -> (TempDir, Process) {
    let (directory, path) = config_file(config);
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).arg("--").arg(artifacts::servicemap());
    command.args(["run", "--config"]).arg(path).env("KUBECONFIG", kubeconfig);
    let process = Process::spawn(&format!("servicemap run in {namespace}"), &mut command);
    (directory, process)
}

struct Stage {
    lab: Lab,
    kubeconfig: PathBuf,
}

impl Stage {
    fn set() -> Self {
        let lab = Lab::start(3);
        lab.plane.apply_text(&objects());
        lab.all_ready("agents");
        // The same account, by the address that the API server has in the nodes' network.
        let kubeconfig = account::kubeconfig(&lab.plane);
        let text = std::fs::read_to_string(&kubeconfig).expect("the kubeconfig");
        std::fs::write(&kubeconfig, text.replace("127.0.0.1", INSTANCE)).expect("a written kubeconfig");
        let stage = Self { lab, kubeconfig };
        for node in NODES {
            until(DONE, || stage.try_connect(node).then_some(())).expect("kube-proxy has written its rules");
        }
        stage
    }

    fn server(&self) -> IpAddr {
        self.lab.cluster_address("agents", "server", 0)
    }

    fn try_connect(&self, node: &str) -> bool {
        let script = format!("exec 3<>/dev/tcp/{}/80", self.server());
        let client = format!("client-{node}");
        let mut probe = self.lab.in_pod("agents", &client, "timeout", &["5", "bash", "-c", &script]);
        probe.output().expect("bash").status.success()
    }

    /// Each client connects this often; which node's server answers is kube-proxy's choice.
    fn connect(&self, count: u32) {
        for node in NODES {
            self.lab.connect("agents", &format!("client-{node}"), self.server(), 80, count);
        }
    }

    fn agent(&self, node: &str) -> (TempDir, Process) {
        let node = self.lab.nodes().iter().find(|one| one.name == node).expect("a node");
        let config = format!(
            "receivers: {{servicemap: {{role: agent, host_name: {}, cgroup_root: '{}', report_interval: 1s}}}}\n\
             exporters: {{otlp_grpc: {{endpoint: '{INSTANCE}:{FLOWS_PORT}', tls: {{insecure: true}}, retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 0s}}}}}}\n\
             service: {{pipelines: {{logs: {{receivers: [servicemap], exporters: [otlp_grpc]}}}}}}\n",
            node.name, node.cgroup
        );
        let mut agent = run(&format!("{}-{}", self.lab.name(), node.name), &config, &self.kubeconfig);
        wait_until_attached(&mut agent.1);
        agent
    }

    fn instance(&self) -> (TempDir, Process) {
        let config = format!(
            "receivers:\n  otlp: {{protocols: {{grpc: {{endpoint: '{INSTANCE}:{FLOWS_PORT}'}}}}}}\n  servicemap: {{role: cluster, report_interval: 1s}}\n\
             exporters:\n  prometheus: {{endpoint: '{INSTANCE}:{METRICS_PORT}'}}\n  debug: {{verbosity: normal}}\n\
             service:\n  pipelines:\n    metrics: {{receivers: [servicemap], exporters: [prometheus]}}\n    logs: {{receivers: [servicemap], exporters: [debug]}}\n"
        );
        let mut instance = run(&self.fabric(), &config, &self.kubeconfig);
        instance.1.wait_for("an answer of /metrics", TOLD, |_| (!self.metrics().is_empty()).then_some(()));
        instance
    }

    fn fabric(&self) -> String {
        format!("{}-fabric", self.lab.name())
    }

    fn metrics(&self) -> String {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.fabric()));
        command.args(["--", "timeout", "5", "busybox", "wget", "-q", "-O", "-"]);
        let output = command.arg(format!("http://{INSTANCE}:{METRICS_PORT}/metrics")).output().expect("wget");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until each client's edge has this many connections, and nothing else has an end in the namespace.
    fn wait_for_edges(&self, opened: u64, instance: &mut Process) {
        self.wait_for_edges_within(|_| (opened..=opened, 0), instance);
    }

    /// The same with so many opened and active for each node's client.
    fn wait_for_edges_within(
        &self,
        expected: impl Fn(&str) -> (RangeInclusive<u64>, u64),
        instance: &mut Process,
    ) {
        let mut last = Vec::new();
        let found = until(DONE, || {
            let ours = |edge: &Counted| {
                edge.source.starts_with("agents/") || edge.destination.starts_with("agents/")
            };
            last = edges_of(&self.metrics()).into_iter().filter(ours).collect();
            let is_there = |node: &&str| {
                let (opened, active) = expected(node);
                last.iter().any(|edge| {
                    edge.source == format!("agents/client-{node}")
                        && edge.destination == "agents/server"
                        && opened.contains(&edge.opened)
                        && edge.active == active
                })
            };
            (last.len() == NODES.len() && NODES.iter().all(is_there)).then_some(())
        });
        assert!(found.is_some(), "expected {:#?}, found {last:#?}\n{instance:?}", NODES.map(&expected));
    }

    /// Each client opens a connection that stays, to the server of the next node.
    fn hold(&self) -> Vec<Process> {
        let held = NODES.iter().zip(NODES.iter().cycle().skip(1)).map(|(node, next)| {
            let address = self.lab.address("agents", &format!("server-{next}"), Family::V4);
            let script = format!("exec 3<>/dev/tcp/{address}/8080 && echo open && read -r");
            let client = format!("client-{node}");
            let mut command = self.lab.in_pod("agents", &client, "bash", &["-c", &script]);
            let mut process = Process::spawn(&format!("a held connection of {client}"), &mut command);
            process.wait_for_line("open", DONE);
            process
        });
        held.collect()
    }
}

#[test]
fn an_agent_that_is_killed_and_started_again_counts_each_connection_once() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let stage = Stage::set();
    let (_config, mut instance) = stage.instance();
    let mut agents: Vec<_> = NODES.iter().map(|node| stage.agent(node)).collect();
    stage.connect(30);
    stage.wait_for_edges(30, &mut instance);
    agents[1].1.kill();
    agents[1] = stage.agent(NODES[1]);
    stage.connect(10);
    stage.wait_for_edges(40, &mut instance);
}

#[test]
fn a_cluster_instance_that_is_killed_and_started_again_gets_everything_back_and_tells_no_news() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let stage = Stage::set();
    let (_config, mut instance) = stage.instance();
    let _agents: Vec<_> = NODES.iter().map(|node| stage.agent(node)).collect();
    stage.connect(30);
    stage.wait_for_edges(30, &mut instance);

    // Though four processes observe.
    stage.lab.plane.kubectl(&["create", "service", "clusterip", "told-once", "--tcp=80:8080"]);
    stage.connect(10);
    stage.wait_for_edges(40, &mut instance);
    let told = instance.stdout().iter().filter(|line| line.contains("told-once")).count();
    assert_eq!(told, 1, "{instance:?}");

    instance.kill();
    drop(instance);
    let (_config, mut instance) = stage.instance();
    stage.wait_for_edges(40, &mut instance);
    let events = instance.stdout().into_iter().filter(|line| line.contains("service.discovered"));
    assert_eq!(events.collect::<Vec<_>>(), Vec::<String>::new(), "what was there is a snapshot, no news");
    stage.connect(5);
    stage.wait_for_edges(45, &mut instance);
}

/// What an agent counted before it restarted was known to the cluster instance alone: if that restarts too, only what is
/// open, and what was counted since and at the other side, is left. None of it may count twice.
#[test]
fn after_an_agent_and_then_the_cluster_instance_restarted_no_connection_is_counted_twice() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let stage = Stage::set();
    let (_config, mut instance) = stage.instance();
    let mut agents: Vec<_> = NODES.iter().map(|node| stage.agent(node)).collect();
    let held = stage.hold();
    stage.connect(29);
    stage.wait_for_edges_within(|_| (30..=30, 1), &mut instance);

    agents[1].1.kill();
    agents[1] = stage.agent(NODES[1]);
    stage.connect(10);
    stage.wait_for_edges_within(|_| (40..=40, 1), &mut instance);

    instance.kill();
    drop(instance);
    let (_config, mut instance) = stage.instance();
    let left = |node: &str| if node == NODES[1] { 11..=40 } else { 40..=40 };
    stage.wait_for_edges_within(|node| (left(node), 1), &mut instance);
    drop(held);
    stage.wait_for_edges_within(|node| (left(node), 0), &mut instance);
    stage.connect(5);
    let later = |node: &str| if node == NODES[1] { 16..=45 } else { 45..=45 };
    stage.wait_for_edges_within(|node| (later(node), 0), &mut instance);
}
