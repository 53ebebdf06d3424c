//! What follows from the graph of dependencies: cycles, chains, single points of failure, who depends on whom; and
//! what network policies allow in it. Pure functions, stable in their order.

mod about;
pub(crate) mod causes;
mod chains;
mod components;
mod cycles;
mod dependents;
mod graph;
pub(crate) mod policy;
#[cfg(test)]
mod published;
#[cfg(test)]
mod reference;
mod single_points;

use std::collections::BTreeSet;

pub use about::about;
use chains::{Chains, Kind, Step};
use components::Components;
use cycles::Cycles;
pub(crate) use graph::Graph;
#[cfg(test)]
pub(crate) use graph::graph;

use crate::model::{Chain, SinglePointOfFailure, SnapshotTopology, TopologyLeftOut};

/// What of the graph is told when it comes or goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Ids of the members of each cycle, sorted.
    pub(crate) cycles: BTreeSet<Vec<String>>,
    /// Ids of single points of failure.
    pub(crate) single_points: BTreeSet<String>,
}

/// What follows from which dependencies there are, and from nothing else.
#[derive(Debug)]
pub(crate) struct Analysis {
    graph: Graph,
    components: Components,
    steps: Vec<Step>,
    cycles: Cycles,
    single_points: Vec<SinglePointOfFailure>,
}

impl Analysis {
    pub(crate) fn new(graph: Graph) -> Self {
        let components = Components::new(&graph);
        Self {
            steps: chains::steps(&graph, &components),
            cycles: cycles::cycles(&graph, &components),
            single_points: single_points::single_points(&graph, &components),
            components,
            graph,
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What is news when it comes or goes.
    pub(crate) fn findings(&self) -> Findings {
        let cycles = self.cycles.components.iter();
        let single_points = self.single_points.iter();
        Findings {
            cycles: cycles.map(|members| self.names(members)).collect(),
            single_points: single_points.map(|one| one.service.clone()).collect(),
        }
    }

    /// As snapshots show it, without what else than the graph is asked for. `connections` are those that were opened over each of the graph's
    /// arrows.
    pub(crate) fn topology(&self, connections: &[u64]) -> SnapshotTopology {
        let (cycles, cycles_left) = listed(&self.cycles.components);
        let (single_points, single_points_left) = listed(&self.single_points);
        SnapshotTopology {
            cycles: cycles.iter().map(|members| self.names(members)).collect(),
            shortest_cycles: self.cycles.shortest.iter().map(|cycle| self.names(cycle)).collect(),
            single_points_of_failure: single_points.to_vec(),
            longest_chain: self.best_chain(Kind::Longest, connections),
            busiest_chain: self.best_chain(Kind::Busiest, connections),
            left_out: TopologyLeftOut {
                cycles: cycles_left,
                shortest_cycles: self.cycles.left_out as u64,
                single_points_of_failure: single_points_left,
                ..TopologyLeftOut::default()
            },
            ..SnapshotTopology::default()
        }
    }

    /// The best of all chains; of equal ones that through the first component.
    fn best_chain(&self, kind: Kind, connections: &[u64]) -> Option<Chain> {
        let chains = Chains::new(kind, &self.steps, self.components.len(), connections);
        let through = self.steps.iter().map(|step| step.from);
        let best = through.max_by_key(|one| (chains.worth(*one), std::cmp::Reverse(*one)))?;
        Some(self.chain(&chains, best, connections))
    }

    fn chain(&self, chains: &Chains, through: usize, connections: &[u64]) -> Chain {
        let steps = chains.through(through);
        Chain {
            connections: chains::least_used(&steps, &self.steps, connections),
            steps: steps.into_iter().map(|step| self.names(self.components.members(step))).collect(),
        }
    }

    fn names(&self, nodes: &[u32]) -> Vec<String> {
        nodes.iter().filter_map(|node| Some(self.graph.name(*node as usize)?.to_owned())).collect()
    }
}

/// As many entries as are listed, and how many more there are.
fn listed<T>(all: &[T]) -> (&[T], u64) {
    let (listed, rest) = all.split_at(all.len().min(SnapshotTopology::MAX_LISTED));
    (listed, rest.len() as u64)
}
