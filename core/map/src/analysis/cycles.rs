//! Circular dependencies.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::Graph;

/// The members of each strongly connected component with more than one, sorted, components by their first member.
///
/// Kosaraju's algorithm, since petgraph's Tarjan recurses: a chain of 100,000 services overflows its stack.
pub(super) fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let arrows: DiGraph<(), ()> = DiGraph::from_edges(&graph.arrows);
    let mut cycles: Vec<Vec<String>> = kosaraju_scc(&arrows)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|mut component| {
            component.sort_unstable();
            component.into_iter().filter_map(|node| graph.name(node.index()).map(str::to_owned)).collect()
        })
        .collect();
    cycles.sort_unstable();
    cycles
}

#[cfg(test)]
mod tests {
    use super::super::graph;
    use super::*;

    #[test]
    fn members_of_a_cycle_are_told_sorted() {
        let graph = graph(&["a", "b", "c", "d"], &[(2, 0), (0, 1), (1, 2), (2, 3)]);
        assert_eq!(cycles(&graph), [["a", "b", "c"]]);
    }

    #[test]
    fn a_service_that_talks_to_itself_is_no_cycle() {
        assert!(cycles(&graph(&["a", "b"], &[(0, 0), (0, 1)])).is_empty());
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let names: Vec<String> = (0..100_000).map(|n| format!("{n:06}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arrows: Vec<_> = (0..99_999).map(|n| (n, n + 1)).collect();
        assert!(cycles(&graph(&names, &arrows)).is_empty());
    }
}
