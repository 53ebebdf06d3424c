//! Nodes that are lost: what their pods' callers see, when the cluster notices, and when it helps itself.

use std::time::Duration;

use super::Simulation;
use super::happenings::Happening;
use super::traffic::Ending;
use crate::agents::{INTERVALS_UNTIL_LOST, REPORT_INTERVAL};
use crate::model::{FactBody, KubernetesFact};

/// A node that is not heard of this long is not ready, nor are its pods (the node controller's
/// `--node-monitor-grace-period`).
const NODE_GRACE: Duration = Duration::from_secs(40);
/// Then its pods are replaced after this long (`tolerationSeconds` that every pod gets).
const TOLERATION: Duration = Duration::from_mins(5);

impl Simulation {
    pub(super) fn lose_node(&mut self, node: usize, lasting: Option<Duration>) {
        let Some(known) = self.nodes.get_mut(node).filter(|node| !node.lost) else { return };
        known.lost = true;
        known.turns += 1;
        let turns = known.turns;
        self.after(REPORT_INTERVAL * INTERVALS_UNTIL_LOST, Happening::NodeUnheard { node, turns });
        self.after(NODE_GRACE, Happening::NodeNotReady { node, turns });
        let for_good = lasting.is_none();
        self.after(NODE_GRACE + TOLERATION, Happening::NodeEvicted { node, turns, for_good });
        if let Some(lasting) = lasting {
            self.after(lasting, Happening::NodeBack { node });
        }
    }

    /// Whether a node is lost as it was at that turn.
    fn is_lost_since(&self, node: usize, turns: u32) -> bool {
        self.nodes.get(node).is_some_and(|node| node.lost && node.turns == turns)
    }

    pub(super) fn unhear_node(&mut self, node: usize, turns: u32) {
        if !self.is_lost_since(node, turns) {
            return;
        }
        let Some(known) = self.nodes.get(node) else { return };
        // The door through which agents tell says this of one that it does not hear.
        let (source, name) = (known.source(), known.name.clone());
        self.tell(source, 0, FactBody::Machine { name, observed_since: None });
    }

    /// The pods of a node are ready, or not ready, if it still is as it was at that turn.
    pub(super) fn set_node_ready(&mut self, node: usize, turns: u32, ready: bool) {
        if self.nodes.get(node).is_none_or(|node| node.turns != turns) {
            return;
        }
        for service in 0..self.services.len() {
            self.set_ready(service, |member| member.pod.node == node, ready, Ending::Timeout);
        }
    }

    /// The pods of a lost node are replaced by others elsewhere.
    pub(super) fn evict(&mut self, node: usize, turns: u32, for_good: bool) {
        if !self.is_lost_since(node, turns) {
            return;
        }
        for service in 0..self.services.len() {
            let members = self.services.get(service).map_or(&[][..], |service| &service.members);
            let lost = members.iter().filter(|member| member.pod.node == node);
            let lost: Vec<_> = lost.map(|member| member.pod.serial).collect();
            for serial in lost {
                self.start_pod(service, false);
                self.gone(service, serial);
            }
        }
        let Some(known) = self.nodes.get(node).filter(|_| for_good) else { return };
        let (source, name) = (known.source(), known.name.clone());
        self.tell_object(KubernetesFact::NodeGone { name });
        self.tell(source, 0, FactBody::MachineGone);
    }

    pub(super) fn return_node(&mut self, node: usize) {
        let Some(known) = self.nodes.get_mut(node).filter(|node| node.lost) else { return };
        known.lost = false;
        known.turns += 1;
        let turns = known.turns;
        let (name, untold) = (known.name.clone(), std::mem::take(&mut known.untold));
        self.tell_of_node(node, FactBody::Machine { name, observed_since: Some(self.now) });
        for body in untold {
            self.tell_of_node(node, body);
        }
        self.set_node_ready(node, turns, true);
    }
}
