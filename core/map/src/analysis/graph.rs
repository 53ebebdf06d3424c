//! The graph of dependencies.

/// Who needs whom, by number.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Ids, sorted, and whether who needs the node is not seen: it is outside, or let in from outside.
    pub(super) nodes: Vec<(String, bool)>,
    /// Who needs whom, as indices into the nodes; sorted, each once.
    pub(super) arrows: Vec<(u32, u32)>,
    /// Where the arrows of each node begin, and after the last one where they end.
    begins: Vec<usize>,
}

impl Graph {
    /// Nodes sorted by id, and arrows between their indices in any order; those that lead nowhere are left out.
    pub(crate) fn new(nodes: Vec<(String, bool)>, arrows: impl Iterator<Item = (u32, u32)>) -> Self {
        let is_node = |node: u32| (node as usize) < nodes.len();
        let mut arrows: Vec<_> = arrows.filter(|(from, to)| is_node(*from) && is_node(*to)).collect();
        arrows.sort_unstable();
        arrows.dedup();
        let begins =
            (0..=nodes.len()).map(|node| arrows.partition_point(|(from, _)| (*from as usize) < node));
        let begins = begins.collect();
        Self { nodes, arrows, begins }
    }

    /// How many arrows there are.
    pub(crate) fn size(&self) -> usize {
        self.arrows.len()
    }

    /// The position of an arrow.
    pub(crate) fn position(&self, from: u32, to: u32) -> Option<usize> {
        let (begin, own) = self.from(from);
        own.binary_search_by_key(&to, |(_, to)| *to).ok().map(|place| begin + place)
    }

    /// Who a node needs, in order.
    pub(super) fn needs(&self, node: u32) -> impl Iterator<Item = u32> {
        self.from(node).1.iter().map(|(_, to)| *to)
    }

    /// The arrows from a node, with the position of the first.
    fn from(&self, node: u32) -> (usize, &[(u32, u32)]) {
        let begin = |node: usize| self.begins.get(node).copied().unwrap_or(self.arrows.len());
        let first = begin(node as usize);
        (first, self.arrows.get(first..begin(node as usize + 1)).unwrap_or_default())
    }

    /// Dependencies between different nodes.
    pub(super) fn between(&self) -> impl Iterator<Item = (u32, u32)> {
        self.arrows.iter().copied().filter(|(from, to)| from != to)
    }

    pub(super) fn name(&self, node: usize) -> Option<&str> {
        self.nodes.get(node).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
pub(crate) fn graph(nodes: &[&str], arrows: &[(u32, u32)]) -> Graph {
    let nodes = nodes.iter().map(|name| ((*name).to_owned(), name.starts_with("external:")));
    Graph::new(nodes.collect(), arrows.iter().copied())
}
