//! Edges as the map keeps them: the sums of their flows.

use std::sync::{Arc, OnceLock};

use super::flows::Flow;
use super::services::Entry;
use super::slots::{Id, Slots};
use super::sums::{Arrival, Sums};
use crate::collections::HashMap;
use crate::model::{Connection, ConnectionRef, Provenance, ServiceType, Side, Timestamp};

/// What consumers were told of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) established: bool,
    pub(crate) failing: bool,
}

impl Told {
    pub(crate) fn anything(self) -> bool {
        self.established || self.failing
    }
}

/// Which edge: source, destination and the port that the destination offers.
pub(crate) type EdgeKey = (Id<Entry>, Id<Entry>, u16);

#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) key: EdgeKey,
    pub(crate) reference: ConnectionRef,
    side: Side,
    source_rule: &'static str,
    pub(crate) destination_rule: &'static str,
    /// All of its flows and what they left behind.
    pub(crate) sums: Sums,
    /// What flows counted that are gone.
    pub(crate) retired: Option<Box<Sums>>,
    /// Its flows: list and length.
    pub(crate) head: Option<Id<Flow>>,
    pub(crate) flows: u32,
    /// Since when it carries an established connection.
    pub(crate) established: Option<Timestamp>,
    /// Since when its attempts fail.
    pub(crate) failing: Option<Timestamp>,
    /// It is one of the edges of its dependency.
    pub(crate) depends: bool,
    pub(crate) told: Told,
    cache: OnceLock<Arc<Connection>>,
}

/// What became of an edge by a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// It carries its first established connection.
    pub(crate) established: bool,
    /// Its attempts start or stop to fail.
    pub(crate) failing: bool,
}

impl Edge {
    pub(crate) fn new(
        key: EdgeKey,
        reference: ConnectionRef,
        side: Side,
        rules: (&'static str, &'static str),
    ) -> Self {
        Self {
            key,
            reference,
            side,
            source_rule: rules.0,
            destination_rule: rules.1,
            sums: Sums::default(),
            retired: None,
            head: None,
            flows: 0,
            established: None,
            failing: None,
            depends: false,
            told: Told::default(),
            cache: OnceLock::new(),
        }
    }

    /// Adds to the sums.
    pub(crate) fn merge(&mut self, arrival: &Arrival<'_>) -> Turn {
        let sums = arrival.sums;
        self.sums.merge(sums);
        self.cache.take();
        let mut turn = Turn::default();
        if self.established.is_none() && sums.counts.opened > 0 {
            self.established = Some(arrival.came);
            turn.established = true;
        }
        // Starts to fail when at least half of the attempts fail, stops when all succeed: in between nothing turns.
        let (attempts, failed) = self.attempts(sums);
        if self.failing.is_none() && failed > 0 && failed >= attempts - failed {
            self.failing = Some(arrival.came.max(sums.last));
            turn.failing = true;
        } else if self.failing.is_some() && failed == 0 && attempts > 0 {
            self.failing = None;
            turn.failing = true;
        }
        turn
    }

    /// Sets the sums anew after a flow left with its own.
    pub(crate) fn recount(&mut self, sums: Sums) {
        self.sums = sums;
        self.cache.take();
        if self.sums.counts.opened == 0 {
            self.established = None;
        }
        if self.sums.counts.attempts().1 == 0 {
            self.failing = None;
        }
    }

    /// Keeps what a flow counted that goes; it is part of the sums already.
    pub(crate) fn retire(&mut self, sums: &Sums) {
        self.retired.get_or_insert_default().merge(sums);
    }

    /// Whether it is from or to a service.
    pub(crate) fn touches(&self, service: Id<Entry>) -> bool {
        self.key.0 == service || self.key.1 == service
    }

    /// Whether the destination was seen to offer the port.
    pub(crate) fn offered(&self) -> bool {
        let offers = ["listener", "service", "endpoint", "node_port", "host_port"];
        self.side == Side::Server || offers.contains(&self.destination_rule)
    }

    /// Attempts that say something about the destination, and how many of them failed. What is counted at the server was
    /// accepted: there a reset is the client's doing, as of a load balancer that checks whether the port is open.
    pub(crate) fn attempts(&self, sums: &Sums) -> (u64, u64) {
        let (attempts, failed) = sums.counts.attempts();
        match self.side {
            Side::Client => (attempts, failed),
            Side::Server => (attempts - failed, 0),
        }
    }

    /// Whether attempts say something about the destination: not so at a port of the machine where nobody listens.
    pub(crate) fn tells_health(&self) -> bool {
        self.reference.destination.service_type != ServiceType::Node
    }

    /// Whether it shows that the source needs the destination.
    pub(crate) fn shows_dependency(&self) -> bool {
        let counts = &self.sums.counts;
        counts.opened > 0 || (counts.failed.total() > 0 && self.offered())
    }

    /// As consumers see it.
    pub(crate) fn view(&self) -> Arc<Connection> {
        let build = || {
            Arc::new(Connection {
                edge: self.reference.clone(),
                totals: self.sums.totals(),
                first_seen: self.sums.first,
                last_seen: self.sums.last,
                connect_latency: self.sums.connect.clone(),
                provenance: Provenance {
                    side: self.side,
                    source_rule: self.source_rule,
                    destination_rule: self.destination_rule,
                    direction_known: self.sums.direction_seen(),
                },
                example: self.sums.example.as_ref().map(|(_, example)| example.clone()),
            })
        };
        self.cache.get_or_init(build).clone()
    }
}

/// All edges.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    slots: Slots<Edge>,
    index: HashMap<EdgeKey, Id<Edge>>,
}

impl Edges {
    /// A service is of another type now.
    pub(crate) fn retype(&mut self, service: Id<Entry>, service_type: ServiceType) {
        for edge in self.slots.values_mut().filter(|edge| edge.touches(service)) {
            if edge.key.0 == service {
                edge.reference.source.service_type = service_type;
            }
            if edge.key.1 == service {
                edge.reference.destination.service_type = service_type;
            }
            edge.cache.take();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: Id<Edge>) -> Option<&Edge> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Edge>) -> Option<&mut Edge> {
        self.slots.get_mut(id)
    }

    pub(crate) fn find(&self, key: EdgeKey) -> Option<Id<Edge>> {
        self.index.get(&key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<Edge>, &Edge)> {
        self.slots.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Edge> {
        self.slots.values_mut()
    }

    pub(crate) fn insert(&mut self, edge: Edge) -> Option<Id<Edge>> {
        let key = edge.key;
        let id = self.slots.insert(edge)?;
        self.index.insert(key, id);
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: Id<Edge>) -> Option<Edge> {
        let edge = self.slots.remove(id)?;
        self.index.remove(&edge.key);
        Some(edge)
    }
}
