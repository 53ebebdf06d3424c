//! From a flow's key to the pods or programs at its two ends.

use std::net::IpAddr;
use std::sync::Arc;

use super::cluster::Cluster;
use super::ends::{Instant, Resolver};
use super::machines::{Machine, Whereabouts};
use crate::model::{Direction, FlowKey, PairEnd};

impl Resolver {
    /// Who is at the two ends of a flow, the source first; `None` for what is no pair. `local` is the address of one of its
    /// sockets.
    pub(crate) fn pair(&self, key: &FlowKey, local: Option<IpAddr>, when: Instant) -> Option<[PairEnd; 2]> {
        let machine = self.machines.get(key.machine)?;
        let here = PairEnd { address: local, ..self.at_socket(machine, key.cgroup, key.netns, &key.program) };
        match key.direction {
            Direction::Outbound => Some([here, self.remote(key, when)]),
            Direction::Inbound => {
                let there = if key.folded { PairEnd::default() } else { self.at_address(key.remote, when) };
                Some([there, here])
            }
            Direction::Listen => None,
        }
    }

    /// Whose socket it is.
    fn at_socket(&self, machine: &Machine, cgroup: u64, netns: u32, program: &Arc<str>) -> PairEnd {
        let program = (!program.is_empty()).then(|| program.clone());
        let pod = self.pod(machine, cgroup, netns).and_then(|(uid, _)| self.cluster.pod_end(uid));
        match pod {
            Some(pod) => PairEnd { program, ..pod },
            None => PairEnd { node: Some(machine.name.clone()), program, ..PairEnd::default() },
        }
    }

    /// Who accepts what a client has opened.
    fn remote(&self, key: &FlowKey, when: Instant) -> PairEnd {
        if key.folded {
            return PairEnd::default();
        }
        let known = self.at_address(key.remote, when);
        if known.pod.is_some() {
            return known;
        }
        let Whereabouts::At(there, netns) =
            self.machines.locate(key.machine, key.netns, key.remote, key.port)
        else {
            return known;
        };
        let Some(found) = there.listener(netns, key.remote, key.port) else { return known };
        PairEnd { address: known.address, ..self.at_socket(there, found.cgroup, netns, &found.program) }
    }

    fn at_address(&self, address: IpAddr, when: Instant) -> PairEnd {
        let pod = self.cluster.pod_at(address, when).and_then(|uid| self.cluster.pod_end(uid));
        let node = || self.cluster.node_of(address, when).cloned();
        let end = pod.unwrap_or_else(|| PairEnd { node: node(), ..PairEnd::default() });
        PairEnd { address: Some(address), ..end }
    }
}

impl Cluster {
    /// A pod as the end of a pair.
    fn pod_end(&self, uid: &str) -> Option<PairEnd> {
        let (namespace, pod, node) = self.pod_place(uid)?;
        let node = (!node.is_empty()).then(|| node.clone());
        Some(PairEnd {
            namespace: Some(namespace.clone()),
            pod: Some(pod.clone()),
            node,
            ..PairEnd::default()
        })
    }
}
