//! The map itself: flows, the services and edges that they add up to, dependencies, health, and when all of these end.
//!
//! Facts are only noted as they come; `settle` then names their ends and adds them up, so the order of facts
//! within one settling does not matter. `expire` removes what is over. Both leave a list of changes for `changes`
//! to judge.

mod beside;
mod change;
mod cluster;
mod deadlines;
mod dependencies;
mod edges;
mod environments;
mod expiry;
mod facts;
mod flows;
mod health;
mod judging;
mod lifecycle;
mod orphans;
mod pairs;
mod place;
mod policy;
mod renaming;
mod rest;
mod room;
mod scans;
mod services;
mod settle;
mod sides;
mod slots;
mod sums;
mod topology;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use beside::Calls;
pub(crate) use change::Change;
use deadlines::Deadlines;
pub(crate) use dependencies::Told as DependencyTold;
use dependencies::{Dependencies, DependencyKey};
pub(crate) use edges::Told as EdgeTold;
use edges::{Edge, Edges};
use flows::{Flow, Flows};
pub(crate) use policy::Findings;
pub(crate) use renaming::{MovedDependency, MovedEdge};
use scans::Scans;
pub(crate) use services::HealthRecord;
use services::{Entry, Services};
use settle::{Fresh, Stale};
use slots::Id;
pub(crate) use topology::Topology;
pub(crate) use view::Structure;

use crate::analysis::causes::Ailing;
use crate::model::{Gap, MachineId, ServiceId, Statistics, Timestamp};
use crate::resolve::Resolver;
use crate::settings::MapSettings;

/// Everything that the facts so far add up to.
#[derive(Debug)]
pub(crate) struct State {
    settings: MapSettings,
    pub(crate) statistics: Statistics,
    resolver: Resolver,
    flows: Flows,
    services: Services,
    edges: Edges,
    dependencies: Dependencies,

    /// Deltas since the last settling, one a flow.
    fresh: Vec<Fresh>,
    /// Earliest of their instants.
    fresh_since: Option<Timestamp>,
    /// Names that may have changed since.
    stale: Stale,
    /// Services that the API server has told of since, and when.
    declared: BTreeMap<ServiceId, Timestamp>,
    /// Namespaces whose labels are other ones since, and when they became so.
    relabelled: BTreeMap<Arc<str>, Timestamp>,
    /// Edges that a flow has left, with the edge to which it went.
    left_edges: Vec<(Id<Edge>, Option<Id<Edge>>)>,
    /// Services that something has left because it is named differently now.
    left_services: Vec<Id<Entry>>,
    /// Who calls from a machine's own network namespace.
    calls: Calls,
    /// Where sources fail in vain.
    scans: Scans,
    /// Edges count by machine and side.
    sides_apart: bool,
    /// Machines whose clients count on an edge since the last settling, where several machines count.
    newly_counted: Vec<(MachineId, Id<Edge>)>,
    /// Things that the map's own bounds turned away since the last settling.
    turned_away: u64,

    waiting_deadlines: Deadlines<Id<Flow>>,
    flow_deadlines: Deadlines<Id<Flow>>,
    edge_deadlines: Deadlines<Id<Edge>>,
    service_deadlines: Deadlines<Id<Entry>>,
    dependency_deadlines: Deadlines<DependencyKey>,
    health_deadlines: Deadlines<Id<Entry>>,
    orphan_deadlines: Deadlines<Id<Entry>>,
    edge_health_deadlines: Deadlines<Id<Edge>>,

    gaps: VecDeque<Gap>,
    changes: Vec<Change>,
    structure: OnceLock<Structure>,
    topology: OnceLock<Topology>,
    findings: OnceLock<Arc<Findings>>,
    /// Services that are not well, and how they depend on each other.
    ailing: OnceLock<Ailing>,
}

impl State {
    /// An empty map.
    pub(crate) fn new(settings: MapSettings) -> Self {
        Self {
            resolver: Resolver::new(&settings),
            settings,
            statistics: Statistics::default(),
            flows: Flows::default(),
            services: Services::default(),
            edges: Edges::default(),
            dependencies: Dependencies::default(),
            fresh: Vec::new(),
            fresh_since: None,
            stale: Stale::default(),
            declared: BTreeMap::new(),
            relabelled: BTreeMap::new(),
            left_edges: Vec::new(),
            left_services: Vec::new(),
            calls: Calls::default(),
            scans: Scans::default(),
            sides_apart: false,
            newly_counted: Vec::new(),
            turned_away: 0,
            waiting_deadlines: Deadlines::default(),
            flow_deadlines: Deadlines::default(),
            edge_deadlines: Deadlines::default(),
            service_deadlines: Deadlines::default(),
            dependency_deadlines: Deadlines::default(),
            health_deadlines: Deadlines::default(),
            orphan_deadlines: Deadlines::default(),
            edge_health_deadlines: Deadlines::default(),
            gaps: VecDeque::new(),
            changes: Vec::new(),
            structure: OnceLock::new(),
            topology: OnceLock::new(),
            findings: OnceLock::new(),
            ailing: OnceLock::new(),
        }
    }

    /// What became different since this was last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether facts wait to be settled, or what the map turned away waits to be told.
    pub(crate) fn is_settled(&self) -> bool {
        let nothing_came = self.fresh.is_empty() && self.stale.is_empty() && self.declared.is_empty();
        nothing_came && self.relabelled.is_empty() && self.turned_away == 0 && self.changes.is_empty()
    }

    /// Instant of the earliest counter fact that waits to be settled.
    pub(crate) fn unsettled_since(&self) -> Option<Timestamp> {
        self.fresh_since
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        [
            self.waiting_deadlines.first(),
            self.flow_deadlines.first(),
            self.edge_deadlines.first(),
            self.service_deadlines.first(),
            self.dependency_deadlines.first(),
            self.health_deadlines.first(),
            self.orphan_deadlines.first(),
            self.edge_health_deadlines.first(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything in the map counts as told: what existed before readiness is no news.
    pub(crate) fn mark_all_told(&mut self) {
        for service in self.services.values_mut() {
            service.told = services::Told { present: true, health: service.health.status };
        }
        for edge in self.edges.values_mut() {
            edge.told = EdgeTold { established: edge.established.is_some(), failing: edge.failing.is_some() };
        }
        for needed in self.dependencies.values_mut() {
            needed.told = DependencyTold { present: true, crossing: needed.dependency.cross_environment };
        }
    }
}
