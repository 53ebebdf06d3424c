//! Nodes of a cluster and what runs on them.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{ControlPlane, END, START};
use crate::artifacts;
use crate::process::Process;
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

    /// A command in the network of a pod, in its container's cgroup: as if the container had run it.
    pub fn in_pod(&self, namespace: &str, pod: &str, program: &str, arguments: &[&str]) -> Command {
        let object = self.plane.get(&["-n", namespace, "pod", pod]);
        let uid = object["metadata"]["uid"].as_str().expect("a UID").replace('-', "_");
        let cgroup = self.nodes.iter().find_map(|node| container_cgroup(&node.cgroup, &uid));
        let cgroup = cgroup.unwrap_or_else(|| panic!("{namespace}/{pod} has no container's cgroup"));
        let procs = std::fs::read_to_string(cgroup.join("cgroup.procs")).expect("its processes");
        let process = procs.lines().next().unwrap_or_else(|| panic!("{namespace}/{pod} runs nothing"));
        let mut command = Command::new("bash");
        // Born outside, it moves before it becomes the program: its sockets are the container's.
        command.args(["-c", r#"echo $$ >"$0" && exec nsenter --net="/proc/$1/ns/net" -- "$2" "${@:3}""#]);
        command.arg(cgroup.join("cgroup.procs")).arg(process).arg(program).args(arguments);
        command
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

fn container_cgroup(node: &str, uid: &str) -> Option<PathBuf> {
    let root = cgroup2_root().join(node.trim_start_matches('/')).join("kubepods.slice");
    let slices =
        [root.clone(), root.join("kubepods-besteffort.slice"), root.join("kubepods-burstable.slice")];
    let pods = slices.iter().filter_map(|slice| std::fs::read_dir(slice).ok()).flatten().flatten();
    let pod = pods.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains(uid))?;
    let containers = std::fs::read_dir(pod).ok()?.flatten().map(|entry| entry.path());
    containers.into_iter().find(|path| path.extension().is_some_and(|end| end == "scope"))
}
