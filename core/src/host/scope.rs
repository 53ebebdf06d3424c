//! The part of the machine that is observed: the sockets of one branch of the cgroup tree, and the network namespaces of
//! its processes. For whoever is to see no more than that, and for tests in which one machine stands for several.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, Gap, GapReason, Origin, SourceId, Timestamp};

/// How long a flow waits for the path of its cgroup to become known. Directories are told as they are made, and looked
/// for at most four times a second where that was missed.
const HELD_FOR: Duration = Duration::from_secs(2);

/// Flows that wait. They come from cgroups that were made within the last moments.
const MAX_HELD: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// `/kubepods.slice` and the like; empty for the whole machine.
    root: String,
    held: Vec<(Instant, Fact)>,
}

impl Scope {
    pub(super) fn new(root: &str) -> Self {
        Self { root: root.trim_end_matches('/').to_owned(), held: Vec::new() }
    }

    pub(super) fn is_whole_machine(&self) -> bool {
        self.root.is_empty()
    }

    /// Whether a cgroup is the branch's root or beneath it.
    pub(super) fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a process `/proc/PID` is in the branch.
    pub(super) fn holds_process(&self, process: &Path) -> bool {
        self.is_whole_machine()
            || fs::read_to_string(process.join("cgroup"))
                .is_ok_and(|text| unified(&text).is_some_and(|path| self.holds(path)))
    }

    /// Of facts about flows, those of the branch. `path_of` knows the paths of cgroups.
    pub(super) fn admit<'a>(
        &mut self,
        facts: Vec<Fact>,
        at: Timestamp,
        path_of: impl Fn(u64) -> Option<&'a str>,
    ) -> Vec<Fact> {
        if self.is_whole_machine() {
            return facts;
        }
        let now = Instant::now();
        let mut admitted = Vec::new();
        let mut unknown = 0;
        let came = facts.into_iter().map(|fact| (now, fact));
        for (since, fact) in std::mem::take(&mut self.held).into_iter().chain(came) {
            let FactBody::Flow(flow) = &fact.body else {
                admitted.push(fact);
                continue;
            };
            match path_of(flow.key.cgroup) {
                Some(path) if self.holds(path) => admitted.push(fact),
                Some(_) => {}
                None if now.duration_since(since) < HELD_FOR && self.held.len() < MAX_HELD => {
                    self.held.push((since, fact));
                }
                None => unknown += 1,
            }
        }
        if unknown > 0 {
            let gap = Gap { reason: GapReason::SourceUnavailable, count: unknown, healed: false, at };
            let origin = Origin { source: SourceId::Host, sequence: 0 };
            admitted.push(Fact { at, origin, body: FactBody::Gap(gap) });
        }
        admitted
    }
}

/// The cgroup v2 path in `/proc/PID/cgroup`.
pub(super) fn unified(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use servicemap_map::model::{AddressClass, Direction, FlowDelta, FlowKey, MachineId};

    use super::*;

    const AT: Timestamp = Timestamp::from_nanos(1);

    fn flow(cgroup: u64) -> Fact {
        let key = FlowKey {
            machine: MachineId::OWN,
            cgroup,
            netns: 1,
            direction: Direction::Outbound,
            local_class: AddressClass::Other,
            remote: Ipv4Addr::LOCALHOST.into(),
            port: 80,
            program: "curl".into(),
            folded: false,
            generation: 0,
        };
        let delta = FlowDelta { opened: 1, first: AT, last: AT, ..FlowDelta::nothing(key) };
        let origin = Origin { source: SourceId::Capture, sequence: 1 };
        Fact { at: AT, origin, body: FactBody::Flow(delta) }
    }

    #[test]
    fn the_branch_is_its_root_and_what_is_beneath_not_what_begins_alike() {
        let scope = Scope::new("/one/");
        assert!(scope.holds("/one") && scope.holds("/one/pod"));
        assert!(!scope.holds("/one-more") && !scope.holds("/") && !scope.holds("/two/one"));
        assert!(Scope::new("/").is_whole_machine());
    }

    #[test]
    fn a_process_is_where_the_unified_hierarchy_has_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup"), "4:memory:/one\n0::/two/pod\n").unwrap();
        assert!(Scope::new("/two").holds_process(root.path()));
        assert!(!Scope::new("/one").holds_process(root.path()));
    }

    #[test]
    fn flows_of_other_branches_are_left_out() {
        let mut scope = Scope::new("/one");
        let paths = |id| {
            [(1, "/one/a"), (2, "/two/b")].into_iter().find(|(known, _)| *known == id).map(|(_, path)| path)
        };
        assert_eq!(scope.admit(vec![flow(1), flow(2)], AT, paths), [flow(1)]);
    }

    #[test]
    fn a_flow_waits_for_the_path_of_its_cgroup() {
        let mut scope = Scope::new("/one");
        assert_eq!(scope.admit(vec![flow(3)], AT, |_| None), []);
        assert_eq!(scope.admit(Vec::new(), AT, |_| Some("/one/c")), [flow(3)]);
        assert_eq!(scope.admit(Vec::new(), AT, |_| Some("/one/c")), []);
    }

    #[test]
    fn flows_that_wait_are_bounded_and_those_beyond_are_told() {
        let mut scope = Scope::new("/one");
        let told = scope.admit((0..=MAX_HELD as u64).map(flow).collect(), AT, |_| None);
        assert!(
            matches!(told.as_slice(), [Fact { body: FactBody::Gap(Gap { count: 1, .. }), .. }]),
            "{told:?}"
        );
    }
}
