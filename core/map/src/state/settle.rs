//! Settling: what came since the last time is named and added up, and what is called differently now moves with its
//! counters.

use std::net::IpAddr;
use std::sync::Arc;

use super::State;
use super::edges::Edge;
use super::flows::{Flow, Place};
use super::services::Entry;
use super::sides::Count;
use super::slots::Id;
use super::sums::{Arrival, Sums};
use crate::collections::HashSet;
use crate::model::{Direction, FlowKey, Timestamp};
use crate::resolve::Standing;

/// A flow with what was counted since the last settling; nothing where only its names may have changed.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(super) flow: Id<Flow>,
    pub(super) sums: Sums,
}

/// Which names may have changed since the last settling.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    /// A cgroup or namespace with flows is called differently.
    pub(super) everything: bool,
    /// Somebody new listens at these ports.
    pub(super) ports: HashSet<u16>,
    /// These addresses have a new owner.
    pub(super) addresses: HashSet<IpAddr>,
    /// These pods are another service's, by UID.
    pub(super) pods: HashSet<Arc<str>>,
}

impl Stale {
    pub(super) fn is_empty(&self) -> bool {
        !self.everything && self.ports.is_empty() && self.addresses.is_empty() && self.pods.is_empty()
    }

    fn concerns(&self, key: &FlowKey) -> bool {
        self.everything
            || (key.direction != Direction::Listen
                && (self.ports.contains(&key.port) || self.addresses.contains(&key.remote)))
    }
}

impl State {
    /// Names and adds up what came since the last time.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let mut fresh = std::mem::take(&mut self.fresh);
        self.fresh_since = None;
        self.tell_sides_apart();
        for one in &mut fresh {
            self.learn(one);
        }
        self.settle_environments();
        let displaced = self.settle_declared(now);
        let mut stale = std::mem::take(&mut self.stale);
        let pods = std::mem::take(&mut stale.pods);
        stale.everything |= !pods.is_empty() && self.resolver.pods_with_flows().any(|uid| pods.contains(uid));
        let mut unnamed = Vec::new();
        for one in fresh {
            let flow = self.flows.get(one.flow);
            if flow.is_some_and(|flow| is_known(flow) && !stale.concerns(&flow.key)) {
                self.add(one.flow, &one.sums, now);
            } else {
                unnamed.push(one);
            }
        }
        if !stale.is_empty() {
            let concerned =
                self.flows.iter().filter(|(_, flow)| flow.fresh.is_none() && stale.concerns(&flow.key));
            unnamed.extend(concerned.map(|(flow, _)| Fresh { flow, sums: Sums::default() }));
        }
        // Those with something fresh, or stale ones, are among them already.
        let nowhere = displaced.into_iter().filter(|id| {
            self.flows.get(*id).is_some_and(|flow| flow.fresh.is_none() && !stale.concerns(&flow.key))
        });
        unnamed.extend(nowhere.map(|flow| Fresh { flow, sums: Sums::default() }));
        self.sort_by_age(&mut unnamed);
        // Where the server's side counts depends on whether the client's does.
        let (servers, others): (Vec<_>, Vec<_>) =
            unnamed.into_iter().partition(|one| self.may_be_counted_at_client(one.flow));
        for one in others.into_iter().chain(servers) {
            self.place(&one, now);
        }
        self.place_beside_clients(now);
        self.fold_scans(now);
        self.recount_left_edges(now);
        self.remove_left_services(now);
        self.tell_turned_away(now);
    }

    /// What a delta teaches about who listens, whatever it counts for.
    fn learn(&mut self, fresh: &mut Fresh) {
        let Some(flow) = self.flows.get(fresh.flow) else { return };
        let open = flow.sums.counts.active();
        self.statistics.closes_without_open += fresh.sums.drop_strange_closes(open);
        let counts = &fresh.sums.counts;
        let standing = match flow.key.direction {
            Direction::Outbound => return,
            Direction::Inbound => Standing::Accepted,
            Direction::Listen if open + counts.opened > counts.closed => Standing::Listening,
            Direction::Listen => Standing::Closed,
        };
        let since = flow.sums.first.min(fresh.sums.first);
        let machine = self.resolver.machines.known_mut(flow.key.machine);
        if machine.is_some_and(|machine| machine.listeners.set(&flow.key, since, standing)) {
            self.stale.ports.insert(flow.key.port);
        }
    }

    /// Oldest first: so that services come in the order of their facts, and a bound keeps the same ones whatever the
    /// order within the batch.
    fn sort_by_age(&self, flows: &mut [Fresh]) {
        flows.sort_by(|a, b| match (self.flows.get(a.flow), self.flows.get(b.flow)) {
            (Some(x), Some(y)) => {
                let age = |flow: &Flow, fresh: &Fresh| flow.sums.first.min(fresh.sums.first);
                age(x, a).cmp(&age(y, b)).then_with(|| x.key.cmp(&y.key))
            }
            (x, y) => x.is_some().cmp(&y.is_some()),
        });
    }

    /// Adds a delta to a flow and where it counts.
    pub(super) fn add(&mut self, id: Id<Flow>, sums: &Sums, now: Timestamp) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.fresh = None;
        flow.sums.merge(sums);
        match flow.place {
            Place::Nowhere => {}
            Place::Edge(edge) => {
                let whose = Count::of(flow);
                self.add_to_edge(edge, whose, &Arrival { sums, came: sums.first }, now);
            }
            Place::Presence(service) => self.add_to_service(service, sums),
        }
        self.await_end(id);
    }

    /// An idle flow is looked at again when its time is over.
    pub(super) fn await_end(&mut self, id: Id<Flow>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if flow.sums.counts.active() == 0 && !flow.queued {
            flow.queued = true;
            self.flow_deadlines.set(flow.sums.last + self.settings.connection_timeout, id);
        }
    }

    pub(super) fn add_to_service(&mut self, id: Id<Entry>, sums: &Sums) {
        if let Some(entry) = self.services.get_mut(id) {
            entry.seen(sums.last);
            entry.first_seen = entry.first_seen.min(sums.first);
            entry.changed();
        }
    }

    /// Edges from which flows moved away: their sums are those of the flows that stayed. One without any is gone, and what
    /// it kept of flows that are over goes where the last flow went.
    pub(super) fn recount_left_edges(&mut self, now: Timestamp) {
        let mut left = std::mem::take(&mut self.left_edges);
        left.sort_by_key(|(edge, _)| *edge);
        left.dedup_by_key(|(edge, _)| *edge);
        for (id, heir) in left {
            let Some(edge) = self.edges.get(id) else { continue };
            if edge.flows > 0 {
                if let Some(edge) = self.edges.get_mut(id) {
                    edge.recount(&self.flows);
                }
                self.note_vain(id);
                self.unshow_dependency(id, now);
                continue;
            }
            let remains = edge.remains();
            if let Some(heir) = heir {
                self.keep_told(id, heir);
                if let (Some(remains), Some(edge)) = (remains, self.edges.get_mut(heir)) {
                    edge.inherit(&remains, now);
                }
                self.note_vain(heir);
            }
            self.remove_edge(id, now, true);
        }
    }

    /// Of an edge that only has another port by now, consumers know what they knew of it. A scan is news.
    fn keep_told(&mut self, id: Id<Edge>, heir: Id<Edge>) {
        let ends = |edge: &Edge| (edge.key.0, edge.key.1);
        let between = self.edges.get(heir).filter(|heir| !heir.reference.is_scan()).map(ends);
        let Some(edge) = self.edges.get_mut(id).filter(|edge| Some(ends(edge)) == between) else { return };
        let told = std::mem::take(&mut edge.told);
        if let Some(heir) = self.edges.get_mut(heir) {
            heir.told.merge(told);
        }
    }

    /// Services that nothing is left of because everything of theirs is named differently now.
    pub(super) fn remove_left_services(&mut self, now: Timestamp) {
        let mut left = std::mem::take(&mut self.left_services);
        left.sort_unstable();
        left.dedup();
        left.retain(|id| self.services.get(*id).is_some_and(|entry| !entry.in_use()));
        self.remove_services(&left, |_| now);
    }

    /// Notes that a flow is gone from an edge, or a service, because it is named differently now.
    pub(super) fn leave(&mut self, id: Id<Flow>) -> Option<Id<Edge>> {
        let flow = self.flows.get(id)?;
        let (place, whose, counts) = (flow.place, Count::of(flow), flow.sums.counts);
        self.freeze(place);
        self.unlink(id);
        match place {
            Place::Nowhere => None,
            Place::Edge(edge) => {
                self.edges.get_mut(edge)?.lose(whose, &counts);
                Some(edge)
            }
            Place::Presence(service) => {
                self.left_services.push(service);
                None
            }
        }
    }
}

/// Whether a flow's delta counts where the flow does, without another look. The next connection of an idle one may find
/// another listener, or come from an address that is another's now.
fn is_known(flow: &Flow) -> bool {
    let idle = flow.key.direction != Direction::Listen && flow.sums.counts.active() == 0;
    flow.place != Place::Nowhere && !idle
}
