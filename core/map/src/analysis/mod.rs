//! What follows from the graph: cycles and orphans; and what network policies allow in it. Pure functions, stable in their
//! order.

mod cycles;
mod orphans;
pub(crate) mod policy;

use std::collections::BTreeSet;

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
    fn name(&self, node: usize) -> Option<&str> {
        self.nodes.get(node).map(|(name, _)| name.as_str())
    }
}

/// Everything that snapshots show of it.
pub(crate) fn topology(graph: &Graph) -> SnapshotTopology {
    SnapshotTopology {
        cycles: cycles::cycles(graph),
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
