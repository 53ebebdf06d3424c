//! A simulated cluster behind the same door: facts as its API server and the agents of its nodes would tell them.
//!
//! Everything follows from a [`Plan`] and a [`Script`]: the same ones give the same facts, on every machine. There are real
//! objects (namespaces, nodes, pods, Services, slices, owners) and flows as the kernel counts them (cgroups, network
//! namespaces, addresses, ports; both ends of each connection), so that everything has to be resolved that an observer
//! resolves. What is left out: generations of addresses, since an address is given again only after all of its node's;
//! and what the lists of a cluster have besides (ingresses, network policies).
//!
//! In order: `plan` and `script` (what is asked for), `shape` and `cluster` (what stands there), `traffic` (who connects),
//! `happenings`, `pods` and `nodes` (what changes, and when).

mod cluster;
mod happenings;
mod nodes;
mod plan;
mod pods;
mod script;
mod shape;
mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use crate::model::{Fact, FactBody, KubernetesFact, MachineId, Origin, SourceId, Timestamp};
use cluster::{SimulatedNode, SimulatedService};
use happenings::Happening;
pub use plan::{MAX_EDGES, MAX_NODES, MAX_PODS, MAX_SERVICES, Plan, PlanError, Rate, RateError};
pub use script::{Action, Script, ScriptError, Statement};
use shape::Pairs;
use traffic::SimulatedEdge;

/// Time between two drains of the kernel's counters, as observers have it by default.
const DRAIN_INTERVAL: Duration = Duration::from_secs(1);

/// What an observer takes at one instant, before it lets the map settle.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The instant.
    pub at: Timestamp,
    /// The facts, in the order in which they are told; none where only time passes.
    pub facts: Vec<Fact>,
}

/// A simulated cluster: an iterator of what an observer of it takes, oldest first. The first batch tells what exists at the
/// start, and that all sources are ready.
#[derive(Debug)]
pub struct Simulation {
    plan: Plan,
    rng: Rng,
    now: Timestamp,
    nodes: Vec<SimulatedNode>,
    services: Vec<SimulatedService>,
    edges: Vec<SimulatedEdge>,
    pairs: Pairs,
    /// What will happen: by instant, and in the order in which it was planned.
    calendar: BTreeMap<(Timestamp, u64), Happening>,
    planned: u64,
    /// Pods and sockets that there were so far.
    pods: u64,
    sockets: u64,
    /// The edge whose turn it is to be counted.
    turn: usize,
    begun: bool,
    facts: Vec<Fact>,
}

impl Simulation {
    /// A cluster that has not begun.
    pub fn new(plan: Plan, script: &Script) -> Result<Self, PlanError> {
        plan.check()?;
        let mut rng = Rng::with_seed(plan.seed);
        let (services, nodes) = (plan.services as usize, plan.node_count());
        let mut simulation = Self {
            nodes: (0..nodes as usize).map(|index| SimulatedNode::new(index, nodes)).collect(),
            services: (0..services).map(SimulatedService::new).collect(),
            edges: Vec::with_capacity(plan.edges as usize),
            pairs: Pairs::new(services, &mut rng),
            now: plan.start,
            rng,
            calendar: BTreeMap::new(),
            planned: 0,
            pods: 0,
            sockets: 0,
            turn: 0,
            begun: false,
            facts: Vec::new(),
            plan,
        };
        for _ in 0..simulation.plan.edges {
            if let Some(pair) = simulation.pairs.choose(&mut simulation.rng) {
                simulation.add_edge(pair);
            }
        }
        simulation.plan_script(script)?;
        simulation.after(DRAIN_INTERVAL, Happening::Drain);
        if let Some(interval) = simulation.plan.churn.interval() {
            simulation.after(interval, Happening::Churn);
        }
        Ok(simulation)
    }

    fn add_edge(&mut self, (source, destination): (usize, usize)) -> usize {
        let edge = self.edges.len();
        if let Some(service) = self.services.get_mut(source) {
            service.calls.push(edge);
        }
        if let Some(service) = self.services.get_mut(destination) {
            service.called_by.push(edge);
        }
        self.edges.push(SimulatedEdge { source, destination, present: true, links: Vec::new() });
        edge
    }

    /// What exists at the start.
    fn begin(&mut self) {
        self.tell_object(cluster::scope());
        let mut namespaces: Vec<_> = self.services.iter().map(|service| service.namespace.clone()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        for name in &namespaces {
            self.tell_object(cluster::namespace(name));
        }
        for node in 0..self.nodes.len() {
            self.begin_node(node);
        }
        for service in 0..self.services.len() {
            for _ in 0..self.plan.pods {
                self.start_pod(service, true);
            }
            let objects = self.services.get(service).map(|service| [service.object(), service.slice()]);
            for object in objects.into_iter().flatten() {
                self.tell_object(object);
            }
        }
        for edge in 0..self.edges.len() {
            self.connect_all(edge, true);
        }
        self.tell(SourceId::Kubernetes, 0, FactBody::Ready(SourceId::Kubernetes));
        let counting = if self.nodes.len() == 1 { SourceId::Capture } else { SourceId::Agents };
        self.tell(counting, 0, FactBody::Ready(counting));
    }

    fn begin_node(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index) else { return };
        let (object, name, address) = (node.object(), node.name.clone(), node.address());
        let machine = node.machine;
        let netns = SimulatedNode::netns();
        self.tell_object(object);
        if machine != MachineId::OWN {
            self.tell_of_node(index, FactBody::Machine { name, observed_since: Some(self.now) });
        }
        self.tell_of_node(index, FactBody::NetworkNamespace { netns, name: None });
        self.tell_of_node(index, FactBody::Address { netns, address, present: true });
    }

    /// The API server tells of an object.
    fn tell_object(&mut self, object: KubernetesFact) {
        self.tell(SourceId::Kubernetes, 0, FactBody::Kubernetes(Box::new(object)));
    }

    /// The agent of a node tells; one that is not heard tells it once it is again.
    fn tell_of_node(&mut self, node: usize, body: FactBody) {
        let Some(node) = self.nodes.get_mut(node) else { return };
        if node.lost {
            node.untold.push(body);
            return;
        }
        let counts = matches!(body, FactBody::Flow(_));
        node.counted += u64::from(counts);
        let (source, sequence) = (node.source(), if counts { node.counted } else { 0 });
        self.tell(source, sequence, body);
    }

    fn tell(&mut self, source: SourceId, sequence: u64, body: FactBody) {
        self.facts.push(Fact { at: self.now, origin: Origin { source, sequence }, body });
    }

    /// Plans what happens in a while.
    fn after(&mut self, wait: Duration, happening: Happening) {
        self.calendar.insert((self.now + wait, self.planned), happening);
        self.planned += 1;
    }
}

impl Iterator for Simulation {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if !self.begun {
            self.begun = true;
            self.begin();
            return Some(Batch { at: self.now, facts: std::mem::take(&mut self.facts) });
        }
        let end = self.plan.start + self.plan.duration;
        let ((at, _), happening) = self.calendar.pop_first().filter(|((at, _), _)| *at <= end)?;
        self.now = at;
        self.happen(happening);
        Some(Batch { at, facts: std::mem::take(&mut self.facts) })
    }
}
