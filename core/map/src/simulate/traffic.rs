//! Connections between pods, and what the agents at both ends count of them.
//!
//! Each pod of a service that depends on another one holds a few connections to one pod of that, through the Service's
//! address, and makes short ones besides. When that pod goes, another one takes its place; while there is none, attempts
//! are refused, and those to a node that is lost are not answered.

use std::sync::Arc;

use super::Simulation;
use super::cluster::{PORT, SimulatedPod, TARGET_PORT};
use crate::model::{
    AddressClass, ConnectLatency, Direction, FactBody, Failures, FlowDelta, FlowKey, SocketExample,
};

/// Connections that a pod holds to another one.
const HELD: std::ops::RangeInclusive<u32> = 1..=3;
/// Short connections of a flow between two drains in which it is counted.
const SHORT: std::ops::RangeInclusive<u32> = 1..=20;
/// Attempts while nobody answers.
const RETRIES: std::ops::RangeInclusive<u32> = 1..=5;

/// A dependency.
#[derive(Debug)]
pub(super) struct SimulatedEdge {
    pub(super) source: usize,
    pub(super) destination: usize,
    pub(super) present: bool,
    pub(super) links: Vec<Link>,
}

/// Connections of one pod to another one.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) client: Arc<SimulatedPod>,
    /// `None` while nobody takes connections.
    pub(super) server: Option<Arc<SimulatedPod>>,
    open: u32,
}

/// How connections end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// They are closed.
    Closed,
    /// The other side cuts them off.
    Reset,
    /// The other side does not answer any more.
    Timeout,
}

impl Simulation {
    /// A pod connects over an edge. `preexisting`: it had done so before the start.
    pub(super) fn connect(&mut self, edge: usize, client: &Arc<SimulatedPod>, preexisting: bool) {
        let server = self.server_for(edge, client);
        let open = if server.is_some() { self.rng.u32(HELD) } else { 0 };
        let link = Link { client: client.clone(), server, open };
        let latency = self.rng.u64(50..5_000);
        self.tell_link(edge, &link, |delta| {
            delta.opened = open.into();
            delta.preexisting = if preexisting { open.into() } else { 0 };
            if !preexisting {
                delta.connect = latencies(delta.key.direction, open, latency);
            }
        });
        if let Some(edge) = self.edges.get_mut(edge) {
            edge.links.push(link);
        }
    }

    /// One of the pods that take connections, the same one for a client as long as they stay the same.
    fn server_for(&self, edge: usize, client: &SimulatedPod) -> Option<Arc<SimulatedPod>> {
        let service = self.services.get(self.edges.get(edge)?.destination)?;
        let ready: Vec<_> = service.members.iter().filter(|member| member.takes_connections()).collect();
        let chosen = (usize::try_from(client.serial).ok()? + edge).checked_rem(ready.len())?;
        ready.get(chosen).map(|member| member.pod.clone())
    }

    /// A pod's connections over a link end.
    pub(super) fn end(&mut self, edge: usize, link: &Link, how: Ending) {
        let open = u64::from(link.open);
        self.tell_link(edge, link, |delta| {
            delta.closed = open;
            match how {
                Ending::Closed => {}
                Ending::Reset => (delta.failed.reset, delta.cut) = (open, open),
                Ending::Timeout => (delta.failed.timeout, delta.cut) = (open, open),
            }
        });
    }

    /// All connections over an edge end.
    pub(super) fn end_all(&mut self, edge: usize, how: Ending) {
        let Some(links) = self.edges.get_mut(edge).map(|edge| std::mem::take(&mut edge.links)) else {
            return;
        };
        for link in &links {
            self.end(edge, link, how);
        }
    }

    /// All pods of an edge's source connect over it.
    pub(super) fn connect_all(&mut self, edge: usize, preexisting: bool) {
        let source = self.edges.get(edge).and_then(|edge| self.services.get(edge.source));
        let clients: Vec<_> = source.into_iter().flat_map(|source| &source.members).collect();
        let clients: Vec<_> = clients.into_iter().map(|member| member.pod.clone()).collect();
        for client in &clients {
            self.connect(edge, client, preexisting);
        }
    }

    /// Who takes connections at a service has changed: those whose pod does not any more end and go to another one.
    pub(super) fn reroute(&mut self, service: usize, how: Ending) {
        let Some(service) = self.services.get(service) else { return };
        let ready: Vec<_> = service.members.iter().filter(|member| member.takes_connections()).collect();
        let ready: Vec<_> = ready.into_iter().map(|member| member.pod.serial).collect();
        for edge in service.called_by.clone() {
            let Some(links) = self.edges.get_mut(edge).map(|edge| &mut edge.links) else { continue };
            let stays = |link: &mut Link| match &link.server {
                Some(server) => ready.contains(&server.serial),
                None => ready.is_empty(),
            };
            let moved: Vec<_> = links.extract_if(.., |link| !stays(link)).collect();
            for link in moved {
                self.end(edge, &link, how);
                self.connect(edge, &link.client, false);
            }
        }
    }

    /// A pod is gone from a service: it connects to nobody any more.
    pub(super) fn hang_up(&mut self, service: usize, serial: u64) {
        let Some(service) = self.services.get(service) else { return };
        for edge in service.calls.clone() {
            let Some(links) = self.edges.get_mut(edge).map(|edge| &mut edge.links) else { continue };
            let gone: Vec<_> = links.extract_if(.., |link| link.client.serial == serial).collect();
            for link in &gone {
                self.end(edge, link, Ending::Closed);
            }
        }
    }

    /// What is counted between two drains. Those that nobody answers try again all the time; of the others so many flows,
    /// by turns.
    pub(super) fn drain(&mut self, flows: usize) {
        for edge in 0..self.edges.len() {
            let links = self.edges.get(edge).into_iter().flat_map(|edge| &edge.links);
            let unanswered: Vec<_> = links.filter(|link| !self.is_answered(link)).cloned().collect();
            for link in &unanswered {
                self.try_in_vain(edge, link);
            }
        }
        let mut counted = 0;
        // One round at most: a flow is told once a drain.
        for _ in 0..self.edges.len() {
            if counted >= flows {
                break;
            }
            let edge = self.turn % self.edges.len();
            self.turn = edge + 1;
            let links = self.edges.get(edge).into_iter().flat_map(|edge| &edge.links);
            let answered: Vec<_> = links.filter(|link| self.is_answered(link)).cloned().collect();
            counted += answered.len();
            for link in &answered {
                self.use_link(edge, link);
            }
        }
    }

    fn is_answered(&self, link: &Link) -> bool {
        link.server.as_ref().is_some_and(|server| !self.is_lost(server))
    }

    fn is_lost(&self, pod: &SimulatedPod) -> bool {
        self.nodes.get(pod.node).is_some_and(|node| node.lost)
    }

    fn try_in_vain(&mut self, edge: usize, link: &Link) {
        let attempts = u64::from(self.rng.u32(RETRIES));
        let refused = if link.server.is_none() { attempts } else { 0 };
        let failed = Failures { refused, timeout: attempts - refused, ..Failures::default() };
        if !self.is_lost(&link.client) {
            self.tell_link(edge, link, |delta| delta.failed = failed);
        }
    }

    fn use_link(&mut self, edge: usize, link: &Link) {
        let (short, latency) = (self.rng.u32(SHORT), self.rng.u64(50..5_000));
        let (sent, received) = (self.rng.u64(200..20_000), self.rng.u64(200..200_000));
        let (retransmits, rtt) = (u64::from(self.rng.u8(..) == 0), self.rng.u32(50..2_000));
        if self.is_lost(&link.client) {
            return;
        }
        self.tell_link(edge, link, |delta| {
            (delta.opened, delta.closed) = (short.into(), short.into());
            (delta.bytes_sent, delta.bytes_received) = match delta.key.direction {
                Direction::Inbound => (received, sent),
                Direction::Outbound | Direction::Listen => (sent, received),
            };
            (delta.retransmits, delta.rtt_us) = (retransmits, Some(rtt));
            delta.connect = latencies(delta.key.direction, short, latency);
        });
    }

    /// A pod begins to listen, or ends.
    pub(super) fn listen(&mut self, pod: &SimulatedPod, begins: bool) {
        let key = FlowKey { port: TARGET_PORT, ..key(pod, Direction::Listen, [0, 0, 0, 0].into()) };
        let (opened, closed) = (u64::from(begins), u64::from(!begins));
        self.tell_flow(pod, FlowDelta { opened, closed, ..FlowDelta::nothing(key) });
    }

    /// Tells both ends of a link.
    fn tell_link(&mut self, edge: usize, link: &Link, mut what: impl FnMut(&mut FlowDelta)) {
        let service = self.edges.get(edge).and_then(|edge| self.services.get(edge.destination));
        let Some(address) = service.map(super::cluster::SimulatedService::address) else { return };
        let key_of_client = FlowKey { port: PORT, ..key(&link.client, Direction::Outbound, address) };
        let mut delta = FlowDelta::nothing(key_of_client);
        what(&mut delta);
        self.tell_flow(&link.client, delta);
        // Of attempts that nobody answers the other side knows nothing.
        let Some(server) = &link.server else { return };
        let key = key(server, Direction::Inbound, link.client.address);
        let mut delta = FlowDelta::nothing(FlowKey { port: TARGET_PORT, ..key });
        what(&mut delta);
        (delta.failed, delta.cut) = (Failures::default(), 0);
        self.tell_flow(server, delta);
    }

    /// The agent of a pod's node tells, where there is something to tell; one that is not heard, once it is again.
    fn tell_flow(&mut self, pod: &SimulatedPod, delta: FlowDelta) {
        if delta.opened + delta.closed + delta.failed.total() == 0 {
            return;
        }
        self.sockets += 1;
        let local_port = match delta.key.direction {
            Direction::Outbound => 32_768 + u16::try_from(self.sockets % 28_000).unwrap_or_default(),
            Direction::Inbound | Direction::Listen => TARGET_PORT,
        };
        let has_example = delta.opened > 0 && delta.key.direction != Direction::Listen;
        let example = has_example.then(|| SocketExample {
            pid: u32::try_from(1_000 + pod.cgroup).unwrap_or_default(),
            uid: 1_000,
            local_address: pod.address,
            local_port,
            cookie: self.sockets,
        });
        self.tell_of_node(
            pod.node,
            FactBody::Flow(FlowDelta { first: self.now, last: self.now, example, ..delta }),
        );
    }
}

fn key(pod: &SimulatedPod, direction: Direction, remote: std::net::IpAddr) -> FlowKey {
    FlowKey {
        machine: pod.machine,
        cgroup: pod.cgroup,
        netns: pod.netns,
        direction,
        local_class: AddressClass::Other,
        remote,
        port: 0,
        program: pod.program.clone(),
        folded: false,
        generation: 0,
    }
}

/// Clients know how long they waited; here each of a delta as long as the others.
fn latencies(direction: Direction, count: u32, each_us: u64) -> Option<Box<ConnectLatency>> {
    if direction != Direction::Outbound || count == 0 {
        return None;
    }
    let count = u64::from(count);
    let bucket = ConnectLatency::BOUNDS_US.iter().position(|bound| each_us <= *bound)?;
    let mut latency = ConnectLatency { sum_us: each_us * count, ..ConnectLatency::default() };
    *latency.counts.get_mut(bucket)? = count;
    Some(Box::new(latency))
}
