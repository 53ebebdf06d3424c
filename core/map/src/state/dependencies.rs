//! Dependencies: who needs whom, whatever the port. They outlive their edges.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::services::Entry;
use super::slots::Id;
use crate::collections::HashMap;
use crate::model::{Connection, ConnectionRef, Dependency, Timestamp};

/// Source and destination.
pub(crate) type DependencyKey = (Id<Entry>, Id<Entry>);

/// What consumers were told of a dependency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) present: bool,
    /// That it crosses environments.
    pub(crate) crossing: bool,
}

/// One dependency.
#[derive(Debug)]
pub(crate) struct Needed {
    pub(crate) dependency: Arc<Dependency>,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// Edges that show it now.
    pub(crate) edges: u32,
    /// Edges that consumers know and that are gone. Should one return it is no news; should the dependency go, they are
    /// told as expired.
    pub(crate) asleep: BTreeMap<ConnectionRef, Arc<Connection>>,
    pub(crate) told: Told,
    /// Since when it crosses environments, where it does so since later than it is there.
    pub(crate) crosses_since: Option<Timestamp>,
    /// A deadline of its own is set.
    pub(crate) queued: bool,
}

impl Needed {
    /// Takes over another one that is between the same two by now.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.told.present |= other.told.present;
        self.told.crossing |= other.told.crossing;
        self.asleep.extend(other.asleep);
    }
}

/// All dependencies.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    all: HashMap<DependencyKey, Needed>,
}

impl Dependencies {
    pub(crate) fn get_mut(&mut self, key: DependencyKey) -> Option<&mut Needed> {
        self.all.get_mut(&key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (DependencyKey, &Needed)> {
        self.all.iter().map(|(key, needed)| (*key, needed))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Needed> {
        self.all.values_mut()
    }

    pub(crate) fn insert(&mut self, key: DependencyKey, needed: Needed) {
        self.all.insert(key, needed);
    }

    pub(crate) fn remove(&mut self, key: DependencyKey) -> Option<Needed> {
        self.all.remove(&key)
    }

    /// Takes out all dependencies for which `gone` is true.
    pub(crate) fn take(&mut self, gone: impl Fn(DependencyKey) -> bool) -> Vec<Needed> {
        self.all.extract_if(|key, _| gone(*key)).map(|(_, needed)| needed).collect()
    }
}
