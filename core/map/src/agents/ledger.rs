//! The cluster instance's side: records of agents in, facts for the map out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::MAX_REPORTED_ADDRESSES;
use super::machine::{Machine, Taken};
use super::record::{Head, Record, RecordBody, StateRecord};
use crate::collections::HashMap;
use crate::model::{AgentStatistics, Fact, FactBody, Gap, GapReason, MachineId, Origin, SourceId, Timestamp};
use crate::resolve::MAX_MACHINES;

/// A machine that was not heard of for this long is forgotten: longer than any restart, shorter than anybody would look
/// for connections of a machine that is gone.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// Longest machine name that is taken: Kubernetes and DNS allow 253 characters.
const MAX_NAME_LENGTH: usize = 253;

/// Adds up what the agents of many machines tell.
#[derive(Debug)]
pub struct Ledger {
    machines: HashMap<Arc<str>, Machine>,
    next: u32,
    max_flows: usize,
    flows: usize,
    statistics: AgentStatistics,
    turned_away: u64,
    facts: Vec<Fact>,
}

impl Ledger {
    /// No agent heard yet. `max_flows` bounds the flows of all machines together.
    pub fn new(max_flows: usize) -> Self {
        Self {
            machines: HashMap::default(),
            next: 0,
            max_flows,
            flows: 0,
            statistics: AgentStatistics::default(),
            turned_away: 0,
            facts: Vec::new(),
        }
    }

    /// Takes a record that came at an instant by the clock of this instance. Instants in it that are later are taken as
    /// this one: clocks of machines differ.
    pub fn take(&mut self, record: Record, now: Timestamp) {
        let Record { head, at, body } = record;
        let Some(mut machine) = self.machine(&head, now) else { return };
        let at = at.min(now);
        let before = machine.flows();
        let mut bodies = Vec::new();
        let interval = match &body {
            RecordBody::State(state) => Some(state.interval),
            RecordBody::Flow(_) | RecordBody::Gap(_) => None,
        };
        let is_new = machine.arrive(head.sequence);
        machine.hear(interval, now);
        self.note_observed(&head.machine, &mut machine, now);
        match body {
            RecordBody::Flow(mut flow) => {
                flow.totals.first = flow.totals.first.min(now);
                flow.totals.last = flow.totals.last.min(now);
                let has_room = self.flows < self.max_flows;
                match machine.take_flow(*flow, head.sequence, has_room, &mut bodies) {
                    Taken::News => self.statistics.taken += 1,
                    Taken::Repeated => self.statistics.repeated += 1,
                    Taken::TurnedAway => self.turn_away(),
                }
            }
            RecordBody::State(state) if is_new => {
                self.statistics.taken += 1;
                Self::take_state(&mut machine, &state, head.sequence, now, &mut bodies);
            }
            RecordBody::Gap(gap) if is_new => {
                self.statistics.taken += 1;
                bodies.push(FactBody::Gap(gap));
            }
            RecordBody::State(_) | RecordBody::Gap(_) => self.statistics.repeated += 1,
        }
        self.flows = (self.flows + machine.flows()).saturating_sub(before);
        self.tell(machine.id, at, bodies);
        self.machines.insert(head.machine, machine);
    }

    /// Tells what time it is: agents that were not heard for three of their intervals are lost, and machines that were not
    /// heard for ten minutes are gone.
    pub fn advance(&mut self, now: Timestamp) {
        let mut gone = Vec::new();
        let mut facts = Vec::new();
        for (name, machine) in &mut self.machines {
            let origin = Origin { source: SourceId::Agent(machine.id), sequence: 0 };
            if machine.observed && machine.lost_at() <= now {
                machine.observed = false;
                let lost = FactBody::Machine { name: name.clone(), observed_since: None };
                let gap = Gap { reason: GapReason::AgentLost, count: 1, healed: false, at: now };
                facts.extend([lost, FactBody::Gap(gap)].map(|body| Fact { at: now, origin, body }));
            }
            if machine.heard() + FORGOTTEN_AFTER <= now {
                self.flows = self.flows.saturating_sub(machine.flows());
                facts.push(Fact { at: now, origin, body: FactBody::MachineGone });
                gone.push(name.clone());
            }
        }
        for name in gone {
            self.machines.remove(&name);
        }
        // In the order of the machines' numbers, whatever that of the table.
        facts.sort_by_key(|fact| fact.origin.source);
        self.facts.append(&mut facts);
        let count = std::mem::take(&mut self.turned_away);
        if count > 0 {
            let body = FactBody::Gap(Gap { reason: GapReason::MapBound, count, healed: false, at: now });
            let origin = Origin { source: SourceId::Agents, sequence: 0 };
            self.facts.push(Fact { at: now, origin, body });
        }
    }

    /// The facts since this was last asked.
    pub fn take_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// Whether a machine's agent has told everything that it holds.
    pub fn is_complete(&self, machine: &str) -> bool {
        self.machines.get(machine).is_some_and(|machine| machine.observed && machine.complete)
    }

    /// What became of the records so far.
    pub fn statistics(&self) -> AgentStatistics {
        let observed = self.machines.values().filter(|machine| machine.observed).count();
        AgentStatistics {
            missing: self.machines.values().map(|machine| machine.missing() as u64).sum(),
            observed: observed as u64,
            lost: (self.machines.len() - observed) as u64,
            ..self.statistics
        }
    }

    /// The machine of a record, taken out; `None` where the record cannot be taken.
    fn machine(&mut self, head: &Head, now: Timestamp) -> Option<Machine> {
        if head.machine.is_empty() || head.machine.len() > MAX_NAME_LENGTH || head.sequence == 0 {
            self.turn_away();
            return None;
        }
        if let Some(machine) = self.machines.get_mut(&head.machine) {
            if machine.is_stale(head) {
                self.statistics.stale += 1;
                return None;
            }
            let before = machine.flows();
            if machine.run != head.run {
                machine.begin_run(head);
                self.flows = (self.flows + machine.flows()).saturating_sub(before);
            }
            return self.machines.remove(&head.machine);
        }
        if self.machines.len() >= MAX_MACHINES {
            self.turn_away();
            return None;
        }
        self.next += 1;
        Some(Machine::new(MachineId(self.next), head, now))
    }

    fn note_observed(&mut self, name: &Arc<str>, machine: &mut Machine, now: Timestamp) {
        if std::mem::replace(&mut machine.observed, true) {
            return;
        }
        let observed_since = Some(machine.observed_since.min(now));
        self.tell(machine.id, now, vec![FactBody::Machine { name: name.clone(), observed_since }]);
    }

    fn take_state(
        machine: &mut Machine,
        state: &StateRecord,
        sequence: u64,
        now: Timestamp,
        bodies: &mut Vec<FactBody>,
    ) {
        let addresses = state.addresses.iter().take(MAX_REPORTED_ADDRESSES);
        let canonical = |(netns, address): &(u32, IpAddr)| (*netns, address.to_canonical());
        machine.take_addresses(addresses.map(canonical).collect(), bodies);
        if let Some(from) = state.full_from.filter(|from| *from <= sequence) {
            machine.end_report(from, sequence, now, bodies);
        }
    }

    fn turn_away(&mut self) {
        self.statistics.turned_away += 1;
        self.turned_away += 1;
    }

    fn tell(&mut self, machine: MachineId, at: Timestamp, bodies: Vec<FactBody>) {
        let origin = Origin { source: SourceId::Agent(machine), sequence: 0 };
        self.facts.extend(bodies.into_iter().map(|body| Fact { at, origin, body }));
    }
}
