//! Finds each flow the edge or service where it counts, and moves it when its ends get other names.
//!
//! A name may change for two reasons. *Late knowledge* (a cgroup's path, an address, a listener that was there all along)
//! says that the flow was always somebody else's: it moves, and all of its counters with it. *Time passing* (another
//! program listens at the port now, an address has gone) ends an interval: what was counted stays where it is, and only
//! what comes from then on counts for the new name.

use super::State;
use super::beside::counts_beside;
use super::edges::{Edge, EdgeKey};
use super::flows::{Flow, Place};
use super::services::Entry;
use super::settle::Fresh;
use super::sides::Count;
use super::slots::Id;
use super::sums::{Arrival, Sums};
use crate::model::{Bound, ConnectionRef, Direction, MachineId, ServiceKind, ServiceType, Side, Timestamp};
use crate::resolve::{Ends, Instant, Party};

impl State {
    /// Puts a flow where its ends belong, with what is fresh of it.
    pub(super) fn place(&mut self, fresh: &Fresh, now: Timestamp) {
        let id = fresh.flow;
        let Some(flow) = self.flows.get(id) else { return };
        let is_fresh = flow.fresh.is_some();
        if flow.place == Place::Nowhere && !is_fresh && flow.sums.is_empty() {
            return;
        }
        let when = self.instant(flow, &fresh.sums, now);
        let named = self.bounded(flow, self.ends_in_map(flow, when, now));
        let client = named.client();
        let ends = self.at_counting_side(named);
        if ends == Ends::Waiting {
            if flow.place == Place::Nowhere {
                self.wait(id, &fresh.sums);
            } else if is_fresh {
                self.add(id, &fresh.sums, now);
            }
            return;
        }
        if self.is_of_scan(flow, &fresh.sums, &ends) {
            self.fold(id, &fresh.sums, now);
            return;
        }
        if self.is_there(flow, &ends, client) {
            if is_fresh {
                self.add(id, &fresh.sums, now);
            } else {
                self.note_candidates(id, &ends, when);
            }
            return;
        }
        if self.time_passed(flow, &ends) {
            if !is_fresh {
                return;
            }
            if flow.sums.counts.active() > 0 {
                // The open connections are still the old ones'; which of the new counts are cannot be told.
                self.add(id, &fresh.sums, now);
                return;
            }
            self.leave_history(id);
        }
        self.relocate(id, (&ends, client), &fresh.sums, now);
        self.note_candidates(id, &ends, when);
    }

    /// The edge of a flow says how else its ends might have been called.
    fn note_candidates(&mut self, id: Id<Flow>, ends: &Ends, when: Instant) {
        let Some(flow) = self.flows.get(id) else { return };
        let Place::Edge(edge) = flow.place else { return };
        if let Some(candidates) = self.resolver.candidates(&flow.key, ends, when)
            && let Some(edge) = self.edges.get_mut(edge)
        {
            edge.may_be(&candidates);
        }
    }

    /// The ends of a flow. A Service that was deleted, and has left the map, does not come back by what is told of it late:
    /// that counts for whoever it is now.
    fn ends_in_map(&self, flow: &Flow, when: Instant, now: Timestamp) -> Ends {
        let is_gone = |party: &Party| {
            let id = party.id();
            id.kind == ServiceKind::Service
                && !self.resolver.cluster.has_service(&id)
                && self.services.find(&id).is_none()
        };
        let ends = self.resolver.ends(&flow.key, when);
        let names_gone = match &ends {
            Ends::Presence(party) => is_gone(party),
            Ends::Pair { source, destination, .. } => is_gone(source) || is_gone(destination),
            Ends::Waiting => false,
        };
        if names_gone { self.resolver.ends(&flow.key, Instant { at: now, ..when }) } else { ends }
    }

    /// Moves a flow and all that it counted.
    fn relocate(
        &mut self,
        id: Id<Flow>,
        (ends, client): (&Ends, Option<MachineId>),
        fresh: &Sums,
        now: Timestamp,
    ) {
        let counted = self.flows.get(id).is_some_and(|flow| flow.place != Place::Nowhere || flow.turned_away);
        let left = self.leave(id);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.fresh = None;
            flow.client = client;
            flow.sums.merge(fresh);
        }
        // What counted elsewhere comes now, however old it is: the service or edge that it makes may have been here, and
        // have gone, in between.
        self.attach(id, ends, now, counted.then_some(now));
        if let Some(left) = left {
            let heir = self.flows.get(id).and_then(|flow| match flow.place {
                Place::Edge(edge) => Some(edge),
                _ => None,
            });
            self.left_edges.push((left, heir));
        }
    }

    fn is_there(&self, flow: &Flow, ends: &Ends, client: Option<MachineId>) -> bool {
        if flow.client != client {
            return false;
        }
        match (flow.place, ends) {
            (Place::Presence(service), Ends::Presence(party)) => {
                self.services.get(service).is_some_and(|entry| entry.reference == party.service)
            }
            (Place::Edge(edge), Ends::Pair { source, destination, port, .. }) => {
                self.edges.get(edge).is_some_and(|edge| {
                    edge.reference.source == source.service
                        && edge.reference.destination == destination.service
                        && edge.reference.port == *port
                })
            }
            _ => false,
        }
    }

    /// Whether a flow's ends are other ones because an interval ended, rather than because more is known.
    fn time_passed(&self, flow: &Flow, ends: &Ends) -> bool {
        let Ends::Pair { source, destination, since, .. } = ends else {
            return self.began_before_client_was_observed(flow);
        };
        if self.was_there(flow) {
            return true;
        }
        match flow.place {
            Place::Nowhere => false,
            // The client's side counted: its address was this machine's, or its machine was observed.
            Place::Presence(_) => flow.key.direction == Direction::Inbound && !counts_beside(ends),
            Place::Edge(edge) => {
                let Some(edge) = self.edges.get(edge) else { return false };
                let began_later = since.is_some_and(|since| since > flow.sums.last);
                let had_listener = edge.destination_rule == "listener";
                let was_machine = edge.reference.destination.service_type == ServiceType::Node;
                let by_listener = since.is_some();
                edge.reference.source == source.service
                    && match (had_listener, by_listener) {
                        (true, true) => began_later,
                        // Who is known by the cluster's objects was there before the listener was told of, or did not change.
                        (true, false) => destination.rule == "address" || destination.is_external(),
                        // Refused before anybody listened; who was accepted was accepted by somebody.
                        (false, true) => was_machine && began_later && flow.sums.counts.opened == 0,
                        (false, false) => was_machine && destination.is_external(),
                    }
            }
        }
    }

    /// Whether a flow counts where its ends were when it began to count, or when it last did: connections to a pod that is
    /// gone may be heard of after its end.
    fn was_there(&self, flow: &Flow) -> bool {
        let was_there = |at: Timestamp| {
            let when = Instant { at, generation: flow.key.generation, patient: false };
            let named = self.bounded(flow, self.resolver.ends(&flow.key, when));
            let client = named.client();
            self.is_there(flow, &self.at_counting_side(named), client)
        };
        let is_known = self.resolver.cluster.is_known() && flow.place != Place::Nowhere;
        is_known && (was_there(flow.sums.last) || was_there(flow.sums.first))
    }

    /// Leaves what a flow counted where it was counted; the flow begins at zero.
    pub(super) fn leave_history(&mut self, id: Id<Flow>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let sums = std::mem::take(&mut flow.sums);
        let place = flow.place;
        self.unlink(id);
        match place {
            Place::Nowhere => {}
            Place::Edge(edge) => self.keep_in_edge(edge, &sums),
            Place::Presence(service) => self.await_service(service),
        }
    }

    /// An edge keeps what a flow counted that is gone, and ends itself if that was the last one.
    pub(super) fn keep_in_edge(&mut self, id: Id<Edge>, sums: &Sums) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        edge.retire(sums);
        if edge.flows == 0 {
            self.edge_deadlines.set(edge.last + self.settings.connection_timeout, id);
        }
    }

    /// A flow will leave an edge, and take along what it counted there.
    pub(super) fn freeze(&mut self, place: Place) {
        if let Place::Edge(edge) = place
            && let Some(edge) = self.edges.get_mut(edge)
        {
            edge.freeze(&self.flows);
        }
    }

    /// Takes a flow out of the list of its place.
    pub(super) fn unlink(&mut self, id: Id<Flow>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        match std::mem::replace(&mut flow.place, Place::Nowhere) {
            Place::Nowhere => {}
            Place::Edge(edge) => {
                self.leaves(id, edge);
                if let Some(edge) = self.edges.get_mut(edge) {
                    edge.head = self.flows.unlink(edge.head, id);
                    edge.flows = edge.flows.saturating_sub(1);
                }
            }
            Place::Presence(service) => {
                if let Some(entry) = self.services.get_mut(service) {
                    entry.presence = self.flows.unlink(entry.presence, id);
                    entry.present = entry.present.saturating_sub(1);
                    entry.changed();
                }
            }
        }
    }

    /// Puts a flow that is nowhere to its ends, and adds up what it has counted.
    /// `came` is when that happens, where it is not when the flow began.
    fn attach(&mut self, id: Id<Flow>, ends: &Ends, now: Timestamp, came: Option<Timestamp>) {
        let Some(flow) = self.flows.get(id) else { return };
        let sums = flow.sums.clone();
        let arrival = Arrival { came: came.unwrap_or(sums.first), sums: &sums };
        let place = match ends {
            Ends::Presence(party) => {
                self.service_or_rest(party, &arrival).map(|(service, _)| Place::Presence(service))
            }
            Ends::Pair { source, destination, port, side, .. } => {
                self.edge(source, destination, *port, *side, &arrival).map(Place::Edge)
            }
            Ends::Waiting => return,
        };
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.place = place.unwrap_or(Place::Nowhere);
        let whose = Count::of(flow);
        match place {
            None if flow.turned_away => {}
            None => {
                flow.turned_away = true;
                self.turn_away(Bound::Services, 1);
            }
            Some(Place::Presence(service)) => {
                if let Some(entry) = self.services.get_mut(service) {
                    entry.presence = Some(self.flows.link(entry.presence, id));
                    entry.present += 1;
                }
                self.add_to_service(service, &sums);
            }
            Some(Place::Edge(edge)) => {
                if let Some(edge) = self.edges.get_mut(edge) {
                    edge.head = Some(self.flows.link(edge.head, id));
                    edge.flows += 1;
                }
                self.joins(id, edge);
                self.add_to_edge(edge, whose, &arrival, now);
            }
            Some(Place::Nowhere) => {}
        }
        self.await_end(id);
    }

    /// The edge between two parties, or those that stand for them, made if need be. `None` when there is no room at all.
    fn edge(
        &mut self,
        source: &Party,
        destination: &Party,
        port: u16,
        side: Side,
        arrival: &Arrival<'_>,
    ) -> Option<Id<Edge>> {
        let (from, from_reference) = self.service_or_rest(source, arrival)?;
        let Some((to, to_reference)) = self.service_or_rest(destination, arrival) else {
            self.left_services.push(from);
            return None;
        };
        let key: EdgeKey = (from, to, port);
        let rules = (source.rule, destination.rule);
        if let Some(known) = self.edges.find(key) {
            self.edges.get_mut(known)?.seen_by(side, rules);
            return Some(known);
        }
        let reference = ConnectionRef {
            source: from_reference,
            destination: to_reference,
            protocol: ConnectionRef::PROTOCOL,
            port,
        };
        let mut edge = Edge::new(key, reference.clone(), side, rules);
        if self.sides_apart {
            edge.tell_sides_apart(std::iter::empty());
        }
        let id = self.edges.insert(edge)?;
        self.edge_came(&reference, [from, to]);
        Some(id)
    }

    /// The service of a party, made if need be. `None` when there is no room.
    pub(super) fn service(&mut self, party: &Party, arrival: &Arrival<'_>) -> Option<Id<Entry>> {
        let id = party.id();
        if let Some(known) = self.services.find(&id) {
            return Some(known);
        }
        let is_full = self.services.len() >= self.settings.max_services;
        if is_full && !party.stands_for_many(&self.settings.host) {
            return None;
        }
        let entry = self.services.insert(party.service.clone(), arrival)?;
        self.service_came(entry, id, party.service.service_type);
        Some(entry)
    }
}
