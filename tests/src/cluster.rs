//! A cluster instance and agents that tell it what they count, as users start them, without Kubernetes.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::agent::{TOLD, command, config_file, free_address, wait_until_attached};
use crate::http::get;
use crate::process::Process;

/// A cluster instance; killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    process: Process,
    config: String,
    metrics: SocketAddr,
    /// Where agents tell it what they count.
    pub agents: SocketAddr,
    directory: TempDir,
}

/// An edge as `/metrics` has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// `namespace/name` of the client.
    pub source: String,
    /// `namespace/name` of the server.
    pub destination: String,
    /// Connections opened.
    pub opened: u64,
    /// Connections open now.
    pub active: u64,
}

impl Cluster {
    /// Starts an instance and waits until it listens.
    pub fn start() -> Self {
        let (agents, metrics) = (free_address(), free_address());
        let config = format!(
            "receivers:\n  otlp: {{protocols: {{grpc: {{endpoint: '{agents}'}}}}}}\n  servicemap: {{role: cluster, enable_k8s_discovery: false, report_interval: 1s}}\n\
             exporters: {{prometheus: {{endpoint: '{metrics}'}}}}\n\
             service: {{pipelines: {{metrics: {{receivers: [servicemap], exporters: [prometheus]}}}}}}\n"
        );
        let (directory, process) = run(&config);
        let mut cluster = Self { process, config, metrics, agents, directory };
        cluster.wait_until_it_answers();
        cluster
    }

    /// Kills it (SIGKILL) and starts another one at the same place.
    pub fn kill_and_restart(&mut self) {
        self.process.kill();
        (self.directory, self.process) = run(&self.config);
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&mut self) {
        let metrics = self.metrics;
        self.process.wait_for("an answer of /metrics", TOLD, |_| get(metrics, "/metrics").ok());
    }

    /// Waits until the edges from these services are as expected.
    pub fn wait_for_edges(&mut self, source: &str, expected: &[Counted]) {
        let metrics = self.metrics;
        let mut last = Vec::new();
        let found = crate::wait::until(TOLD, || {
            last = edges(metrics);
            let ours: Vec<_> = last.iter().filter(|edge| edge.source == source).collect();
            ours.into_iter().eq(expected).then_some(())
        });
        if found.is_none() {
            let (_, text) = get(metrics, "/metrics").unwrap_or_default();
            let figures: Vec<_> = text.lines().filter(|line| line.starts_with("servic")).collect();
            panic!("expected {expected:#?}, found {last:#?}\n{}\n{:?}", figures.join("\n"), self.process);
        }
    }

    /// Waits until a figure without labels but this one has a value.
    pub fn wait_for_figure(&mut self, series: &str, value: u64) {
        let (metrics, line) = (self.metrics, format!("{series} {value}"));
        self.process.wait_for(&format!("{line:?}"), TOLD, |_| {
            let (_, text) = get(metrics, "/metrics").ok()?;
            text.lines().any(|found| found == line).then_some(())
        });
    }
}

/// An agent of a machine of this name, which observes what is beneath a cgroup.
#[derive(Debug)]
pub struct NodeAgent {
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl NodeAgent {
    /// Starts it and waits until it counts.
    pub fn start(name: &str, cgroup_root: &str, cluster: SocketAddr) -> Self {
        let (directory, process) = run(&format!(
            "receivers: {{servicemap: {{role: agent, host_name: {name}, cgroup_root: '{cgroup_root}', enable_k8s_discovery: false, report_interval: 1s}}}}\n\
             exporters: {{otlp_grpc: {{endpoint: '{cluster}', tls: {{insecure: true}}, retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}}}}}\n\
             service: {{pipelines: {{logs: {{receivers: [servicemap], exporters: [otlp_grpc]}}}}}}\n"
        ));
        let mut agent = Self { process, _directory: directory };
        wait_until_attached(&mut agent.process);
        agent
    }
}

fn run(config: &str) -> (TempDir, Process) {
    let (directory, path) = config_file(config);
    let path = path.to_str().expect("a UTF-8 path");
    let process = Process::spawn("servicemap run", &mut command(&["run", "--config", path]));
    (directory, process)
}

/// The edges of an instance, sorted; none while it does not answer.
pub fn edges(metrics: SocketAddr) -> Vec<Counted> {
    get(metrics, "/metrics").map_or_else(|_| Vec::new(), |(_, text)| edges_of(&text))
}

/// The edges in what `/metrics` answered, sorted.
pub fn edges_of(text: &str) -> Vec<Counted> {
    let series = |name: &str| -> Vec<(String, u64)> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        lines
            .filter_map(|line| {
                Some((line.rsplit_once("} ")?.0.to_owned(), line.rsplit_once(' ')?.1.parse().ok()?))
            })
            .collect()
    };
    let active = series("servicemap_edge_connections_active");
    let mut edges: Vec<_> = series("servicemap_edge_connections_opened_total")
        .into_iter()
        .map(|(labels, opened)| Counted {
            source: end(&labels, "source"),
            destination: end(&labels, "destination"),
            opened,
            active: active.iter().find(|(other, _)| *other == labels).map_or(0, |(_, active)| *active),
        })
        .collect();
    edges.sort();
    edges
}

fn end(labels: &str, end: &str) -> String {
    let label = |name: &str| {
        let from = labels.split_once(&format!("{name}=\"")).map_or("", |(_, after)| after);
        from.split_once('"').map_or("", |(value, _)| value).to_owned()
    };
    format!("{}/{}", label(&format!("{end}_namespace")), label(&format!("{end}_name")))
}
