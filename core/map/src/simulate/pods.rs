//! Pods that come and go, and what their Services' endpoints are then.

use std::time::Duration;

use super::Simulation;
use super::cluster::{Member, SimulatedService};
use super::happenings::Happening;
use super::traffic::Ending;
use crate::model::{FactBody, KubernetesFact};

/// From the start of a pod until it is ready.
const STARTING: Duration = Duration::from_secs(3);
/// From when a pod is told to go until it is gone.
const LEAVING: Duration = Duration::from_secs(1);
impl Simulation {
    /// A new pod of a service, on a node by turns. `ready`: it was there before the start.
    pub(super) fn start_pod(&mut self, service: usize, ready: bool) {
        self.pods += 1;
        let serial = self.pods;
        let first = usize::try_from(serial).unwrap_or_default();
        let count = self.nodes.len();
        let node = (0..count)
            .map(|more| (first + more) % count)
            .find(|node| self.nodes.get(*node).is_some_and(|node| !node.lost));
        let Some(known) = self.services.get_mut(service) else { return };
        let Some((at, node)) = node.and_then(|at| Some((at, self.nodes.get_mut(at)?))) else { return };
        let pod = node.start(at, known, serial);
        let member = Member { pod: pod.clone(), ready, replaced: false, leaving: false };
        let object = known.pod_object(&member);
        known.members.push(member);
        self.tell_object(object);
        self.tell_of_node(at, FactBody::Cgroup { id: pod.cgroup, path: pod.cgroup_path() });
        let (netns, address) = (pod.netns, pod.address);
        self.tell_of_node(at, FactBody::Address { netns, address, present: true });
        self.listen(&pod, true);
        if !ready {
            self.after(STARTING, Happening::Started { service, pod: serial });
        }
    }

    pub(super) fn started(&mut self, service: usize, serial: u64) {
        let failing = self.services.get(service).is_some_and(|service| service.failing);
        let calls = self.services.get(service).map(|service| service.calls.clone()).unwrap_or_default();
        let Some(member) = self.services.get_mut(service).and_then(|known| known.member_mut(serial)) else {
            return;
        };
        member.ready = !failing;
        let client = member.pod.clone();
        self.tell_pod(service, serial);
        self.tell_endpoints(service, Ending::Closed);
        for edge in calls.into_iter().filter(|edge| self.is_present(*edge)).collect::<Vec<_>>() {
            let links = self.edges.get(edge).map_or(&[][..], |edge| &edge.links);
            // A dependency that came meanwhile has connected it already.
            if links.iter().all(|link| link.client.serial != serial) {
                self.connect(edge, &client, false);
            }
        }
    }

    pub(super) fn gone(&mut self, service: usize, serial: u64) {
        self.hang_up(service, serial);
        let Some(known) = self.services.get_mut(service) else { return };
        let Some(member) = known.members.extract_if(.., |member| member.pod.serial == serial).next() else {
            return;
        };
        self.tell_endpoints(service, Ending::Closed);
        let pod = member.pod;
        self.listen(&pod, false);
        let (netns, address) = (pod.netns, pod.address);
        self.tell_of_node(pod.node, FactBody::Address { netns, address, present: false });
        self.tell_object(KubernetesFact::PodGone { uid: pod.uid.clone() });
    }

    /// Replaces the first of these pods, and the others once the new one is ready.
    pub(super) fn roll(&mut self, service: usize, mut old: Vec<u64>) {
        if old.is_empty() {
            return;
        }
        let pod = old.remove(0);
        match self.services.get_mut(service).and_then(|known| known.member_mut(pod)) {
            Some(member) if !member.replaced => {
                member.replaced = true;
                self.start_pod(service, false);
                self.after(STARTING, Happening::Leave { service, pod, next: old });
            }
            // Something else has replaced it meanwhile.
            _ => self.roll(service, old),
        }
    }

    pub(super) fn leave(&mut self, service: usize, pod: u64) {
        let known = self.services.get_mut(service);
        let Some(member) = known.and_then(|known| known.member_mut(pod)) else { return };
        member.leaving = true;
        self.tell_endpoints(service, Ending::Closed);
        self.after(LEAVING, Happening::Gone { service, pod });
    }

    /// Tells of a pod as it is now.
    fn tell_pod(&mut self, service: usize, serial: u64) {
        let Some(service) = self.services.get(service) else { return };
        let member = service.members.iter().find(|member| member.pod.serial == serial);
        if let Some(object) = member.map(|member| service.pod_object(member)) {
            self.tell_object(object);
        }
    }

    /// Tells of a service's endpoints as they are now; connections follow.
    fn tell_endpoints(&mut self, service: usize, how: Ending) {
        let slice = self.services.get(service).map(SimulatedService::slice);
        if let Some(slice) = slice {
            self.tell_object(slice);
        }
        self.reroute(service, how);
    }

    /// Sets whether pods of a service are ready.
    pub(super) fn set_ready(
        &mut self,
        service: usize,
        which: impl Fn(&Member) -> bool,
        ready: bool,
        how: Ending,
    ) {
        let Some(known) = self.services.get_mut(service) else { return };
        let ready = ready && !known.failing;
        let turned = known.members.iter_mut().filter(|member| member.ready != ready && which(member));
        let turned: Vec<_> = turned
            .map(|member| {
                member.ready = ready;
                member.pod.serial
            })
            .collect();
        for serial in &turned {
            self.tell_pod(service, *serial);
        }
        if !turned.is_empty() {
            self.tell_endpoints(service, how);
        }
    }
}
