//! Health of what is in the map: attempts are counted, statuses judged, and causes looked for.

use super::edges::Edge;
use super::health::Attempts;
use super::lifecycle::count;
use super::services::{Entry, HealthRecord};
use super::slots::Id;
use super::{Change, State};
use crate::analysis::causes::Ailing;
use crate::model::{Bound, HealthStatus, ServiceId, Timestamp};
use crate::resolve::OTHER;

impl State {
    /// Counts attempts to a service and judges its health anew.
    pub(super) fn record_attempts(
        &mut self,
        id: Id<Entry>,
        at: Timestamp,
        attempts: Attempts,
        now: Timestamp,
    ) {
        let Some(entry) = self.services.get_mut(id) else { return };
        let tracker = entry.tracker.get_or_insert_default();
        tracker.record(at, attempts, &self.settings.health);
        self.judge(id, now);
    }

    /// A service is back of which consumers do not know that it went: its health goes on.
    pub(crate) fn resume_health(&mut self, id: &ServiceId, record: HealthRecord, now: Timestamp) {
        let Some(id) = self.services.find(id) else { return };
        if let Some(entry) = self.services.get_mut(id) {
            entry.resume(record);
        }
        self.judge(id, now);
    }

    pub(super) fn judge(&mut self, id: Id<Entry>, now: Timestamp) {
        let Some(entry) = self.services.get_mut(id) else { return };
        let Some(tracker) = &mut entry.tracker else { return };
        let review = tracker.review(&mut entry.health, now, &self.settings.health);
        if let Some(remind) = review.remind {
            self.health_deadlines.set(remind, id);
        }
        if review.is_other {
            entry.changed();
        }
        let Some((before, since)) = review.was else { return };
        entry.health_since = since;
        let (reference, status) = (entry.reference.id(), entry.health.status);
        self.ailing.take();
        self.count_health_change(reference.path(), before, status);
        self.changes.push(Change::HealthChanged(reference));
    }

    /// Counts attempts on an edge, and judges its health anew if something bad is among what it remembers.
    pub(super) fn record_on_edge(&mut self, id: Id<Edge>, at: Timestamp, attempts: Attempts, now: Timestamp) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        if edge.record_health(at, attempts, &self.settings.health) {
            self.judge_edge(id, now);
        }
    }

    pub(super) fn judge_edge(&mut self, id: Id<Edge>, now: Timestamp) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        if let Some(remind) = edge.review_health(now, &self.settings.health) {
            self.edge_health_deadlines.set(remind, id);
        }
    }

    /// The services that are not well, and how they depend on each other.
    pub(super) fn ailing(&self) -> &Ailing {
        self.ailing.get_or_init(|| {
            let status = |id: Id<Entry>| {
                let entry = self.services.get(id)?;
                let status = entry.health.status;
                (status >= HealthStatus::Degraded).then(|| (entry.reference.id(), status))
            };
            let services: Vec<_> = self.services.iter().filter_map(|(id, _)| status(id)).collect();
            if services.is_empty() {
                return Ailing::default();
            }
            let dependencies = self
                .dependencies
                .iter()
                .filter_map(|((source, destination), _)| Some((status(source)?.0, status(destination)?.0)));
            Ailing::new(services, dependencies)
        })
    }

    fn count_health_change(&mut self, path: String, from: HealthStatus, to: HealthStatus) {
        let other = |(_, from, to)| (OTHER.to_owned(), from, to);
        let most = self.settings.max_label_values;
        let is_full = count(&mut self.statistics.health_changes, most, (path, from, to), other);
        self.count_bounded(Bound::LabelValues, is_full);
    }
}
