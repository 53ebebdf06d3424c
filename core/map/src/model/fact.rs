//! Facts: one thing learned, with the instant at which it was true. The only way into the map.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FlowDelta, Gap, KubernetesFact, MachineId, Timestamp};

/// Which source told a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceId {
    /// The eBPF programs of this machine.
    Capture,
    /// This machine's processes, cgroups and addresses.
    Host,
    /// The API server of the cluster.
    Kubernetes,
    /// The door through which agents of other machines tell what they count.
    Agents,
    /// The agent of another machine: what it tells of flows, addresses, namespaces and cgroups is that machine's.
    Agent(MachineId),
}

impl SourceId {
    /// The machine of which a source speaks.
    pub const fn machine(self) -> MachineId {
        match self {
            Self::Agent(machine) => machine,
            Self::Capture | Self::Host | Self::Kubernetes | Self::Agents => MachineId::OWN,
        }
    }
}

/// Where a fact comes from and which one of that source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The source.
    pub source: SourceId,
    /// Counts up by one per counter fact of a source within a run, from 1: a repeated one changes nothing. 0 on facts
    /// that state something (they are idempotent by themselves).
    pub sequence: u64,
}

/// One thing learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When it was true.
    pub at: Timestamp,
    /// Who told it.
    pub origin: Origin,
    /// What it says.
    pub body: FactBody,
}

/// What a fact says.
#[expect(clippy::large_enum_variant, reason = "the largest one is by far the most frequent one")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FactBody {
    /// Connections or listeners were counted.
    Flow(FlowDelta),
    /// A network namespace of the source's machine has this address now, or has it no longer.
    Address {
        /// Inode of the namespace.
        netns: u32,
        /// The address.
        address: IpAddr,
        /// False when it was taken away.
        #[serde(default = "super::lean::yes", skip_serializing_if = "super::lean::is_yes")]
        present: bool,
    },
    /// A network namespace has a name (`/run/netns/NAME`), or is the machine's own.
    NetworkNamespace {
        /// Inode of the namespace.
        netns: u32,
        /// Its name; `None` for the machine's own.
        #[serde(default, skip_serializing_if = "super::lean::is_default")]
        name: Option<Arc<str>>,
    },
    /// The directory of a cgroup, relative to the hierarchy's root: `/system.slice/nginx.service`.
    Cgroup {
        /// cgroup v2 id.
        id: u64,
        /// Its path.
        path: Arc<str>,
    },
    /// The processes of a network namespace are in the cgroup of a container, or (`None`) of none any more.
    NamespaceCgroup {
        /// Inode of the namespace; never the machine's own one.
        netns: u32,
        /// The cgroup.
        #[serde(default, skip_serializing_if = "super::lean::is_default")]
        cgroup: Option<ContainerCgroup>,
    },
    /// What machine the source speaks of.
    Machine {
        /// Its name: namespace of its Process services, and the name of its node in a cluster.
        name: Arc<str>,
        /// Since when its connections are counted without a break; `None` when they are not any more. While they are, what
        /// is counted at the server's side of them says nothing new.
        #[serde(default, skip_serializing_if = "super::lean::is_default")]
        observed_since: Option<Timestamp>,
    },
    /// Nothing will be told any more of the source's machine, and what was told of its addresses and names can be forgotten.
    MachineGone,
    /// An object of the cluster is so, or is gone.
    Kubernetes(Box<KubernetesFact>),
    /// Something was lost at the source.
    Gap(Gap),
    /// The source has told everything that existed when it began.
    Ready(SourceId),
}

/// The cgroup of a container that has a network namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerCgroup {
    /// Its path below the root of its hierarchy.
    pub path: Arc<str>,
    /// Whether the hierarchy is that of cgroup v2, by which sockets are counted. Of a v1 one sockets know nothing: there
    /// their network namespace says whose they are.
    #[serde(default = "super::lean::yes", skip_serializing_if = "super::lean::is_yes")]
    pub unified: bool,
}
