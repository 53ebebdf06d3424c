//! The rows of a typed batch: flat, fixed layouts without a pointer in them. Text is an offset and a length into the
//! batch's arena; several texts, endpoints or labels are a first index and a count into the batch's own lists.

#![allow(clippy::expl_impl_clone_on_copy, reason = "the derive of safer-ffi adds its own Clone bounds")]
#![allow(clippy::struct_field_names, reason = "`namespace` alone is a keyword of C++, `type` of Rust and Go")]

use safer_ffi::prelude::*;

/// Text in the batch's arena: UTF-8, not NUL-terminated. Equal texts of one batch have equal offsets.
#[derive_ReprC(rename = "servicemap_event_text")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// First byte, counted from the start of the arena.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
}

/// Some consecutive entries of one of the batch's lists.
#[derive_ReprC(rename = "servicemap_event_range")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Index of the first entry.
    pub first: u32,
    /// How many entries.
    pub count: u32,
}

/// A service by name.
#[derive_ReprC(rename = "servicemap_event_service_ref")]
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceRefRow {
    /// Kubernetes namespace, host name for a Process, empty for Node and External.
    pub service_namespace: Text,
    /// Name inside the namespace.
    pub service_name: Text,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`, `Headless`, `Workload`, `Process`, `Node` or `External`.
    pub service_type: Text,
}

/// One address and port behind a service.
#[derive_ReprC(rename = "servicemap_event_endpoint")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EndpointRow {
    /// IPv4 or IPv6 address; the unspecified one for a listener on all addresses.
    pub address: Text,
    /// TCP port.
    pub port: u16,
    /// 1 if it takes connections, else 0.
    pub ready: u16,
    /// Name of the pod behind it, in the namespace of the service; empty where it is none that is known.
    pub pod: Text,
    /// Name of its node; empty where it is not known.
    pub node: Text,
    /// Name of its zone; empty where it is not known.
    pub zone: Text,
}

/// One label of a service.
#[derive_ReprC(rename = "servicemap_event_label")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LabelRow {
    /// The key.
    pub key: Text,
    /// The value.
    pub value: Text,
}

/// What leads to a service from outside the cluster.
#[derive_ReprC(rename = "servicemap_event_exposure")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ExposureRow {
    /// `Ingress`, `HTTPRoute`, `Route`, `LoadBalancer`, `NodePort`, `ExternalIP` and so on.
    pub kind: Text,
    /// Namespace of the object.
    pub object_namespace: Text,
    /// Name of the object.
    pub object_name: Text,
    /// Who serves it, such as an ingress class; empty if not known.
    pub serving_class: Text,
    /// Host names or addresses at which it is reached: entries of `texts`; none where it answers to all names.
    pub hosts: Range,
    /// Ports of the service to which it leads, of `NodePort` those at the nodes: entries of `ports`.
    pub ports: Range,
}

/// A service: of `service.*` events, of health changes, and of the snapshot.
#[derive_ReprC(rename = "servicemap_event_service")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ServiceRow {
    /// Namespace, name and type.
    pub service: ServiceRefRow,
    /// `unknown`, `healthy`, `degraded` or `unhealthy`.
    pub health: Text,
    /// Why: entries of `texts`, most important first.
    pub health_reasons: Range,
    /// Address:port pairs behind it: entries of `endpoints`.
    pub endpoints: Range,
    /// Labels: entries of `labels`.
    pub labels: Range,
    /// The environment that it is in; empty where the settings do not say.
    pub environment: Text,
    /// What leads to it from outside the cluster: entries of `exposures`.
    pub exposed_by: Range,
    /// When it was first known, in ns since the epoch.
    pub first_seen_ns: u64,
    /// When something was last seen of it, in ns since the epoch.
    pub last_seen_ns: u64,
}

/// A connection (an edge): of `connection.*` events and of the snapshot. Counts are sums since it was first seen.
#[derive_ReprC(rename = "servicemap_event_connection")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRow {
    /// The TCP initiator.
    pub source: ServiceRefRow,
    /// Who accepted.
    pub destination: ServiceRefRow,
    /// Always `tcp`.
    pub protocol: Text,
    /// Connections that became established, those open before the start included.
    pub opened: u64,
    /// How many of `opened` were open before the observer started.
    pub preexisting: u64,
    /// Open now.
    pub active: u64,
    /// Failed: nobody listens.
    pub failed_refused: u64,
    /// Failed: no answer.
    pub failed_timeout: u64,
    /// Failed: no way there.
    pub failed_unreachable: u64,
    /// Failed: cut off by the other side.
    pub failed_reset: u64,
    /// Failed: any other error.
    pub failed_other: u64,
    /// Bytes from the source to the destination.
    pub bytes_sent: u64,
    /// Bytes from the destination to the source.
    pub bytes_received: u64,
    /// Segments sent again by the counted side.
    pub retransmits: u64,
    /// When it was first seen, in ns since the epoch.
    pub first_seen_ns: u64,
    /// When it was last seen, in ns since the epoch.
    pub last_seen_ns: u64,
    /// Example, the first socket: its kernel cookie, as `ss -e` shows it; 0 without an example.
    pub example_cookie: u64,
    /// Example: local address; empty without an example.
    pub example_address: Text,
    /// Example: process id, 0 if not known.
    pub example_pid: u32,
    /// Example: user id of the socket's owner.
    pub example_uid: u32,
    /// `client` or `server`: the side at which it is counted.
    pub side: Text,
    /// The rule that named the source: `cgroup`, `program` or `address`.
    pub source_rule: Text,
    /// The rule that named the destination: `listener`, `cgroup`, `program` or `address`.
    pub destination_rule: Text,
    /// Smoothed round-trip time in microseconds; 0 if not known.
    pub rtt_us: u32,
    /// The port that the destination offers; 0 stands for a scan of many that nobody offers.
    pub port: u16,
    /// Example: local port.
    pub example_port: u16,
    /// 1 if the direction was seen, 0 if it was inferred from who listens.
    pub direction_known: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A dependency: of `dependency.*` events.
#[derive_ReprC(rename = "servicemap_event_dependency")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DependencyRow {
    /// Who needs.
    pub source: ServiceRefRow,
    /// Who is needed.
    pub destination: ServiceRefRow,
    /// Protocol over which it was first seen: `tcp`.
    pub protocol: Text,
    /// Port at which it was first seen.
    pub port: u16,
    /// 1 if both have namespaces and they differ, else 0.
    pub cross_namespace: u16,
    /// 1 if both are in environments and they differ, else 0.
    pub cross_environment: u32,
    /// The environment of who needs; empty where it is in none.
    pub source_environment: Text,
    /// The environment of who is needed; empty where it is in none.
    pub destination_environment: Text,
}

/// A change of health: of `health.changed` events.
#[derive_ReprC(rename = "servicemap_event_health_change")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HealthChangeRow {
    /// Status before.
    pub from: Text,
    /// Status after.
    pub to: Text,
    /// Why: entries of `texts`.
    pub reasons: Range,
    /// The service as it is after the change: an index into `services`.
    pub service: u32,
    /// Always 0.
    pub reserved: u32,
}

/// What became of the graph within one debounce window: of `topology.changed` events.
#[derive_ReprC(rename = "servicemap_event_topology")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TopologyRow {
    /// Counts up by one with each topology event of a run.
    pub revision: u64,
    /// Services after the window.
    pub service_count: u64,
    /// Connections after the window.
    pub connection_count: u64,
    /// Services before the window.
    pub service_count_before: u64,
    /// Connections before the window.
    pub connection_count_before: u64,
    /// Services that came, as `namespace/name`: entries of `texts`.
    pub services_added: Range,
    /// Services that went, as `namespace/name`: entries of `texts`.
    pub services_removed: Range,
    /// Connections that came, as `ns/a->ns/b:port/tcp`: entries of `texts`.
    pub connections_added: Range,
    /// Connections that went, as `ns/a->ns/b:port/tcp`: entries of `texts`.
    pub connections_removed: Range,
    /// Connections that no network policy allows any more: entries of `texts`.
    pub disallowed_connections_added: Range,
    /// Connections of which that is true no longer: entries of `texts`.
    pub disallowed_connections_removed: Range,
    /// Ids of services that no network policy restricts any more: entries of `texts`.
    pub unrestricted_services_added: Range,
    /// Services of which that is true no longer: entries of `texts`.
    pub unrestricted_services_removed: Range,
    /// Services whose pods have another name now: entries of `texts`, by twos, the former id and the one from now on.
    pub renamed: Range,
}

/// Something was lost: of `capture.gap` events.
#[derive_ReprC(rename = "servicemap_event_gap")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GapRow {
    /// Where, for example `flow_map_full`.
    pub reason: Text,
    /// How many things.
    pub count: u64,
    /// When it was noticed, in ns since the epoch.
    pub at_ns: u64,
    /// 1 if the map has been made exact again since, else 0.
    pub healed: u32,
    /// Always 0.
    pub reserved: u32,
}

/// One event. `kind` says in which list its data is, `data` where in it.
#[derive_ReprC(rename = "servicemap_event")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EventRow {
    /// Stable id, the 16 bytes of a UUID: the same fact gives the same id on a replay.
    pub id: [u8; 16],
    /// Position in the log of this run, from 1.
    pub sequence: u64,
    /// When it happened, in ns since the epoch.
    pub at_ns: u64,
    /// When it was noticed, in ns since the epoch.
    pub observed_ns: u64,
    /// What it tells; newer libraries may have more kinds.
    pub kind: EventKind,
    /// OpenTelemetry's SeverityNumber: 5 debug, 9 info, 13 warning.
    pub severity: u32,
    /// 1 initial: it existed when the observer or the consumer started. 2 learning: the observer has not yet learned
    /// what is normal here. Other bits are to be ignored.
    pub flags: u32,
    /// Index of its data in the list that belongs to `kind`.
    pub data: u32,
    /// The name of its kind, for example `service.discovered`.
    pub name: Text,
    /// What it is about: a service id, an edge key, or `topology`.
    pub subject: Text,
}

/// What kind of thing an event tells, and in which list its data is. Numbers are never used again for something else.
#[derive_ReprC(rename = "servicemap_event_kind")]
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A service is in the map that was not: `services`.
    ServiceDiscovered = 1,
    /// A service is gone: `services`.
    ServiceRemoved = 2,
    /// An edge carries an established connection and did not before: `connections`.
    ConnectionEstablished = 10,
    /// An edge's attempts start to fail: `connections`.
    ConnectionFailed = 11,
    /// An edge had no open socket and no traffic for `connection_timeout`: `connections`.
    ConnectionExpired = 12,
    /// A dependency that was never told before: `dependencies`.
    DependencyDetected = 20,
    /// A dependency went: `dependencies`.
    DependencyRemoved = 21,
    /// A service's health status is another one: `health_changes`.
    HealthChanged = 30,
    /// The graph changed: `topologies`.
    TopologyChanged = 40,
    /// Something was lost: `gaps`.
    CaptureGap = 50,
}
