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

/// How the containers of a node have their cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Who makes them: `systemd` or `cgroupfs`.
    pub driver: &'static str,
    /// Who names them: `containerd`, `cri-o` or `docker`.
    pub runtime: &'static str,
    /// Where they are: `unified`, `hybrid` (in a v1 hierarchy, their sockets in the cgroup2 one's unit of the runtime) or `v1`
    /// (in a v1 hierarchy, their sockets in the root of the cgroup2 one).
    pub hierarchy: &'static str,
}

impl Default for Layout {
    fn default() -> Self {
        Self { driver: "systemd", runtime: "containerd", hierarchy: "unified" }
    }
}

impl Lab {
    /// A cluster with this many nodes, `n1`, `n2` and so on, kube-proxy on each, and its DNS.
    pub fn start(nodes: usize) -> Self {
        let lab = Self::with_nodes(&vec![Layout::default(); nodes], "iptables");
        lab.plane.apply("tests/kubelab/dns.yaml");
        lab.running("kube-system", "deployment/kube-dns");
        lab
    }

    /// A cluster with a node for each layout, `n1`, `n2` and so on. Addresses of pods and nodes are all that leads anywhere.
    pub fn with_layouts(layouts: &[Layout]) -> Self {
        Self::with_nodes(layouts, "none")
    }

    fn with_nodes(layouts: &[Layout], proxy: &str) -> Self {
        let only = File::create(std::env::temp_dir().join("servicemap-kubelab.lock")).expect("a lock file");
        flock(&only, FlockOperation::LockExclusive).expect("the lock of the lab");
        // Names of network namespaces and cgroups begin with it.
        let name = format!("smt-k{}", std::process::id());
        let mut lab =
            Self { nodes: Vec::new(), plane: ControlPlane::with_lab(Some(name.clone())), name, _only: only };
        // All begin at once: what takes time is theirs.
        lab.nodes = layouts.iter().zip(1..).map(|(layout, index)| lab.node(index, *layout, proxy)).collect();
        for node in &mut lab.nodes {
            node.process.wait_for_line("ready ", START);
        }
        lab
    }

    fn node(&self, index: u32, layout: Layout, proxy: &str) -> Node {
        let name = format!("n{index}");
        let cgroup = format!("/{}-{name}", self.name);
        let mut command = Command::new(artifacts::kubelab());
        command.args(["node", "--while-stdin", "--lab", &self.name, "--name", &name, "--index"]);
        command.arg(index.to_string()).arg("--cgroup-root").arg(cgroup2_root().join(&cgroup[1..]));
        command.args(["--cgroup-driver", layout.driver, "--runtime", layout.runtime]);
        command.args(["--cgroup-hierarchy", layout.hierarchy, "--proxy", proxy]);
        command.arg("--dir").arg(self.plane.directory());
        let process = Process::spawn(&format!("kubelab node {name}"), &mut command);
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
        let file = self.facts_file(namespace, pod);
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_slice(&text).expect("JSON of kubelab")
    }

    fn facts_file(&self, namespace: &str, pod: &str) -> PathBuf {
        self.plane.directory().join(format!("pods/{namespace}_{pod}.json"))
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

    /// Waits until a pod's node has started it, whatever the API server has been told.
    pub fn started(&self, namespace: &str, pod: &str) {
        let file = self.facts_file(namespace, pod);
        until(RUNNING, || file.exists().then_some(())).unwrap_or_else(|| panic!("{pod} does not start"));
    }

    /// A command in the network of a pod and in the cgroup of its container `main`: as if the container had run it.
    pub fn in_pod(&self, namespace: &str, pod: &str, program: &str, arguments: &[&str]) -> Command {
        self.proxying(namespace, pod, pod, program, arguments)
    }

    /// A command in the network of a pod and in the cgroup of another one: as if that one were the proxy of an ambient mesh.
    pub fn proxying(
        &self,
        namespace: &str,
        proxy: &str,
        pod: &str,
        program: &str,
        arguments: &[&str],
    ) -> Command {
        let facts = self.facts(namespace, proxy);
        let directories = facts["cgroups"]["main"].as_array().unwrap_or_else(|| panic!("{facts}"));
        let directories: Vec<_> = directories.iter().map(|one| one.as_str().expect("a path")).collect();
        let process = &self.facts(namespace, pod)["processes"]["main"];
        inside(&directories.join(" "), &format!("/proc/{process}/ns/net"), program, arguments)
    }

    /// A command in the network of a node and in the cgroup of its kubelet.
    pub fn on_node(&self, node: &str, program: &str, arguments: &[&str]) -> Command {
        let kubelet = cgroup2_root().join(format!("{}-{node}/system.slice/kubelet.service", self.name));
        std::fs::create_dir_all(&kubelet).expect("a cgroup");
        let network = format!("/run/netns/{}-{node}", self.name);
        inside(kubelet.to_str().expect("a UTF-8 path"), &network, program, arguments)
    }

    /// Opens and closes connections to an address from a pod; all must be accepted.
    pub fn connect(&self, namespace: &str, pod: &str, address: IpAddr, port: u16, count: u32) {
        self.connect_by_proxy(namespace, pod, pod, address, port, count);
    }

    /// The same by another pod in the place of the one.
    pub fn connect_by_proxy(
        &self,
        namespace: &str,
        proxy: &str,
        pod: &str,
        address: IpAddr,
        port: u16,
        count: u32,
    ) {
        let script = r#"for ((i = 0; i < $2; i++)); do exec 3<>"/dev/tcp/$0/$1" && exec 3>&- || exit; done"#;
        let arguments = ["-c", script, &address.to_string(), &port.to_string(), &count.to_string()];
        output_of(&mut self.proxying(namespace, proxy, pod, "bash", &arguments));
    }
}

/// A command in cgroups (their directories, separated by spaces) and in a network namespace.
fn inside(cgroups: &str, network: &str, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    // Born outside, it moves before it becomes the program: its sockets are counted there.
    let script = r#"for one in $0; do echo $$ >"$one/cgroup.procs" || exit; done; exec nsenter --net="$1" -- "${@:2}""#;
    command.args(["-c", script, cgroups, network, program]).args(arguments);
    command
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
