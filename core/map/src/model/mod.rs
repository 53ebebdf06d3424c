//! What is talked about: services, connections, health, facts and events. Plain data without behaviour beyond
//! formatting and comparison; this folder imports nothing else of ours, and everything else imports it.

mod bound;
mod connection;
mod event;
mod event_types;
mod exposure;
mod fact;
mod flow;
mod gap;
mod health;
mod ids;
mod known;
mod kubernetes;
mod latency;
mod lean;
mod pair;
mod readings;
mod service;
mod snapshot;
mod time;
mod topology;

pub use bound::Bound;
pub use connection::{Connection, ConnectionRef, Failures, FlowTotals, Provenance, Side};
pub use event::{Dependency, Event, EventData, EventType, HealthChange, Renaming, Severity, TopologyChange};
pub use event_types::{EventTypes, UnknownEventType};
pub use exposure::Exposure;
pub use fact::{ContainerCgroup, Fact, FactBody, Origin, SourceId};
pub use flow::{AddressClass, Direction, FlowDelta, FlowKey, MachineId, SocketExample};
pub use gap::{Gap, GapReason};
pub use health::{Cause, Causes, Health, HealthReason, HealthStatus};
pub use ids::{EventId, RunId, ServiceId, ServiceKind};
pub use known::{Known, KnownDependency};
pub use kubernetes::{
    AddressRange, BackendPort, ClusterScope, ContainerPort, EndpointSlice, Ingress, IngressBackend,
    IngressKind, KubernetesFact, KubernetesService, LabelExpression, LabelOperator, LabelSelector, Labels,
    Namespace, NetworkPolicy, Node, Pod, PodOwner, PodPhase, PolicyPeer, PolicyPort, PolicyRule, ServicePort,
    SliceEndpoint, SlicePort,
};
pub use latency::ConnectLatency;
pub use pair::{EdgePairs, Pair, PairEnd};
pub use readings::{AgentStatistics, CaptureHealth, DurationHistogram, KernelEvents, Readings, Statistics};
pub use service::{Endpoint, Service, ServiceRef, ServiceType};
pub use snapshot::{ObserverInfo, Snapshot, SnapshotTotals};
pub use time::{Timestamp, UnknownTimestamp};
pub use topology::{
    Chain, DisallowedConnection, PolicySide, ServiceAnalysis, SinglePointOfFailure, SnapshotDependency,
    SnapshotTopology, TopologyLeftOut,
};
