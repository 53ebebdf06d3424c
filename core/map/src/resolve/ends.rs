//! From a flow's key to the services at its two ends.

use std::sync::Arc;

use super::cluster::{Cluster, Found};
use super::machines::{Machine, Machines, Whereabouts};
use super::party::{NAMED_RANGE, Party, UNRESOLVED, UNWATCHED};
use super::pod_path::PodPath;
use crate::model::{Direction, FlowKey, MachineId, ServiceRef, ServiceType, Side, Timestamp};
use crate::ranges::NamedRanges;
use crate::settings::MapSettings;

/// The rule that names a node as the source of connections that it passes on, or may pass on: their real source is hidden
/// behind its address.
pub(crate) const VIA_NODE: &str = "via_node";

/// The rule that marks connections of a node's own programs to a pod of that node: the kubelet's probes. Its sockets are in
/// the node's own network namespace and belong to no pod; what a node masquerades, or sends back by hairpin, has its socket
/// in the network namespace of a pod, and is none.
const KUBELET_PROBE: &str = "kubelet_probe";

/// The rule that marks connections of a pod to itself.
const ITSELF: &str = "itself";

/// The rule that names a pod by its network namespace, in which a socket is that belongs to another one's cgroup: that of a
/// proxy which opens sockets in the namespaces of the pods that it serves.
const PROXIED: &str = "proxied";

/// The rule that names a pod or container by its network namespace, where its cgroup is in a v1 hierarchy.
const NETWORK_NAMESPACE: &str = "network_namespace";

/// No network namespace in particular.
const NO_NAMESPACE: u32 = 0;

/// When a flow's ends are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant {
    /// When what is to be named was so.
    pub(crate) at: Timestamp,
    /// The remote address's generation when the connections were opened.
    pub(crate) generation: u32,
    /// Whether somebody of the cluster who is not known yet may still become known.
    pub(crate) patient: bool,
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
        /// The port as the destination offers it.
        port: u16,
        /// The side that counted.
        side: Side,
        /// Since when the destination is known to be at that port; `None` where no listener named it.
        since: Option<Timestamp>,
        /// The machine of the client, where the server's side counts.
        client: Option<Client>,
    },
    /// An end is in the cluster and not known yet.
    Waiting,
}

impl Ends {
    /// The machine of the client, where the server's side counts.
    pub(crate) fn client(&self) -> Option<MachineId> {
        match self {
            Self::Pair { client, .. } => client.map(|client| client.machine),
            Self::Presence(_) | Self::Waiting => None,
        }
    }
}

/// The machine from which a connection comes that is counted at the server's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Which machine.
    pub(crate) machine: MachineId,
    /// Since when the client's side is counted too; `None` while it is not.
    pub(crate) observed_since: Option<Timestamp>,
}

/// Who accepts.
struct Destination {
    party: Party,
    port: u16,
    since: Option<Timestamp>,
}

/// All that is known about who is where.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// What is known of each machine.
    pub(crate) machines: Machines,
    /// The cluster's objects; empty without one.
    pub(crate) cluster: Cluster,
    /// Ranges of addresses outside that have a name.
    named_ranges: NamedRanges,
    /// Connections of a node's own programs to pods of that node are edges.
    keeps_probes: bool,
}

impl Resolver {
    /// Knows nothing yet but the machine's name and the names of ranges.
    pub(crate) fn new(settings: &MapSettings) -> Self {
        Self {
            machines: Machines::new(settings.host.clone()),
            cluster: Cluster::default(),
            named_ranges: settings.named_ranges.clone(),
            keeps_probes: settings.kubelet_probes,
        }
    }

    /// Names the ends of a flow by what is known now of that instant.
    pub(crate) fn ends(&self, key: &FlowKey, when: Instant) -> Ends {
        // A machine is known as long as it has flows.
        let Some(machine) = self.machines.get(key.machine) else { return Ends::Waiting };
        if when.patient && self.is_late(machine, key.cgroup, key.netns) {
            return Ends::Waiting;
        }
        let local = self.local(machine, key.cgroup, key.netns, program(machine, key), when.at);
        match key.direction {
            Direction::Listen => Ends::Presence(local),
            // The client is on the same machine, where this connection is counted at its side.
            Direction::Inbound if !key.folded && machine.addresses.is_local(key.remote) => {
                Ends::Presence(local)
            }
            Direction::Inbound => self.inbound(machine, key, local, when),
            Direction::Outbound if self.is_itself(machine, key, when) => {
                Ends::Presence(Party { rule: ITSELF, ..local })
            }
            Direction::Outbound => {
                let is_probe = self.is_probe(&local, key, when);
                let rule = if is_probe { KUBELET_PROBE } else { local.rule };
                let local = Party { rule, ..local };
                if is_probe && !self.keeps_probes {
                    return Ends::Presence(local);
                }
                let Some(Destination { party, port, since }) = self.destination(machine, key, when) else {
                    return Ends::Waiting;
                };
                Ends::Pair {
                    source: local,
                    destination: party,
                    port,
                    side: Side::Client,
                    since,
                    client: None,
                }
            }
        }
    }

    /// Pods that flows belong to, by UID.
    pub(crate) fn pods_with_flows(&self) -> impl Iterator<Item = &Arc<str>> {
        let paths = self
            .machines
            .iter()
            .flat_map(|machine| machine.names.pods_with_flows().chain(machine.homes.pods_with_flows()));
        paths.filter_map(|path| self.known_pod(path))
    }

    /// Whether a socket is of a pod of which the API server may still tell.
    fn is_late(&self, machine: &Machine, cgroup: u64, netns: u32) -> bool {
        self.cluster.is_known()
            && self.pod(machine, cgroup, netns).is_none()
            && self.is_of_unknown_pod(machine, cgroup, netns)
    }

    /// Whether a socket's cgroup or network namespace is that of a pod of which the API server has not told: one that is
    /// new, in a namespace that is not watched, or of another cluster.
    fn is_of_unknown_pod(&self, machine: &Machine, cgroup: u64, netns: u32) -> bool {
        let home = machine.homes.get(netns).and_then(|home| home.pod.as_ref());
        machine.names.pod(cgroup).into_iter().chain(home).any(|path| self.known_pod(path).is_none())
    }

    fn known_pod(&self, path: &PodPath) -> Option<&Arc<str>> {
        self.cluster.pod(&path.uid, path.container.as_deref())
    }

    /// The pod of a socket, by UID, and the rule that says so: whose network namespace it is in, where a pod has that for
    /// itself, else whose cgroup.
    pub(super) fn pod(
        &self,
        machine: &Machine,
        cgroup: u64,
        netns: u32,
    ) -> Option<(&Arc<str>, &'static str)> {
        let by_cgroup = machine.names.pod(cgroup).and_then(|path| self.known_pod(path));
        let home = machine.homes.get(netns);
        let by_network = home.and_then(|home| self.known_pod(home.pod.as_ref()?));
        match (by_network.filter(|uid| self.cluster.has_own_network(uid)), by_cgroup) {
            (Some(uid), Some(same)) if uid == same => Some((uid, "cgroup")),
            (Some(uid), None) if home.is_some_and(|home| home.stands_in) => Some((uid, NETWORK_NAMESPACE)),
            (Some(uid), _) => Some((uid, PROXIED)),
            (None, by_cgroup) => by_cgroup.map(|uid| (uid, "cgroup")),
        }
    }

    /// Whether a pod connects to itself: also its containers to each other, such as an app to its proxy.
    fn is_itself(&self, machine: &Machine, key: &FlowKey, when: Instant) -> bool {
        let pod = self.pod(machine, key.cgroup, key.netns).map(|(uid, _)| uid);
        let pod = pod.filter(|uid| self.cluster.has_own_network(uid));
        !key.folded
            && pod.is_some_and(|uid| {
                key.remote.is_loopback() || self.cluster.has_address(uid, key.remote, when)
            })
    }

    /// Whether one of a node's own programs connects to the address of a pod of that node.
    fn is_probe(&self, source: &Party, key: &FlowKey, when: Instant) -> bool {
        let is_node = source.service.service_type == ServiceType::Node && !key.folded;
        is_node && self.cluster.node_of_pod(key.remote, when) == Some(&source.service.name)
    }

    /// A connection that comes from another machine.
    fn inbound(&self, machine: &Machine, key: &FlowKey, local: Party, when: Instant) -> Ends {
        let known = (!key.folded).then(|| self.cluster.client(key.remote, when)).flatten();
        let from = (!key.folded).then(|| self.client(key, when)).flatten();
        let observed = from.is_some_and(|(client, _)| client.observed_since.is_some());
        let source = match known {
            Some(Found::At(service, _, rule)) => Party { service, rule },
            // Who is behind a node that counts its own connections is not the node.
            Some(Found::Node(service)) if observed => Party { service, rule: VIA_NODE },
            Some(Found::Node(service)) => Party { service, rule: "node" },
            Some(Found::Unknown) if when.patient => return Ends::Waiting,
            Some(Found::Unknown) => self.unknown(key),
            None => {
                from.map_or_else(|| self.outside(key), |(_, machine)| self.machine(machine, NO_NAMESPACE))
            }
        };
        let offers = |uid: &Arc<str>| self.cluster.identity_at(uid, key.port, when.at);
        let pod = self.pod(machine, key.cgroup, key.netns).map(|(uid, _)| uid);
        let (destination, port) = match pod.and_then(offers) {
            Some((service, port)) => (Party { service, rule: local.rule }, port),
            None => (local, key.port),
        };
        let client = from.map(|(client, _)| client);
        Ends::Pair { source, destination, port, side: Side::Server, since: None, client }
    }

    /// The other machine from which a connection comes: that of the pod or node that has the address, else the only one
    /// that has it.
    fn client(&self, key: &FlowKey, when: Instant) -> Option<(Client, &Machine)> {
        let node = self.cluster.node_of(key.remote, when);
        let (id, machine) = match node {
            Some(name) => self.machines.named(name)?,
            None => self.machines.only_one_with(key.remote)?,
        };
        let client = Client { machine: id, observed_since: machine.observed_since };
        (id != key.machine).then_some((client, machine))
    }

    /// Who accepts; `None` while that is not known yet.
    fn destination(&self, machine: &Machine, key: &FlowKey, when: Instant) -> Option<Destination> {
        let at = |party, since| Some(Destination { party, port: key.port, since });
        if key.folded {
            return at(self.outside(key), None);
        }
        let location = self.machines.locate(key.machine, key.netns, key.remote, key.port);
        let in_cluster = (!key.remote.is_loopback()).then(|| self.cluster.find(key.remote, key.port, when));
        let listener = match location {
            Whereabouts::At(there, netns) => {
                there.listener(netns, key.remote, key.port).map(|found| (there, netns, found))
            }
            Whereabouts::Ambiguous | Whereabouts::Outside => None,
        };
        let nobody = match in_cluster.flatten() {
            Some(Found::At(service, port, rule)) => {
                return Some(Destination { party: Party { service, rule }, port, since: None });
            }
            Some(Found::Node(service)) => Party { service, rule: "node" },
            // Also where the address is this machine's: its pod may just not have been told.
            Some(Found::Unknown) if when.patient && listener.is_none() => return None,
            Some(Found::Unknown) if matches!(location, Whereabouts::Outside) => self.unknown(key),
            Some(Found::Unknown) | None if matches!(location, Whereabouts::Outside) => self.outside(key),
            Some(Found::Unknown) | None => match location {
                Whereabouts::At(there, netns) => self.machine(there, netns),
                Whereabouts::Ambiguous | Whereabouts::Outside => self.machine(machine, key.netns),
            },
        };
        let Some((there, netns, found)) = listener else { return at(nobody, None) };
        if when.patient && self.is_late(there, found.cgroup, netns) {
            return None;
        }
        let local = self.local(there, found.cgroup, netns, &found.program, when.at);
        at(Party { rule: "listener", ..local }, Some(found.since))
    }

    /// Who a local socket belongs to: its pod's service, else the node where the machine is one, else the process.
    fn local(&self, machine: &Machine, cgroup: u64, netns: u32, program: &Arc<str>, at: Timestamp) -> Party {
        let pod = self.pod(machine, cgroup, netns);
        let pod = pod.and_then(|(uid, rule)| Some(Party { service: self.cluster.identity(uid, at)?, rule }));
        if let Some(party) = pod {
            return party;
        }
        let container = machine.homes.stand_in(netns).filter(|_| !machine.names.is_container(cgroup));
        let (name, rule) = match container {
            Some(container) => (container.clone(), NETWORK_NAMESPACE),
            None => machine.names.local(cgroup, netns, program),
        };
        if let Some(service) =
            (!self.is_of_unknown_pod(machine, cgroup, netns)).then(|| self.node(machine, netns)).flatten()
        {
            return Party { service, rule };
        }
        let namespace = machine.name.clone();
        Party { service: ServiceRef { namespace, name, service_type: ServiceType::Process }, rule }
    }

    /// The node whose own network namespace this is.
    fn node(&self, machine: &Machine, netns: u32) -> Option<ServiceRef> {
        let name = if machine.names.is_own(netns) { &*machine.name } else { "" };
        self.cluster.node_here(name, |address| machine.addresses.has(netns, address))
    }

    /// The machine itself: whoever is at a port of it where nobody was seen listening.
    fn machine(&self, machine: &Machine, netns: u32) -> Party {
        let service = self.node(machine, netns).unwrap_or_else(|| Cluster::node_ref(&machine.name));
        Party { service, rule: "address" }
    }

    /// Whoever has an address outside: the name that the settings give to its range, else the address.
    fn outside(&self, key: &FlowKey) -> Party {
        if key.folded {
            return Party::other_externals();
        }
        match self.named_ranges.name(key.remote) {
            Some(name) => Party::external(name.clone(), NAMED_RANGE),
            None => Party::external(address_of(key), "address"),
        }
    }

    /// Whoever has an address inside the cluster and did not become known in time.
    fn unknown(&self, key: &FlowKey) -> Party {
        let rule = if self.cluster.is_partly_watched() { UNWATCHED } else { UNRESOLVED };
        Party::stranger(address_of(key), rule)
    }
}

/// Whether a rule that names a destination says that somebody offers the port.
pub(crate) fn is_offered(rule: &str) -> bool {
    ["listener", "service", "endpoint", "node_port", "host_port"].contains(&rule)
}

fn address_of(key: &FlowKey) -> Arc<str> {
    key.remote.to_canonical().to_string().into()
}

/// The flow's program; of an accepting one of which the kernel did not know it, the one that listens there.
fn program<'a>(machine: &'a Machine, key: &'a FlowKey) -> &'a Arc<str> {
    let accepts = key.direction == Direction::Inbound && key.program.is_empty();
    let listens = || machine.listeners.program(key.netns, key.cgroup, key.port);
    accepts.then(listens).flatten().unwrap_or(&key.program)
}
