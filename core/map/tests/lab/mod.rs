//! A small language for tests: facts in, lines of events out.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "helpers of tests may panic")]

pub(crate) mod agents;
pub(crate) mod cluster;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::changes::Cursor;
use servicemap_map::model::{
    AddressClass, ConnectLatency, Connection, Direction, Event, Fact, FactBody, FlowDelta, FlowKey,
    MachineId, Origin, RunId, Service, Snapshot, SocketExample, SourceId, Timestamp,
};
use servicemap_map::record::{Header, Step};
use servicemap_map::{MapSettings, ServiceMap};
use uuid::Uuid;

/// The network namespace of the machine itself.
pub(crate) const HOST: u32 = 1;

/// Second 0 of every test: 2027-01-15T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

/// A map with a clock and a reader of its log.
pub(crate) struct Lab {
    pub(crate) map: ServiceMap,
    pub(crate) now: Timestamp,
    cursor: Cursor,
    /// How the map began.
    pub(crate) header: Header,
    /// What the map was told, where a test keeps it.
    pub(crate) recording: Option<Vec<Step>>,
}

impl Lab {
    /// A ready map of the machine `box`, at second 0.
    pub(crate) fn new() -> Self {
        let mut lab = Self::starting(MapSettings::default());
        lab.ready();
        lab
    }

    /// A ready map with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut MapSettings)) -> Self {
        let mut settings = MapSettings::default();
        change(&mut settings);
        let mut lab = Self::starting(settings);
        lab.ready();
        lab
    }

    /// A map whose sources have told nothing yet.
    pub(crate) fn starting(settings: MapSettings) -> Self {
        let settings = MapSettings { host: "box".into(), ..settings };
        let header = Header::new(settings, RunId(Uuid::nil()), START);
        let mut map = header.map();
        map.expect(SourceId::Capture);
        let cursor = map.log().cursor_at_end();
        Self { map, now: START, cursor, header, recording: None }
    }

    /// Tells the map something, and keeps it where that is wanted.
    pub(crate) fn take(&mut self, step: Step) {
        if let Some(recording) = &mut self.recording {
            recording.push(step.clone());
        }
        match step {
            // Tests ask for the addresses that changed hands by themselves.
            Step::Apply(fact) => self.map.apply(fact),
            step => step.take(&mut self.map),
        }
    }

    /// All sources have told what existed; the machine's own namespace is known.
    pub(crate) fn ready(&mut self) {
        self.state(FactBody::NetworkNamespace { netns: HOST, name: None });
        self.state(FactBody::Ready(SourceId::Capture));
        self.settle();
    }

    /// Tells a counter fact that happens now.
    pub(crate) fn tell(&mut self, delta: impl Into<FlowDelta>) {
        let delta = delta.into();
        let (first, last) = (self.now, self.now);
        self.state(FactBody::Flow(FlowDelta { first, last, ..delta }));
    }

    /// Tells a fact.
    pub(crate) fn state(&mut self, body: FactBody) {
        let origin = Origin { source: SourceId::Capture, sequence: 0 };
        self.take(Step::Apply(Fact { at: self.now, origin, body }));
    }

    /// Tells that a namespace has an address.
    pub(crate) fn address(&mut self, netns: u32, address: &str) {
        self.state(FactBody::Address { netns, address: ip(address), present: true });
    }

    /// Tells the path of a cgroup.
    pub(crate) fn cgroup(&mut self, id: u64, path: &str) {
        self.state(FactBody::Cgroup { id, path: path.into() });
    }

    /// Lets the map settle what it was told, without any time passing.
    pub(crate) fn settle(&mut self) {
        self.take(Step::Advance(self.now));
    }

    /// Lets time pass until a second of the test, meeting each deadline as an observer does.
    pub(crate) fn until(&mut self, second: f64) {
        let end = at(second);
        self.take(Step::Advance(self.now));
        while let Some(due) = self.map.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.take(Step::Advance(self.now));
        }
        self.now = end;
        self.take(Step::Advance(end));
    }

    /// What was told since this was last asked.
    pub(crate) fn events(&mut self) -> Vec<Arc<Event>> {
        self.map.log().read(&mut self.cursor, usize::MAX).events
    }

    /// The same as lines of type and subject.
    pub(crate) fn news(&mut self) -> Vec<String> {
        self.events().iter().map(|event| format!("{} {}", event.event_type, event.subject)).collect()
    }

    /// The same without `topology.changed`.
    pub(crate) fn news_but_topology(&mut self) -> Vec<String> {
        let mut news = self.news();
        news.retain(|line| !line.starts_with("topology"));
        news
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.map.snapshot(self.now)
    }

    /// Keys of the edges, in the snapshot's order.
    pub(crate) fn edges(&self) -> Vec<String> {
        self.snapshot().connections.iter().map(|connection| connection.edge.key()).collect()
    }

    /// Ids of the services, in the snapshot's order.
    pub(crate) fn services(&self) -> Vec<String> {
        self.snapshot().services.iter().map(|service| service.id.to_string()).collect()
    }

    /// The edge with a key.
    pub(crate) fn edge(&self, key: &str) -> Arc<Connection> {
        let found = self.snapshot().connections.into_iter().find(|connection| connection.edge.key() == key);
        found.unwrap_or_else(|| unreachable!("no edge {key} among {:?}", self.edges()))
    }

    /// The service with an id.
    pub(crate) fn service(&self, id: &str) -> Arc<Service> {
        let found = self.snapshot().services.into_iter().find(|service| service.id.to_string() == id);
        found.unwrap_or_else(|| unreachable!("no service {id} among {:?}", self.services()))
    }
}

/// A second of the test.
pub(crate) fn at(second: f64) -> Timestamp {
    START + Duration::from_secs_f64(second)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A delta that is being described.
#[derive(Clone, Debug)]
pub(crate) struct Delta(FlowDelta);

impl From<Delta> for FlowDelta {
    fn from(delta: Delta) -> Self {
        delta.0
    }
}

/// A program of the machine that connects to an address and port.
pub(crate) fn client(program: &str, remote: &str, port: u16) -> Delta {
    delta(Direction::Outbound, program, remote, port)
}

/// A program of the machine that accepts at a port from an address.
pub(crate) fn server(program: &str, remote: &str, port: u16) -> Delta {
    delta(Direction::Inbound, program, remote, port)
}

/// A program of the machine that begins to listen.
pub(crate) fn listener(program: &str, bound: &str, port: u16) -> Delta {
    delta(Direction::Listen, program, bound, port).opened(1)
}

fn delta(direction: Direction, program: &str, remote: &str, port: u16) -> Delta {
    let remote = ip(remote);
    let local_class = if remote.is_loopback() { AddressClass::Loopback } else { AddressClass::Other };
    let program = program.into();
    let key = FlowKey {
        machine: MachineId::OWN,
        generation: 0,
        cgroup: 1,
        netns: HOST,
        direction,
        local_class,
        remote,
        port,
        program,
        folded: false,
    };
    Delta(FlowDelta { first: START, last: START, ..FlowDelta::nothing(key) })
}

impl Delta {
    pub(crate) fn opened(mut self, count: u64) -> Self {
        self.0.opened = count;
        self
    }

    pub(crate) fn preexisting(mut self, count: u64) -> Self {
        self.0.opened = count;
        self.0.preexisting = count;
        self
    }

    pub(crate) fn closed(mut self, count: u64) -> Self {
        self.0.closed = count;
        self
    }

    /// Opened and closed again.
    pub(crate) fn short(self, count: u64) -> Self {
        self.opened(count).closed(count)
    }

    pub(crate) fn refused(mut self, count: u64) -> Self {
        self.0.failed.refused = count;
        self
    }

    pub(crate) fn timed_out(mut self, count: u64) -> Self {
        self.0.failed.timeout = count;
        self
    }

    /// Answered with a reset.
    pub(crate) fn reset(mut self, count: u64) -> Self {
        self.0.failed.reset = count;
        self
    }

    /// Cut off by the other side in mid-life.
    pub(crate) fn cut(mut self, count: u64) -> Self {
        self.0.failed.reset = count;
        self.0.cut = count;
        self
    }

    /// Connects that took at most the first bound, each a microsecond.
    pub(crate) fn connected_fast(mut self, count: u64) -> Self {
        let mut latency = ConnectLatency { sum_us: count, ..ConnectLatency::default() };
        latency.counts[0] = count;
        self.0.connect = Some(Box::new(latency));
        self
    }

    /// Connects that took longer than the second-last bound: more than half a second.
    pub(crate) fn connected_slowly(mut self, count: u64) -> Self {
        let mut latency = ConnectLatency { sum_us: count * 1_050_000, ..ConnectLatency::default() };
        latency.counts[6] = count;
        self.0.connect = Some(Box::new(latency));
        self
    }

    /// Through a transparent proxy.
    pub(crate) fn transparent(mut self) -> Self {
        self.0.foreign_local = true;
        self
    }

    pub(crate) fn bytes(mut self, sent: u64, received: u64) -> Self {
        self.0.bytes_sent = sent;
        self.0.bytes_received = received;
        self
    }

    pub(crate) fn rtt(mut self, microseconds: u32) -> Self {
        self.0.rtt_us = Some(microseconds);
        self
    }

    pub(crate) fn in_namespace(mut self, netns: u32) -> Self {
        self.0.key.netns = netns;
        self
    }

    /// Opened after the remote address changed hands.
    pub(crate) fn of_generation(mut self, generation: u32) -> Self {
        self.0.key.generation = generation;
        self
    }

    pub(crate) fn in_cgroup(mut self, cgroup: u64) -> Self {
        self.0.key.cgroup = cgroup;
        self
    }

    pub(crate) fn folded(mut self) -> Self {
        self.0.key.folded = true;
        self.0.key.remote = ip("0.0.0.0");
        self
    }

    /// With an example socket at this local address.
    pub(crate) fn from(mut self, address: &str, cookie: u64) -> Self {
        let local_address = ip(address);
        self.0.example = Some(SocketExample { pid: 42, uid: 0, local_address, local_port: 50_000, cookie });
        self
    }
}
