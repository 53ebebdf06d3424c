//! Which network namespaces are those of containers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use servicemap_map::model::{ContainerCgroup, FactBody};
use servicemap_map::resolve::is_container_cgroup;

use super::scope::unified;

/// What was found at the last scan, by inode of the namespace.
#[derive(Debug, Default)]
pub(super) struct Homes(BTreeMap<u32, Option<ContainerCgroup>>);

impl Homes {
    /// Tells what is new. `processes` has the `/proc/PID` of those in each namespace, in the order of their ids; `own` is
    /// the machine's own namespace, in which containers may be but which is none's.
    pub(super) fn scan(
        &mut self,
        processes: &BTreeMap<u32, Vec<PathBuf>>,
        own: Option<u32>,
        out: &mut Vec<FactBody>,
    ) {
        let mut seen = BTreeMap::new();
        for (netns, processes) in processes.iter().filter(|(netns, _)| Some(**netns) != own) {
            let before = self.0.get(netns);
            let home = home(processes, before.and_then(Option::as_ref));
            if before != Some(&home) {
                out.push(FactBody::NamespaceCgroup { netns: *netns, cgroup: home.clone() });
            }
            seen.insert(*netns, home);
        }
        self.0 = seen;
    }
}

/// The container of a namespace: that of its first process, as long as any of its processes is left. Those who look into a
/// container come later, and go earlier.
fn home(processes: &[PathBuf], before: Option<&ContainerCgroup>) -> Option<ContainerCgroup> {
    let first = processes.first().and_then(|process| container(process));
    if first.is_some() || before.is_none() {
        return first;
    }
    let mut others = processes.iter().skip(1).filter_map(|process| container(process));
    others.find(|other| Some(other) == before)
}

/// The container of a process: by its cgroup v2 path, else by one of a v1 hierarchy.
fn container(process: &Path) -> Option<ContainerCgroup> {
    let text = fs::read_to_string(process.join("cgroup")).ok()?;
    let is_container = |path: &&str| is_container_cgroup(path);
    if let Some(path) = unified(&text).filter(is_container) {
        return Some(ContainerCgroup { path: path.into(), unified: true });
    }
    // `4:memory:/docker/ID`: a path may have colons, too.
    let path = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find(is_container)?;
    Some(ContainerCgroup { path: path.into(), unified: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f1c8a5b09d2e37761f0a1b2c3d4e5f60718293a4b5c6d7e8f9012345678abcd";
    const OWN: u32 = 1;

    /// A `/proc` with these files `PID/cgroup`, and all of its processes in namespace 2.
    struct Proc(tempfile::TempDir, Homes);

    impl Proc {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap(), Homes::default())
        }

        fn set(&self, pid: &str, cgroup: &str) {
            fs::create_dir_all(self.0.path().join(pid)).unwrap();
            fs::write(self.0.path().join(pid).join("cgroup"), cgroup).unwrap();
        }

        fn told(&mut self, pids: &[&str]) -> Vec<FactBody> {
            let processes = pids.iter().map(|pid| self.0.path().join(pid)).collect();
            let mut facts = Vec::new();
            self.1.scan(&BTreeMap::from([(2, processes)]), Some(OWN), &mut facts);
            facts
        }
    }

    fn is(path: &str, unified: bool) -> FactBody {
        FactBody::NamespaceCgroup { netns: 2, cgroup: Some(ContainerCgroup { path: path.into(), unified }) }
    }

    #[test]
    fn a_namespace_is_its_first_processs_containers_and_is_told_once() {
        let mut proc = Proc::new();
        proc.set("10", &format!("0::/docker/{ID}\n"));
        proc.set("11", "0::/user.slice/session-3.scope\n");
        assert_eq!(proc.told(&["10", "11"]), [is(&format!("/docker/{ID}"), true)]);
        assert_eq!(proc.told(&["10", "11"]), []);
        assert_eq!(proc.told(&["11"]), [FactBody::NamespaceCgroup { netns: 2, cgroup: None }]);
    }

    #[test]
    fn where_cgroup_v2_knows_no_container_a_v1_hierarchy_does() {
        let mut proc = Proc::new();
        let pod = format!("/kubepods/besteffort/pod0b0c5a8e-3b7c-4a52-9e61-c4d2f08b71a3/{ID}");
        proc.set(
            "10",
            &format!("12:pids:{pod}\n1:name=systemd:{pod}\n0::/system.slice/containerd.service\n"),
        );
        assert_eq!(proc.told(&["10"]), [is(&pod, false)]);
    }

    #[test]
    fn a_path_in_systemds_form_has_colons() {
        let mut proc = Proc::new();
        let pod = format!(
            "/system.slice/containerd.service/kubepods-pod0123456789abcdef0123456789abcdef.slice:cri-containerd:{ID}"
        );
        proc.set("10", &format!("4:cpu,cpuacct:{pod}\n0::/\n"));
        assert_eq!(proc.told(&["10"]), [is(&pod, false)]);
    }

    #[test]
    fn a_namespace_whose_first_process_is_in_no_container_is_none_whoever_joins_it() {
        let mut proc = Proc::new();
        proc.set("10", "0::/system.slice/kube-proxy.service\n");
        proc.set("11", &format!("0::/docker/{ID}\n"));
        assert_eq!(proc.told(&["10", "11"]), [FactBody::NamespaceCgroup { netns: 2, cgroup: None }]);
    }

    #[test]
    fn a_namespace_stays_a_containers_when_process_ids_begin_anew() {
        let mut proc = Proc::new();
        proc.set("20", &format!("0::/docker/{ID}\n"));
        proc.set("10", "0::/user.slice/session-3.scope\n");
        assert_eq!(proc.told(&["20"]).len(), 1);
        assert_eq!(proc.told(&["10", "20"]), []);
    }

    #[test]
    fn the_machines_own_namespace_is_no_containers() {
        let root = tempfile::tempdir().unwrap();
        let process = root.path().join("10");
        fs::create_dir_all(&process).unwrap();
        fs::write(process.join("cgroup"), format!("0::/docker/{ID}\n")).unwrap();
        let mut facts = Vec::new();
        Homes::default().scan(&BTreeMap::from([(OWN, vec![process])]), Some(OWN), &mut facts);
        assert_eq!(facts, []);
    }
}
