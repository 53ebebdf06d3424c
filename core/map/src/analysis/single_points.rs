//! Single points of failure: services that several others depend on and that nothing stands beside.

use std::collections::BTreeSet;

use petgraph::algo::articulation_points::articulation_points;
use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex, UnGraph};

use super::components::Components;
use super::{Graph, dependents};
use crate::model::SinglePointOfFailure;

/// Fewer dependents than this are a service's own affair.
const MIN_DEPENDENTS: u32 = 2;
/// As many entry points must depend on a service with all that they do.
const MIN_ENTRY_POINTS: u32 = 2;

/// Who they are, those first on which most others depend, then by name.
///
/// A service is one when at least two others depend on it, and
/// - without it the graph of dependencies falls apart (it is an articulation point): only through it do the rest and what is
///   behind it have to do with each other; or
/// - everything that two entry points or more depend on leads to it or through it: in the graph turned round, from the
///   services that need nothing, it dominates them.
pub(super) fn single_points(graph: &Graph, components: &Components) -> Vec<SinglePointOfFailure> {
    let articulation = articulation(graph);
    let dominated = dominated_entry_points(graph, components);
    let counts = dependents::counts(graph, components);
    let mut found: Vec<_> = (0..)
        .zip(counts.iter().zip(&dominated))
        .filter(|(_, (dependents, _))| **dependents >= MIN_DEPENDENTS)
        .filter(|(node, (_, dominated))| **dominated >= MIN_ENTRY_POINTS || articulation.contains(node))
        .filter_map(|(node, (dependents, dominated))| {
            Some(SinglePointOfFailure {
                service: graph.name(node as usize)?.to_owned(),
                dependents: u64::from(*dependents),
                entry_points: u64::from(*dominated),
                separates: articulation.contains(&node),
            })
        })
        .collect();
    found.sort_by(|a, b| b.dependents.cmp(&a.dependents).then_with(|| a.service.cmp(&b.service)));
    found
}

/// Nodes without which the graph has more parts than with them.
pub(super) fn articulation(graph: &Graph) -> BTreeSet<u32> {
    let pairs: BTreeSet<(u32, u32)> = graph.between().map(|(a, b)| (a.min(b), a.max(b))).collect();
    let undirected: UnGraph<(), ()> = UnGraph::from_edges(&pairs);
    articulation_points(&undirected).into_iter().filter_map(|node| u32::try_from(node.index()).ok()).collect()
}

/// How many entry points each node dominates, when what fails goes from who needs nothing to who needs it.
pub(super) fn dominated_entry_points(graph: &Graph, components: &Components) -> Vec<u32> {
    let size = graph.nodes.len();
    let mut turned: DiGraph<(), ()> = DiGraph::with_capacity(size + 1, graph.arrows.len() + size);
    for _ in 0..=size {
        turned.add_node(());
    }
    let root = NodeIndex::new(size);
    turned.extend_with_edges(graph.arrows.iter().map(|(from, to)| (*to, *from)));
    for component in (0..components.len()).filter(|one| components.needs(*one).is_empty()) {
        let ends = components.members(component).iter();
        turned.extend_with_edges(ends.map(|node| (root, NodeIndex::new(*node as usize))));
    }
    let dominators = simple_fast(&turned, root);
    let mut counts = vec![0_u32; size];
    for entry in entry_points(graph) {
        // The root is behind them all.
        let over = dominators.strict_dominators(NodeIndex::new(entry as usize)).into_iter().flatten();
        for node in over {
            if let Some(count) = counts.get_mut(node.index()) {
                *count += 1;
            }
        }
    }
    counts
}

/// Where what the graph is for begins: services that need others, and that nobody or somebody outside needs.
fn entry_points(graph: &Graph) -> BTreeSet<u32> {
    let needed: BTreeSet<u32> = graph.between().map(|(_, to)| to).collect();
    let is_open = |node: &u32| graph.nodes.get(*node as usize).is_some_and(|(_, open)| *open);
    graph.between().map(|(from, _)| from).filter(|node| !needed.contains(node) || is_open(node)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{graph, reference};
    use super::*;

    fn found(graph: &Graph) -> Vec<(String, u64)> {
        let found = single_points(graph, &Components::new(graph));
        found.into_iter().map(|one| (one.service, one.dependents)).collect()
    }

    #[test]
    fn a_gateway_that_all_clients_go_through_is_one() {
        let graph = graph(&["app", "db", "gateway", "site"], &[(0, 2), (3, 2), (2, 1)]);
        let gateway =
            single_points(&graph, &Components::new(&graph)).into_iter().find(|one| one.service == "gateway");
        let gateway = gateway.unwrap();
        assert_eq!((gateway.dependents, gateway.entry_points, gateway.separates), (2, 2, true));
    }

    #[test]
    fn a_service_beside_which_another_stands_is_none() {
        // Both clients need both, and both need the same database.
        let graph = graph(&["a", "b", "db", "one", "two"], &[(0, 3), (0, 4), (1, 3), (1, 4), (3, 2), (4, 2)]);
        assert_eq!(found(&graph), [("db".to_owned(), 4)]);
    }

    #[test]
    fn who_one_other_needs_is_none() {
        assert!(found(&graph(&["a", "b", "c"], &[(0, 1), (1, 2)])).iter().all(|(service, _)| service != "b"));
    }

    #[test]
    fn they_agree_with_taking_each_service_away_in_turn() {
        for seed in 0..1_000 {
            let graph = reference::random_graph(seed);
            let reached = reference::reachable(&graph);
            let nodes = || 0..u32::try_from(graph.nodes.len()).unwrap();
            let parts = reference::parts(&graph, nodes());
            let is_end =
                |node: u32| nodes().all(|to| !reached.contains(&(node, to)) || reached.contains(&(to, node)));
            let expected = |node: u32| {
                let left = reference::without(&graph, node);
                let separates = reference::parts(&left, nodes().filter(|one| *one != node)) > parts;
                let still = reference::reachable(&left);
                let ends_still =
                    |from: u32| nodes().any(|to| to != node && is_end(to) && still.contains(&(from, to)));
                let dominated = entry_points(&graph)
                    .into_iter()
                    .filter(|entry| *entry != node && !is_end(*entry) && !ends_still(*entry))
                    .count();
                let dependents =
                    nodes().filter(|from| *from != node && reached.contains(&(*from, node))).count();
                let is_one = dependents >= 2 && (separates || dominated >= 2);
                is_one.then(|| SinglePointOfFailure {
                    service: graph.nodes[node as usize].0.clone(),
                    dependents: dependents as u64,
                    entry_points: dominated as u64,
                    separates,
                })
            };
            let mut expected: Vec<_> = nodes().filter_map(expected).collect();
            expected.sort_by_key(|one| (std::cmp::Reverse(one.dependents), one.service.clone()));
            assert_eq!(single_points(&graph, &Components::new(&graph)), expected, "seed {seed}: {graph:?}");
        }
    }
}
