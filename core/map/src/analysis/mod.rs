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

use std::collections::BTreeSet;

use components::Components;

use crate::model::SnapshotTopology;

/// The graph of dependencies.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Ids, sorted, and whether who needs the node is not seen: it is outside, or let in from outside.
    pub(crate) nodes: Vec<(String, bool)>,
    /// Who needs whom, as indices into the nodes.
    pub(crate) arrows: BTreeSet<(u32, u32)>,
}

impl Graph {
    /// Who a node needs, in order.
    fn needs(&self, node: u32) -> impl Iterator<Item = u32> {
        self.arrows.range((node, 0)..=(node, u32::MAX)).map(|(_, to)| *to)
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
    Graph {
        nodes: nodes.iter().map(|name| ((*name).to_owned(), name.starts_with("external:"))).collect(),
        arrows: arrows.iter().copied().collect(),
    }
}
