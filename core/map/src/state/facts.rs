//! Takes facts: counters wait for the next settling, names are learned at once.

use std::net::IpAddr;
use std::sync::Arc;

use super::flows::Flow;
use super::settle::Fresh;
use super::slots::Id;
use super::sums::Sums;
use super::{Change, State};
use crate::model::{
    Bound, ContainerCgroup, Direction, FlowDelta, FlowKey, Gap, GapReason, MachineId, Timestamp,
};

/// Gaps that snapshots show; older ones remain counted in the statistics. Those of one reason in a row are one, so this
/// many are an unusual day.
const MAX_GAPS: usize = 64;

impl State {
    /// Connections or listeners were counted.
    pub(crate) fn count(&mut self, delta: FlowDelta, at: Timestamp) {
        if let Some(example) = delta.example.as_ref().filter(|_| !delta.foreign_local) {
            self.set_address(delta.key.machine, delta.key.netns, example.local_address, true);
        }
        if delta.key.direction == Direction::Listen {
            // Binding to an address proves that the namespace has it.
            self.set_address(delta.key.machine, delta.key.netns, delta.key.remote, true);
        }
        let Some(flow) = self.flow_or_rest(&delta.key, at) else { return };
        self.note(flow, Sums::of(delta, at));
    }

    /// Notes what was counted of a flow, for the next settling.
    fn note(&mut self, flow: Id<Flow>, sums: Sums) {
        self.fresh_since = Some(self.fresh_since.map_or(sums.first, |since| since.min(sums.first)));
        let waiting = self.flows.get(flow).and_then(|flow| flow.fresh);
        if let Some(fresh) = waiting.and_then(|index| self.fresh.get_mut(index as usize)) {
            fresh.sums.merge(&sums);
            return;
        }
        let index = u32::try_from(self.fresh.len()).ok();
        self.fresh.push(Fresh { flow, sums });
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.fresh = index;
        }
    }

    pub(super) fn new_flow(&mut self, key: &FlowKey) -> Option<Id<Flow>> {
        if self.flows.len() >= self.settings.max_flows {
            return None;
        }
        self.make_flow(key)
    }

    /// A new flow, whether there is room or not.
    pub(super) fn make_flow(&mut self, key: &FlowKey) -> Option<Id<Flow>> {
        let machine = self.resolver.machines.get_mut(key.machine)?;
        let id = self.flows.insert(key.clone())?;
        machine.flows += 1;
        machine.names.hold_cgroup(key.cgroup);
        machine.homes.hold(key.netns);
        Some(id)
    }

    /// A network namespace has an address, or has it no longer. Taking one away ends its interval: what was counted
    /// before keeps its name.
    pub(crate) fn set_address(&mut self, machine: MachineId, netns: u32, address: IpAddr, present: bool) {
        if !present {
            self.resolver.machines.remove_address(machine, netns, address);
            return;
        }
        match self.resolver.machines.insert_address(machine, netns, address) {
            Some(true) => self.stale.addresses.insert(address.to_canonical()),
            Some(false) => false,
            None => {
                self.turn_away(Bound::Names, 1);
                false
            }
        };
    }

    /// A network namespace has a name, or is its machine's own.
    pub(crate) fn set_namespace(&mut self, machine: MachineId, netns: u32, name: Option<Arc<str>>) {
        let machine = self.resolver.machines.get_mut(machine);
        let news = machine.and_then(|machine| machine.names.set_namespace(netns, name));
        self.learned(news);
    }

    /// A cgroup has a path.
    pub(crate) fn set_cgroup(&mut self, machine: MachineId, id: u64, path: &str) {
        let machine = self.resolver.machines.get_mut(machine);
        let news = machine.and_then(|machine| machine.names.set_cgroup(id, path));
        self.learned(news);
    }

    /// The processes of a network namespace are in the cgroup of a container, or of none any more.
    pub(crate) fn set_home(&mut self, machine: MachineId, netns: u32, cgroup: Option<&ContainerCgroup>) {
        let machine = self.resolver.machines.get_mut(machine);
        let news = machine.and_then(|machine| machine.homes.set(netns, cgroup));
        self.learned(news);
    }

    /// A machine has a name, and is observed or not.
    pub(crate) fn set_machine(&mut self, machine: MachineId, name: &Arc<str>, since: Option<Timestamp>) {
        let news = self.resolver.machines.set(machine, name, since);
        self.learned(news);
    }

    /// A machine will not be heard of any more: what is open there ends, as far as the map is concerned.
    pub(crate) fn forget_machine(&mut self, machine: MachineId, at: Timestamp) {
        if !self.resolver.machines.part(machine) {
            return;
        }
        self.stale.everything = true;
        let of_machine = self.flows.iter().filter(|(_, flow)| flow.key.machine == machine);
        let open: Vec<_> = of_machine
            .map(|(id, flow)| {
                let mut sums = flow.sums.clone();
                if let Some(fresh) = flow.fresh.and_then(|index| self.fresh.get(index as usize)) {
                    sums.merge(&fresh.sums);
                }
                (id, sums.counts.active())
            })
            .filter(|(_, open)| *open > 0)
            .collect();
        for (flow, open) in open {
            self.note(flow, Sums::closed(open, at));
        }
    }

    /// Whether flows may be called differently by something that was told; `None` where there was no room for it.
    fn learned(&mut self, news: Option<bool>) {
        match news {
            Some(news) => self.stale.everything |= news,
            None => self.turn_away(Bound::Names, 1),
        }
    }

    /// Something was lost, or what was lost before for this reason was made good.
    pub(crate) fn lose(&mut self, gap: Gap) {
        if gap.healed {
            let mut found = false;
            for lost in self.gaps.iter_mut().filter(|lost| lost.reason == gap.reason && !lost.healed) {
                lost.healed = true;
                found = true;
            }
            if found {
                self.changes.push(Change::Lost(gap));
                return;
            }
        }
        *self.statistics.gaps.entry(gap.reason).or_default() += gap.count;
        self.changes.push(Change::Lost(gap.clone()));
        match self.gaps.back_mut() {
            Some(last) if last.reason == gap.reason && last.healed == gap.healed => {
                last.count = last.count.saturating_add(gap.count);
            }
            _ => {
                if self.gaps.len() == MAX_GAPS {
                    self.gaps.pop_front();
                }
                self.gaps.push_back(gap);
            }
        }
    }

    /// A bound turned something away.
    pub(super) fn turn_away(&mut self, bound: Bound, count: u64) {
        self.turned_away += count;
        self.count_bounded(bound, count);
    }

    /// A bound was met; nothing is lost by it.
    pub(crate) fn count_bounded(&mut self, bound: Bound, count: u64) {
        if count > 0 {
            *self.statistics.bounded.entry(bound).or_default() += count;
        }
    }

    /// Tells what the map's own bounds turned away.
    pub(super) fn tell_turned_away(&mut self, now: Timestamp) {
        let count = std::mem::take(&mut self.turned_away);
        if count > 0 {
            self.lose(Gap { reason: GapReason::MapBound, count, healed: false, at: now });
        }
    }
}
