//! Flows of servers whose clients are on machines that count too: they count beside their clients, or are but a sign of
//! life where nobody could tell to which of the clients' edges they belong.

use super::State;
use super::edges::Edge;
use super::flows::{Flow, Place};
use super::services::Entry;
use super::settle::Fresh;
use super::slots::Id;
use super::sums::Sums;
use crate::model::{Direction, MachineId, Timestamp};
use crate::resolve::{Ends, Instant, Party, VIA_NODE};

/// Programs in a machine's own network namespace that call a port of a service: the machine's address is theirs.
pub(super) type Calls = crate::collections::HashMap<(MachineId, Id<Entry>, u16), u32>;

impl State {
    /// Once there are several machines, edges count by machine and side.
    pub(super) fn tell_sides_apart(&mut self) {
        if self.sides_apart || !self.resolver.machines.are_several() {
            return;
        }
        self.sides_apart = true;
        for edge in self.edges.values_mut() {
            edge.tell_sides_apart(self.flows.list(edge.head).map(|(_, flow)| flow));
        }
    }

    /// Whether a flow is to be placed after those at the clients' side.
    pub(super) fn may_be_counted_at_client(&self, id: Id<Flow>) -> bool {
        let inbound = |flow: &Flow| flow.key.direction == Direction::Inbound;
        self.sides_apart && self.flows.get(id).is_some_and(inbound)
    }

    /// Where the server's side counts something that the client's side does: beside it on the edge that the client has; else
    /// it is a sign of life alone. What comes from a node's own address is kept aside, unless it comes from who calls there.
    pub(super) fn at_counting_side(&self, ends: Ends) -> Ends {
        let Ends::Pair { source, destination, port, client: Some(client), .. } = &ends else { return ends };
        if client.observed_since.is_none() {
            return ends;
        }
        let (from, to) = (self.services.find(&source.id()), self.services.find(&destination.id()));
        let counted = if source.rule == VIA_NODE {
            !to.is_some_and(|to| self.calls.contains_key(&(client.machine, to, *port)))
        } else {
            let edge = from.zip(to).and_then(|(from, to)| self.edges.find((from, to, *port)));
            edge.and_then(|edge| self.edges.get(edge))
                .is_some_and(|edge| edge.counts_at_client(client.machine))
        };
        if counted { ends } else { Ends::Presence(destination.clone()) }
    }

    /// Whether a flow has counted on an edge before the client's side was counted: that stays there until it is idle.
    pub(super) fn began_before_client_was_observed(&self, flow: &Flow) -> bool {
        let when = Instant { at: flow.sums.last, generation: flow.key.generation, patient: false };
        let counts = matches!(flow.place, Place::Edge(_)) && flow.key.direction == Direction::Inbound;
        counts
            && match self.resolver.ends(&flow.key, when) {
                Ends::Pair { client: Some(client), .. } => {
                    client.observed_since.is_some_and(|since| flow.sums.first < since)
                }
                _ => false,
            }
    }

    /// A flow comes to an edge.
    pub(super) fn joins(&mut self, id: Id<Flow>, edge: Id<Edge>) {
        let Some((flow, to)) = self.flows.get_mut(id).zip(self.edges.get(edge)) else { return };
        if !self.sides_apart || flow.key.direction != Direction::Outbound {
            return;
        }
        let machine = flow.key.machine;
        let mut news = !to.counts_at_client(machine);
        let names = self.resolver.machines.get(machine).map(|machine| &machine.names);
        flow.calls = names.is_some_and(|names| names.is_own(flow.key.netns));
        if flow.calls {
            let calls = self.calls.entry((machine, to.key.1, to.key.2)).or_default();
            *calls += 1;
            news |= *calls == 1;
        }
        if news {
            self.newly_counted.push((machine, edge));
        }
    }

    /// A flow leaves an edge.
    pub(super) fn leaves(&mut self, id: Id<Flow>, edge: Id<Edge>) {
        let Some((flow, edge)) = self.flows.get_mut(id).zip(self.edges.get(edge)) else { return };
        if !std::mem::take(&mut flow.calls) {
            return;
        }
        let call = (flow.key.machine, edge.key.1, edge.key.2);
        if let Some(calls) = self.calls.get_mut(&call) {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                self.calls.remove(&call);
            }
        }
    }

    /// Flows of servers find the edges on which their clients count since lately.
    pub(super) fn place_beside_clients(&mut self, now: Timestamp) {
        for (machine, edge) in std::mem::take(&mut self.newly_counted) {
            let Some(edge) = self.edges.get(edge) else { continue };
            let (_, destination, port) = edge.key;
            let signs = self.services.get(destination).and_then(|entry| entry.presence);
            let aside = self.via_node(machine, destination, port).and_then(|edge| edge.head);
            let flows = self.flows.list(signs).chain(self.flows.list(aside));
            let of_machine = flows.filter(|(_, flow)| flow.client == Some(machine)).map(|(id, _)| id);
            for flow in of_machine.collect::<Vec<_>>() {
                self.place(&Fresh { flow, sums: Sums::default() }, now);
            }
        }
    }

    /// The edge on which is kept aside what comes from a node's address.
    fn via_node(&self, machine: MachineId, destination: Id<Entry>, port: u16) -> Option<&Edge> {
        let node = Party::node(&self.resolver.machines.get(machine)?.name);
        let node = self.services.find(&node.id())?;
        self.edges.get(self.edges.find((node, destination, port))?)
    }
}

/// Whether a flow at these ends counts beside its clients.
pub(super) fn counts_beside(ends: &Ends) -> bool {
    let Ends::Pair { source, client: Some(client), .. } = ends else { return false };
    client.observed_since.is_some() && source.rule != VIA_NODE
}
