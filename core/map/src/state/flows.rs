//! Flows: the counters of each kernel key, and where they are added up.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::edges::Edge;
use super::services::Entry;
use super::slots::{Id, Slots};
use super::sums::Sums;
use crate::collections::RandomState;
use crate::model::{FlowKey, MachineId};

/// Where a flow counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere yet, or turned away by a bound.
    Nowhere,
    /// In an edge.
    Edge(Id<Edge>),
    /// As a sign of life of a service.
    Presence(Id<Entry>),
}

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) sums: Sums,
    pub(crate) place: Place,
    /// The machine of its clients, where it is a server's and that machine counts too, or could.
    pub(crate) client: Option<MachineId>,
    /// Neighbours in the list of the flow's place.
    next: Option<Id<Flow>>,
    previous: Option<Id<Flow>>,
    /// Where in the list of what came since the last settling its delta is.
    pub(crate) fresh: Option<u32>,
    /// It is among those that call from their machine's own network namespace.
    pub(crate) calls: bool,
    /// A deadline of its own is set.
    pub(crate) queued: bool,
    /// It waits for somebody to become known.
    pub(crate) waits: bool,
    /// A bound kept it from a place, which was told.
    pub(crate) turned_away: bool,
    /// It counts what found no room for a flow of its own.
    rest: bool,
}

/// All flows, by key.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    slots: Slots<Flow>,
    index: HashTable<Id<Flow>>,
    hasher: RandomState,
    /// How many count what found no room.
    rests: usize,
}

impl Flows {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: Id<Flow>) -> Option<&Flow> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Flow>) -> Option<&mut Flow> {
        self.slots.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<Flow>, &Flow)> {
        self.slots.iter()
    }

    pub(crate) fn find(&self, key: &FlowKey) -> Option<Id<Flow>> {
        let has_key = |id: &Id<Flow>| self.slots.get(*id).is_some_and(|flow| flow.key == *key);
        self.index.find(self.hasher.hash_one(key), has_key).copied()
    }

    /// A new flow; the key must not be in yet.
    pub(crate) fn insert(&mut self, key: FlowKey) -> Option<Id<Flow>> {
        let hash = self.hasher.hash_one(&key);
        let flow = Flow {
            key,
            sums: Sums::default(),
            place: Place::Nowhere,
            client: None,
            next: None,
            previous: None,
            fresh: None,
            calls: false,
            queued: false,
            waits: false,
            turned_away: false,
            rest: false,
        };
        let id = self.slots.insert(flow)?;
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |id: &Id<Flow>| slots.get(*id).map_or(0, |flow| hasher.hash_one(&flow.key));
        self.index.insert_unique(hash, id, rehash);
        Some(id)
    }

    /// A flow counts what finds no room, too, from now on.
    pub(crate) fn mark_rest(&mut self, id: Id<Flow>) {
        if let Some(flow) = self.slots.get_mut(id)
            && !std::mem::replace(&mut flow.rest, true)
        {
            self.rests += 1;
        }
    }

    /// The flow of a key, if it counts what found no room and has connections open.
    pub(crate) fn open_rest(&self, key: &FlowKey) -> Option<Id<Flow>> {
        if self.rests == 0 {
            return None;
        }
        let is_open = |flow: &Flow| flow.rest && (flow.fresh.is_some() || flow.sums.counts.active() > 0);
        self.find(key).filter(|id| self.get(*id).is_some_and(is_open))
    }

    pub(crate) fn remove(&mut self, id: Id<Flow>) -> Option<Flow> {
        let hash = self.hasher.hash_one(&self.slots.get(id)?.key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        let flow = self.slots.remove(id)?;
        self.rests -= usize::from(flow.rest);
        Some(flow)
    }

    /// Puts a flow before `head` in the list of its place; returns the new head.
    pub(crate) fn link(&mut self, head: Option<Id<Flow>>, id: Id<Flow>) -> Id<Flow> {
        if let Some(flow) = self.slots.get_mut(id) {
            (flow.previous, flow.next) = (None, head);
        }
        if let Some(second) = head.and_then(|head| self.slots.get_mut(head)) {
            second.previous = Some(id);
        }
        id
    }

    /// Takes a flow out of the list that begins at `head`; returns the new head.
    pub(crate) fn unlink(&mut self, head: Option<Id<Flow>>, id: Id<Flow>) -> Option<Id<Flow>> {
        let Some(flow) = self.slots.get_mut(id) else { return head };
        let (previous, next) = (flow.previous.take(), flow.next.take());
        if let Some(next) = next.and_then(|next| self.slots.get_mut(next)) {
            next.previous = previous;
        }
        match previous.and_then(|previous| self.slots.get_mut(previous)) {
            Some(previous) => {
                previous.next = next;
                head
            }
            None => next,
        }
    }

    /// The flows of a list.
    pub(crate) fn list(&self, head: Option<Id<Flow>>) -> impl Iterator<Item = (Id<Flow>, &Flow)> {
        let numbered = |id: Id<Flow>| Some((id, self.slots.get(id)?));
        std::iter::successors(head.and_then(numbered), move |(_, flow)| flow.next.and_then(numbered))
    }
}
