//! The map as a picture, before anybody spells it: what is drawn, with which marks, folded how far. The languages
//! ([`dot`](super::dot), [`mermaid`](super::mermaid)) only say where a shape or a colour is written.
//!
//! [`View`] is what was asked for, [`Limits`] what a person and a renderer can take; [`Drawing::new`] decides between
//! them. The same snapshot gives the same drawing, whatever the order of its lists.

mod cells;
mod compose;
mod legend;
mod links;
mod marks;
mod place;
#[cfg(test)]
mod tests;
mod title;
mod view;
mod words;

pub(super) use view::Limits;
pub(crate) use view::View;

use servicemap_map::model::HealthStatus;

/// A picture of the map.
pub(super) struct Drawing {
    /// What this shows, of when, and what it does not show; never empty.
    pub(super) title: Vec<String>,
    /// Nodes by namespace or machine, those that are in none first; in a fixed order.
    pub(super) groups: Vec<Group>,
    /// Arrows, in a fixed order.
    pub(super) links: Vec<Link>,
    /// What the marks mean: only those that occur. Empty in a drawing of nothing.
    pub(super) legend: Vec<Node>,
}

/// Nodes with a frame around them.
pub(super) struct Group {
    /// What stands on the frame; `None`: there is no frame.
    pub(super) label: Option<String>,
    pub(super) nodes: Vec<Node>,
}

/// A service, or many of them folded into one.
pub(super) struct Node {
    /// A word of letters and digits that no other node has.
    pub(super) id: String,
    /// What stands on it, made [visible](super::text::visible) and cut to a width.
    pub(super) lines: Vec<String>,
    pub(super) shape: Shape,
    /// Gives colour and line; of degraded and unhealthy ones the shape as well.
    pub(super) health: HealthStatus,
    /// Whether others fail without it: a double or heavy border.
    pub(super) critical: bool,
}

/// What sort of thing a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A Kubernetes Service, a workload, a process.
    Service,
    /// Something outside.
    Outside,
    /// A node of the cluster.
    Machine,
    /// Several services in one.
    Folded,
    /// Nothing of the map: a line of the legend.
    Text,
}

/// All connections from one node to another.
pub(super) struct Link {
    /// Ids of the nodes.
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) lines: Vec<String>,
    /// Width of the line in quarters of a point: grows with the logarithm of the attempts to connect.
    pub(super) quarters: u32,
    pub(super) failing: Failing,
    /// Whether it is a step of a cycle.
    pub(super) cyclic: bool,
}

/// How many of a link's attempts fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failing {
    No,
    /// Some do, or connections were cut off.
    Some,
    /// Nothing ever got through.
    All,
}

/// Colours by Okabe and Ito ("Color Universal Design", 2008), which people with any of the common kinds of colour
/// blindness tell apart, and tints of them to write on; all stand out from white and from black. Colour is never alone:
/// shape, line and words say the same.
pub(super) mod palette {
    use servicemap_map::model::HealthStatus;

    use super::{Failing, Link};

    /// Text on a tint.
    pub(in super::super) const INK: &str = "#1a1a1a";
    const GREY: &str = "#767676";
    const VERMILION: &str = "#d55e00";
    const PURPLE: &str = "#cc79a7";

    /// Border and fill of a node.
    pub(in super::super) const fn node(health: HealthStatus) -> (&'static str, &'static str) {
        match health {
            HealthStatus::Healthy => ("#009e73", "#e3f4ee"),
            HealthStatus::Degraded => ("#e69f00", "#fdf1d4"),
            HealthStatus::Unhealthy => (VERMILION, "#fbdfcb"),
            HealthStatus::Unknown => (GREY, "#f4f4f4"),
        }
    }

    /// Line of a link: what fails comes before what goes round.
    pub(in super::super) fn link(link: &Link) -> &'static str {
        match (link.failing, link.cyclic) {
            (Failing::Some | Failing::All, _) => VERMILION,
            (Failing::No, true) => PURPLE,
            (Failing::No, false) => GREY,
        }
    }
}
