//! A cluster of agents without Kubernetes: counts are exact whoever is killed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use servicemap_tests::agent::TOLD;
use servicemap_tests::cluster::{Cluster, Counted, NodeAgent};
use servicemap_tests::netns::{Family, Namespace};
use servicemap_tests::peers::{CLIENT, DEADLINE, SERVER, Stage};
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

/// Edges from the client of a stage on machine `one`.
fn expect(cluster: &mut Cluster, stage: &Stage, server: &str, opened: u64, active: u64) {
    let source = format!("one/{}", stage.client_name());
    let destination = format!("{server}/{}", stage.server_name());
    let edge = Counted { source: source.clone(), destination, opened, active };
    cluster.wait_for_edges(&source, &[edge]);
}

#[test]
fn an_edge_that_an_agent_counts_is_in_the_cluster_instances_map_once() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let mut cluster = Cluster::start();
    let _agent = NodeAgent::start("one", "/", cluster.agents);
    let held = stage.hold(server.address, 3);
    stage.connect_and_close(server.address, 100);
    expect(&mut cluster, &stage, "one", 103, 3);
    drop(held);
    expect(&mut cluster, &stage, "one", 103, 0);
}

#[test]
fn connections_outlive_an_agent_that_is_killed_and_count_once() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let mut cluster = Cluster::start();
    let mut agent = NodeAgent::start("one", "/", cluster.agents);
    let held = stage.hold(server.address, 5);
    let ends = stage.hold(server.address, 2);
    stage.connect_and_close(server.address, 20);
    expect(&mut cluster, &stage, "one", 27, 7);
    agent.process.kill();
    drop(ends);
    let _agent = NodeAgent::start("one", "/", cluster.agents);
    expect(&mut cluster, &stage, "one", 27, 5);
    stage.connect_and_close(server.address, 10);
    expect(&mut cluster, &stage, "one", 37, 5);
    drop(held);
    expect(&mut cluster, &stage, "one", 37, 0);
}

#[test]
fn a_cluster_instance_that_is_killed_gets_everything_back() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let mut cluster = Cluster::start();
    let _agent = NodeAgent::start("one", "/", cluster.agents);
    let held = stage.hold(server.address, 5);
    stage.connect_and_close(server.address, 100);
    expect(&mut cluster, &stage, "one", 105, 5);
    cluster.kill_and_restart();
    expect(&mut cluster, &stage, "one", 105, 5);
    stage.connect_and_close(server.address, 10);
    drop(held);
    expect(&mut cluster, &stage, "one", 115, 0);
}

#[test]
fn an_agent_that_is_killed_is_told_as_lost() {
    require!(Need::Root, Need::Btf);
    let mut cluster = Cluster::start();
    let mut agent = NodeAgent::start("one", "/", cluster.agents);
    cluster.wait_for_figure("servicemap_agents{state=\"observed\"}", 1);
    agent.process.kill();
    cluster.wait_for_figure("servicemap_agents{state=\"lost\"}", 1);
    cluster.wait_for_figure("servicemap_gaps_total{reason=\"agent_lost\"}", 1);
}

/// A cgroup that stands for a machine; removed when dropped.
struct Branch {
    path: String,
    directory: PathBuf,
}

impl Branch {
    fn make(name: &str) -> Self {
        let path = format!("/smt-{name}-{}", std::process::id());
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists());
        let directory = root.expect("a cgroup v2 hierarchy").join(&path[1..]);
        fs::create_dir(&directory).expect("a new cgroup");
        Self { path, directory }
    }

    /// A command that runs a peer in a namespace and this cgroup.
    fn command(&self, namespace: &Namespace, program: PathBuf) -> Command {
        let mut command = namespace.command(program);
        command.env("PEER_CGROUP", &self.directory);
        command
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        // Not asserted: a panic in drop while a test fails would hide why it failed.
        let _ = fs::remove_dir(&self.directory);
    }
}

#[test]
fn a_connection_between_two_machines_counts_once_and_each_agent_sees_its_own_machine() {
    require!(Need::Root, Need::Btf);
    let (one, two) = (Branch::make("one"), Branch::make("two"));
    let stage = Stage::set();
    let mut cluster = Cluster::start();
    let agents = [("one", &one), ("two", &two)]
        .map(|(name, branch)| NodeAgent::start(name, &branch.path, cluster.agents));
    let address = stage.pair.server.address(Family::V4).to_string();
    let mut listen = two.command(&stage.pair.server, stage.program(SERVER));
    let mut server = Process::spawn(SERVER, listen.args(["listen", &address, "0"]));
    let port = server.wait_for_line("ready ", DEADLINE);
    let mut connect = one.command(&stage.pair.client, stage.program(CLIENT));
    let mut client = Process::spawn(CLIENT, connect.args(["connect", &address, &port, "50", "--hold"]));
    assert_eq!(client.wait_for_line("done ", DEADLINE), "50 0 0");
    expect(&mut cluster, &stage, "two", 50, 50);
    drop(agents);
    let _agents = [("one", &one), ("two", &two)]
        .map(|(name, branch)| NodeAgent::start(name, &branch.path, cluster.agents));
    client.close_stdin();
    client.wait_for_end(TOLD);
    expect(&mut cluster, &stage, "two", 50, 0);
    server.kill();
}
