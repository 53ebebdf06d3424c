//! What was lost, told instead of hidden.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Where something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The kernel's flow map had no room for a new flow.
    FlowMapFull,
    /// The kernel refused storage for a socket.
    SocketStorageRefused,
    /// The kernel's table of listeners was full.
    ListenerMapFull,
    /// A socket closed of which the kernel side did not know how it began.
    UntrackedSocket,
    /// A source could not be read for a while.
    SourceUnavailable,
    /// The map's own bound on services or flows turned something away.
    MapBound,
    /// The agent of a machine is not heard any more: what its machine does is counted at the other side, where that is
    /// observed.
    AgentLost,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::FlowMapFull,
        Self::SocketStorageRefused,
        Self::ListenerMapFull,
        Self::UntrackedSocket,
        Self::SourceUnavailable,
        Self::MapBound,
        Self::AgentLost,
    ];

    /// The word in JSON, metrics and OTLP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlowMapFull => "flow_map_full",
            Self::SocketStorageRefused => "socket_storage_refused",
            Self::ListenerMapFull => "listener_map_full",
            Self::UntrackedSocket => "untracked_socket",
            Self::SourceUnavailable => "source_unavailable",
            Self::MapBound => "map_bound",
            Self::AgentLost => "agent_lost",
        }
    }
}

/// Something was lost: how much, where, and whether the map is exact again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Where.
    pub reason: GapReason,
    /// How many things (connections, sockets, flows).
    pub count: u64,
    /// Whether the map has been made exact again since. As a fact: what was lost before for this reason (`count` of it)
    /// has been made good, and is not counted a second time.
    #[serde(default)]
    pub healed: bool,
    /// When it was noticed.
    pub at: Timestamp,
}
