//! A service's pods have another name: a Service begins to stand before those of a workload, or is deleted before them.
//! What was counted of them moves along, and the dependencies that it shows: nobody learns anything new by that.
//!
//! Who asks for an address of a Service does not mean its pods: that ends with the Service.

use std::sync::Arc;

use super::dependencies::{DependencyKey, Needed};
use super::edges::{Edge, EdgeKey};
use super::flows::{Flow, Place};
use super::services::Entry;
use super::slots::Id;
use super::{Change, State};
use crate::collections::{HashMap, HashSet};
use crate::model::{Connection, ConnectionRef, Dependency, ServiceId, ServiceKind, ServiceRef, Timestamp};
use crate::resolve::{Ends, Instant};

/// Rules that name a Service by an address of its own.
const BY_ITS_ADDRESS: [&str; 3] = ["service", "service_address", "node_port"];

/// An edge that has other ends.
#[derive(Clone, Debug)]
pub(crate) struct MovedEdge {
    pub(crate) from: ConnectionRef,
    pub(crate) to: ConnectionRef,
    /// It is one with an edge that was there already.
    pub(crate) merged: bool,
}

/// A dependency that is between others.
#[derive(Clone, Debug)]
pub(crate) struct MovedDependency {
    pub(crate) from: (ServiceId, ServiceId),
    pub(crate) to: (ServiceId, ServiceId),
}

/// One service's name for another's.
#[derive(Clone, Copy, Debug)]
struct Renamed {
    from: Id<Entry>,
    to: Id<Entry>,
    /// Since when.
    at: Timestamp,
    /// The former one was deleted: what was over by then stays counted, only what is open goes on.
    is_deleted: bool,
}

impl Renamed {
    fn of(self, id: Id<Entry>) -> Id<Entry> {
        if id == self.from { self.to } else { id }
    }

    /// Whether what is between these two moves along, where this rule named the destination.
    fn takes(self, (source, destination): DependencyKey, destination_rule: &str) -> bool {
        if destination == self.from {
            !BY_ITS_ADDRESS.contains(&destination_rule)
        } else {
            source == self.from
        }
    }
}

impl State {
    /// Gives what one service's pods did to another service, at an instant. What is left of the first one is up to who calls.
    pub(super) fn rename(&mut self, from: Id<Entry>, to: Id<Entry>, at: Timestamp) {
        let Some((old, new)) = self.services.get(from).zip(self.services.get(to)) else { return };
        let is_deleted = old.reference.service_type.kind() == ServiceKind::Service;
        let renamed = Renamed { from, to, at, is_deleted };
        let (told, references) = (old.told.present, [old.reference.clone(), new.reference.clone()]);
        let moving = self.edges.iter().filter(|(_, edge)| {
            edge.touches(from) && renamed.takes((edge.key.0, edge.key.1), edge.destination_rule)
        });
        let moving: Vec<_> = moving.map(|(id, edge)| (id, (edge.key.0, edge.key.1))).collect();
        let shown: HashSet<DependencyKey> = moving.iter().map(|(_, key)| *key).collect();
        let edges = moving.iter().filter_map(|(id, _)| self.move_edge(*id, renamed)).collect();
        let dependencies = self.rename_dependencies(renamed, &shown);
        self.move_signs(renamed);
        self.reshaped();
        self.topology.take();
        let [old, new] = references;
        self.changes.push(Change::Renamed { from: old, to: new, told, edges, dependencies });
    }

    fn move_edge(&mut self, id: Id<Edge>, renamed: Renamed) -> Option<MovedEdge> {
        let edge = self.edges.get(id)?;
        let (old, key) = (edge.reference.clone(), edge.key);
        let flows: Vec<_> = self.flows.list(edge.head).map(|(flow, _)| flow).collect();
        for flow in &flows {
            self.leaves(*flow, id);
            if renamed.is_deleted {
                self.leave_past(*flow, id, renamed.at);
            }
        }
        let (port, rules) = self.port_and_rules(id, flows.first().copied(), renamed)?;
        let key: EdgeKey = (renamed.of(key.0), renamed.of(key.1), port);
        let reference = self.reference(key, &old)?;
        self.count_edge_ends(id, -1);
        self.leave_vain(id);
        let twin = self.edges.find(key).filter(|twin| *twin != id);
        let there = match twin {
            None => {
                self.edges.rename(id, key, reference.clone());
                if let Some(rules) = rules
                    && let Some(edge) = self.edges.get_mut(id)
                {
                    edge.named_by(rules);
                }
                self.count_edge_ends(id, 1);
                id
            }
            Some(twin) => {
                self.merge_edge(id, twin, &flows);
                twin
            }
        };
        self.note_vain(there);
        for flow in flows {
            self.joins(flow, there);
        }
        Some(MovedEdge { from: old, to: reference, merged: twin.is_some() })
    }

    /// Leaves what is over of a flow to its edge; what is open counts from an instant on.
    fn leave_past(&mut self, flow: Id<Flow>, edge: Id<Edge>, at: Timestamp) {
        let Some((flow, edge)) = self.flows.get_mut(flow).zip(self.edges.get_mut(edge)) else { return };
        edge.retire(&flow.sums.part(at));
    }

    /// The port of an edge under the new name, and the rules that name its ends now. What its flows say is better than what
    /// can be derived.
    fn port_and_rules(
        &self,
        id: Id<Edge>,
        flow: Option<Id<Flow>>,
        renamed: Renamed,
    ) -> Option<(u16, Option<(&'static str, &'static str)>)> {
        let edge = self.edges.get(id)?;
        let destination = self.services.get(renamed.of(edge.key.1))?.reference.id();
        if let Some(flow) = flow.and_then(|flow| self.flows.get(flow)) {
            let when = Instant { at: flow.sums.last, generation: flow.key.generation, patient: false };
            if let Ends::Pair { source, destination: named, port, .. } = self.resolver.ends(&flow.key, when)
                && named.id() == destination
            {
                return Some((port, Some((source.rule, named.rule))));
            }
        }
        Some((self.port_of(renamed, edge.key.1, edge.key.2), None))
    }

    /// A port of a destination under the new name.
    fn port_of(&self, renamed: Renamed, destination: Id<Entry>, port: u16) -> u16 {
        let ends = self.services.get(renamed.from).zip(self.services.get(renamed.to));
        let Some((from, to)) = ends.filter(|_| destination == renamed.from) else { return port };
        let cluster = &self.resolver.cluster;
        let at = cluster.target_ports(&from.reference.id(), port).first().copied().unwrap_or(port);
        cluster.port_offered(&to.reference.id(), at)
    }

    fn reference(&self, key: EdgeKey, old: &ConnectionRef) -> Option<ConnectionRef> {
        let of = |id| Some(self.services.get(id)?.reference.clone());
        let (source, destination): (ServiceRef, ServiceRef) = (of(key.0)?, of(key.1)?);
        Some(ConnectionRef { source, destination, protocol: old.protocol, port: key.2 })
    }

    /// An edge comes to its ends, or leaves them.
    fn count_edge_ends(&mut self, id: Id<Edge>, by: i32) {
        let Some(edge) = self.edges.get(id) else { return };
        for end in [edge.key.0, edge.key.1] {
            if let Some(entry) = self.services.get_mut(end) {
                entry.edges = entry.edges.saturating_add_signed(by);
            }
        }
    }

    /// Two edges are one by now.
    fn merge_edge(&mut self, id: Id<Edge>, twin: Id<Edge>, flows: &[Id<Flow>]) {
        let Some(mut edge) = self.edges.remove(id) else { return };
        for flow in flows {
            edge.head = self.flows.unlink(edge.head, *flow);
            let Some(twin_edge) = self.edges.get_mut(twin) else { continue };
            twin_edge.head = Some(self.flows.link(twin_edge.head, *flow));
            twin_edge.flows += 1;
            if let Some(flow) = self.flows.get_mut(*flow) {
                flow.place = Place::Edge(twin);
            }
        }
        if let Some(twin_edge) = self.edges.get_mut(twin) {
            twin_edge.depends |= edge.depends;
            if twin_edge.absorb(&edge) {
                self.edge_health_deadlines.set(twin_edge.last, twin);
            }
        }
    }

    /// Dependencies that the moved edges show, and those without edges, are the other service's.
    fn rename_dependencies(
        &mut self,
        renamed: Renamed,
        shown: &HashSet<DependencyKey>,
    ) -> Vec<MovedDependency> {
        let touches = |key: &DependencyKey| key.0 == renamed.from || key.1 == renamed.from;
        let staying = self.edges.iter().filter(|(_, edge)| edge.depends && edge.touches(renamed.from));
        let staying: HashSet<DependencyKey> = staying.map(|(_, edge)| (edge.key.0, edge.key.1)).collect();
        let sleeps_along = |key: DependencyKey, needed: &Needed| {
            let mut asleep = needed.asleep.values();
            let takes = |edge: &Arc<Connection>| renamed.takes(key, edge.provenance.destination_rule);
            !staying.contains(&key) && (needed.asleep.is_empty() || asleep.any(takes))
        };
        let all = self.dependencies.iter().filter(|(key, _)| touches(key));
        let moving = all.filter(|(key, needed)| shown.contains(key) || sleeps_along(*key, needed));
        let moving: Vec<DependencyKey> = moving.map(|(key, _)| key).collect();
        let mut moved = Vec::new();
        for key in moving {
            let Some(needed) = self.dependencies.remove(key) else { continue };
            let to = (renamed.of(key.0), renamed.of(key.1));
            let Some(needed) = self.renamed_dependency(needed, to, key, renamed) else { continue };
            match self.dependencies.get_mut(to) {
                Some(known) => known.absorb(needed),
                None => self.dependencies.insert(to, needed),
            }
            moved.push((key, to));
        }
        self.recount_dependencies(moved.iter().map(|(_, to)| *to));
        self.count_callers(renamed.at);
        let id = |id| Some(self.services.get(id)?.reference.id());
        let ids = |(source, destination)| id(source).zip(id(destination));
        let moved = moved.into_iter().filter_map(|(from, to)| ids(from).zip(ids(to)));
        moved.map(|(from, to)| MovedDependency { from, to }).collect()
    }

    fn renamed_dependency(
        &self,
        needed: Needed,
        (source, destination): DependencyKey,
        old: DependencyKey,
        renamed: Renamed,
    ) -> Option<Needed> {
        let of = |id| Some(self.services.get(id)?.reference.clone());
        let mut dependency = Dependency::clone(&needed.dependency);
        (dependency.source, dependency.destination) = (of(source)?, of(destination)?);
        dependency.port = self.port_of(renamed, old.1, dependency.port);
        self.environments(source, destination).put_into(&mut dependency);
        let begins = dependency.cross_environment && !needed.dependency.cross_environment;
        let crosses_since = if begins { Some(renamed.at) } else { needed.crosses_since };
        let asleep = needed.asleep.into_values().filter_map(|connection| {
            let mut edge = connection.edge.clone();
            (edge.source, edge.destination) = (dependency.source.clone(), dependency.destination.clone());
            edge.port = self.port_of(renamed, old.1, edge.port);
            let lives = self.edges.find((source, destination, edge.port)).is_some();
            let connection = Connection { edge: edge.clone(), ..Connection::clone(&connection) };
            (!lives).then(|| (edge, Arc::new(connection)))
        });
        let asleep = asleep.collect();
        Some(Needed { dependency: Arc::new(dependency), asleep, crosses_since, queued: false, ..needed })
    }

    /// How many edges show each of these dependencies.
    fn recount_dependencies(&mut self, keys: impl Iterator<Item = DependencyKey>) {
        let mut edges: HashMap<DependencyKey, u32> = keys.map(|key| (key, 0)).collect();
        for (_, edge) in self.edges.iter().filter(|(_, edge)| edge.depends) {
            if let Some(count) = edges.get_mut(&(edge.key.0, edge.key.1)) {
                *count += 1;
            }
        }
        for (key, count) in edges {
            let Some(needed) = self.dependencies.get_mut(key) else { continue };
            needed.edges = count;
            if count == 0 && !needed.queued {
                needed.queued = true;
                let due = needed.last_seen + self.settings.dependency_retention;
                self.dependency_deadlines.set(due, key);
            }
        }
    }

    /// Signs of life and attempts are the other service's as well.
    fn move_signs(&mut self, renamed: Renamed) {
        let Some(entry) = self.services.get_mut(renamed.from) else { return };
        let (first_seen, last_seen) = (entry.first_seen, entry.last_seen);
        let tracker = entry.tracker.take();
        // Who listened for a Service that is gone is asked for again, like all that was open and did not move.
        let mut head = if renamed.is_deleted { None } else { entry.presence.take() };
        let signs: Vec<_> = self.flows.list(head).map(|(flow, _)| flow).collect();
        for flow in signs {
            head = self.flows.unlink(head, flow);
            if let Some(entry) = self.services.get_mut(renamed.from) {
                entry.present = entry.present.saturating_sub(1);
            }
            let Some(entry) = self.services.get_mut(renamed.to) else { continue };
            entry.presence = Some(self.flows.link(entry.presence, flow));
            entry.present += 1;
            if let Some(flow) = self.flows.get_mut(flow) {
                flow.place = Place::Presence(renamed.to);
            }
        }
        if let Some(entry) = self.services.get_mut(renamed.to) {
            entry.first_seen = entry.first_seen.min(first_seen);
            entry.seen(last_seen);
            if let Some(tracker) = tracker {
                entry.tracker.get_or_insert_default().absorb(&tracker);
            }
            entry.changed();
        }
    }
}
