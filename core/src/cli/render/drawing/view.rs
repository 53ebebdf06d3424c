//! What of the map is asked for, and how much a picture can hold.

use servicemap_map::model::Snapshot;

/// What is to be drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Namespaces (or machines) whose services are drawn by themselves; what they talk to is folded by namespace and the
    /// rest left out. None: everything, folded where it is too much.
    pub(crate) namespaces: Vec<String>,
    /// Everything by itself, however much it is.
    pub(crate) unfolded: bool,
}

/// How much a picture holds before it is folded, and after that, before the rest is put together.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Limits {
    pub(in super::super) nodes: usize,
    pub(in super::super) links: usize,
}

impl Limits {
    /// 120 nodes are about what a person still reads on one screen, and what Graphviz lays out in a second or two;
    /// Mermaid refuses more than 500 links (its `maxEdges`, which a page such as GitHub's cannot raise), and more than
    /// 300 are a hatching.
    pub(in super::super) const PICTURE: Self = Self { nodes: 120, links: 300 };
    const NONE: Self = Self { nodes: usize::MAX, links: usize::MAX };

    /// Half of it; at least one node.
    pub(in super::super) fn halved(self) -> Self {
        Self { nodes: (self.nodes / 2).max(1), links: self.links / 2 }
    }
}

/// What is drawn by itself, and what in one with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold<'a> {
    /// Each service by itself.
    Nothing,
    /// Each namespace in one.
    Everything,
    /// Each namespace in one but these.
    Except(&'a [String]),
}

impl View {
    /// How the map is folded when it has so many services and pairs of services that talk.
    pub(super) fn fold(&self, services: usize, pairs: usize, limits: Limits) -> Fold<'_> {
        if self.unfolded {
            Fold::Nothing
        } else if !self.namespaces.is_empty() {
            Fold::Except(&self.namespaces)
        } else if services > limits.nodes || pairs > limits.links {
            Fold::Everything
        } else {
            Fold::Nothing
        }
    }

    /// The limits that hold for this view.
    pub(super) fn limits(&self, limits: Limits) -> Limits {
        if self.unfolded { Limits::NONE } else { limits }
    }

    /// Whether nothing in particular is asked for.
    pub(crate) fn is_default(&self) -> bool {
        self.namespaces.is_empty() && !self.unfolded
    }

    /// The first namespace asked for in which `snapshot` has nothing.
    pub(crate) fn unknown_namespace(&self, snapshot: &Snapshot) -> Option<&str> {
        let known = |name: &&String| snapshot.services.iter().any(|service| *service.namespace == ***name);
        self.namespaces.iter().find(|name| !known(name)).map(String::as_str)
    }
}
