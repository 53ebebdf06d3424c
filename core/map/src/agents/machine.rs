//! One machine, as its agent's records tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::record::{FlowRecord, Head};
use super::{IDLE_FLOWS_HELD, INTERVALS_UNTIL_LOST, REPORT_INTERVAL, totals};
use crate::collections::HashMap;
use crate::model::{ContainerCgroup, FactBody, FlowDelta, FlowKey, MachineId, RunId, Timestamp};

/// Sequence numbers that may still come, late: a full report of a busy machine. Of older ones it is not known any more which
/// came.
const MAX_MISSING: usize = 4_096;

/// Flows of the machine that are forgotten here are forgotten at their agent for long: a record of one that comes late must
/// not look new.
const IDLE_FLOWS_KEPT: Duration = IDLE_FLOWS_HELD.saturating_mul(3);

/// Longest interval that is believed.
const MAX_INTERVAL: Duration = Duration::from_mins(10);

/// What was last told of a flow.
#[derive(Debug)]
struct Held {
    totals: FlowDelta,
    sequence: u64,
    since: u64,
    cgroup_path: Option<Arc<str>>,
    netns_name: Option<Arc<str>>,
    netns_cgroup: Option<ContainerCgroup>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: MachineId,
    pub(super) run: RunId,
    run_started_at: Timestamp,
    heard: Timestamp,
    interval: Duration,
    /// Its agent is heard.
    pub(super) observed: bool,
    /// Since when it is counted without a break.
    pub(super) observed_since: Timestamp,
    /// From where on it is known which sequence numbers of the run came, and the highest one that did; 0 before any.
    first: u64,
    highest: u64,
    missing: BTreeSet<u64>,
    flows: HashMap<FlowKey, Held>,
    own_netns: Option<u32>,
    /// Connections of the runs before that were open when they ended.
    previous: BTreeMap<FlowKey, u64>,
    addresses: BTreeSet<(u32, IpAddr)>,
    /// A full report of the run has come, and nothing of it was lost.
    pub(super) complete: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was taken.
    News,
    /// It was known.
    Repeated,
    /// There was no room for its flow.
    TurnedAway,
}

impl Machine {
    pub(super) fn new(id: MachineId, head: &Head, now: Timestamp) -> Self {
        Self {
            id,
            run: head.run,
            run_started_at: head.run_started_at,
            heard: now,
            interval: REPORT_INTERVAL,
            observed: false,
            observed_since: head.run_started_at,
            first: 0,
            highest: 0,
            missing: BTreeSet::new(),
            flows: HashMap::default(),
            own_netns: None,
            previous: BTreeMap::new(),
            addresses: BTreeSet::new(),
            complete: false,
        }
    }

    /// Whether a record is of a run that is over.
    pub(super) fn is_stale(&self, head: &Head) -> bool {
        head.run != self.run && head.run_started_at <= self.run_started_at
    }

    /// Its agent has begun a new run. What was open is remembered until that run says what still is.
    pub(super) fn begin_run(&mut self, head: &Head) {
        for (key, held) in self.flows.drain() {
            let open = totals::open(&held.totals);
            if open > 0 {
                *self.previous.entry(key).or_default() += open;
            }
        }
        if !self.observed {
            self.observed_since = head.run_started_at;
        }
        (self.run, self.run_started_at) = (head.run, head.run_started_at);
        (self.first, self.highest) = (0, 0);
        self.missing.clear();
        self.complete = false;
    }

    /// Its agent is heard. `interval` where it says how often that will be.
    pub(super) fn hear(&mut self, interval: Option<Duration>, now: Timestamp) {
        self.heard = self.heard.max(now);
        if let Some(interval) = interval {
            self.interval = interval.clamp(Duration::from_millis(100), MAX_INTERVAL);
        }
    }

    /// When it is lost unless it is heard before.
    pub(super) fn lost_at(&self) -> Timestamp {
        self.heard + self.interval * INTERVALS_UNTIL_LOST
    }

    /// When its agent was last heard.
    pub(super) const fn heard(&self) -> Timestamp {
        self.heard
    }

    /// Notes that a record came; false when it had come before.
    pub(super) fn arrive(&mut self, sequence: u64) -> bool {
        if sequence <= self.highest {
            return self.missing.remove(&sequence);
        }
        if self.highest == 0 {
            // Those before the first one that came may have been told to another instance.
            self.first = sequence;
        } else {
            let oldest = sequence.saturating_sub(MAX_MISSING as u64).max(self.highest + 1);
            if oldest > self.highest + 1 {
                self.first = oldest;
            }
            self.missing.extend(oldest..sequence);
            while self.missing.len() > MAX_MISSING
                && let Some(given_up) = self.missing.pop_first()
            {
                self.first = self.first.max(given_up + 1);
            }
        }
        self.highest = sequence;
        true
    }

    /// Sequence numbers that have not come, though later ones have.
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Flows that are kept.
    pub(super) fn flows(&self) -> usize {
        self.flows.len() + self.previous.len()
    }

    /// Takes a flow's record; what is new in it is told.
    pub(super) fn take_flow(
        &mut self,
        record: FlowRecord,
        sequence: u64,
        has_room: bool,
        out: &mut Vec<FactBody>,
    ) -> Taken {
        let FlowRecord { mut totals, since, cgroup_path, own_netns, netns_name, netns_cgroup } = record;
        totals.key.machine = self.id;
        let key = totals.key.clone();
        let known = self.flows.get(&key);
        if known.is_some_and(|held| held.sequence >= sequence || held.since > since) {
            return Taken::Repeated;
        }
        if known.is_none() && !has_room {
            return Taken::TurnedAway;
        }
        if let Some(path) = &cgroup_path
            && known.is_none_or(|held| held.cgroup_path != cgroup_path)
        {
            out.push(FactBody::Cgroup { id: key.cgroup, path: path.clone() });
        }
        if let Some(netns) = own_netns.filter(|_| self.own_netns != own_netns) {
            out.push(FactBody::NetworkNamespace { netns, name: None });
        }
        if let Some(name) = &netns_name
            && known.is_none_or(|held| held.netns_name != netns_name)
        {
            out.push(FactBody::NetworkNamespace { netns: key.netns, name: Some(name.clone()) });
        }
        if known.map_or(netns_cgroup.is_some(), |held| held.netns_cgroup != netns_cgroup) {
            out.push(FactBody::NamespaceCgroup { netns: key.netns, cgroup: netns_cgroup.clone() });
        }
        let mut delta = match known.filter(|held| held.since == since) {
            Some(held) => totals::since(&totals, &held.totals),
            None => totals.clone(),
        };
        // Those that the run before had counted are open still.
        if let Some(open) = self.previous.get_mut(&key) {
            let still = delta.preexisting.min(delta.opened).min(*open);
            *open -= still;
            delta.opened -= still;
            delta.preexisting -= still;
            if *open == 0 {
                self.previous.remove(&key);
            }
        }
        if !totals::is_nothing(&delta) || known.is_none() {
            out.push(FactBody::Flow(delta));
        }
        self.flows.insert(key, Held { totals, sequence, since, cgroup_path, netns_name, netns_cgroup });
        self.own_netns = own_netns.or(self.own_netns);
        Taken::News
    }

    /// Takes the addresses of its namespaces.
    pub(super) fn take_addresses(&mut self, addresses: BTreeSet<(u32, IpAddr)>, out: &mut Vec<FactBody>) {
        let changes = [(&addresses, &self.addresses, true), (&self.addresses, &addresses, false)];
        for (these, but_those, present) in changes {
            out.extend(these.difference(but_those).map(|(netns, address)| FactBody::Address {
                netns: *netns,
                address: *address,
                present,
            }));
        }
        self.addresses = addresses;
    }

    /// All flows were told from a sequence number on to another. When none of these records is missing, what was open
    /// before and was not told is not open any more. While one is missing, the next full report decides.
    pub(super) fn end_report(&mut self, from: u64, to: u64, now: Timestamp, out: &mut Vec<FactBody>) {
        let is_whole = self.first <= from && self.missing.range(from..=to).next().is_none();
        if !is_whole {
            return;
        }
        self.complete = true;
        for (key, open) in std::mem::take(&mut self.previous) {
            out.push(FactBody::Flow(closed(key, open, now)));
        }
        self.flows
            .retain(|_, held| totals::open(&held.totals) > 0 || held.totals.last + IDLE_FLOWS_KEPT > now);
    }
}

/// So many connections of a flow are open no longer.
fn closed(key: FlowKey, count: u64, at: Timestamp) -> FlowDelta {
    FlowDelta { closed: count, first: at, last: at, ..FlowDelta::nothing(key) }
}
