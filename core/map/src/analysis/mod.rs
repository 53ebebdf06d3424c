//! What follows from the graph: cycles and orphans; and what network policies allow in it. Pure functions, stable in their
//! order.

mod chains;
mod components;
mod cycles;
mod dependents;
mod orphans;
pub(crate) mod policy;
#[cfg(test)]
mod reference;
mod single_points;

use components::Components;

use crate::model::SnapshotTopology;

/// The graph of dependencies.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Ids, sorted, and whether who needs the node is not seen: it is outside, or let in from outside.
    nodes: Vec<(String, bool)>,
    /// Who needs whom, as indices into the nodes; sorted, each once.
    arrows: Vec<(u32, u32)>,
    /// Where the arrows of each node begin, and after the last one where they end.
    begins: Vec<usize>,
}

impl Graph {
    /// Nodes sorted by id, and arrows between their indices in any order; those that lead nowhere are left out.
    pub(crate) fn new(nodes: Vec<(String, bool)>, arrows: impl Iterator<Item = (u32, u32)>) -> Self {
        let is_node = |node: u32| (node as usize) < nodes.len();
        let mut arrows: Vec<_> = arrows.filter(|(from, to)| is_node(*from) && is_node(*to)).collect();
        arrows.sort_unstable();
        arrows.dedup();
        let begins =
            (0..=nodes.len()).map(|node| arrows.partition_point(|(from, _)| (*from as usize) < node));
        let begins = begins.collect();
        Self { nodes, arrows, begins }
    }

    /// Who a node needs, in order.
    fn needs(&self, node: u32) -> impl Iterator<Item = u32> {
        let begin = |node: usize| self.begins.get(node).copied().unwrap_or(self.arrows.len());
        let own = self.arrows.get(begin(node as usize)..begin(node as usize + 1));
        own.unwrap_or_default().iter().map(|(_, to)| *to)
    }

    /// Dependencies between different nodes.
    fn between(&self) -> impl Iterator<Item = (u32, u32)> {
        self.arrows.iter().copied().filter(|(from, to)| from != to)
    }

    fn name(&self, node: usize) -> Option<&str> {
        self.nodes.get(node).map(|(name, _)| name.as_str())
    }
}

/// Everything that snapshots show of it.
pub(crate) fn topology(graph: &Graph) -> SnapshotTopology {
    let components = Components::new(graph);
    let cycles = cycles::cycles(graph, &components);
    let names = |nodes: Vec<u32>| {
        nodes.into_iter().filter_map(|node| Some(graph.name(node as usize)?.to_owned())).collect()
    };
    SnapshotTopology {
        cycles: cycles.components.into_iter().map(names).collect(),
        orphans: orphans::orphans(graph),
        ..SnapshotTopology::default()
    }
}

#[cfg(test)]
pub(crate) fn graph(nodes: &[&str], arrows: &[(u32, u32)]) -> Graph {
    let nodes = nodes.iter().map(|name| ((*name).to_owned(), name.starts_with("external:")));
    Graph::new(nodes.collect(), arrows.iter().copied())
}
