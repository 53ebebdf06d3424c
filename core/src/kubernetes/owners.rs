//! The top of a pod's chain of owners: ReplicaSet → Deployment, Job → CronJob.
//!
//! Other watches know the owners, so a pod may come before them. It waits until they have told what exists, and after that
//! for [`PATIENCE`], so that it is never told by a wrong name first. Where owners may not be watched a pod is told at once,
//! by the best name that it says itself.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::model::{Pod, PodOwner, Timestamp};

use super::decode::{Controller, ControllerKind, OwnedPod, Owner};

/// How long a pod waits for an owner that is not known. The two watches are requests of their own, and one of them may be a
/// little behind; what has not come after this time was deleted.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pods that are kept because they were told without their owner, to be told again when it comes. More than these keep
/// their name until they change.
const MAX_WAITING: usize = 10_000;
/// Owners that are gone and still looked for: what owns pods is often deleted before them, and they may change until they
/// are gone as well. These many are more than a namespace that is deleted takes with it.
const MAX_GONE: usize = 4096;

/// The watches of owners of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Watches {
    /// How many have not told what exists.
    pending: usize,
    /// How many may watch.
    allowed: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    watches: BTreeMap<ControllerKind, Watches>,
    /// Tops of the chains, by the UID of a pod's direct owner.
    tops: HashMap<Arc<str>, Arc<PodOwner>>,
    /// Those of owners that went lately, and the order in which they went.
    gone: HashMap<Arc<str>, Arc<PodOwner>>,
    gone_order: VecDeque<Arc<str>>,
    /// Pods whose owner is not known, by the UID of the owner.
    waiting: HashMap<Arc<str>, Vec<Waiting>>,
    /// UID of the owner of each pod that waits.
    waits_for: HashMap<Arc<str>, Arc<str>>,
}

#[derive(Debug)]
struct Waiting {
    pod: Pod,
    controller: Controller,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Until all owners that exist have been told.
    ForTheFirstList,
    /// Until this instant.
    Until(Timestamp),
    /// It was told by a name that may turn out not to be the top one's.
    Told,
}

impl Owners {
    /// Announces a watch of owners of a kind; without one they do not come.
    pub(super) fn expect(&mut self, kind: ControllerKind) {
        self.watches.entry(kind).or_default().pending += 1;
    }

    /// A pod is so. Returns it with its top owner, unless it has to wait.
    pub(super) fn pod(&mut self, owned: OwnedPod, now: Timestamp) -> Option<Pod> {
        let OwnedPod { mut pod, controller } = owned;
        self.stop_waiting(&pod.uid);
        let Some(controller) = controller else { return Some(pod) };
        if let Some(top) = self.tops.get(&controller.uid).or_else(|| self.gone.get(&controller.uid)) {
            pod.owner = top.clone();
            return Some(pod);
        }
        let state = match self.watches.get(&controller.kind).copied().unwrap_or_default() {
            Watches { pending: 1.., .. } => State::ForTheFirstList,
            Watches { allowed: 1.., .. } => State::Until(now + PATIENCE),
            Watches { .. } => State::Told,
        };
        if state == State::Told && !self.may_be_corrected(&controller) {
            return Some(pod);
        }
        let tell = (state == State::Told).then(|| pod.clone());
        self.waits_for.insert(pod.uid.clone(), controller.uid.clone());
        self.waiting.entry(controller.uid.clone()).or_default().push(Waiting { pod, controller, state });
        tell
    }

    /// Whether a pod that is told without its owner is kept to be told again.
    fn may_be_corrected(&self, controller: &Controller) -> bool {
        !controller.is_certain && self.waits_for.len() < MAX_WAITING
    }

    /// A pod is gone.
    pub(super) fn pod_gone(&mut self, uid: &Arc<str>) {
        self.stop_waiting(uid);
    }

    /// An owner is so. Returns the pods that were waiting for it.
    pub(super) fn owner(&mut self, owner: Owner) -> Vec<Pod> {
        let waiting = self.waiting.remove(&owner.uid).unwrap_or_default();
        let pods = waiting.into_iter().filter_map(|Waiting { mut pod, state, .. }| {
            self.waits_for.remove(&pod.uid);
            let was_told_so = state == State::Told && pod.owner == owner.top;
            pod.owner = owner.top.clone();
            (!was_told_so).then_some(pod)
        });
        let pods = pods.collect();
        self.tops.insert(owner.uid, owner.top);
        pods
    }

    /// An owner is gone; its pods may be there for a while.
    pub(super) fn owner_gone(&mut self, uid: &Arc<str>) {
        let Some(top) = self.tops.remove(uid) else { return };
        if self.gone_order.len() == MAX_GONE
            && let Some(first) = self.gone_order.pop_front()
        {
            self.gone.remove(&first);
        }
        self.gone.insert(uid.clone(), top);
        self.gone_order.push_back(uid.clone());
    }

    /// A watch has told all owners of a kind that exist, or (`allowed` is false) will not; `first`: for the first time.
    /// Returns pods that have waited for nothing.
    pub(super) fn settled(
        &mut self,
        kind: ControllerKind,
        allowed: bool,
        first: bool,
        now: Timestamp,
    ) -> Vec<Pod> {
        let watches = self.watches.entry(kind).or_default();
        watches.pending = watches.pending.saturating_sub(usize::from(first));
        watches.allowed += usize::from(allowed);
        if watches.pending > 0 {
            return Vec::new();
        }
        let until = if watches.allowed > 0 { now + PATIENCE } else { now };
        for one in self.waiting.values_mut().flatten().filter(|one| one.controller.kind == kind) {
            if one.state == State::ForTheFirstList {
                one.state = State::Until(until);
            }
        }
        self.overdue(now)
    }

    /// Pods that have waited long enough. Those whose name may be wrong are told again if their owner comes after all.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<Pod> {
        let is_due = |one: &Waiting| matches!(one.state, State::Until(until) if until <= now);
        let mut due = Vec::new();
        for one in self.waiting.values_mut().flatten().filter(|one| is_due(one)) {
            one.state = State::Told;
            due.push((one.pod.clone(), one.controller.clone()));
        }
        for (pod, controller) in &due {
            if !self.may_be_corrected(controller) {
                self.stop_waiting(&pod.uid);
            }
        }
        due.into_iter().map(|(pod, _)| pod).collect()
    }

    /// When the next pod will have waited long enough.
    pub(super) fn next_overdue(&self) -> Option<Timestamp> {
        let until = self.waiting.values().flatten().filter_map(|one| match one.state {
            State::Until(until) => Some(until),
            State::ForTheFirstList | State::Told => None,
        });
        until.min()
    }

    fn stop_waiting(&mut self, uid: &Arc<str>) {
        let Some(owner) = self.waits_for.remove(uid) else { return };
        if let Some(waiting) = self.waiting.get_mut(&owner) {
            waiting.retain(|one| one.pod.uid != *uid);
            if waiting.is_empty() {
                self.waiting.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use servicemap_map::model::{Labels, PodPhase};

    use super::*;

    const RS: ControllerKind = ControllerKind::ReplicaSet;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_nanos(milliseconds * 1_000_000)
    }

    fn named(kind: &str, name: &str) -> PodOwner {
        PodOwner { kind: kind.into(), name: name.into(), uid: "".into() }
    }

    /// A pod of the ReplicaSet `rs`.
    fn pod(uid: &str, is_certain: bool) -> OwnedPod {
        let pod = Pod {
            namespace: "shop".into(),
            name: uid.into(),
            uid: uid.into(),
            ips: Vec::new(),
            host_network: false,
            node: "".into(),
            owner: named("ReplicaSet", "rs").into(),
            labels: Labels::default(),
            container_ids: Vec::new(),
            container_ports: Arc::new([]),
            phase: PodPhase::Running,
            ready: true,
            started_at: None,
        };
        OwnedPod { pod, controller: Some(Controller { uid: "rs".into(), kind: RS, is_certain }) }
    }

    fn web() -> Owner {
        Owner { uid: "rs".into(), top: Arc::new(named("Deployment", "web")) }
    }

    fn names(pods: &[Pod]) -> Vec<String> {
        pods.iter().map(|pod| format!("{} of {}", pod.name, pod.owner.name)).collect()
    }

    fn watched() -> Owners {
        let mut owners = Owners::default();
        owners.expect(RS);
        assert!(owners.settled(RS, true, true, at(0)).is_empty());
        owners
    }

    #[test]
    fn pods_wait_for_the_first_list_of_their_owners_however_long_it_takes() {
        let mut owners = Owners::default();
        owners.expect(RS);
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        assert!(owners.overdue(at(60_000)).is_empty());
        assert_eq!(names(&owners.owner(web())), ["a of web"]);
        assert!(owners.settled(RS, true, true, at(60_000)).is_empty(), "it was told");
        assert_eq!(
            owners.pod(pod("b", false), at(60_000)).map(|pod| pod.owner.name.clone()),
            Some("web".into())
        );
    }

    #[test]
    fn the_first_lists_of_all_namespaces_are_waited_for() {
        let mut owners = Owners::default();
        owners.expect(RS);
        owners.expect(RS);
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        assert!(owners.settled(RS, false, true, at(0)).is_empty());
        assert!(owners.overdue(at(60_000)).is_empty());
        assert!(owners.settled(RS, true, true, at(60_000)).is_empty(), "the owner may still be on its way");
        assert_eq!(names(&owners.overdue(at(61_000))), ["a of rs"]);
    }

    #[test]
    fn a_pod_waits_for_an_owner_for_a_second() {
        let mut owners = watched();
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        assert_eq!(owners.next_overdue(), Some(at(1_000)));
        assert!(owners.overdue(at(999)).is_empty());
        assert_eq!(names(&owners.overdue(at(1_000))), ["a of rs"]);
        assert!(owners.overdue(at(2_000)).is_empty() && owners.next_overdue().is_none(), "it was told");
        assert_eq!(names(&owners.owner(web())), ["a of web"]);
    }

    #[test]
    fn a_pod_that_changes_while_it_waits_is_told_once_and_as_it_is_now() {
        let mut owners = watched();
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        let mut changed = pod("a", false);
        changed.pod.node = "n1".into();
        assert_eq!(owners.pod(changed, at(10)), None);
        let told = owners.owner(web());
        assert_eq!((names(&told), &*told[0].node), (vec!["a of web".to_owned()], "n1"));
    }

    #[test]
    fn a_pod_that_goes_while_it_waits_is_not_told() {
        let mut owners = watched();
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        owners.pod_gone(&"a".into());
        assert!(owners.owner(web()).is_empty() && owners.overdue(at(10_000)).is_empty());
        assert!(owners.waits_for.is_empty() && owners.waiting.is_empty());
    }

    #[test]
    fn where_owners_may_not_be_watched_a_pod_is_told_at_once() {
        let mut owners = Owners::default();
        owners.expect(RS);
        assert_eq!(owners.pod(pod("a", false), at(0)), None);
        assert_eq!(names(&owners.settled(RS, false, true, at(0))), ["a of rs"]);
        assert!(owners.pod(pod("b", false), at(1)).is_some());
        assert!(owners.settled(RS, true, false, at(2)).is_empty());
        let mut told = names(&owners.owner(web()));
        told.sort();
        assert_eq!(told, ["a of web", "b of web"], "the permission was given");
    }

    #[test]
    fn a_pod_whose_name_is_certain_is_not_kept() {
        let mut owners = Owners::default();
        assert!(owners.pod(pod("a", true), at(0)).is_some(), "nobody watches owners");
        assert!(owners.waits_for.is_empty());
    }

    #[test]
    fn a_pod_outlives_its_owner_under_the_same_name() {
        let mut owners = watched();
        owners.owner(web());
        owners.owner_gone(&"rs".into());
        assert_eq!(names(owners.pod(pod("a", false), at(0)).as_slice()), ["a of web"]);
    }

    #[test]
    fn of_owners_that_are_gone_the_latest_are_kept() {
        let mut owners = watched();
        for n in 0..=MAX_GONE {
            let uid: Arc<str> = n.to_string().into();
            owners.owner(Owner { uid: uid.clone(), top: web().top });
            owners.owner_gone(&uid);
        }
        assert_eq!((owners.gone.len(), owners.gone_order.len(), owners.tops.len()), (MAX_GONE, MAX_GONE, 0));
        assert!(!owners.gone.contains_key("0"));
    }

    #[test]
    fn pods_that_were_told_without_their_owner_are_kept_up_to_a_bound() {
        let mut owners = Owners::default();
        for n in 0..=MAX_WAITING {
            assert!(owners.pod(pod(&n.to_string(), false), at(0)).is_some());
        }
        assert_eq!(owners.waits_for.len(), MAX_WAITING);
    }
}
