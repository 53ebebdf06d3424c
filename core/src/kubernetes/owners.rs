//! The top of a pod's chain of owners: ReplicaSet → Deployment, Job → CronJob.
//!
//! Other watches know the owners, so a pod may come before them. It waits until they have told what exists, and after that
//! for [`PATIENCE`], so that it is never told by a wrong name first. Where owners may not be watched a pod is told at once,
//! by the best name that it says itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::model::{Pod, PodOwner, Timestamp};

use super::decode::{Controller, ControllerKind, OwnedPod, Owner};

/// How long a pod waits for an owner that is not known. The two watches are requests of their own, and one of them may be a
/// little behind; what has not come after this time was deleted.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pods that are kept because their owner is not known. Where there are more, they are told as they are, and keep that name
/// until they change.
const MAX_WAITING: usize = 10_000;

/// Whether an owner that is not known may still come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Watched {
    /// Not all that exist have been told.
    #[default]
    Begins,
    /// All that exist have been told.
    Yes,
    /// They may not be watched.
    No,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    watched: BTreeMap<ControllerKind, Watched>,
    /// Tops of the chains, by the UID of a pod's direct owner.
    tops: HashMap<Arc<str>, Arc<PodOwner>>,
    /// Under which owner a pod was told: a ReplicaSet may go before its pods.
    told: HashMap<Arc<str>, Arc<PodOwner>>,
    /// Pods whose owner is not known, by the UID of the owner.
    waiting: HashMap<Arc<str>, Vec<Waiting>>,
    /// UID of the owner of each pod that waits.
    waits_for: HashMap<Arc<str>, Arc<str>>,
}

#[derive(Debug)]
struct Waiting {
    pod: Pod,
    kind: ControllerKind,
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
    /// Says that owners of a kind are not watched at all.
    pub(super) fn unwatched(&mut self, kind: ControllerKind) {
        self.watched.insert(kind, Watched::No);
    }

    /// A pod is so. Returns it with its top owner, unless it has to wait.
    pub(super) fn pod(&mut self, owned: OwnedPod, now: Timestamp) -> Option<Pod> {
        let OwnedPod { mut pod, controller } = owned;
        self.stop_waiting(&pod.uid);
        let Some(controller) = controller else { return Some(pod) };
        if let Some(top) = self.tops.get(&controller.uid).or_else(|| self.told.get(&pod.uid)).cloned() {
            pod.owner = (*top).clone();
            self.told.insert(pod.uid.clone(), top);
            return Some(pod);
        }
        let state = match self.watched.get(&controller.kind).copied().unwrap_or_default() {
            Watched::No => State::Told,
            Watched::Begins => State::ForTheFirstList,
            Watched::Yes => State::Until(now + PATIENCE),
        };
        if state == State::Told && controller.is_certain || self.waits_for.len() >= MAX_WAITING {
            return Some(pod);
        }
        let tell = (state == State::Told).then(|| pod.clone());
        self.wait(pod, &controller, state);
        tell
    }

    /// A pod is gone.
    pub(super) fn pod_gone(&mut self, uid: &Arc<str>) {
        self.stop_waiting(uid);
        self.told.remove(uid);
    }

    /// An owner is so. Returns the pods that were waiting for it.
    pub(super) fn owner(&mut self, owner: Owner) -> Vec<Pod> {
        let waiting = self.waiting.remove(&owner.uid).unwrap_or_default();
        let pods = waiting.into_iter().filter_map(|Waiting { mut pod, state, .. }| {
            self.waits_for.remove(&pod.uid);
            self.told.insert(pod.uid.clone(), owner.top.clone());
            let was_told_so = state == State::Told && pod.owner == *owner.top;
            pod.owner = (*owner.top).clone();
            (!was_told_so).then_some(pod)
        });
        let pods = pods.collect();
        self.tops.insert(owner.uid, owner.top);
        pods
    }

    /// An owner is gone; its pods may be there for a while.
    pub(super) fn owner_gone(&mut self, uid: &Arc<str>) {
        self.tops.remove(uid);
    }

    /// All owners of a kind that exist have been told, or (`allowed` is false) none will be. Returns pods that have waited
    /// for nothing.
    pub(super) fn settled(&mut self, kind: ControllerKind, allowed: bool, now: Timestamp) -> Vec<Pod> {
        let watched = if allowed { Watched::Yes } else { Watched::No };
        self.watched.insert(kind, watched);
        let until = if allowed { now + PATIENCE } else { now };
        for one in self.waiting.values_mut().flatten().filter(|one| one.kind == kind) {
            if one.state == State::ForTheFirstList {
                one.state = State::Until(until);
            }
        }
        self.overdue(now)
    }

    /// Pods that have waited long enough. They are told again if their owner comes after all.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<Pod> {
        let mut due = Vec::new();
        for one in self.waiting.values_mut().flatten() {
            if matches!(one.state, State::Until(until) if until <= now) {
                one.state = State::Told;
                due.push(one.pod.clone());
            }
        }
        due
    }

    /// When the next pod will have waited long enough.
    pub(super) fn next_overdue(&self) -> Option<Timestamp> {
        let until = self.waiting.values().flatten().filter_map(|one| match one.state {
            State::Until(until) => Some(until),
            State::ForTheFirstList | State::Told => None,
        });
        until.min()
    }

    fn wait(&mut self, pod: Pod, controller: &Controller, state: State) {
        self.waits_for.insert(pod.uid.clone(), controller.uid.clone());
        let waiting = self.waiting.entry(controller.uid.clone()).or_default();
        waiting.push(Waiting { pod, kind: controller.kind, state });
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
