//! Nodes of a cluster and what runs on them.

use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::{ControlPlane, END, START};
use crate::artifacts;
use crate::netns::Family;
use crate::process::{Process, output_of};
use crate::wait::until;

/// Longest time until a workload runs, on a busy machine.
const RUNNING: Duration = Duration::from_mins(2);

/// A cluster with nodes. Only one is at a time on a machine: each is some hundred processes.
#[derive(Debug)]
pub struct Lab {
    // In this order they are taken down.
    nodes: Vec<Node>,
    /// Its control plane.
    pub plane: ControlPlane,
    name: String,
    _only: File,
}

/// A node: a network namespace with the real kube-proxy and a small kubelet.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Below the root of the cgroup2 hierarchy: what runs on this node is in there.
    pub cgroup: String,
    process: Process,
}

impl Lab {
    /// A cluster with this many nodes, `n1`, `n2` and so on, and its DNS.
    pub fn start(nodes: u32) -> Self {
        let only = File::create(std::env::temp_dir().join("servicemap-kubelab.lock")).expect("a lock file");
        flock(&only, FlockOperation::LockExclusive).expect("the lock of the lab");
        // Names of network namespaces and cgroups begin with it.
        let name = format!("smt-k{}", std::process::id());
        let mut lab =
            Self { nodes: Vec::new(), plane: ControlPlane::with_lab(Some(name.clone())), name, _only: only };
        for index in 1..=nodes {
            let node = lab.node(index);
            lab.nodes.push(node);
        }
        lab.plane.apply("tests/kubelab/dns.yaml");
        lab.running("kube-system", "deployment/kube-dns");
        lab
    }

    fn node(&self, index: u32) -> Node {
        let name = format!("n{index}");
        let cgroup = format!("/{}-{name}", self.name);
        let mut command = Command::new(artifacts::kubelab());
        command.args(["node", "--while-stdin", "--lab", &self.name, "--name", &name, "--index"]);
        command.arg(index.to_string()).arg("--cgroup-root").arg(cgroup2_root().join(&cgroup[1..]));
        command.arg("--dir").arg(self.plane.directory());
        let mut process = Process::spawn(&format!("kubelab node {name}"), &mut command);
        process.wait_for_line("ready ", START);
        Node { name, cgroup, process }
    }

    /// What the names of its network namespaces begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until a workload has all of its pods ready.
    pub fn running(&self, namespace: &str, workload: &str) {
        let timeout = format!("--timeout={}s", RUNNING.as_secs());
        self.plane.kubectl(&["-n", namespace, "rollout", "status", workload, &timeout]);
    }

    /// Waits until a pod that nobody owns is ready.
    pub fn ready(&self, namespace: &str, pod: &str) {
        let timeout = format!("--timeout={}s", RUNNING.as_secs());
        self.plane.kubectl(&["-n", namespace, "wait", "--for=condition=Ready", &timeout, pod]);
    }

    /// Waits until all pods of a namespace are ready.
    pub fn all_ready(&self, namespace: &str) {
        let timeout = format!("--timeout={}s", RUNNING.as_secs());
        self.plane.kubectl(&["-n", namespace, "wait", "--for=condition=Ready", &timeout, "pod", "--all"]);
    }

    /// A cluster address of a Service: the first, or that of its second family.
    pub fn cluster_address(&self, namespace: &str, service: &str, index: usize) -> IpAddr {
        let object = self.plane.get(&["-n", namespace, "service", service]);
        let address = object["spec"]["clusterIPs"][index].as_str();
        address.unwrap_or_else(|| panic!("{object}")).parse().expect("an address")
    }

    /// What the node says of a pod: its addresses, and cgroup and process of each container.
    pub fn facts(&self, namespace: &str, pod: &str) -> Value {
        let file = self.plane.directory().join(format!("pods/{namespace}_{pod}.json"));
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_slice(&text).expect("JSON of kubelab")
    }

    /// The address of a pod in a family: the first IPv4 or the first IPv6 one.
    pub fn address(&self, namespace: &str, pod: &str, family: Family) -> IpAddr {
        let facts = self.facts(namespace, pod);
        let addresses = facts["addresses"].as_array().expect("addresses").iter();
        let mut addresses =
            addresses.map(|address| address.as_str().expect("text").parse().expect("an address"));
        let found = addresses.find(|address: &IpAddr| address.is_ipv4() == (family == Family::V4));
        found.unwrap_or_else(|| panic!("{facts}"))
    }

    /// A command in the network of a pod and in the cgroup of its container `main`: as if the container had run it.
    pub fn in_pod(&self, namespace: &str, pod: &str, program: &str, arguments: &[&str]) -> Command {
        let facts = self.facts(namespace, pod);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{facts}")).to_owned();
        let cgroup = PathBuf::from(text(&facts["cgroups"]["main"])).join("cgroup.procs");
        let process = facts["processes"]["main"].to_string();
        let mut command = Command::new("bash");
        // Born outside, it moves before it becomes the program: its sockets are the container's.
        command.args(["-c", r#"echo $$ >"$0" && exec nsenter --net="/proc/$1/ns/net" -- "${@:2}""#]);
        command.arg(cgroup).arg(process).arg(program).args(arguments);
        command
    }

    /// Opens and closes connections to an address from a pod; all must be accepted.
    pub fn connect(&self, namespace: &str, pod: &str, address: IpAddr, port: u16, count: u32) {
        let script = r#"for ((i = 0; i < $2; i++)); do exec 3<>"/dev/tcp/$0/$1" && exec 3>&- || exit; done"#;
        let arguments = ["-c", script, &address.to_string(), &port.to_string(), &count.to_string()];
        output_of(&mut self.in_pod(namespace, pod, "bash", &arguments));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.process.close_stdin();
        }
        for node in &mut self.nodes {
            let _ = until(END, || node.process.ended());
        }
        // The control plane takes it along when it is told to end, but not when a test has killed it.
        let fabric = format!("{}-fabric", self.name);
        let _ = Command::new("ip").args(["netns", "delete", &fabric]).output();
    }
}

/// Where the cgroup2 hierarchy is mounted.
fn cgroup2_root() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the mounts");
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let place = words.next()?;
        (words.next()? == "cgroup2").then_some(place)
    });
    PathBuf::from(mount.expect("a cgroup2 hierarchy"))
}
