//! Services that nobody needs.

use std::collections::BTreeSet;

use super::Graph;

/// Services that need others and are needed by no other, sorted. Those outside, and those that something lets in from
/// outside, are excepted: who needs them is not seen.
pub(super) fn orphans(graph: &Graph) -> Vec<u32> {
    let needed: BTreeSet<u32> = graph.between().map(|(_, to)| to).collect();
    let needing: BTreeSet<u32> = graph.between().map(|(from, _)| from).collect();
    let outside = |node: u32| graph.nodes.get(node as usize).is_none_or(|(_, outside)| *outside);
    needing.difference(&needed).copied().filter(|node| !outside(*node)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph;
    use super::*;

    #[test]
    fn who_needs_but_is_not_needed_is_an_orphan() {
        let graph = graph(&["a", "b", "c", "external:x", "idle"], &[(0, 1), (1, 2), (3, 1), (2, 2)]);
        assert_eq!(orphans(&graph), [0]);
    }

    #[test]
    fn being_needed_by_oneself_does_not_count() {
        assert_eq!(orphans(&graph(&["a", "b"], &[(0, 0), (0, 1)])), [0]);
    }
}
