//! The debounce window: what was touched since it opened, with what it was before.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ConnectionRef, ServiceId, Timestamp};

/// Opens at the first change, closes after a fixed time, and is never extended.
#[derive(Debug)]
pub(crate) struct Window {
    /// When it closes.
    pub(crate) ends: Timestamp,
    /// Services that came or went, with whether they were there before.
    pub(crate) services: BTreeMap<ServiceId, bool>,
    /// Edges that came or went, with whether they were there before.
    pub(crate) edges: BTreeMap<ConnectionRef, bool>,
    /// Edges that may have to be spoken of.
    pub(crate) turned: BTreeSet<ConnectionRef>,
    /// Dependencies that may have to be spoken of, by source and destination.
    pub(crate) dependencies: BTreeSet<(ServiceId, ServiceId)>,
    /// Services whose health may have to be spoken of.
    pub(crate) health: BTreeSet<ServiceId>,
}

impl Window {
    pub(crate) fn new(ends: Timestamp) -> Self {
        Self {
            ends,
            services: BTreeMap::new(),
            edges: BTreeMap::new(),
            turned: BTreeSet::new(),
            dependencies: BTreeSet::new(),
            health: BTreeSet::new(),
        }
    }

    /// A service is in the map, or gone.
    pub(crate) fn service(&mut self, id: ServiceId, is_there: bool) {
        self.services.entry(id).or_insert(!is_there);
    }

    /// An edge is in the map, or gone.
    pub(crate) fn edge(&mut self, edge: ConnectionRef, is_there: bool) {
        self.turned.insert(edge.clone());
        self.edges.entry(edge).or_insert(!is_there);
    }
}
