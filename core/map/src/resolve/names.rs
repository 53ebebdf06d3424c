//! What the programs of this machine are called.
//!
//! The name is the systemd unit's, else the container's short id, else the program's. Programs outside the machine's own
//! network namespace carry their namespace's name (`python3@blue`, `nc@4026532281`), so that programs of one name in
//! different namespaces stay apart; units and containers are distinct already. As long as no fact says which namespace is
//! the machine's own, no name gets such an ending: a wrong one on every program would be worse than two programs in one.

use std::sync::Arc;

use super::cgroup::{Resident, resident};
use super::pod_path::{PodPath, pod_path};
use crate::collections::HashMap;

/// cgroups that are kept: one of 65,536 containers each. Those without flows make room for new ones.
pub(crate) const MAX_CGROUPS: usize = 65_536;

/// The name where not even a program is known.
const UNKNOWN: &str = "unknown";

/// Network namespaces that are told. One a container, like cgroups.
const MAX_NAMESPACES: usize = 65_536;

#[derive(Debug, Default)]
struct Cgroup {
    resident: Option<Resident>,
    pod: Option<PodPath>,
    flows: u32,
}

/// Names of cgroups and network namespaces.
#[derive(Debug, Default)]
pub(crate) struct Names {
    cgroups: HashMap<u64, Cgroup>,
    namespaces: HashMap<u32, Arc<str>>,
    own: Option<u32>,
}

impl Names {
    /// Learns a cgroup's path. `Some(true)` when flows may now be called differently, `None` when there is no room.
    pub(crate) fn set_cgroup(&mut self, id: u64, path: &str) -> Option<bool> {
        let (resident, pod) = (resident(path), pod_path(path));
        if let Some(known) = self.cgroups.get_mut(&id) {
            let news = (known.resident != resident || known.pod != pod) && known.flows > 0;
            (known.resident, known.pod) = (resident, pod);
            return Some(news);
        }
        // A cgroup that names nobody says as much as one that is not known.
        if resident.is_none() && pod.is_none() {
            return Some(false);
        }
        if self.cgroups.len() >= MAX_CGROUPS {
            self.cgroups.retain(|_, cgroup| cgroup.flows > 0);
        }
        if self.cgroups.len() >= MAX_CGROUPS {
            return None;
        }
        self.cgroups.insert(id, Cgroup { resident, pod, flows: 0 });
        Some(false)
    }

    /// A flow of this cgroup began; its name is kept as long as the flow lives.
    pub(crate) fn hold_cgroup(&mut self, id: u64) {
        self.cgroups.entry(id).or_default().flows += 1;
    }

    /// A flow of this cgroup is gone.
    pub(crate) fn release_cgroup(&mut self, id: u64) {
        if let Some(cgroup) = self.cgroups.get_mut(&id) {
            cgroup.flows = cgroup.flows.saturating_sub(1);
            if cgroup.flows == 0 && cgroup.resident.is_none() && cgroup.pod.is_none() {
                self.cgroups.remove(&id);
            }
        }
    }

    /// Learns a network namespace's name; `None` marks the machine's own. `Some(true)` when programs may be called
    /// differently, `None` when there is no room.
    pub(crate) fn set_namespace(&mut self, netns: u32, name: Option<Arc<str>>) -> Option<bool> {
        match name {
            None => Some(self.own.replace(netns) != Some(netns)),
            Some(name) if self.namespaces.len() < MAX_NAMESPACES || self.namespaces.contains_key(&netns) => {
                let before = self.namespaces.insert(netns, name.clone());
                Some(before.as_ref() != Some(&name) && self.own.is_some_and(|own| own != netns))
            }
            Some(_) => None,
        }
    }

    /// The pod in a cgroup's path.
    pub(crate) fn pod(&self, cgroup: u64) -> Option<&PodPath> {
        self.cgroups.get(&cgroup)?.pod.as_ref()
    }

    /// The pods in the paths of cgroups that have flows.
    pub(crate) fn pods_with_flows(&self) -> impl Iterator<Item = &PodPath> {
        self.cgroups.values().filter(|cgroup| cgroup.flows > 0).filter_map(|cgroup| cgroup.pod.as_ref())
    }

    /// Whether a cgroup is that of a container.
    pub(crate) fn is_container(&self, cgroup: u64) -> bool {
        let resident = self.cgroups.get(&cgroup).and_then(|known| known.resident.as_ref());
        matches!(resident, Some(Resident::Container(_)))
    }

    /// Whether this is the machine's own namespace.
    pub(crate) fn is_own(&self, netns: u32) -> bool {
        self.own == Some(netns)
    }

    /// The name of a local end, and the rule that gave it.
    pub(crate) fn local(&self, cgroup: u64, netns: u32, program: &Arc<str>) -> (Arc<str>, &'static str) {
        if let Some(resident) = self.cgroups.get(&cgroup).and_then(|known| known.resident.as_ref()) {
            return (resident.name().clone(), "cgroup");
        }
        let elsewhere = netns != 0 && self.own.is_some_and(|own| own != netns);
        let bare = if program.is_empty() { UNKNOWN } else { program };
        let name = match (elsewhere, self.namespaces.get(&netns)) {
            (true, Some(namespace)) => format!("{bare}@{namespace}").into(),
            (true, None) => format!("{bare}@{netns}").into(),
            (false, _) if program.is_empty() => UNKNOWN.into(),
            (false, _) => program.clone(),
        };
        (name, "program")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(names: &Names, netns: u32, program: &str) -> String {
        names.local(5, netns, &program.into()).0.to_string()
    }

    #[test]
    fn a_unit_goes_before_the_program() {
        let mut names = Names::default();
        names.set_cgroup(5, "/system.slice/nginx.service");
        assert_eq!(names.local(5, 1, &"nginx".into()), ("nginx.service".into(), "cgroup"));
        assert_eq!(names.local(6, 1, &"nginx".into()), ("nginx".into(), "program"));
    }

    #[test]
    fn programs_of_other_namespaces_carry_the_namespace() {
        let mut names = Names::default();
        assert_eq!(program(&names, 2, "nc"), "nc", "nobody said which namespace is the machine's own");
        assert_eq!(names.set_namespace(1, None), Some(true));
        assert_eq!(program(&names, 1, "nc"), "nc");
        assert_eq!(program(&names, 2, "nc"), "nc@2");
        assert_eq!(names.set_namespace(2, Some("blue".into())), Some(true));
        assert_eq!(program(&names, 2, "nc"), "nc@blue");
        assert_eq!(program(&names, 0, "nc"), "nc", "the namespace itself is not known");
    }

    #[test]
    fn without_a_program_the_name_is_unknown() {
        let mut names = Names::default();
        assert_eq!(program(&names, 1, ""), "unknown");
        names.set_namespace(1, None);
        assert_eq!(program(&names, 2, ""), "unknown@2");
    }

    #[test]
    fn beyond_the_bound_namespaces_are_turned_away_and_known_ones_still_get_names() {
        let mut names = Names::default();
        for netns in 1..=u32::try_from(MAX_NAMESPACES).unwrap() {
            assert!(names.set_namespace(netns, Some("blue".into())).is_some());
        }
        assert_eq!(names.set_namespace(0x10_0000, Some("red".into())), None);
        assert!(names.set_namespace(1, Some("red".into())).is_some());
    }

    #[test]
    fn only_a_cgroup_with_flows_makes_news() {
        let mut names = Names::default();
        assert_eq!(names.set_cgroup(5, "/system.slice/a.service"), Some(false));
        names.hold_cgroup(6);
        assert_eq!(names.set_cgroup(6, "/system.slice/b.service"), Some(true));
        assert_eq!(names.set_cgroup(6, "/system.slice/b.service"), Some(false));
    }

    #[test]
    fn cgroups_without_flows_make_room() {
        let mut names = Names::default();
        names.hold_cgroup(0);
        names.set_cgroup(0, "/system.slice/kept.service");
        for id in 1..=MAX_CGROUPS as u64 {
            assert!(names.set_cgroup(id, "/system.slice/short.service").is_some());
        }
        assert_eq!(names.local(0, 1, &"x".into()).0.as_ref(), "kept.service");
        assert!(names.cgroups.len() < MAX_CGROUPS);
    }
}
