//! Services to which nobody connects. Asked of the dependencies that have edges: who is called by one of them is needed now,
//! and was needed until the last of them went.

use super::dependencies::DependencyKey;
use super::services::Entry;
use super::slots::Id;
use super::{Change, State};
use crate::collections::HashMap;
use crate::model::{ServiceId, ServiceType, Timestamp};

/// Who connects to a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callers {
    /// Others that depend on it over an edge that is there.
    count: u32,
    /// When the last one went, or the last way in from outside; when the service came, where there was none.
    until: Timestamp,
    /// There has been none for long.
    orphan: bool,
    /// A deadline of its own is set.
    queued: bool,
}

impl Callers {
    /// Nobody, since a service came.
    pub(crate) fn none_since(came: Timestamp) -> Self {
        Self { count: 0, until: came, orphan: false, queued: false }
    }
}

impl Entry {
    /// Nobody is seen to connect to it, and who would is not out of sight.
    fn is_alone(&self) -> bool {
        self.callers.count == 0 && !self.is_open()
    }

    /// Who needs it is not seen: it is outside, or something leads to it from there.
    pub(crate) fn is_open(&self) -> bool {
        self.reference.service_type == ServiceType::External || !self.exposed_by().is_empty()
    }
}

impl State {
    /// Orphans, sorted.
    pub(crate) fn orphans(&self) -> impl Iterator<Item = ServiceId> {
        let entries = self.structure().services.iter().filter_map(|id| self.services.get(*id));
        entries.filter(|entry| entry.callers.orphan).map(|entry| entry.reference.id())
    }

    pub(crate) fn is_orphan(&self, id: &ServiceId) -> bool {
        let entry = self.services.find(id).and_then(|id| self.services.get(id));
        entry.is_some_and(|entry| entry.callers.orphan)
    }

    /// A dependency has its first edge.
    pub(super) fn gains_caller(&mut self, (source, destination): DependencyKey) {
        if source == destination {
            return;
        }
        if let Some(entry) = self.services.get_mut(destination) {
            entry.callers.count += 1;
        }
        self.judge_orphan(destination, Timestamp::ZERO);
    }

    /// A dependency has no edge any more since an instant.
    pub(super) fn loses_caller(&mut self, (source, destination): DependencyKey, until: Timestamp) {
        if source == destination {
            return;
        }
        if let Some(entry) = self.services.get_mut(destination) {
            entry.callers.count = entry.callers.count.saturating_sub(1);
            entry.callers.until = entry.callers.until.max(until);
        }
        self.await_orphan(destination);
    }

    /// Services have other names since an instant, and what they did is counted elsewhere.
    pub(super) fn count_callers(&mut self, at: Timestamp) {
        let mut counts: HashMap<Id<Entry>, u32> = HashMap::default();
        for ((source, destination), needed) in self.dependencies.iter() {
            if source != destination {
                *counts.entry(destination).or_default() += u32::from(needed.edges > 0);
            }
        }
        let now = |id| counts.get(&id).copied().unwrap_or_default();
        let entries = self.services.iter().filter(|(id, entry)| entry.callers.count != now(*id));
        let changed: Vec<_> = entries.map(|(id, _)| (id, now(id))).collect();
        for (id, count) in changed {
            if let Some(entry) = self.services.get_mut(id) {
                entry.callers.count = count;
                entry.callers.until = entry.callers.until.max(at);
            }
            self.judge_orphan(id, Timestamp::ZERO);
            self.await_orphan(id);
        }
    }

    /// Something leads to a service from outside, or nothing does any more since an instant.
    pub(super) fn exposure_turned(&mut self, id: Id<Entry>, at: Timestamp) {
        self.topology.take();
        self.changes.push(Change::ExposureTurned);
        if let Some(entry) = self.services.get_mut(id) {
            entry.callers.until = entry.callers.until.max(at);
        }
        self.judge_orphan(id, Timestamp::ZERO);
        self.await_orphan(id);
    }

    /// A service to which nobody connects is looked at again when its time is over.
    pub(super) fn await_orphan(&mut self, id: Id<Entry>) {
        let Some(entry) = self.services.get_mut(id) else { return };
        if !entry.callers.queued && !entry.callers.orphan && entry.is_alone() {
            entry.callers.queued = true;
            self.orphan_deadlines.set(entry.callers.until + self.settings.orphan_after, id);
        }
    }

    /// Tells whether a service is an orphan at `now`; it becomes none at any time.
    pub(super) fn judge_orphan(&mut self, id: Id<Entry>, now: Timestamp) {
        let Some(entry) = self.services.get_mut(id) else { return };
        let due = entry.callers.until + self.settings.orphan_after;
        let orphan = entry.is_alone() && (entry.callers.orphan || due <= now);
        if std::mem::replace(&mut entry.callers.orphan, orphan) != orphan {
            self.changes.push(Change::OrphanTurned(entry.reference.id()));
        }
    }

    pub(super) fn find_orphans(&mut self, now: Timestamp) {
        while let Some(id) = self.orphan_deadlines.pop_due(now) {
            let Some(entry) = self.services.get_mut(id) else { continue };
            entry.callers.queued = false;
            self.judge_orphan(id, now);
            self.await_orphan(id);
        }
    }
}
