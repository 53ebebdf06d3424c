//! Who is at one end of a connection, and the services that stand for many addresses.

use std::sync::Arc;

use super::cluster::Cluster;
use crate::model::{ServiceId, ServiceRef, ServiceType};

/// The rule that gives addresses outside the name of their range in the settings.
pub(super) const NAMED_RANGE: &str = "named_range";

/// The rule that says that nobody known has an address inside the cluster.
pub(super) const UNRESOLVED: &str = "unresolved";

/// The same where not all namespaces are watched.
pub(super) const UNWATCHED: &str = "unwatched";

/// The External service that stands for all addresses beyond the bound.
const OTHERS: &str = "~other";

/// The workload that stands for all unresolved addresses beyond the bound.
const REST_UNRESOLVED: &str = "~unresolved";

/// The same of unwatched ones.
const REST_UNWATCHED: &str = "~unwatched";

/// One end, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    /// Who.
    pub(crate) service: ServiceRef,
    /// The rule that said so, as [`Provenance`](crate::model::Provenance) has it.
    pub(crate) rule: &'static str,
}

impl Party {
    /// The identity of who is named.
    pub(crate) fn id(&self) -> ServiceId {
        self.service.id()
    }

    /// Whether this is somebody outside.
    pub(crate) fn is_external(&self) -> bool {
        self.service.service_type == ServiceType::External
    }

    /// The service that stands for all outside addresses beyond the bound.
    pub(super) fn other_externals() -> Self {
        Self::external(OTHERS.into(), "address")
    }

    /// For an address, of which there may be any number, the party that stands for all of its sort beyond the bound.
    pub(crate) fn rest(&self) -> Option<Self> {
        match self.rule {
            UNRESOLVED => Some(Self::stranger(REST_UNRESOLVED.into(), UNRESOLVED)),
            UNWATCHED => Some(Self::stranger(REST_UNWATCHED.into(), UNWATCHED)),
            NAMED_RANGE => None,
            _ => self.is_external().then(Self::other_externals),
        }
    }

    /// All that stand for many addresses.
    pub(crate) fn rests() -> [Self; 3] {
        let stranger = |name: &str, rule| Self::stranger(name.into(), rule);
        let unwatched = stranger(REST_UNWATCHED, UNWATCHED);
        [Self::other_externals(), stranger(REST_UNRESOLVED, UNRESOLVED), unwatched]
    }

    /// A node.
    pub(crate) fn node(name: &Arc<str>) -> Self {
        Self { service: Cluster::node_ref(name), rule: "node" }
    }

    /// Somebody inside the cluster who is not known.
    pub(super) fn stranger(name: Arc<str>, rule: &'static str) -> Self {
        let service = ServiceRef { namespace: "".into(), name, service_type: ServiceType::Workload };
        Self { service, rule }
    }

    /// Somebody outside.
    pub(super) fn external(name: Arc<str>, rule: &'static str) -> Self {
        let service = ServiceRef { namespace: "".into(), name, service_type: ServiceType::External };
        Self { service, rule }
    }
}
