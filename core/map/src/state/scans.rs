//! Scans: a source that only fails on many ports of a destination which nobody offers has one edge to it, whatever the
//! ports. So a scan of all ports takes no more room than one of 21, and says nothing about the destination's health.

use std::collections::BTreeSet;

use super::State;
use super::edges::Edge;
use super::flows::{Flow, Place};
use super::services::Entry;
use super::settle::Fresh;
use super::slots::Id;
use super::sums::Sums;
use crate::collections::HashMap;
use crate::model::{Bound, ConnectionRef, FlowKey, Side, Timestamp};
use crate::resolve::{Ends, is_offered};

/// Ports of one destination that nobody offers and on which a source only fails; one more is a scan. A client that looks
/// for its server tries a few (a range of ten, a port of each version), whoever looks for any server tries hundreds.
const MAX_VAIN_PORTS: usize = 20;

/// Marks a flow that is placed with sums that came by no fact of its own.
const FOLDED: u32 = u32::MAX;

/// Source and destination.
type Pair = (Id<Entry>, Id<Entry>);

/// Where sources fail in vain.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// Edges that nothing but failed at a port that nobody offers, in the order in which they came.
    vain: HashMap<Pair, Vec<Id<Edge>>>,
    /// Pairs that turned out to be a scan and have edges that are not folded yet.
    found: BTreeSet<Pair>,
}

impl Scans {
    fn forget(&mut self, pair: Pair, edge: Id<Edge>) {
        if let Some(edges) = self.vain.get_mut(&pair) {
            edges.retain(|other| *other != edge);
            if edges.is_empty() {
                self.vain.remove(&pair);
            }
        }
    }
}

impl State {
    /// An edge's counts are other ones: it may have begun, or ceased, to be one of those on which a source only fails.
    pub(super) fn note_vain(&mut self, id: Id<Edge>) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        let (pair, is_vain) = ((edge.key.0, edge.key.1), edge.is_vain());
        let was_vain = std::mem::replace(&mut edge.vain, is_vain);
        if was_vain && !is_vain {
            self.scans.forget(pair, id);
        }
        if was_vain || !is_vain {
            return;
        }
        let edges = self.scans.vain.entry(pair).or_default();
        edges.push(id);
        if edges.len() > MAX_VAIN_PORTS {
            self.scans.found.insert(pair);
        }
    }

    /// An edge is about to have other ends.
    pub(super) fn leave_vain(&mut self, id: Id<Edge>) {
        let Some(edge) = self.edges.get_mut(id) else { return };
        if std::mem::take(&mut edge.vain) {
            self.scans.forget((edge.key.0, edge.key.1), id);
        }
    }

    /// An edge is gone.
    pub(super) fn forget_vain(&mut self, id: Id<Edge>, edge: &Edge) {
        if edge.vain {
            self.scans.forget((edge.key.0, edge.key.1), id);
        }
    }

    /// Whether attempts on an edge say something about the health of its destination. Of the ports that nobody offers and
    /// on which a source only fails, the first one does: a destination that is down is told by it, and a scan that is not
    /// known as one yet tries it once or twice.
    pub(super) fn tells_health(&self, id: Id<Edge>) -> bool {
        let Some(edge) = self.edges.get(id) else { return false };
        let vain = || self.scans.vain.get(&(edge.key.0, edge.key.1));
        let is_first = || vain().and_then(|edges| edges.first()) == Some(&id);
        edge.tells_health() && (!edge.vain || is_first())
    }

    /// Whether a flow that goes from one end to the other is part of a scan.
    pub(super) fn is_of_scan(&self, flow: &Flow, fresh: &Sums, ends: &Ends) -> bool {
        let Ends::Pair { source, destination, port, side: Side::Client, .. } = ends else { return false };
        let opened = flow.sums.counts.opened + fresh.counts.opened;
        let failed = flow.sums.counts.failed.total() + fresh.counts.failed.total();
        if opened > 0 || failed == 0 || flow.key.port == ConnectionRef::SCAN || is_offered(destination.rule) {
            return false;
        }
        let pair = self.services.find(&source.id()).zip(self.services.find(&destination.id()));
        pair.is_some_and(|pair| {
            let at_port = self.edges.find((pair.0, pair.1, *port)).and_then(|edge| self.edges.get(edge));
            let is_scan = || {
                self.scans.found.contains(&pair)
                    || self.edges.find((pair.0, pair.1, ConnectionRef::SCAN)).is_some()
            };
            // What it counted between others before stays there.
            let stays = match flow.place {
                Place::Edge(edge) => {
                    self.edges.get(edge).is_some_and(|edge| (edge.key.0, edge.key.1) == pair)
                }
                Place::Nowhere | Place::Presence(_) => true,
            };
            stays && at_port.is_none_or(|edge| edge.vain) && is_scan()
        })
    }

    /// What a flow counted, and what is fresh of it, counts for the scan from now on; the flow itself is gone.
    pub(super) fn fold(&mut self, id: Id<Flow>, fresh: &Sums, now: Timestamp) {
        let left = self.leave(id);
        let Some(flow) = self.flows.remove(id) else { return };
        let mut sums = flow.sums;
        sums.merge(fresh);
        let key = FlowKey { port: ConnectionRef::SCAN, ..flow.key.clone() };
        let scan = self.flows.find(&key).or_else(|| self.make_flow(&key));
        // Only now: a cgroup keeps its name as long as it has flows.
        self.resolver.machines.release(&flow.key);
        let Some(scan) = scan else {
            self.turn_away(Bound::Flows, 1);
            return;
        };
        if let Some(scan) = self.flows.get_mut(scan) {
            scan.fresh = Some(FOLDED);
        }
        self.place(&Fresh { flow: scan, sums }, now);
        let heir = match self.flows.get(scan).map(|scan| scan.place) {
            Some(Place::Edge(edge)) => Some(edge),
            _ => None,
        };
        self.left_edges.extend(left.map(|left| (left, heir)));
    }

    /// Folds the edges that scans have made before they were known as such.
    pub(super) fn fold_scans(&mut self, now: Timestamp) {
        if self.scans.found.is_empty() {
            return;
        }
        for pair in self.scans.found.clone() {
            let edges = self.scans.vain.get(&pair).into_iter().flatten();
            let edges = edges.filter_map(|edge| self.edges.get(*edge));
            let flows = edges.flat_map(|edge| self.flows.list(edge.head));
            // What is fresh of a flow is placed with it.
            let flows: Vec<_> = flows.filter(|(_, flow)| flow.fresh.is_none()).map(|(id, _)| id).collect();
            for flow in flows {
                self.place(&Fresh { flow, sums: Sums::default() }, now);
            }
        }
        self.scans.found.clear();
    }
}
