//! What was told in earlier runs, as long as it is not in the map.

use crate::collections::HashMap;
use crate::model::{Known, KnownDependency, ServiceId, Timestamp};
use crate::state::DependencyTold;
use std::time::Duration;

/// Source and destination.
type Key = (ServiceId, ServiceId);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Earlier runs have left something, be it that there was nothing to tell.
    pub(super) is_given: bool,
    /// Dependencies of earlier runs that were not met in this one.
    absent: HashMap<Key, KnownDependency>,
    /// Counts up whenever what is to be kept becomes another.
    pub(super) revision: u64,
    /// How many the last value that was handed out left out for want of room.
    left_out: u64,
}

impl Memory {
    /// Takes what earlier runs have left.
    pub(super) fn fill(&mut self, known: Known) {
        self.is_given = true;
        self.absent = known
            .dependencies
            .into_iter()
            .map(|one| ((one.source.clone(), one.destination.clone()), one))
            .collect();
    }

    /// A dependency is in the map: when it was first seen and what was told of it, if earlier runs told of it and not too
    /// long ago.
    pub(super) fn meet(
        &mut self,
        key: &Key,
        retention: Duration,
        now: Timestamp,
    ) -> Option<(Timestamp, DependencyTold)> {
        let known = self.absent.remove(key).filter(|known| known.last_seen + retention > now)?;
        let told = DependencyTold { present: true, crossing: known.crosses_environments };
        Some((known.first_seen, told))
    }

    /// What is to be kept, given what the map has, and how many were left out for want of room that were not before.
    pub(super) fn keep(
        &mut self,
        mut present: Vec<KnownDependency>,
        retention: Duration,
        now: Timestamp,
    ) -> (Known, u64) {
        self.absent.retain(|_, known| known.last_seen + retention > now);
        let room = Known::MAX_DEPENDENCIES.saturating_sub(present.len());
        let mut forgotten = 0;
        if self.absent.len() > room {
            let mut by_age: Vec<_> =
                self.absent.iter().map(|(key, known)| (known.last_seen, key.clone())).collect();
            by_age.sort_unstable();
            forgotten += (by_age.len() - room) as u64;
            by_age.truncate(by_age.len() - room);
            for (_, key) in by_age {
                self.absent.remove(&key);
            }
        }
        let before = self.left_out;
        self.left_out = present.len().saturating_sub(Known::MAX_DEPENDENCIES) as u64;
        if self.left_out > 0 {
            present.sort_unstable_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.cmp(b)));
            present.truncate(Known::MAX_DEPENDENCIES);
        }
        forgotten += self.left_out.saturating_sub(before);
        present.extend(self.absent.values().cloned());
        present.sort_unstable();
        (Known { dependencies: present }, forgotten)
    }
}
