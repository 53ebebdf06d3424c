//! Strongly connected components: services that all need each other, directly or through others, each taken as one.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::Graph;

/// The components of a graph, who needs before who is needed.
#[derive(Debug)]
pub(super) struct Components {
    /// Nodes of each component, sorted.
    members: Vec<Vec<u32>>,
    /// Component of each node.
    of: Vec<u32>,
    /// Components that each one needs, sorted; never itself.
    needs: Vec<Vec<u32>>,
}

impl Components {
    /// Kosaraju's algorithm, since petgraph's Tarjan recurses: a chain of 100,000 services overflows its stack.
    pub(super) fn new(graph: &Graph) -> Self {
        let mut arrows: DiGraph<(), ()> = DiGraph::with_capacity(graph.nodes.len(), graph.arrows.len());
        for _ in &graph.nodes {
            arrows.add_node(());
        }
        arrows.extend_with_edges(&graph.arrows);
        // They come with who is needed first.
        let components = kosaraju_scc(&arrows).into_iter().rev();
        let members: Vec<Vec<u32>> = components
            .map(|component| {
                let mut nodes: Vec<u32> =
                    component.into_iter().filter_map(|node| u32::try_from(node.index()).ok()).collect();
                nodes.sort_unstable();
                nodes
            })
            .collect();
        let mut of = vec![0; arrows.node_count()];
        for (component, nodes) in (0..).zip(&members) {
            for node in nodes {
                if let Some(place) = of.get_mut(*node as usize) {
                    *place = component;
                }
            }
        }
        let mut needs = vec![Vec::new(); members.len()];
        for (from, to) in &graph.arrows {
            let place = |node: &u32| of.get(*node as usize).copied();
            if let (Some(from), Some(to)) = (place(from), place(to))
                && from != to
                && let Some(needs) = needs.get_mut(from as usize)
            {
                needs.push(to);
            }
        }
        for needs in &mut needs {
            needs.sort_unstable();
            needs.dedup();
        }
        Self { members, of, needs }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The component that a node is in.
    pub(super) fn of(&self, node: u32) -> usize {
        self.of.get(node as usize).map_or(0, |component| *component as usize)
    }

    /// The nodes of a component, sorted.
    pub(super) fn members(&self, component: usize) -> &[u32] {
        self.members.get(component).map_or(&[], Vec::as_slice)
    }

    /// The components that a component needs, all of which come after it; sorted.
    pub(super) fn needs(&self, component: usize) -> &[u32] {
        self.needs.get(component).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph;
    use super::*;

    #[test]
    fn who_needs_comes_before_who_is_needed() {
        let components =
            Components::new(&graph(&["a", "b", "c", "d"], &[(3, 1), (1, 2), (2, 1), (2, 0), (3, 0)]));
        let members: Vec<_> = (0..components.len()).map(|one| components.members(one)).collect();
        assert_eq!(members, [&[3][..], &[1, 2], &[0]]);
        assert_eq!((components.needs(0), components.needs(1)), (&[1, 2][..], &[2][..]));
        assert_eq!((components.of(2), components.of(0)), (1, 2));
    }
}
