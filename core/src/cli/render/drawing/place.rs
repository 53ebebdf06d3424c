//! Where a service stands in a picture.

use std::sync::Arc;

use servicemap_map::model::{ServiceId, ServiceKind};

use super::super::text::{shorten, visible};
use super::view::Fold;
use super::words::many;

/// Names are cut to this many columns: longer ones make boxes that nothing fits beside.
pub(super) const MAX_NAME: usize = 48;

/// What services are folded into, and framed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A namespace of the cluster.
    Namespace(Arc<str>),
    /// A machine with its processes.
    Machine(Arc<str>),
    /// Addresses of the cluster that nobody known has.
    Unnamed,
    /// The cluster's nodes.
    Nodes,
    /// Outside.
    Outside,
}

impl Place {
    pub(super) fn of(id: &ServiceId) -> Self {
        match id.kind {
            ServiceKind::External => Self::Outside,
            ServiceKind::Node => Self::Nodes,
            ServiceKind::Process => Self::Machine(id.namespace.clone()),
            ServiceKind::Service | ServiceKind::Workload if id.namespace.is_empty() => Self::Unnamed,
            ServiceKind::Service | ServiceKind::Workload => Self::Namespace(id.namespace.clone()),
        }
    }

    /// What stands on its frame; `None`: its services stand free.
    pub(super) fn frame(&self) -> Option<String> {
        match self {
            Self::Namespace(name) => Some(format!("namespace {}", brief(name))),
            Self::Machine(name) => Some(format!("machine {}", brief(name))),
            Self::Unnamed | Self::Nodes | Self::Outside => None,
        }
    }

    /// What it is called where it is one node.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Namespace(name) | Self::Machine(name) => brief(name),
            Self::Unnamed => "unknown addresses".to_owned(),
            Self::Nodes => "nodes".to_owned(),
            Self::Outside => "outside".to_owned(),
        }
    }

    /// What it is and how many services it has.
    pub(super) fn population(&self, services: u64) -> String {
        match self {
            Self::Namespace(_) => format!("namespace · {}", many(services, "service", "services")),
            Self::Machine(_) => format!("machine · {}", many(services, "process", "processes")),
            Self::Unnamed => many(services, "workload", "workloads"),
            Self::Nodes => many(services, "node", "nodes"),
            Self::Outside => many(services, "external service", "external services"),
        }
    }

    fn is_in(&self, names: &[String]) -> bool {
        match self {
            Self::Namespace(name) | Self::Machine(name) => names.iter().any(|known| **known == **name),
            Self::Unnamed | Self::Nodes | Self::Outside => false,
        }
    }
}

/// A name as it stands in a picture.
pub(super) fn brief(name: &str) -> String {
    shorten(&visible(name), MAX_NAME)
}

/// What one node of the picture stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    /// One service.
    Service(ServiceId),
    /// All services of a place.
    Folded(Place),
    /// What there was no room for.
    Rest,
}

impl Cell {
    /// Where a service is shown.
    pub(super) fn of(id: &ServiceId, fold: Fold) -> Self {
        let place = Place::of(id);
        let alone = match fold {
            Fold::Nothing => true,
            Fold::Everything => false,
            Fold::Except(names) => place.is_in(names),
        };
        if alone { Self::Service(id.clone()) } else { Self::Folded(place) }
    }

    /// Whose frame is around it.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Service(id) => Some(Place::of(id)),
            Self::Folded(_) | Self::Rest => None,
        }
    }
}
