//! The debounce window: what was touched since it opened, with what it was before.

use std::collections::{BTreeMap, BTreeSet};

use super::compose::keys;
use crate::model::{ConnectionRef, Renaming, ServiceId, Timestamp};
use crate::state::MovedEdge;

/// Source, destination and port of an edge.
type EdgeName = (ServiceId, ServiceId, u16);

/// Opens at the first change, closes after a fixed time, and is never extended.
#[derive(Debug)]
pub(crate) struct Window {
    /// When it closes.
    pub(crate) ends: Timestamp,
    /// It holds what is news though it was there when the map began: consumers begin while it is open, and each is to get it.
    pub(crate) is_of_start: bool,
    /// Services that came or went, with whether they were there before.
    pub(crate) services: BTreeMap<ServiceId, bool>,
    /// Edges that came or went, with whether they were there before.
    edges: BTreeMap<ConnectionRef, bool>,
    /// Edges that may have to be spoken of.
    pub(crate) turned: BTreeSet<ConnectionRef>,
    /// Dependencies that may have to be spoken of, by source and destination.
    pub(crate) dependencies: BTreeSet<(ServiceId, ServiceId)>,
    /// Services that nobody has connected to for long, or to which somebody does again.
    pub(crate) orphans: BTreeSet<ServiceId>,
    /// Services whose health may have to be spoken of.
    pub(crate) health: BTreeSet<ServiceId>,
    /// Services whose pods have another name now, by their name before the window.
    renamed: BTreeMap<ServiceId, ServiceId>,
}

impl Window {
    pub(crate) fn new(ends: Timestamp) -> Self {
        Self {
            ends,
            is_of_start: false,
            services: BTreeMap::new(),
            edges: BTreeMap::new(),
            turned: BTreeSet::new(),
            dependencies: BTreeSet::new(),
            orphans: BTreeSet::new(),
            health: BTreeSet::new(),
            renamed: BTreeMap::new(),
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

    /// The pods of a service have another name; `told` says whether consumers know that service. Of several changes in a row the first name and the last
    /// one count.
    pub(crate) fn rename(&mut self, from: ServiceId, to: ServiceId, told: bool) {
        let was_there = *self.services.entry(from.clone()).or_insert(true);
        if !told && !was_there {
            return;
        }
        let before: Vec<_> =
            self.renamed.iter().filter(|(_, now)| **now == from).map(|(before, _)| before.clone()).collect();
        for before in &before {
            self.renamed.insert(before.clone(), to.clone());
        }
        self.renamed.entry(from).or_insert(to);
        self.renamed.retain(|before, now| before != now);
    }

    /// An edge has other ends.
    pub(crate) fn move_edge(&mut self, edge: &MovedEdge) {
        let MovedEdge { from, to, merged } = edge;
        if self.turned.remove(from) {
            self.turned.insert(to.clone());
        }
        self.edges.entry(from.clone()).or_insert(true);
        self.edges.entry(to.clone()).or_insert(*merged);
    }

    /// Which services have other names: those that are in the map no longer, where the others are.
    pub(crate) fn renamed(&self, is_there: impl Fn(&ServiceId) -> bool) -> Vec<Renaming> {
        let renamed = self.renamed.iter().filter(|(from, to)| !is_there(from) && is_there(to));
        renamed.map(|(from, to)| Renaming { from: from.clone(), to: to.clone() }).collect()
    }

    /// Keys of the edges that came and of those that went, sorted. An edge that is there, but for the names of its ends, is
    /// among neither; those that went are called as they were before.
    pub(crate) fn edges(
        &self,
        renamed: &[Renaming],
        is_there: impl Fn(&EdgeName) -> bool,
    ) -> [Vec<String>; 2] {
        let now = |id: ServiceId| renamed.iter().find(|one| one.from == id).map_or(id, |one| one.to.clone());
        let is = |edge: &ConnectionRef| (edge.source.id(), edge.destination.id(), edge.port);
        let is_now = |edge: &ConnectionRef| (now(edge.source.id()), now(edge.destination.id()), edge.port);
        let was = self.edges.iter().filter(|(_, was_there)| **was_there).map(|(edge, _)| edge);
        let (stayed, went): (Vec<_>, Vec<_>) = was.partition(|edge| is_there(&is_now(edge)));
        let stayed: BTreeSet<_> = stayed.into_iter().map(is_now).collect();
        let came = self.edges.keys().filter(|edge| is_there(&is(edge)) && !stayed.contains(&is(edge)));
        [keys(came), keys(went.into_iter())]
    }
}
