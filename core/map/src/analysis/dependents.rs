//! Who depends on a service, directly or through others: who is affected when it fails.

use super::Graph;
use super::components::Components;

/// Services whose dependents are counted in one pass over the graph: their marks fit a processor's cache.
const BLOCK: usize = 1_024;
/// Marks in a word.
const WORD: usize = 64;

/// How many others depend on each node.
pub(super) fn counts(graph: &Graph, components: &Components) -> Vec<u32> {
    let mut of_components = vec![0_u32; components.len()];
    let nodes: Vec<u32> = (0..components.len()).flat_map(|one| components.members(one)).copied().collect();
    for block in nodes.chunks(BLOCK) {
        count_among(block, components, &mut of_components);
    }
    let others =
        |node: u32| of_components.get(components.of(node)).map_or(0, |count| count.saturating_sub(1));
    (0..).map(others).take(graph.nodes.len()).collect()
}

/// Adds how many of these nodes reach each component, its own ones included.
fn count_among(block: &[u32], components: &Components, counts: &mut [u32]) {
    let words = block.len().div_ceil(WORD);
    let mut marks = vec![0_u64; components.len() * words];
    for (place, node) in block.iter().enumerate() {
        if let Some(word) = marks.get_mut(components.of(*node) * words + place / WORD) {
            *word |= 1 << (place % WORD);
        }
    }
    for component in 0..components.len() {
        let (before, after) = marks.split_at_mut((component + 1) * words);
        let Some(own) = before.get(component * words..) else { continue };
        if own.iter().all(|word| *word == 0) {
            continue;
        }
        if let Some(count) = counts.get_mut(component) {
            *count += own.iter().map(|word| word.count_ones()).sum::<u32>();
        }
        for needed in components.needs(component) {
            let start = (*needed as usize - component - 1) * words;
            let theirs = after.get_mut(start..start + words).into_iter().flatten();
            theirs.zip(own).for_each(|(theirs, own)| *theirs |= own);
        }
    }
}

/// Who is reached from one node over at least one arrow: itself left out, sorted. Who depends on it, where `next` says who
/// needs a node; on whom it depends, where it says whom a node needs.
pub(super) fn reached<I: Iterator<Item = u32>>(size: usize, node: u32, next: impl Fn(u32) -> I) -> Vec<u32> {
    let mut seen = vec![false; size];
    let mut waiting = vec![node];
    while let Some(here) = waiting.pop() {
        for there in next(here) {
            if let Some(seen) = seen.get_mut(there as usize)
                && !std::mem::replace(seen, true)
            {
                waiting.push(there);
            }
        }
    }
    let found = (0..).zip(seen).filter(|(other, seen)| *seen && *other != node);
    found.map(|(other, _)| other).collect()
}

/// Who needs each node, in order.
pub(super) fn needed_by(graph: &Graph) -> Vec<Vec<u32>> {
    let mut needed_by = vec![Vec::new(); graph.nodes.len()];
    for (from, to) in &graph.arrows {
        if let Some(needed_by) = needed_by.get_mut(*to as usize) {
            needed_by.push(*from);
        }
    }
    needed_by
}

#[cfg(test)]
mod tests {
    use super::super::{graph, reference};
    use super::*;

    fn dependents(graph: &Graph, node: u32) -> Vec<u32> {
        let needed_by = needed_by(graph);
        reached(graph.nodes.len(), node, |node| needed_by[node as usize].iter().copied())
    }

    fn counts_of(graph: &Graph) -> Vec<u32> {
        counts(graph, &Components::new(graph))
    }

    #[test]
    fn those_who_depend_through_others_count_once() {
        let graph = graph(&["a", "b", "c", "d"], &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 3)]);
        assert_eq!(counts_of(&graph), [0, 1, 1, 3]);
    }

    #[test]
    fn members_of_a_cycle_depend_on_each_other() {
        let graph = graph(&["a", "b", "c", "d"], &[(0, 1), (1, 2), (2, 1), (2, 3)]);
        assert_eq!(counts_of(&graph), [0, 2, 2, 3]);
        assert_eq!(dependents(&graph, 1), [0, 2]);
    }

    #[test]
    fn more_services_than_a_block_are_all_counted() {
        let names: Vec<String> = (0..3_000).map(|number| format!("{number:05}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arrows: Vec<_> = (0..2_999).map(|number| (number, number + 1)).collect();
        let counts = counts_of(&graph(&names, &arrows));
        assert!((0..).zip(&counts).all(|(number, count): (u32, _)| number == *count));
    }

    #[test]
    fn counts_and_lists_agree_with_following_every_path() {
        for seed in 0..1_000 {
            let graph = reference::random_graph(seed);
            let reached = reference::reachable(&graph);
            let nodes = 0..u32::try_from(graph.nodes.len()).unwrap();
            for (node, count) in nodes.clone().zip(counts_of(&graph)) {
                let expected: Vec<u32> =
                    nodes.clone().filter(|from| *from != node && reached.contains(&(*from, node))).collect();
                assert_eq!(dependents(&graph, node), expected, "seed {seed}, node {node}");
                assert_eq!(count as usize, expected.len(), "seed {seed}, node {node}");
            }
        }
    }
}
