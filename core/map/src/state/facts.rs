//! Takes facts: counters wait for the next settling, names are learned at once.

use std::net::IpAddr;
use std::sync::Arc;

use super::settle::Fresh;
use super::sums::Sums;
use super::{Change, State};
use crate::model::{Direction, FlowDelta, Gap, GapReason, Timestamp};

/// Gaps that snapshots show; older ones remain counted in the statistics. Those of one reason in a row are one, so this
/// many are an unusual day.
const MAX_GAPS: usize = 64;

impl State {
    /// Connections or listeners were counted.
    pub(crate) fn count(&mut self, delta: FlowDelta, at: Timestamp) {
        if let Some(example) = &delta.example {
            self.set_address(delta.key.netns, example.local_address, true);
        }
        if delta.key.direction == Direction::Listen {
            // Binding to an address proves that the namespace has it.
            self.set_address(delta.key.netns, delta.key.remote, true);
        }
        let Some(flow) = self.flows.find(&delta.key).or_else(|| self.new_flow(&delta)) else {
            self.turned_away += 1;
            return;
        };
        let sums = Sums::of(delta, at);
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

    fn new_flow(&mut self, delta: &FlowDelta) -> Option<super::Id<super::Flow>> {
        if self.flows.len() >= self.settings.max_flows {
            return None;
        }
        let id = self.flows.insert(delta.key.clone())?;
        self.resolver.names.hold_cgroup(delta.key.cgroup);
        Some(id)
    }

    /// A network namespace has an address, or has it no longer. Taking one away ends its interval: what was counted
    /// before keeps its name.
    pub(crate) fn set_address(&mut self, netns: u32, address: IpAddr, present: bool) {
        if !present {
            self.resolver.addresses.remove(netns, address);
            return;
        }
        match self.resolver.addresses.insert(netns, address) {
            Some(true) => self.stale.addresses.insert(address.to_canonical()),
            Some(false) => false,
            None => {
                self.turned_away += 1;
                false
            }
        };
    }

    /// A network namespace has a name, or is the machine's own.
    pub(crate) fn set_namespace(&mut self, netns: u32, name: Option<Arc<str>>) {
        match self.resolver.names.set_namespace(netns, name) {
            Some(news) => self.stale.everything |= news,
            None => self.turned_away += 1,
        }
    }

    /// A cgroup has a path.
    pub(crate) fn set_cgroup(&mut self, id: u64, path: &str) {
        match self.resolver.names.set_cgroup(id, path) {
            Some(news) => self.stale.everything |= news,
            None => self.turned_away += 1,
        }
    }

    /// Something was lost.
    pub(crate) fn lose(&mut self, gap: Gap) {
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

    /// Tells what the map's own bounds turned away.
    pub(super) fn tell_turned_away(&mut self, now: Timestamp) {
        let count = std::mem::take(&mut self.turned_away);
        if count > 0 {
            self.lose(Gap { reason: GapReason::MapBound, count, healed: false, at: now });
        }
    }
}
