//! Connections: edges of the map, the sum of their flows.

use std::sync::Arc;

use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::lean::is_default;
use super::{ConnectLatency, Health, ServiceId, ServiceRef, SocketExample, Timestamp};

/// Failed attempts and connections, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failures {
    /// Nobody listens (ECONNREFUSED).
    #[serde(skip_serializing_if = "is_default")]
    pub refused: u64,
    /// No answer (ETIMEDOUT).
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: u64,
    /// No way there (EHOSTUNREACH, ENETUNREACH).
    #[serde(skip_serializing_if = "is_default")]
    pub unreachable: u64,
    /// Cut off by the other side (ECONNRESET), also in the middle of an established connection.
    #[serde(skip_serializing_if = "is_default")]
    pub reset: u64,
    /// Any other error.
    #[serde(skip_serializing_if = "is_default")]
    pub other: u64,
}

impl Failures {
    /// All reasons together.
    pub const fn total(&self) -> u64 {
        self.refused
            .saturating_add(self.timeout)
            .saturating_add(self.unreachable)
            .saturating_add(self.reset)
            .saturating_add(self.other)
    }

    /// Reasons with their counts, in a fixed order.
    pub const fn by_reason(&self) -> [(&'static str, u64); 5] {
        [
            ("refused", self.refused),
            ("timeout", self.timeout),
            ("unreachable", self.unreachable),
            ("reset", self.reset),
            ("other", self.other),
        ]
    }

    /// Adds another count to this one.
    pub const fn add(&mut self, more: &Self) {
        self.refused = self.refused.saturating_add(more.refused);
        self.timeout = self.timeout.saturating_add(more.timeout);
        self.unreachable = self.unreachable.saturating_add(more.unreachable);
        self.reset = self.reset.saturating_add(more.reset);
        self.other = self.other.saturating_add(more.other);
    }
}

/// Sums over connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlowTotals {
    /// Connections that became established, those open before the start included.
    pub opened: u64,
    /// How many of `opened` were open before the observer started.
    pub preexisting: u64,
    /// Open now: in ESTABLISHED or CLOSE_WAIT, as `ss` names it.
    pub active: u64,
    /// Failed, by reason.
    pub failed: Failures,
    /// How many of `failed` had been established and were cut off in mid-life, by a reset or a time-out.
    #[serde(skip_serializing_if = "is_default")]
    pub cut: u64,
    /// Bytes from the source to the destination.
    pub bytes_sent: u64,
    /// Bytes from the destination to the source.
    pub bytes_received: u64,
    /// Segments sent again by the counted side.
    pub retransmits: u64,
    /// Smoothed round-trip time in microseconds; the latest mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
}

/// The side at which an edge is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// At the client: always, where the client is observed.
    Client,
    /// At the server: the client is not observed.
    Server,
}

/// Where an edge's knowledge comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The side at which it is counted.
    pub side: Side,
    /// The rule that named the source: `cgroup`, `network_namespace` (its container's, where the cgroup is in a v1
    /// hierarchy), `program`, `address`, `named_range` (of the settings), and in a cluster `proxied` (the pod in whose network
    /// namespace a socket is that is of another cgroup), `pod` (its address), `node`, `unresolved` (nobody known has it),
    /// `unwatched` (the same where not all namespaces are watched), `kubelet_probe` (of a node to a pod of its own) and
    /// `via_node` (a node whose own programs are not the source: it passes
    /// on what others send).
    pub source_rule: &'static str,
    /// The rule that named the destination: `listener`, `cgroup`, `program`, `address`, `named_range`, and in a cluster `service` (its
    /// address and port), `service_address` (a port that it does not offer), `endpoint` (an address and port behind it),
    /// `pod` (the address of one), `node_port`, `host_port` (of a pod in the node's network), `node`, `unresolved`,
    /// `unwatched`.
    pub destination_rule: &'static str,
    /// Other Services behind which the source's pod was too, sorted; bounded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_candidates: Vec<ServiceId>,
    /// Other Services behind which the destination's pod was too at that port, sorted; bounded. Those where a client that
    /// asked for the pod's own address may have been meant to go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destination_candidates: Vec<ServiceId>,
    /// Whether the direction was seen; otherwise it was inferred from who listens.
    pub direction_known: bool,
}

/// Which edge: source, destination, protocol and the port that the destination offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionRef {
    /// The TCP initiator.
    pub source: ServiceRef,
    /// Who accepted.
    pub destination: ServiceRef,
    /// Always `tcp`.
    pub protocol: &'static str,
    /// The port that the destination offers; [`SCAN`](Self::SCAN) stands for many that nobody offers.
    pub port: u16,
}

impl ConnectionRef {
    /// The only protocol that is counted.
    pub const PROTOCOL: &str = "tcp";

    /// The port of a scan: more than 20 ports of the destination that nobody offers, on which the source only failed. No
    /// connection has it.
    pub const SCAN: u16 = 0;

    /// Whether this stands for a scan of many ports.
    pub const fn is_scan(&self) -> bool {
        self.port == Self::SCAN
    }

    /// The port as text: its number, or `~scan`.
    pub fn port_text(&self) -> String {
        if self.is_scan() { "~scan".to_owned() } else { self.port.to_string() }
    }

    /// `ns/a->ns/b:port/tcp`, as the Go API's map keys have it; a scan's port is `~scan`.
    pub fn key(&self) -> String {
        format!(
            "{}/{}->{}/{}:{}/{}",
            self.source.namespace,
            self.source.name,
            self.destination.namespace,
            self.destination.name,
            self.port_text(),
            self.protocol
        )
    }
}

impl Serialize for ConnectionRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 4 + usize::from(self.is_scan());
        let mut edge = serializer.serialize_struct("ConnectionRef", fields)?;
        edge.serialize_field("source", &self.source)?;
        edge.serialize_field("destination", &self.destination)?;
        edge.serialize_field("protocol", self.protocol)?;
        edge.serialize_field("port", &self.port)?;
        if self.is_scan() {
            edge.serialize_field("scan", &true)?;
        }
        edge.end()
    }
}

/// An edge of the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Connection {
    /// Which edge.
    #[serde(flatten)]
    pub edge: ConnectionRef,
    /// What was counted.
    #[serde(flatten)]
    pub totals: FlowTotals,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// How its attempts fare; unknown of a scan, and where it never carried a connection.
    pub health: Arc<Health>,
    /// How long its clients waited for a connection; `None` where that is not known, as on the server's side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_latency: Option<Box<ConnectLatency>>,
    /// Where its knowledge comes from.
    pub provenance: Provenance,
    /// The first socket: one example of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<SocketExample>,
}
