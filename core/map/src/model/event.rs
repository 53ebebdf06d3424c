//! Events: typed, deduplicated things told to the outside.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{
    Connection, EventId, Gap, HealthReason, HealthStatus, RunId, Service, ServiceId, ServiceRef, Timestamp,
};

/// What kind of thing an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A service is in the map that was not.
    ServiceDiscovered,
    /// A service is gone.
    ServiceRemoved,
    /// An edge carries an established connection and did not before.
    ConnectionEstablished,
    /// A dependency that was never told before.
    DependencyDetected,
    /// A service's health status is another one.
    HealthChanged,
    /// The graph changed; at most one per debounce window.
    TopologyChanged,
    /// An edge's attempts start to fail.
    ConnectionFailed,
    /// An edge had no open socket and no traffic for `connection_timeout`.
    ConnectionExpired,
    /// A dependency went.
    DependencyRemoved,
    /// Something was lost.
    CaptureGap,
}

impl EventType {
    /// All types, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::ServiceDiscovered,
        Self::ServiceRemoved,
        Self::ConnectionEstablished,
        Self::DependencyDetected,
        Self::HealthChanged,
        Self::TopologyChanged,
        Self::ConnectionFailed,
        Self::ConnectionExpired,
        Self::DependencyRemoved,
        Self::CaptureGap,
    ];

    /// `service.discovered` and so on; the OTLP event name is this with `servicemap.` before it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceDiscovered => "service.discovered",
            Self::ServiceRemoved => "service.removed",
            Self::ConnectionEstablished => "connection.established",
            Self::DependencyDetected => "dependency.detected",
            Self::HealthChanged => "health.changed",
            Self::TopologyChanged => "topology.changed",
            Self::ConnectionFailed => "connection.failed",
            Self::ConnectionExpired => "connection.expired",
            Self::DependencyRemoved => "dependency.removed",
            Self::CaptureGap => "capture.gap",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How much an event matters. Numbers are OpenTelemetry's `SeverityNumber`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For people who look closely.
    Debug = 5,
    /// Worth knowing.
    Info = 9,
    /// Worth acting on.
    Warn = 13,
}

/// Two services of which one needs the other, whatever the port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Who needs.
    pub source: ServiceRef,
    /// Who is needed.
    pub destination: ServiceRef,
    /// Protocol over which it was first seen: `tcp`.
    pub protocol: &'static str,
    /// Port at which it was first seen.
    pub port: u16,
    /// Both have namespaces, and they differ.
    pub cross_namespace: bool,
    /// Both are in environments, and they differ.
    pub cross_environment: bool,
    /// The environment of who needs, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_environment: Option<Arc<str>>,
    /// The environment of who is needed, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_environment: Option<Arc<str>>,
}

/// A change of a service's health.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthChange {
    /// The service, as it is after the change.
    pub service: Arc<Service>,
    /// Before.
    pub from: HealthStatus,
    /// After.
    pub to: HealthStatus,
    /// Why.
    pub reasons: Vec<HealthReason>,
}

/// What became of the graph within one debounce window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopologyChange {
    /// Counts up by one with each topology event of a run.
    pub revision: u64,
    /// Services after the window.
    pub service_count: u64,
    /// Connections (edges) after the window.
    pub connection_count: u64,
    /// Services before the window.
    pub service_count_before: u64,
    /// Connections before the window.
    pub connection_count_before: u64,
    /// `namespace/name` of services that came, sorted.
    pub services_added: Vec<String>,
    /// `namespace/name` of services that went, sorted.
    pub services_removed: Vec<String>,
    /// `ns/a->ns/b:port/tcp` of connections that came, sorted.
    pub connections_added: Vec<String>,
    /// Connections that went, sorted.
    pub connections_removed: Vec<String>,
    /// Connections that no network policy allows and that were allowed, or not there, before; sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disallowed_connections_added: Vec<String>,
    /// Connections of which that is true no longer, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disallowed_connections_removed: Vec<String>,
    /// Ids of services that no network policy restricts and that were restricted, or not there, before; sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unrestricted_services_added: Vec<String>,
    /// Services of which that is true no longer, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unrestricted_services_removed: Vec<String>,
    /// Ids of the members of each circle of dependencies that was none before; sorted. A circle that grew or shrank is another
    /// one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycles_added: Vec<Vec<String>>,
    /// Circles of dependencies that are none any more, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycles_removed: Vec<Vec<String>>,
    /// Ids of services to which nobody has connected for `orphan_after`, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orphans_added: Vec<String>,
    /// Services of which that is true no longer, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orphans_removed: Vec<String>,
    /// Ids of services that are single points of failure and were none before, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub single_points_of_failure_added: Vec<String>,
    /// Services of which that is true no longer, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub single_points_of_failure_removed: Vec<String>,
    /// Services whose pods have another name now, sorted; neither they nor what was counted of them is among what went. Take
    /// away what went, replace the former names by the new ones in what is left, and add what came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<Renaming>,
}

/// The pods of a service have another name: a Service begins to stand before those of a workload, or is deleted before them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Renaming {
    /// The former name.
    pub from: ServiceId,
    /// The name from now on.
    pub to: ServiceId,
}

/// The typed data of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventData {
    /// Of `service.*`.
    Service(Arc<Service>),
    /// Of `connection.*`.
    Connection(Arc<Connection>),
    /// Of `dependency.*`.
    Dependency(Arc<Dependency>),
    /// Of `health.changed`.
    Health(Arc<HealthChange>),
    /// Of `topology.changed`.
    Topology(Arc<TopologyChange>),
    /// Of `capture.gap`.
    Gap(Gap),
}

/// One thing told to the outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Stable id: the same fact gives the same id on a replay.
    pub id: EventId,
    /// What kind of thing it tells.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Position in the log of this run, from 1.
    pub sequence: u64,
    /// The run that told it.
    pub run_id: RunId,
    /// When it happened.
    pub at: Timestamp,
    /// When it was noticed.
    pub observed_at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// It existed when the observer (or the consumer) started.
    #[serde(skip_serializing_if = "super::lean::is_default")]
    pub initial: bool,
    /// The observer has not yet learned what is normal here.
    #[serde(skip_serializing_if = "super::lean::is_default")]
    pub learning: bool,
    /// Of `connection.*` events where only a share of the edges is told: that share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_ratio: Option<f64>,
    /// What it is about: a service id, an edge key, or `topology`.
    pub subject: Arc<str>,
    /// The typed data.
    pub data: EventData,
}
