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
    /// `steps` as [`steps`] has them, between so many components; `connections` went over each of the graph's arrows.
    pub(super) fn new(kind: Kind, steps: &[Step], components: usize, connections: &[u64]) -> Self {
        let over = |step: &Step| step.connections(connections);
        let mut before = Side::new(kind, components);
        let mut after = Side::new(kind, components);
        // Who needs comes before who is needed.
        for step in steps {
            before.offer(step.to, kind.and(before.worth(step.from), over(step)), step.from);
        }
        for step in steps.iter().rev() {
            after.offer(step.from, kind.and(after.worth(step.to), over(step)), step.to);
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

/// A dependency between two components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step {
    /// Who needs.
    pub(super) from: usize,
    /// Who is needed.
    pub(super) to: usize,
    /// Position of the graph's arrow.
    arrow: usize,
}

impl Step {
    fn connections(&self, connections: &[u64]) -> u64 {
        connections.get(self.arrow).copied().unwrap_or_default()
    }
}

/// Dependencies between components, in the order of who needs, then of who is needed. There may be several between two.
pub(super) fn steps(graph: &Graph, components: &Components) -> Vec<Step> {
    let steps = graph.arrows.iter().enumerate().map(|(arrow, (from, to))| Step {
        from: components.of(*from),
        to: components.of(*to),
        arrow,
    });
    let mut steps: Vec<_> = steps.filter(|step| step.from != step.to).collect();
    steps.sort_unstable();
    steps
}

/// How many connections went over the least used dependency of a chain; of several between two components the most used
/// one counts.
pub(super) fn least_used(chain: &[usize], steps: &[Step], connections: &[u64]) -> u64 {
    let between = |from: &usize, to: &usize| {
        let first = steps.partition_point(|step| (step.from, step.to) < (*from, *to));
        let several = steps.iter().skip(first).take_while(|step| (step.from, step.to) == (*from, *to));
        several.map(|step| step.connections(connections)).max().unwrap_or_default()
    };
    chain.iter().zip(chain.iter().skip(1)).map(|(from, to)| between(from, to)).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{graph, reference};
    use super::*;

    fn over_arrows(graph: &Graph, connections: impl Fn(u32, u32) -> u64) -> Vec<u64> {
        graph.arrows.iter().map(|(from, to)| connections(*from, *to)).collect()
    }

    fn chain(kind: Kind, graph: &Graph, through: u32, connections: impl Fn(u32, u32) -> u64) -> Vec<u32> {
        let components = Components::new(graph);
        let connections = over_arrows(graph, connections);
        let chains = Chains::new(kind, &steps(graph, &components), components.len(), &connections);
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
            let connections = over_arrows(&graph, |from, to| u64::from((from * 7 + to * 3) % 11));
            let steps = steps(&graph, &components);
            let between: Vec<_> =
                steps.iter().map(|step| (step.from, step.to, step.connections(&connections))).collect();
            let paths = reference::paths(&between, components.len());
            for kind in [Kind::Longest, Kind::Busiest] {
                let chains = Chains::new(kind, &steps, components.len(), &connections);
                for component in 0..components.len() {
                    let worth = |path: &Vec<usize>| {
                        path.windows(2).fold(kind.nothing(), |worth, pair| {
                            let several = between.iter().filter(|(from, to, _)| [*from, *to] == *pair);
                            kind.and(worth, several.map(|step| step.2).max().unwrap())
                        })
                    };
                    let through = paths.iter().filter(|path| path.contains(&component));
                    let best = through.map(worth).max().unwrap();
                    assert_eq!(chains.worth(component), best, "seed {seed}, {kind:?}, component {component}");
                    assert_eq!(worth(&chains.through(component)), best, "seed {seed}, {kind:?}");
                    assert!(paths.contains(&chains.through(component)), "from a beginning to an end");
                    if kind == Kind::Busiest && chains.through(component).len() > 1 {
                        assert_eq!(least_used(&chains.through(component), &steps, &connections), best);
                    }
                }
            }
        }
    }
}
