//! Facts: one thing learned, with the instant at which it was true. The only way into the map.

use std::net::IpAddr;
use std::sync::Arc;

use super::{FlowDelta, Gap, KubernetesFact, Timestamp};

/// Which source told a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceId {
    /// The eBPF programs of this machine.
    Capture,
    /// This machine's processes, cgroups and addresses.
    Host,
    /// The API server of the cluster.
    Kubernetes,
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
#[derive(Clone, Debug, PartialEq)]
pub enum FactBody {
    /// Connections or listeners were counted.
    Flow(FlowDelta),
    /// A network namespace of this machine has this address now, or has it no longer.
    Address {
        /// Inode of the namespace.
        netns: u32,
        /// The address.
        address: IpAddr,
        /// False when it was taken away.
        present: bool,
    },
    /// A network namespace has a name (`/run/netns/NAME`), or is the machine's own.
    NetworkNamespace {
        /// Inode of the namespace.
        netns: u32,
        /// Its name; `None` for the machine's own.
        name: Option<Arc<str>>,
    },
    /// The directory of a cgroup, relative to the hierarchy's root: `/system.slice/nginx.service`.
    Cgroup {
        /// cgroup v2 id.
        id: u64,
        /// Its path.
        path: Arc<str>,
    },
    /// An object of the cluster is so, or is gone.
    Kubernetes(Box<KubernetesFact>),
    /// Something was lost at the source.
    Gap(Gap),
    /// The source has told everything that existed when it began.
    Ready(SourceId),
}
