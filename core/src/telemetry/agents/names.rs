//! Every name on the wire.

pub(super) const EVENT_FLOW: &str = "servicemap.flow";
pub(super) const EVENT_STATE: &str = "servicemap.agent.state";
pub(super) const EVENT_GAP: &str = "servicemap.agent.gap";

// Every record.
pub(super) const ENCODING: &str = "servicemap.agent.encoding";
pub(super) const MACHINE: &str = "servicemap.agent.machine";
pub(super) const RUN: &str = "servicemap.agent.run_id";
pub(super) const RUN_STARTED: &str = "servicemap.agent.run_started_unix_nano";
pub(super) const SEQUENCE: &str = "servicemap.agent.sequence";

// `servicemap.flow`: the key.
pub(super) const DIRECTION: &str = "servicemap.flow.direction";
pub(super) const LOCAL_CLASS: &str = "servicemap.flow.local_class";
pub(super) const REMOTE: &str = "servicemap.flow.remote_address";
pub(super) const PORT: &str = "servicemap.flow.port";
pub(super) const PROGRAM: &str = "servicemap.flow.program";
pub(super) const FOLDED: &str = "servicemap.flow.folded";
pub(super) const GENERATION: &str = "servicemap.flow.generation";
pub(super) const CGROUP: &str = "servicemap.flow.cgroup_id";
pub(super) const CGROUP_PATH: &str = "servicemap.flow.cgroup_path";
pub(super) const NETNS: &str = "servicemap.flow.netns";
pub(super) const NETNS_NAME: &str = "servicemap.flow.netns_name";
pub(super) const NETNS_CGROUP: &str = "servicemap.flow.netns_cgroup_path";
pub(super) const NETNS_CGROUP_V1: &str = "servicemap.flow.netns_cgroup_v1_path";
pub(super) const OWN_NETNS: &str = "servicemap.agent.own_netns";

// `servicemap.flow`: the counters.
pub(super) const SINCE: &str = "servicemap.flow.since_sequence";
pub(super) const OPENED: &str = "servicemap.flow.opened";
pub(super) const PREEXISTING: &str = "servicemap.flow.preexisting";
pub(super) const CLOSED: &str = "servicemap.flow.closed";
pub(super) const REFUSED: &str = "servicemap.flow.failed.refused";
pub(super) const TIMEOUT: &str = "servicemap.flow.failed.timeout";
pub(super) const UNREACHABLE: &str = "servicemap.flow.failed.unreachable";
pub(super) const RESET: &str = "servicemap.flow.failed.reset";
pub(super) const OTHER: &str = "servicemap.flow.failed.other";
pub(super) const CUT: &str = "servicemap.flow.cut";
pub(super) const ABANDONED: &str = "servicemap.flow.abandoned";
pub(super) const BYTES_SENT: &str = "servicemap.flow.bytes_sent";
pub(super) const BYTES_RECEIVED: &str = "servicemap.flow.bytes_received";
pub(super) const RETRANSMITS: &str = "servicemap.flow.retransmits";
pub(super) const RTT: &str = "servicemap.flow.rtt_us";
pub(super) const CONNECT_COUNTS: &str = "servicemap.flow.connect_latency.counts";
pub(super) const CONNECT_SUM: &str = "servicemap.flow.connect_latency.sum_us";
pub(super) const FIRST: &str = "servicemap.flow.first_unix_nano";
pub(super) const LAST: &str = "servicemap.flow.last_unix_nano";

// `servicemap.flow`: the example socket.
pub(super) const EXAMPLE_PID: &str = "servicemap.flow.example.pid";
pub(super) const EXAMPLE_UID: &str = "servicemap.flow.example.uid";
pub(super) const EXAMPLE_ADDRESS: &str = "servicemap.flow.example.local_address";
pub(super) const EXAMPLE_PORT: &str = "servicemap.flow.example.local_port";
pub(super) const EXAMPLE_COOKIE: &str = "servicemap.flow.example.cookie";
pub(super) const EXAMPLE_FOREIGN: &str = "servicemap.flow.example.foreign_local";

// `servicemap.agent.state`.
pub(super) const VERSION: &str = "servicemap.agent.version";
pub(super) const INTERVAL: &str = "servicemap.agent.interval_ms";
pub(super) const FULL_FROM: &str = "servicemap.agent.full_from_sequence";
pub(super) const FLOWS: &str = "servicemap.agent.flows";
pub(super) const ADDRESSES: &str = "servicemap.agent.addresses";

// `servicemap.agent.gap`.
pub(super) const GAP_REASON: &str = "servicemap.gap.reason";
pub(super) const GAP_COUNT: &str = "servicemap.gap.count";
pub(super) const GAP_HEALED: &str = "servicemap.gap.healed";
