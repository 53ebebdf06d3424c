//! What is over: idle flows, edges without flows, services of which nothing was seen, dependencies out of memory; and the
//! health statuses and orphans whose time has come.

use super::State;
use super::edges::Edge;
use super::flows::{Flow, Place};
use super::slots::Id;
use crate::model::Timestamp;

impl State {
    /// Ends what is due at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.end_waiting(now);
        while let Some(flow) = self.flow_deadlines.pop_due(now) {
            self.expire_flow(flow, now);
        }
        while let Some(edge) = self.edge_deadlines.pop_due(now) {
            self.expire_edge(edge, now);
        }
        self.expire_services(now);
        while let Some(key) = self.dependency_deadlines.pop_due(now) {
            let Some(needed) = self.dependencies.get_mut(key) else { continue };
            needed.queued = false;
            let due = needed.last_seen + self.settings.dependency_retention;
            if needed.edges > 0 {
                continue;
            }
            if due > now {
                needed.queued = true;
                self.dependency_deadlines.set(due, key);
            } else if let Some(needed) = self.dependencies.remove(key) {
                self.dependency_went(needed, due);
            }
        }
        while let Some(service) = self.health_deadlines.pop_due(now) {
            self.judge(service, now);
        }
        self.find_orphans(now);
        while let Some(edge) = self.edge_health_deadlines.pop_due(now) {
            self.judge_edge(edge, now);
        }
    }

    fn expire_flow(&mut self, id: Id<Flow>, now: Timestamp) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.queued = false;
        // One with an open socket is looked at again once that is closed.
        if flow.sums.counts.active() > 0 {
            return;
        }
        let due = flow.sums.last + self.settings.connection_timeout;
        if due > now {
            flow.queued = true;
            self.flow_deadlines.set(due, id);
            return;
        }
        if flow.fresh.is_some() {
            // It ended, and has begun anew since.
            self.leave_history(id);
            return;
        }
        let place = flow.place;
        self.unlink(id);
        let Some(flow) = self.flows.remove(id) else { return };
        self.resolver.machines.release(&flow.key);
        match place {
            Place::Nowhere => {}
            Place::Edge(edge) => self.keep_in_edge(edge, &flow.sums),
            Place::Presence(service) => self.await_service(service),
        }
    }

    fn expire_edge(&mut self, id: Id<Edge>, now: Timestamp) {
        let Some(edge) = self.edges.get(id) else { return };
        let due = edge.last + self.settings.connection_timeout;
        if edge.flows > 0 {
            return;
        }
        if due > now {
            self.edge_deadlines.set(due, id);
        } else {
            self.remove_edge(id, due, false);
        }
    }

    fn expire_services(&mut self, now: Timestamp) {
        let mut over = Vec::new();
        while let Some(id) = self.service_deadlines.pop_due(now) {
            let Some(entry) = self.services.get_mut(id) else { continue };
            entry.queued = false;
            if entry.in_use() {
                continue;
            }
            let due = entry.last_seen + self.settings.service_timeout;
            if due > now {
                entry.queued = true;
                self.service_deadlines.set(due, id);
            } else {
                over.push(id);
            }
        }
        over.sort_unstable();
        over.dedup();
        let timeout = self.settings.service_timeout;
        self.remove_services(&over, |entry| entry.last_seen + timeout);
    }
}
