//! What an agent tells.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{ContainerCgroup, FlowDelta, Gap, RunId, Timestamp};

/// Who tells, and which record of theirs it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Name of the machine; in a cluster that of its node.
    pub machine: Arc<str>,
    /// The agent's run.
    pub run: RunId,
    /// When that run began to count: of two runs of a machine the later one counts.
    pub run_started_at: Timestamp,
    /// Counts up by one per record of a run, from 1.
    pub sequence: u64,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Who tells.
    pub head: Head,
    /// When it was so.
    pub at: Timestamp,
    /// What is told.
    pub body: RecordBody,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordBody {
    /// What a flow has counted so far.
    Flow(Box<FlowRecord>),
    /// How the agent is: a sign of life.
    State(StateRecord),
    /// Something was lost on the machine.
    Gap(Gap),
}

/// What a flow has counted since its agent began to count it, with everything that is needed to name its ends elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRecord {
    /// The sums. The key's machine means nothing here: the record's head says whose it is.
    pub totals: FlowDelta,
    /// Sequence number of the run when it began to count this flow. An agent forgets idle flows; one that comes back
    /// afterwards begins at zero, with a higher number here.
    pub since: u64,
    /// Path of the key's cgroup, if known.
    pub cgroup_path: Option<Arc<str>>,
    /// Inode of the machine's own network namespace, if known.
    pub own_netns: Option<u32>,
    /// Name of the key's network namespace (`/run/netns/NAME`), if it has one.
    pub netns_name: Option<Arc<str>>,
    /// The container whose network namespace the key's is, if it is one's own.
    pub netns_cgroup: Option<ContainerCgroup>,
}

/// How an agent is, told with every report.
#[derive(Clone, Debug, PartialEq)]
pub struct StateRecord {
    /// Version of the agent.
    pub version: Arc<str>,
    /// Time until its next report.
    pub interval: Duration,
    /// All flows that it holds were told from this sequence number on: what is not among them is not there. `None` in a
    /// report of changes alone, and before everything that was open when the agent began has been found.
    pub full_from: Option<u64>,
    /// Flows that it holds.
    pub flows: u64,
    /// Network namespaces of the machine with their addresses.
    pub addresses: Vec<(u32, IpAddr)>,
}
