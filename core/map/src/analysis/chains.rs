//! Dependency chains: paths from services that nobody needs to services that need nobody, a cycle being one step.

use super::Graph;
use super::components::Components;

/// Which chain is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one with the most steps.
    Longest,
    /// The one whose least used dependency carries the most connections.
    Busiest,
}

impl Kind {
    /// What a chain without a dependency is worth.
    const fn nothing(self) -> u64 {
        match self {
            Self::Longest => 0,
            Self::Busiest => u64::MAX,
        }
    }

    /// What a chain is worth with one more dependency, over which so many connections went.
    fn and(self, chain: u64, connections: u64) -> u64 {
        match self {
            Self::Longest => chain + 1,
            Self::Busiest => chain.min(connections),
        }
    }

    /// What two chains are worth that are put together.
    fn both(self, one: u64, other: u64) -> u64 {
        match self {
            Self::Longest => one + other,
            Self::Busiest => one.min(other),
        }
    }
}

/// The best chains on one side of each component: what they are worth, and the next component on them.
#[derive(Debug)]
struct Side(Vec<(u64, Option<u32>)>);

impl Side {
    fn new(kind: Kind, size: usize) -> Self {
        Self(vec![(kind.nothing(), None); size])
    }

    fn worth(&self, component: usize) -> u64 {
        self.0.get(component).map_or(0, |(worth, _)| *worth)
    }

    /// A chain that goes on to `next`. Of equal ones the first stays.
    fn offer(&mut self, component: usize, worth: u64, next: usize) {
        if let Some(best) = self.0.get_mut(component)
            && (best.1.is_none() || worth > best.0)
        {
            *best = (worth, u32::try_from(next).ok());
        }
    }

    /// The components that follow on one.
    fn follow(&self, component: usize) -> impl Iterator<Item = usize> {
        let next = |component: &usize| Some(self.0.get(*component)?.1? as usize);
        std::iter::successors(Some(component), next).skip(1)
    }
}

/// The best chain through each component.
#[derive(Debug)]
pub(super) struct Chains {
    kind: Kind,
    before: Side,
    after: Side,
}

impl Chains {
    /// `connections` says how many went over a dependency.
    pub(super) fn new(
        kind: Kind,
        graph: &Graph,
        components: &Components,
        connections: impl Fn(u32, u32) -> u64,
    ) -> Self {
        let steps = steps(graph, components, connections);
        let mut before = Side::new(kind, components.len());
        let mut after = Side::new(kind, components.len());
        // Who needs comes before who is needed.
        for (from, to, connections) in &steps {
            before.offer(*to, kind.and(before.worth(*from), *connections), *from);
        }
        for (from, to, connections) in steps.iter().rev() {
            after.offer(*from, kind.and(after.worth(*to), *connections), *to);
        }
        Self { kind, before, after }
    }

    /// What the best chain through a component is worth: its dependencies, or the connections over the least used of them.
    pub(super) fn worth(&self, component: usize) -> u64 {
        self.kind.both(self.before.worth(component), self.after.worth(component))
    }

    /// The best chain through a component, from its beginning to its end.
    pub(super) fn through(&self, component: usize) -> Vec<usize> {
        let mut chain: Vec<usize> = self.before.follow(component).collect();
        chain.reverse();
        chain.push(component);
        chain.extend(self.after.follow(component));
        chain
    }
}

/// Dependencies between components, in the order of who needs, then of who is needed. Of several between two of them the most
/// used one counts.
fn steps(
    graph: &Graph,
    components: &Components,
    connections: impl Fn(u32, u32) -> u64,
) -> Vec<(usize, usize, u64)> {
    let mut steps: Vec<_> = graph
        .arrows
        .iter()
        .map(|(from, to)| (components.of(*from), components.of(*to), connections(*from, *to)))
        .filter(|(from, to, _)| from != to)
        .collect();
    steps.sort_unstable_by_key(|(from, to, connections)| (*from, *to, std::cmp::Reverse(*connections)));
    steps.dedup_by_key(|(from, to, _)| (*from, *to));
    steps
}

#[cfg(test)]
mod tests {
    use super::super::{graph, reference};
    use super::*;

    fn chain(kind: Kind, graph: &Graph, through: u32, connections: impl Fn(u32, u32) -> u64) -> Vec<u32> {
        let components = Components::new(graph);
        let chains = Chains::new(kind, graph, &components, connections);
        let chain = chains.through(components.of(through));
        chain.into_iter().map(|component| components.members(component)[0]).collect()
    }

    #[test]
    fn the_longest_chain_goes_from_its_beginning_to_its_end() {
        // a → b → c → d, and a → d at once.
        let graph = graph(&["a", "b", "c", "d"], &[(0, 1), (1, 2), (2, 3), (0, 3)]);
        assert_eq!(chain(Kind::Longest, &graph, 3, |_, _| 1), [0, 1, 2, 3]);
    }

    #[test]
    fn the_busiest_chain_is_as_busy_as_its_least_used_dependency() {
        // Over b one dependency is used most of all and the next hardly; over c both are used well.
        let graph = graph(&["a", "b", "c", "d"], &[(0, 1), (1, 3), (0, 2), (2, 3)]);
        let connections = |from, to| match (from, to) {
            (0, 1) => 1_000,
            (1, 3) => 1,
            _ => 50,
        };
        assert_eq!(chain(Kind::Busiest, &graph, 0, connections), [0, 2, 3]);
        assert_eq!(chain(Kind::Busiest, &graph, 1, connections), [0, 1, 3]);
    }

    #[test]
    fn a_cycle_is_one_step() {
        let graph = graph(&["a", "b", "c", "d"], &[(0, 1), (1, 2), (2, 1), (2, 3)]);
        assert_eq!(chain(Kind::Longest, &graph, 2, |_, _| 1), [0, 1, 3]);
    }

    #[test]
    fn they_are_worth_what_the_best_of_all_paths_is() {
        for seed in 0..1_000 {
            let graph = reference::random_graph(seed);
            let components = Components::new(&graph);
            let connections = |from: u32, to: u32| u64::from((from * 7 + to * 3) % 11);
            let steps = steps(&graph, &components, connections);
            let paths = reference::paths(&steps, components.len());
            for kind in [Kind::Longest, Kind::Busiest] {
                let chains = Chains::new(kind, &graph, &components, connections);
                for component in 0..components.len() {
                    let worth = |path: &Vec<usize>| {
                        path.windows(2).fold(kind.nothing(), |worth, pair| {
                            let step = steps.iter().find(|(from, to, _)| [*from, *to] == *pair).unwrap();
                            kind.and(worth, step.2)
                        })
                    };
                    let through = paths.iter().filter(|path| path.contains(&component));
                    let best = through.map(worth).max().unwrap();
                    assert_eq!(chains.worth(component), best, "seed {seed}, {kind:?}, component {component}");
                    assert_eq!(worth(&chains.through(component)), best, "seed {seed}, {kind:?}");
                    assert!(paths.contains(&chains.through(component)), "from a beginning to an end");
                }
            }
        }
    }
}
