//! Circular dependencies.

use std::collections::{BTreeSet, VecDeque};

use super::Graph;
use super::components::Components;

/// Shortest cycles that are listed: more than anybody reads, and each takes a search of its component.
const MAX_SHORTEST: usize = 100;

/// Circular dependencies, as nodes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cycles {
    /// The members of each component with more than one, sorted, components by their first member.
    pub(super) components: Vec<Vec<u32>>,
    /// A shortest cycle through each member, beginning with its first one; each cycle once, in order.
    pub(super) shortest: Vec<Vec<u32>>,
    /// Members for which none was looked for, because there are enough.
    pub(super) left_out: usize,
}

/// All of them. A service that talks to itself is none.
pub(super) fn cycles(graph: &Graph, components: &Components) -> Cycles {
    let mut circular: Vec<Vec<u32>> = (0..components.len())
        .map(|component| components.members(component))
        .filter(|members| members.len() > 1)
        .map(<[u32]>::to_vec)
        .collect();
    circular.sort_unstable();
    let mut shortest = BTreeSet::new();
    let mut left_out = 0;
    for member in circular.iter().flatten() {
        if shortest.len() >= MAX_SHORTEST {
            left_out += 1;
        } else {
            shortest.extend(shortest_through(*member, graph, components));
        }
    }
    Cycles { components: circular, shortest: shortest.into_iter().collect(), left_out }
}

/// One of the shortest ways from a node back to it, turned so that its first member comes first; always the same one.
pub(super) fn shortest_through(node: u32, graph: &Graph, components: &Components) -> Option<Vec<u32>> {
    let component = components.of(node);
    let mut came_from = vec![None; graph.nodes.len()];
    let mut waiting = VecDeque::from([node]);
    let last = 'search: loop {
        let from = waiting.pop_front()?;
        for to in graph.needs(from).filter(|to| *to != from && components.of(*to) == component) {
            if to == node {
                break 'search from;
            }
            if let Some(before) = came_from.get_mut(to as usize)
                && before.is_none()
            {
                *before = Some(from);
                waiting.push_back(to);
            }
        }
    };
    let back = |node: &u32| came_from.get(*node as usize).copied().flatten();
    let mut cycle: Vec<u32> = std::iter::successors(Some(last), back).collect();
    cycle.reverse();
    let first = cycle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(place, _)| place);
    cycle.rotate_left(first);
    Some(cycle)
}

#[cfg(test)]
mod tests {
    use super::super::{graph, reference};
    use super::*;

    fn cycles_of(graph: &Graph) -> Cycles {
        cycles(graph, &Components::new(graph))
    }

    #[test]
    fn members_of_a_cycle_are_told_sorted() {
        let graph = graph(&["a", "b", "c", "d"], &[(2, 0), (0, 1), (1, 2), (2, 3)]);
        let cycles = cycles_of(&graph);
        assert_eq!((cycles.components, cycles.shortest), (vec![vec![0, 1, 2]], vec![vec![0, 1, 2]]));
    }

    #[test]
    fn a_service_that_talks_to_itself_is_no_cycle() {
        assert_eq!(cycles_of(&graph(&["a", "b"], &[(0, 0), (0, 1)])), Cycles::default());
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let names: Vec<String> = (0..100_000).map(|n| format!("{n:06}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arrows: Vec<_> = (0..99_999).map(|n| (n, n + 1)).collect();
        assert_eq!(cycles_of(&graph(&names, &arrows)), Cycles::default());
    }

    #[test]
    fn what_is_not_looked_for_is_counted() {
        let names: Vec<String> = (0..240).map(|number| format!("{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let pairs: Vec<_> =
            (0..120).flat_map(|pair| [(2 * pair, 2 * pair + 1), (2 * pair + 1, 2 * pair)]).collect();
        let cycles = cycles_of(&graph(&names, &pairs));
        assert_eq!((cycles.components.len(), cycles.shortest.len(), cycles.left_out), (120, 100, 41));
    }

    #[test]
    fn each_member_is_on_a_shortest_cycle_of_the_naive_length() {
        for seed in 0..1_000 {
            let graph = reference::random_graph(seed);
            let cycles = cycles_of(&graph);
            let nodes = 0..u32::try_from(graph.nodes.len()).unwrap();
            for node in nodes {
                let shortest = reference::shortest_cycle(&graph, node);
                let components = Components::new(&graph);
                let found = shortest_through(node, &graph, &components);
                assert_eq!(found.as_ref().map(Vec::len), shortest, "seed {seed}, node {node}");
                let Some(found) = found else { continue };
                let next = found.iter().cycle().skip(1);
                assert!(found.iter().zip(next).all(|(from, to)| graph.arrows.contains(&(*from, *to))));
                assert!(
                    found.contains(&node) && cycles.shortest.contains(&found),
                    "seed {seed}, node {node}"
                );
            }
        }
    }
}
