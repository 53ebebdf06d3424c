//! Who is at one end of a connection, and the services that stand for many addresses.

use std::sync::Arc;

use super::cluster::Cluster;
use crate::model::{ServiceId, ServiceKind, ServiceRef, ServiceType};

/// The rule that gives addresses outside the name of their range in the settings.
pub(super) const NAMED_RANGE: &str = "named_range";

/// The rule that says that nobody known has an address inside the cluster.
pub(super) const UNRESOLVED: &str = "unresolved";

/// The same where not all namespaces are watched.
pub(super) const UNWATCHED: &str = "unwatched";

/// What stands for all that found no room: the External service of addresses, the Process of programs of a machine.
pub(crate) const OTHER: &str = "~other";

/// The workload that stands for everything in the cluster that found no room.
const OTHER_IN_CLUSTER: &str = "~other-in-cluster";

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
        Self::external(OTHER.into(), "address")
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

    /// The party that stands for this one where there is no room for its service. `host` is the machine's own name.
    pub(crate) fn without_room(&self, host: &Arc<str>) -> Self {
        let rest = match self.service.service_type.kind() {
            ServiceKind::External => return Self::other_externals(),
            ServiceKind::Process => {
                let namespace = host.clone();
                ServiceRef { namespace, name: OTHER.into(), service_type: ServiceType::Process }
            }
            ServiceKind::Service | ServiceKind::Workload | ServiceKind::Node => {
                return Self::stranger(OTHER_IN_CLUSTER.into(), self.rule);
            }
        };
        Self { service: rest, rule: self.rule }
    }

    /// Whether this stands for all that found no room of one sort.
    pub(crate) fn stands_for_many(&self, host: &Arc<str>) -> bool {
        self.service == self.without_room(host).service
            || Self::rests().iter().any(|rest| rest.service == self.service)
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
