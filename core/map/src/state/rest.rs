//! Flows beyond the bound: what finds no room for a flow of its own is counted together with others, so that sums stay
//! right.

use std::net::{IpAddr, Ipv4Addr};

use super::State;
use super::flows::Flow;
use super::slots::Id;
use crate::model::{Bound, Direction, FlowKey, Timestamp};
use crate::resolve::{Ends, Instant, OTHER};

/// Flows of either sort that are kept beyond `max_flows` for what finds no room: one in so many of these, and at least the
/// least.
const SHARE: usize = 10;
/// A machine talks at some hundred ports in either direction; each of them takes one.
const LEAST: usize = 1_000;

impl State {
    /// The flow of a key, made if need be; without room for it, one that is counted with others. `None` where there is no
    /// room for that either.
    pub(super) fn flow_or_rest(&mut self, key: &FlowKey, at: Timestamp) -> Option<Id<Flow>> {
        if let Some(known) = self.flows.find(key) {
            return Some(known);
        }
        if self.flows.len() >= self.settings.max_flows && !self.counts_connections(key, at) {
            let made = self.new_flow(key);
            self.turn_away(Bound::Flows, u64::from(made.is_none()));
            return made;
        }
        let rests = [without_address(key), without_program(key)];
        // What was opened while there was no room is closed there, too.
        if let Some(open) = rests.iter().find_map(|rest| self.flows.open_rest(rest)) {
            self.count_bounded(Bound::Flows, 1);
            return Some(open);
        }
        if let Some(own) = self.new_flow(key) {
            return Some(own);
        }
        self.turn_away(Bound::Flows, 1);
        let step = (self.settings.max_flows / SHARE).max(LEAST);
        let mut most = self.settings.max_flows;
        for rest in rests {
            // The second sort has room of its own: the first one may be many, too.
            most = most.saturating_add(step);
            let found = self
                .flows
                .find(&rest)
                .or_else(|| (self.flows.len() < most).then(|| self.make_flow(&rest)).flatten());
            if let Some(found) = found {
                self.flows.mark_rest(found);
                return Some(found);
            }
        }
        None
    }

    /// Whether what a flow counts is counted nowhere else: neither of listeners nor beside clients that are seen themselves.
    fn counts_connections(&self, key: &FlowKey, at: Timestamp) -> bool {
        let when = Instant { at, generation: key.generation, patient: false };
        match self.resolver.ends(key, when) {
            Ends::Presence(_) => false,
            Ends::Pair { client, .. } => client.is_none_or(|client| client.observed_since.is_none()),
            Ends::Waiting => key.direction == Direction::Outbound,
        }
    }
}

/// Whatever the address: a program at a port.
fn without_address(key: &FlowKey) -> FlowKey {
    FlowKey { remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED), folded: true, generation: 0, ..key.clone() }
}

/// Whatever the address and the program: all of a machine at a port.
fn without_program(key: &FlowKey) -> FlowKey {
    FlowKey { cgroup: 0, netns: 0, program: OTHER.into(), ..without_address(key) }
}
