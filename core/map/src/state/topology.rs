//! The graph of dependencies and what follows from it, kept until a dependency comes or goes, or who is exposed changes.

use std::sync::Arc;

use super::State;
use super::dependencies::DependencyKey;
use super::services::Entry;
use super::slots::Id;
use crate::analysis::{Analysis, Findings, Graph};
use crate::collections::HashMap;
use crate::model::{Dependency, ServiceId, SnapshotDependency, SnapshotTopology, TopologyLeftOut};

/// What follows from the dependencies, with where they are in it.
#[derive(Debug)]
pub(crate) struct Topology {
    analysis: Analysis,
    pub(crate) findings: Arc<Findings>,
    /// In the order of the graph's arrows.
    dependencies: Arc<[SnapshotDependency]>,
    /// Nodes of the graph.
    places: HashMap<Id<Entry>, u32>,
}

impl State {
    pub(crate) fn analysis(&self) -> &Topology {
        self.topology.get_or_init(|| self.analyse())
    }

    /// As snapshots show it.
    pub(crate) fn topology(&self) -> SnapshotTopology {
        let Topology { analysis, dependencies, places, .. } = self.analysis();
        let graph = analysis.graph();
        let mut connections = vec![0_u64; graph.size()];
        for (_, edge) in self.edges.iter().filter(|(_, edge)| edge.depends) {
            let ends = places.get(&edge.key.0).zip(places.get(&edge.key.1));
            let arrow = ends.and_then(|(from, to)| graph.position(*from, *to));
            if let Some(sum) = arrow.and_then(|arrow| connections.get_mut(arrow)) {
                *sum = sum.saturating_add(edge.counts(&self.flows).opened);
            }
        }
        let findings = self.findings();
        let mut orphans: Vec<String> = self.orphans().map(|id| id.to_string()).collect();
        let left_out = orphans.len().saturating_sub(SnapshotTopology::MAX_LISTED);
        orphans.truncate(SnapshotTopology::MAX_LISTED);
        let found = analysis.topology(&connections);
        SnapshotTopology {
            dependencies: dependencies.clone(),
            disallowed_connections: findings.disallowed.clone(),
            unrestricted_services: findings.unrestricted.iter().cloned().collect(),
            orphans,
            left_out: TopologyLeftOut { orphans: left_out as u64, ..found.left_out },
            ..found
        }
    }

    fn analyse(&self) -> Topology {
        let ends = self.dependencies.iter().flat_map(|((source, destination), _)| [source, destination]);
        let mut ends: Vec<Id<Entry>> = ends.collect();
        ends.sort_unstable();
        ends.dedup();
        let named = ends.into_iter().filter_map(|id| Some((self.services.get(id)?.reference.id(), id)));
        let mut services: Vec<(ServiceId, Id<Entry>)> = named.collect();
        services.sort_unstable();
        let places: HashMap<Id<Entry>, u32> = services.iter().map(|(_, id)| *id).zip(0..).collect();
        let place =
            |(source, destination): DependencyKey| Some((*places.get(&source)?, *places.get(&destination)?));
        let between = self.dependencies.iter();
        let between = between.filter_map(|(key, needed)| Some((place(key)?, shown(&needed.dependency))));
        let mut dependencies: Vec<((u32, u32), SnapshotDependency)> = between.collect();
        dependencies.sort_unstable_by_key(|(ends, _)| *ends);
        let is_open = |id: Id<Entry>| self.services.get(id).is_some_and(Entry::is_open);
        let nodes = services.iter().map(|(id, entry)| (id.to_string(), is_open(*entry))).collect();
        let graph = Graph::new(nodes, dependencies.iter().map(|(ends, _)| *ends));
        let analysis = Analysis::new(graph);
        Topology {
            findings: Arc::new(analysis.findings()),
            analysis,
            dependencies: dependencies.into_iter().map(|(_, dependency)| dependency).collect(),
            places,
        }
    }
}

fn shown(dependency: &Dependency) -> SnapshotDependency {
    SnapshotDependency {
        source: dependency.source.id(),
        destination: dependency.destination.id(),
        cross_namespace: dependency.cross_namespace,
        cross_environment: dependency.cross_environment,
    }
}
