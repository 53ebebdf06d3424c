//! Flows: what the kernel counts, one entry for all connections that differ only in the client's ephemeral port.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ConnectLatency, Timestamp};

/// Which end of its connections a flow's sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The sockets connected: the client's end.
    Outbound,
    /// The sockets were accepted: the server's end.
    Inbound,
    /// The sockets listen; `opened` and `closed` count listeners.
    Listen,
}

/// Class of a flow's local address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressClass {
    /// 127.0.0.0/8 or ::1.
    Loopback,
    /// 169.254.0.0/16 or fe80::/10.
    LinkLocal,
    /// Anything else.
    #[default]
    Other,
}

/// A machine whose connections are counted, as a number that is good for one run. cgroup ids, network namespaces and
/// addresses of containers mean something on one machine only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineId(pub u32);

impl MachineId {
    /// The machine on which the map itself is kept.
    pub const OWN: Self = Self(0);
}

/// What connections are counted under in the kernel. Ephemeral ports are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowKey {
    /// The machine that counted.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub machine: MachineId,
    /// cgroup v2 id of the socket (the inode of its directory); 1 is the root, 0 unknown.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub cgroup: u64,
    /// Inode of the socket's network namespace, as in `/proc/PID/ns/net`.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub netns: u32,
    /// Which end of its connections the socket is.
    pub direction: Direction,
    /// Class of the local address.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub local_class: AddressClass,
    /// Peer's address; for [`Direction::Listen`] the bound address. IPv4-mapped IPv6 is already IPv4 here.
    pub remote: IpAddr,
    /// The server's port: the remote one outbound, the local one inbound and listening.
    pub port: u16,
    /// Name of the program (the thread group leader's `comm`, at most 15 bytes): who connected or who listens; empty if
    /// not known.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub program: Arc<str>,
    /// The kernel had too many keys and put several remote addresses into this one; `remote` is unspecified.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub folded: bool,
    /// The number of the remote address's last change of hands before the connections were opened, 0 where none is known;
    /// see [`take_reused`](crate::ServiceMap::take_reused). Those to a pod that is gone stay
    /// apart from those to the next one with its address, and a late close counts where its open did.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub generation: u32,
}

/// The first socket that was counted in a delta: one example of many, never a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketExample {
    /// Thread group id in the initial pid namespace; 0 if not known.
    pub pid: u32,
    /// User id of the socket's owner.
    pub uid: u32,
    /// Local address.
    pub local_address: IpAddr,
    /// Local port.
    pub local_port: u16,
    /// Kernel socket cookie, as `ss -e` shows it (`sk:`).
    pub cookie: u64,
}

/// What happened in one flow since the previous delta of the same source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowDelta {
    /// What was counted.
    pub key: FlowKey,
    /// Connections that became established, those open before the start included.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub opened: u64,
    /// How many of `opened` were open before the observer started.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub preexisting: u64,
    /// Established connections that are open no more: their own FIN has left, or they are gone.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub closed: u64,
    /// Attempts and connections that failed, by reason.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub failed: super::Failures,
    /// How many of `failed` had been established: a reset or a time-out cut them off in mid-life. They are in `closed`, too.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub cut: u64,
    /// Attempts given up by their own caller: no failure of the server.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub abandoned: u64,
    /// Bytes acknowledged by the peer (`tcp_info.tcpi_bytes_acked`).
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub bytes_sent: u64,
    /// Bytes received (`tcp_info.tcpi_bytes_received`).
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub bytes_received: u64,
    /// Segments sent again (`tcp_info.tcpi_total_retrans`).
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub retransmits: u64,
    /// Smoothed round-trip time in microseconds, mean over the connections of this delta.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub rtt_us: Option<u32>,
    /// From SYN to established, of those of `opened` whose SYN was seen; `None` where there are none, as where the sockets
    /// were accepted.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::latency::lean")]
    pub connect: Option<Box<ConnectLatency>>,
    /// First instant that this delta counts.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub first: Timestamp,
    /// Last instant that this delta counts.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub last: Timestamp,
    /// The first socket of this delta.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub example: Option<SocketExample>,
    /// The example's socket is a transparent proxy's (`IP_TRANSPARENT`): its local address is another machine's.
    #[serde(default, skip_serializing_if = "super::lean::is_default")]
    pub foreign_local: bool,
}

impl FlowDelta {
    /// Of a flow of which nothing was counted, at no instant.
    pub fn nothing(key: FlowKey) -> Self {
        Self {
            key,
            opened: 0,
            preexisting: 0,
            closed: 0,
            failed: super::Failures::default(),
            cut: 0,
            abandoned: 0,
            bytes_sent: 0,
            bytes_received: 0,
            retransmits: 0,
            rtt_us: None,
            connect: None,
            first: Timestamp::ZERO,
            last: Timestamp::ZERO,
            example: None,
            foreign_local: false,
        }
    }
}
