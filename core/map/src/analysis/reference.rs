//! What the analysis is held against in its tests: the same questions answered in the most naive way, on random graphs.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Graph;

/// A graph of up to 12 nodes, sparse or dense, the same for a seed.
pub(super) fn random_graph(seed: u64) -> Graph {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let graph = (1..12_u32).prop_flat_map(|nodes| {
        let arrows =
            prop::collection::btree_set((0..nodes, 0..nodes), 0..usize::try_from(3 * nodes).unwrap());
        (prop::collection::vec(prop::bool::weighted(0.1), usize::try_from(nodes).unwrap()), arrows)
    });
    let (outside, arrows) = graph.new_tree(&mut runner).unwrap().current();
    let nodes = outside.into_iter().enumerate().map(|(number, outside)| (format!("{number:02}"), outside));
    Graph::new(nodes.collect(), arrows.into_iter())
}

/// All pairs of which the first leads to the second, over at least one arrow.
pub(super) fn reachable(graph: &Graph) -> BTreeSet<(u32, u32)> {
    let mut reached: BTreeSet<_> = graph.arrows.iter().copied().collect();
    loop {
        let further: BTreeSet<_> = reached
            .iter()
            .flat_map(|(from, over)| {
                graph.arrows.iter().filter(move |(next, _)| next == over).map(move |(_, to)| (*from, *to))
            })
            .filter(|pair| !reached.contains(pair))
            .collect();
        if further.is_empty() {
            return reached;
        }
        reached.extend(further);
    }
}

/// The graph without a node: its arrows are gone, its place stays.
pub(super) fn without(graph: &Graph, node: u32) -> Graph {
    let arrows = graph.arrows.iter().filter(|(from, to)| *from != node && *to != node);
    Graph::new(graph.nodes.clone(), arrows.copied())
}

/// Groups of nodes that hang together whichever way the arrows point.
pub(super) fn parts(graph: &Graph, nodes: impl Iterator<Item = u32>) -> usize {
    let both_ways: BTreeSet<_> = graph.arrows.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect();
    let reached = reachable(&Graph::new(graph.nodes.clone(), both_ways.into_iter()));
    let firsts: BTreeSet<u32> = nodes
        .map(|node| {
            reached.iter().filter(|(from, _)| *from == node).map(|(_, to)| *to).chain([node]).min().unwrap()
        })
        .collect();
    firsts.len()
}

/// How many services are on a shortest way from a node back to it.
pub(super) fn shortest_cycle(graph: &Graph, node: u32) -> Option<usize> {
    let is_step = |from: u32, to: u32| from != to && graph.arrows.contains(&(from, to));
    let nodes = || 0..u32::try_from(graph.nodes.len()).unwrap();
    let mut reached = BTreeSet::from([node]);
    for length in 1..=graph.nodes.len() {
        reached = nodes().filter(|to| reached.iter().any(|from| is_step(*from, *to))).collect();
        if reached.contains(&node) {
            return Some(length);
        }
    }
    None
}

/// All paths from steps that nobody leads to, to steps that lead nowhere.
pub(super) fn paths(steps: &[(usize, usize, u64)], size: usize) -> BTreeSet<Vec<usize>> {
    let is_beginning = |one: &usize| steps.iter().all(|(_, to, _)| to != one);
    let mut unfinished: Vec<Vec<usize>> = (0..size).filter(is_beginning).map(|one| vec![one]).collect();
    let mut finished = BTreeSet::new();
    while let Some(path) = unfinished.pop() {
        let last = *path.last().unwrap();
        let next: Vec<usize> =
            steps.iter().filter(|(from, _, _)| *from == last).map(|(_, to, _)| *to).collect();
        if next.is_empty() {
            finished.insert(path.clone());
        }
        unfinished.extend(next.into_iter().map(|to| [path.as_slice(), &[to]].concat()));
    }
    finished
}
