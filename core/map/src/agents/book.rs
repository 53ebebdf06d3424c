//! The agent's side: keeps what its machine has counted, and writes it down as records.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::record::{FlowRecord, Head, Record, RecordBody, StateRecord};
use super::{IDLE_FLOWS_HELD, MAX_REPORTED_ADDRESSES, totals};
use crate::collections::HashMap;
use crate::model::{
    ContainerCgroup, Fact, FactBody, FlowDelta, FlowKey, Gap, GapReason, RunId, SourceId, Timestamp,
};

/// Names of cgroups and namespaces that are kept. Beyond, they are learned anew.
const MAX_NAMES: usize = 65_536;

#[derive(Debug)]
struct Entry {
    totals: FlowDelta,
    since: u64,
    /// Something was counted, or is called differently, since it was last told.
    changed: bool,
    told: bool,
}

/// What an agent's machine has counted since the agent began.
#[derive(Debug)]
pub struct Book {
    machine: Arc<str>,
    run: RunId,
    started_at: Timestamp,
    version: Arc<str>,
    interval: Duration,
    max_flows: usize,
    sequence: u64,
    flows: HashMap<FlowKey, Entry>,
    cgroups: HashMap<u64, Arc<str>>,
    namespaces: HashMap<u32, Arc<str>>,
    homes: HashMap<u32, ContainerCgroup>,
    own_netns: Option<u32>,
    addresses: BTreeSet<(u32, IpAddr)>,
    gaps: Vec<Gap>,
    /// Flows that were never told.
    untold: usize,
    turned_away: u64,
    complete: bool,
}

impl Book {
    /// Nothing counted yet. `max_flows` bounds the flows that are kept; more are turned away and told as a gap.
    pub fn new(
        machine: Arc<str>,
        run: RunId,
        started_at: Timestamp,
        version: Arc<str>,
        interval: Duration,
        max_flows: usize,
    ) -> Self {
        Self {
            machine,
            run,
            started_at,
            version,
            interval,
            max_flows,
            sequence: 0,
            flows: HashMap::default(),
            cgroups: HashMap::default(),
            namespaces: HashMap::default(),
            homes: HashMap::default(),
            own_netns: None,
            addresses: BTreeSet::new(),
            gaps: Vec::new(),
            untold: 0,
            turned_away: 0,
            complete: false,
        }
    }

    /// Takes a fact of this machine; those of a cluster's objects are told by the cluster instance.
    pub fn note(&mut self, fact: &Fact) {
        match &fact.body {
            FactBody::Flow(delta) => self.count(delta, fact.at),
            FactBody::Address { netns, address, present } => self.set_address(*netns, *address, *present),
            FactBody::NetworkNamespace { netns, name: None } => {
                if self.own_netns.replace(*netns) != Some(*netns) {
                    self.rename(|_| true);
                }
            }
            FactBody::NetworkNamespace { netns, name: Some(name) } => {
                make_room(&mut self.namespaces, netns);
                if self.namespaces.insert(*netns, name.clone()).as_ref() != Some(name) {
                    self.rename(|key| key.netns == *netns);
                }
            }
            FactBody::Cgroup { id, path } => {
                make_room(&mut self.cgroups, id);
                if self.cgroups.insert(*id, path.clone()).as_ref() != Some(path) {
                    self.rename(|key| key.cgroup == *id);
                }
            }
            FactBody::NamespaceCgroup { netns, cgroup } => self.set_home(*netns, cgroup.as_ref()),
            FactBody::Gap(gap) => self.lose(gap.clone()),
            FactBody::Ready(SourceId::Capture) => self.complete = true,
            FactBody::Ready(_)
            | FactBody::Kubernetes(_)
            | FactBody::Machine { .. }
            | FactBody::MachineGone => {}
        }
    }

    /// Whether there are flows that were never told: they need not wait for the next report.
    pub const fn has_news(&self) -> bool {
        self.untold > 0
    }

    /// Whether everything that was open when the agent began has been found.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Flows that were never told.
    pub fn news(&mut self, now: Timestamp) -> Vec<Record> {
        self.write(now, |entry| !entry.told)
    }

    /// A report: what changed since the last one, or (`full`) all flows that are held, and how the agent is. A full one
    /// forgets flows that have been idle for long.
    pub fn report(&mut self, now: Timestamp, full: bool) -> Vec<Record> {
        self.tell_turned_away(now);
        if full {
            self.flows.retain(|_, entry| {
                let is_over = totals::open(&entry.totals) == 0 && entry.totals.last + IDLE_FLOWS_HELD <= now;
                !(is_over && entry.told && !entry.changed)
            });
        }
        let from = self.sequence + 1;
        let mut records = self.write(now, |entry| full || entry.changed);
        for gap in std::mem::take(&mut self.gaps) {
            let head = self.head();
            records.push(Record { head, at: gap.at, body: RecordBody::Gap(gap) });
        }
        let state = StateRecord {
            version: self.version.clone(),
            interval: self.interval,
            full_from: (full && self.complete).then_some(from),
            flows: self.flows.len() as u64,
            addresses: self.addresses.iter().copied().collect(),
        };
        records.push(Record { head: self.head(), at: now, body: RecordBody::State(state) });
        records
    }

    fn write(&mut self, now: Timestamp, which: impl Fn(&Entry) -> bool) -> Vec<Record> {
        let mut chosen: Vec<_> = self.flows.values_mut().filter(|entry| which(entry)).collect();
        // In the order in which they began, so that records of one state are the same ones.
        chosen.sort_by(|a, b| (a.since, &a.totals.key).cmp(&(b.since, &b.totals.key)));
        let mut records = Vec::with_capacity(chosen.len());
        for entry in chosen {
            self.untold -= usize::from(!std::mem::replace(&mut entry.told, true));
            entry.changed = false;
            self.sequence += 1;
            let key = &entry.totals.key;
            let flow = FlowRecord {
                totals: entry.totals.clone(),
                since: entry.since,
                cgroup_path: self.cgroups.get(&key.cgroup).cloned(),
                own_netns: self.own_netns,
                netns_name: self.namespaces.get(&key.netns).cloned(),
                netns_cgroup: self.homes.get(&key.netns).cloned(),
            };
            let head = Head {
                machine: self.machine.clone(),
                run: self.run,
                run_started_at: self.started_at,
                sequence: self.sequence,
            };
            let at = if entry.totals.last == Timestamp::ZERO { now } else { entry.totals.last };
            records.push(Record { head, at, body: RecordBody::Flow(Box::new(flow)) });
        }
        records
    }

    fn head(&mut self) -> Head {
        self.sequence += 1;
        Head {
            machine: self.machine.clone(),
            run: self.run,
            run_started_at: self.started_at,
            sequence: self.sequence,
        }
    }

    fn count(&mut self, delta: &FlowDelta, at: Timestamp) {
        if !self.flows.contains_key(&delta.key) {
            if self.flows.len() >= self.max_flows {
                self.turned_away += 1;
                return;
            }
            self.untold += 1;
        }
        let since = self.sequence + 1;
        let entry = self.flows.entry(delta.key.clone()).or_insert_with(|| Entry {
            totals: FlowDelta::nothing(delta.key.clone()),
            since,
            changed: true,
            told: false,
        });
        totals::add(&mut entry.totals, delta);
        if delta.last == Timestamp::ZERO {
            entry.totals.last = entry.totals.last.max(at);
        }
        entry.changed = true;
    }

    fn set_home(&mut self, netns: u32, cgroup: Option<&ContainerCgroup>) {
        let before = match cgroup {
            Some(cgroup) => {
                make_room(&mut self.homes, &netns);
                self.homes.insert(netns, cgroup.clone())
            }
            None => self.homes.remove(&netns),
        };
        if before.as_ref() != cgroup {
            self.rename(|key| key.netns == netns);
        }
    }

    fn set_address(&mut self, netns: u32, address: IpAddr, present: bool) {
        let address = address.to_canonical();
        if !present {
            self.addresses.remove(&(netns, address));
        } else if !address.is_loopback() && !address.is_unspecified() {
            if self.addresses.len() < MAX_REPORTED_ADDRESSES {
                self.addresses.insert((netns, address));
            } else if !self.addresses.contains(&(netns, address)) {
                self.turned_away += 1;
            }
        }
    }

    /// Flows that are called differently are told again.
    fn rename(&mut self, concerns: impl Fn(&FlowKey) -> bool) {
        for (_, entry) in self.flows.iter_mut().filter(|(key, _)| concerns(key)) {
            entry.changed = true;
        }
    }

    fn lose(&mut self, gap: Gap) {
        let known = |other: &&mut Gap| other.reason == gap.reason && other.healed == gap.healed;
        match self.gaps.iter_mut().find(known) {
            Some(other) => {
                other.count = other.count.saturating_add(gap.count);
                other.at = gap.at;
            }
            // As many as there are reasons.
            None => self.gaps.push(gap),
        }
    }

    fn tell_turned_away(&mut self, now: Timestamp) {
        let count = std::mem::take(&mut self.turned_away);
        if count > 0 {
            self.lose(Gap { reason: GapReason::MapBound, count, healed: false, at: now });
        }
    }
}

fn make_room<K: std::hash::Hash + Eq, V>(names: &mut HashMap<K, V>, key: &K) {
    if names.len() >= MAX_NAMES && !names.contains_key(key) {
        names.clear();
    }
}
