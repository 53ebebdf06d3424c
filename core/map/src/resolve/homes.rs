//! Containers with a network namespace of their own. Their sockets are told by their cgroup; where that does not say so,
//! by the namespace: on a machine whose containers are in cgroup v1 hierarchies, and where a proxy opens sockets in the
//! namespaces of others.

use std::sync::Arc;

use super::cgroup::{Resident, resident};
use super::pod_path::{PodPath, pod_path};
use crate::collections::HashMap;
use crate::model::ContainerCgroup;

/// Namespaces that are kept. One a container, like cgroups; those without flows make room for new ones.
const MAX_HOMES: usize = 65_536;

/// Whose namespace it is.
#[derive(Debug, Default)]
pub(crate) struct Home {
    /// The pod in the path of the container's cgroup.
    pub(crate) pod: Option<PodPath>,
    /// Whether the namespace stands in for the cgroups of its sockets, which say nothing.
    pub(crate) stands_in: bool,
    container: Option<Arc<str>>,
    flows: u32,
}

impl Home {
    fn is_nobodys(&self) -> bool {
        self.pod.is_none() && self.container.is_none()
    }
}

/// Homes by inode of their network namespace.
#[derive(Debug, Default)]
pub(crate) struct Homes(HashMap<u32, Home>);

impl Homes {
    /// Learns in which cgroup the processes of a namespace are. `Some(true)` when flows may now be called differently,
    /// `None` when there is no room.
    pub(crate) fn set(&mut self, netns: u32, cgroup: Option<&ContainerCgroup>) -> Option<bool> {
        let container = |path: &str| match resident(path) {
            Some(Resident::Container(name)) => Some(name),
            Some(Resident::Unit(_)) | None => None,
        };
        let path = cgroup.map(|cgroup| &*cgroup.path);
        let told = Home {
            pod: path.and_then(pod_path),
            container: path.and_then(container),
            stands_in: cgroup.is_some_and(|cgroup| !cgroup.unified),
            flows: 0,
        };
        if let Some(known) = self.0.get_mut(&netns) {
            let same = (&known.pod, &known.container, known.stands_in)
                == (&told.pod, &told.container, told.stands_in);
            *known = Home { flows: known.flows, ..told };
            return Some(!same && known.flows > 0);
        }
        // One that is nobody's says as much as one that is not known.
        if told.is_nobodys() {
            return Some(false);
        }
        if self.0.len() >= MAX_HOMES {
            self.0.retain(|_, home| home.flows > 0);
        }
        if self.0.len() >= MAX_HOMES {
            return None;
        }
        self.0.insert(netns, told);
        Some(false)
    }

    /// A flow of this namespace began; what is known of it is kept as long as the flow lives.
    pub(crate) fn hold(&mut self, netns: u32) {
        self.0.entry(netns).or_default().flows += 1;
    }

    /// A flow of this namespace is gone.
    pub(crate) fn release(&mut self, netns: u32) {
        if let Some(home) = self.0.get_mut(&netns) {
            home.flows = home.flows.saturating_sub(1);
            if home.flows == 0 && home.is_nobodys() {
                self.0.remove(&netns);
            }
        }
    }

    /// The container whose namespace this is.
    pub(crate) fn get(&self, netns: u32) -> Option<&Home> {
        self.0.get(&netns)
    }

    /// Name of the container that sockets of a namespace belong to, where their cgroups do not say so.
    pub(crate) fn stand_in(&self, netns: u32) -> Option<&Arc<str>> {
        self.get(netns).filter(|home| home.stands_in)?.container.as_ref()
    }

    /// The pods whose namespaces have flows.
    pub(crate) fn pods_with_flows(&self) -> impl Iterator<Item = &PodPath> {
        self.0.values().filter(|home| home.flows > 0).filter_map(|home| home.pod.as_ref())
    }
}

/// Whether a path is the cgroup of a container, or inside one.
pub fn is_container_cgroup(path: &str) -> bool {
    matches!(resident(path), Some(Resident::Container(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f1c8a5b09d2e37761f0a1b2c3d4e5f60718293a4b5c6d7e8f9012345678abcd";

    fn docker(unified: bool) -> ContainerCgroup {
        ContainerCgroup { path: format!("/docker/{ID}").into(), unified }
    }

    #[test]
    fn a_namespace_stands_in_for_the_cgroups_of_a_v1_hierarchy_alone() {
        let mut homes = Homes::default();
        homes.set(2, Some(&docker(false)));
        homes.set(3, Some(&docker(true)));
        assert_eq!(homes.stand_in(2).map(|name| &**name), Some(&ID[..12]));
        assert_eq!(homes.stand_in(3), None);
    }

    #[test]
    fn the_next_namespace_with_that_inode_is_not_the_containers() {
        let mut homes = Homes::default();
        homes.set(2, Some(&docker(false)));
        homes.hold(2);
        assert_eq!(homes.set(2, None), Some(true));
        assert_eq!(homes.stand_in(2), None);
    }

    #[test]
    fn only_a_namespace_with_flows_makes_news() {
        let mut homes = Homes::default();
        assert_eq!(homes.set(2, Some(&docker(false))), Some(false));
        homes.hold(3);
        assert_eq!(homes.set(3, Some(&docker(false))), Some(true));
        assert_eq!(homes.set(3, Some(&docker(false))), Some(false));
    }

    #[test]
    fn namespaces_without_flows_make_room() {
        let mut homes = Homes::default();
        homes.set(1, Some(&docker(false)));
        homes.hold(1);
        for netns in 2..=u32::try_from(MAX_HOMES).unwrap() + 1 {
            assert!(homes.set(netns, Some(&docker(false))).is_some());
        }
        assert!(homes.stand_in(1).is_some());
        assert!(homes.0.len() < MAX_HOMES);
    }

    #[test]
    fn beyond_the_bound_namespaces_are_turned_away() {
        let mut homes = Homes::default();
        for netns in 1..=u32::try_from(MAX_HOMES).unwrap() {
            homes.hold(netns);
        }
        assert_eq!(homes.set(0x10_0000, Some(&docker(false))), None);
    }
}
