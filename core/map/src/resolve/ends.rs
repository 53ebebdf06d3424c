//! From a flow's key to the services at its two ends.

use std::net::IpAddr;
use std::sync::Arc;

use super::addresses::{Addresses, Location};
use super::listeners::Listeners;
use super::names::{Names, OTHER_EXTERNALS};
use crate::model::{Direction, FlowKey, ServiceId, ServiceRef, ServiceType, Side, Timestamp};

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

    /// Whether this is an address outside.
    pub(crate) fn is_external(&self) -> bool {
        self.service.service_type == ServiceType::External
    }

    /// The service that stands for all outside addresses beyond the bound.
    pub(crate) fn other_externals() -> Self {
        Self::external(OTHER_EXTERNALS.into())
    }

    fn external(name: Arc<str>) -> Self {
        let service = ServiceRef { namespace: "".into(), name, service_type: ServiceType::External };
        Self { service, rule: "address" }
    }
}

/// What a flow says about services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// This service is there: it listens, or accepts what is counted at its client's end.
    Presence(Party),
    /// One talks to the other.
    Pair {
        /// The TCP initiator.
        source: Party,
        /// Who accepted.
        destination: Party,
        /// The side that counted.
        side: Side,
        /// Since when the destination is known to be at that port; `None` where no listener named it.
        since: Option<Timestamp>,
    },
}

/// All that is known about who is where.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// Addresses of this machine's namespaces.
    pub(crate) addresses: Addresses,
    /// Who listens.
    pub(crate) listeners: Listeners,
    /// Names of cgroups and namespaces.
    pub(crate) names: Names,
    host: Arc<str>,
}

impl Resolver {
    /// Knows nothing yet but the machine's name.
    pub(crate) fn new(host: Arc<str>) -> Self {
        Self {
            addresses: Addresses::default(),
            listeners: Listeners::default(),
            names: Names::default(),
            host,
        }
    }

    /// Names the ends of a flow by what is known now.
    pub(crate) fn ends(&self, key: &FlowKey) -> Ends {
        let local = self.process(key.cgroup, key.netns, self.program(key));
        match key.direction {
            Direction::Listen => Ends::Presence(local),
            // The client is on this machine, and counts this connection itself.
            Direction::Inbound if !key.folded && self.addresses.is_local(key.remote) => Ends::Presence(local),
            Direction::Inbound => {
                Ends::Pair { source: outside(key), destination: local, side: Side::Server, since: None }
            }
            Direction::Outbound => {
                let (destination, since) = self.destination(key);
                Ends::Pair { source: local, destination, side: Side::Client, since }
            }
        }
    }

    fn destination(&self, key: &FlowKey) -> (Party, Option<Timestamp>) {
        if key.folded {
            return (outside(key), None);
        }
        let listener = |netns| self.listeners.find(netns, key.remote, key.port);
        match self.addresses.locate(key.netns, key.remote, |netns| listener(netns).is_some()) {
            Location::Outside => (outside(key), None),
            Location::Ambiguous => (self.machine(), None),
            Location::Here(netns) => match listener(netns) {
                Some(found) => {
                    let process = self.process(found.cgroup, netns, &found.program);
                    (Party { rule: "listener", ..process }, Some(found.since))
                }
                None => (self.machine(), None),
            },
        }
    }

    /// The flow's program; of an accepting one of which the kernel did not know it, the one that listens there.
    fn program<'a>(&'a self, key: &'a FlowKey) -> &'a Arc<str> {
        let accepts = key.direction == Direction::Inbound && key.program.is_empty();
        let listens = || self.listeners.program(key.netns, key.cgroup, key.port);
        accepts.then(listens).flatten().unwrap_or(&key.program)
    }

    fn process(&self, cgroup: u64, netns: u32, program: &Arc<str>) -> Party {
        let (name, rule) = self.names.local(cgroup, netns, program);
        let service = ServiceRef { namespace: self.host.clone(), name, service_type: ServiceType::Process };
        Party { service, rule }
    }

    /// The machine itself: whoever is at a local port where nobody was seen listening.
    fn machine(&self) -> Party {
        let name = self.host.clone();
        let service = ServiceRef { namespace: "".into(), name, service_type: ServiceType::Node };
        Party { service, rule: "address" }
    }
}

fn outside(key: &FlowKey) -> Party {
    let address: IpAddr = key.remote.to_canonical();
    if key.folded { Party::other_externals() } else { Party::external(address.to_string().into()) }
}
