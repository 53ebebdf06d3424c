//! The one table of metrics: each with its name, labels and unit in both worlds.
//!
//! Prometheus has the short names and labels that dashboards of this kind use; OTLP has OpenTelemetry's naming (no
//! `_total`, seconds, units in braces), under which attribute names differ too.

/// What kind of instrument a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up: a Prometheus counter, a monotonic cumulative sum.
    Counter,
    /// Goes up and down: a Prometheus gauge, a non-monotonic cumulative sum.
    Gauge,
    /// Durations: Prometheus in the unit that its name says, OTLP in seconds.
    Histogram,
    /// Always 1; what it says is in its labels. Not over OTLP, where the resource says it.
    Info,
}

/// How the value of a label becomes OTLP attributes. `k8s.*` names are used only for what Kubernetes knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Text under this key.
    Text(&'static str),
    /// `true` or `false` under this key.
    Flag(&'static str),
    /// A whole number under this key.
    Integer(&'static str),
    /// A namespace: under the first key, and under the second one too if it is a Kubernetes namespace.
    Namespace(&'static str, &'static str),
    /// A service's type: under the first key, and under the second one too if it is a Kubernetes Service.
    ServiceType(&'static str, &'static str),
    /// `namespace/name`: as `servicemap.service.namespace` and `.name`, and as `k8s.*` too if it is a Kubernetes one.
    Service,
    /// Nothing: only Prometheus has this label.
    None,
}

/// A label in both worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name on `/metrics`.
    pub prometheus: &'static str,
    /// Its attributes over OTLP.
    pub otlp: Attribute,
}

/// A metric in both worlds.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name on `/metrics`, with `_total` or `_info`.
    pub prometheus: &'static str,
    /// Its name over OTLP; empty where it is not sent.
    pub otlp: &'static str,
    /// What kind of instrument it is.
    pub kind: Kind,
    /// Its unit over OTLP, in UCUM.
    pub unit: &'static str,
    /// Its labels, in the order of a point's values.
    pub labels: &'static [Label],
    /// What it says, in one sentence.
    pub help: &'static str,
}

impl Descriptor {
    /// How many of a histogram's units on `/metrics` are a second: its name says whether they are milliseconds.
    pub fn units_per_second(&self) -> f64 {
        if self.prometheus.ends_with("_ms") { 1e3 } else { 1.0 }
    }

    /// The name of the family in OpenMetrics, which adds `_total` and `_info` to samples by itself.
    pub fn family_name(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.prometheus.strip_suffix(suffix).unwrap_or(self.prometheus)
    }
}

const fn label(prometheus: &'static str, otlp: Attribute) -> Label {
    Label { prometheus, otlp }
}

const NAMESPACE: Label =
    label("namespace", Attribute::Namespace("servicemap.service.namespace", "k8s.namespace.name"));
const SERVICE_TYPE: Label =
    label("type", Attribute::ServiceType("servicemap.service.type", "k8s.service.type"));

/// Labels of an edge; [`EDGE_FAILED`] and [`EDGE_BYTES`] have one more.
const EDGE: [Label; 7] = [
    label("source_namespace", Attribute::Text("servicemap.source.namespace")),
    label("source_name", Attribute::Text("servicemap.source.name")),
    label("source_type", Attribute::Text("servicemap.source.type")),
    label("destination_namespace", Attribute::Text("servicemap.destination.namespace")),
    label("destination_name", Attribute::Text("servicemap.destination.name")),
    label("destination_type", Attribute::Text("servicemap.destination.type")),
    label("port", Attribute::Integer("destination.port")),
];

const fn edge_and(more: Label) -> [Label; 8] {
    let [
        source_namespace,
        source_name,
        source_type,
        destination_namespace,
        destination_name,
        destination_type,
        port,
    ] = EDGE;
    [
        source_namespace,
        source_name,
        source_type,
        destination_namespace,
        destination_name,
        destination_type,
        port,
        more,
    ]
}

/// Services that came.
pub static SERVICES_DISCOVERED: Descriptor = Descriptor {
    prometheus: "services_discovered_total",
    otlp: "servicemap.services.discovered",
    kind: Kind::Counter,
    unit: "{service}",
    labels: &[NAMESPACE, SERVICE_TYPE],
    help: "Services that came into the map.",
};

/// Services that went.
pub static SERVICES_REMOVED: Descriptor = Descriptor {
    prometheus: "services_removed_total",
    otlp: "servicemap.services.removed",
    kind: Kind::Counter,
    unit: "{service}",
    labels: &[NAMESPACE],
    help: "Services that left the map.",
};

/// Services in the map.
pub static SERVICES_ACTIVE: Descriptor = Descriptor {
    prometheus: "services_active",
    otlp: "servicemap.service.active",
    kind: Kind::Gauge,
    unit: "{service}",
    labels: &[NAMESPACE],
    help: "Services in the map.",
};

/// Edges first seen.
pub static CONNECTIONS_TRACKED: Descriptor = Descriptor {
    prometheus: "connections_tracked_total",
    otlp: "servicemap.connections.tracked",
    kind: Kind::Counter,
    unit: "{connection}",
    labels: &[
        label("source_ns", Attribute::Namespace("servicemap.source.namespace", "source.k8s.namespace.name")),
        label(
            "dest_ns",
            Attribute::Namespace("servicemap.destination.namespace", "destination.k8s.namespace.name"),
        ),
    ],
    help: "Connections between two services (edges of the map) that were seen for the first time.",
};

/// Dependencies first seen.
pub static DEPENDENCIES_DETECTED: Descriptor = Descriptor {
    prometheus: "dependencies_detected_total",
    otlp: "servicemap.dependencies.detected",
    kind: Kind::Counter,
    unit: "{dependency}",
    labels: &[label("cross_namespace", Attribute::Flag("servicemap.dependency.cross_namespace"))],
    help: "Dependencies between two services that were seen for the first time.",
};

/// Edges with an open socket.
pub static CONNECTIONS_ACTIVE: Descriptor = Descriptor {
    prometheus: "connections_active",
    otlp: "servicemap.connection.active",
    kind: Kind::Gauge,
    unit: "{connection}",
    labels: &[label("protocol", Attribute::Text("network.transport"))],
    help: "Connections between two services (edges of the map) that have a socket open.",
};

/// Changes of health.
pub static HEALTH_CHANGES: Descriptor = Descriptor {
    prometheus: "health_changes_total",
    otlp: "servicemap.health.changes",
    kind: Kind::Counter,
    unit: "{change}",
    labels: &[
        label("service", Attribute::Service),
        label("from_status", Attribute::Text("servicemap.health.from")),
        label("to_status", Attribute::Text("servicemap.health.to")),
    ],
    help: "Changes of the health status of services.",
};

/// Services that do not work.
pub static UNHEALTHY_SERVICES: Descriptor = Descriptor {
    prometheus: "unhealthy_services",
    otlp: "servicemap.service.unhealthy",
    kind: Kind::Gauge,
    unit: "{service}",
    labels: &[NAMESPACE],
    help: "Services in the map that are unhealthy.",
};

/// Calls to the Kubernetes API; without Kubernetes it has no samples.
pub static K8S_API_CALLS: Descriptor = Descriptor {
    prometheus: "k8s_api_calls_total",
    otlp: "servicemap.k8s.api.calls",
    kind: Kind::Counter,
    unit: "{call}",
    labels: &[
        label("resource", Attribute::Text("servicemap.k8s.resource")),
        label("operation", Attribute::Text("servicemap.k8s.operation")),
    ],
    help: "Calls to the Kubernetes API server.",
};

/// What the kernel side counted.
pub static EBPF_EVENTS: Descriptor = Descriptor {
    prometheus: "ebpf_events_total",
    otlp: "servicemap.ebpf.events",
    kind: Kind::Counter,
    unit: "{event}",
    labels: &[label("event_type", Attribute::Text("servicemap.ebpf.event_type"))],
    help: "Changes of TCP sockets that the kernel side counted.",
};

/// How long our own work takes.
pub static PROCESSING_DURATION: Descriptor = Descriptor {
    prometheus: "processing_duration_ms",
    otlp: "servicemap.processing.duration",
    kind: Kind::Histogram,
    unit: "s",
    labels: &[label("operation", Attribute::Text("servicemap.operation"))],
    help: "Time that Servicemap's own operations took, in milliseconds.",
};

/// TCP connections of an edge that became established.
pub static EDGE_OPENED: Descriptor = Descriptor {
    prometheus: "servicemap_edge_connections_opened_total",
    otlp: "servicemap.edge.connections.opened",
    kind: Kind::Counter,
    unit: "{connection}",
    labels: &EDGE,
    help: "TCP connections that became established, those open before the start included.",
};

/// TCP connections of an edge that failed.
pub static EDGE_FAILED: Descriptor = Descriptor {
    prometheus: "servicemap_edge_connections_failed_total",
    otlp: "servicemap.edge.connections.failed",
    kind: Kind::Counter,
    unit: "{connection}",
    labels: &edge_and(label("reason", Attribute::Text("error.type"))),
    help: "TCP connections and attempts that failed, by reason.",
};

/// TCP connections of an edge that are open.
pub static EDGE_ACTIVE: Descriptor = Descriptor {
    prometheus: "servicemap_edge_connections_active",
    otlp: "servicemap.edge.connection.active",
    kind: Kind::Gauge,
    unit: "{connection}",
    labels: &EDGE,
    help: "TCP connections that are open.",
};

/// Bytes over an edge.
pub static EDGE_BYTES: Descriptor = Descriptor {
    prometheus: "servicemap_edge_bytes_total",
    otlp: "servicemap.edge.io",
    kind: Kind::Counter,
    unit: "By",
    labels: &edge_and(label("direction", Attribute::Text("servicemap.edge.direction"))),
    help: "Bytes that the source sent to the destination and received from it.",
};

/// Segments sent again over an edge.
pub static EDGE_RETRANSMITS: Descriptor = Descriptor {
    prometheus: "servicemap_edge_retransmits_total",
    otlp: "servicemap.edge.retransmits",
    kind: Kind::Counter,
    unit: "{segment}",
    labels: &EDGE,
    help: "TCP segments that were sent again.",
};

/// How long clients of an edge waited for a connection.
pub static EDGE_CONNECT: Descriptor = Descriptor {
    prometheus: "servicemap_edge_connect_seconds",
    otlp: "servicemap.edge.connect.duration",
    kind: Kind::Histogram,
    unit: "s",
    labels: &EDGE,
    help: "Time from a client's SYN to the established TCP connection, as the client's kernel saw it.",
};

/// Edges that have no series of their own.
pub static EDGES_LEFT_OUT: Descriptor = Descriptor {
    prometheus: "servicemap_edges_left_out",
    otlp: "servicemap.edge.left_out",
    kind: Kind::Gauge,
    unit: "{connection}",
    labels: &[],
    help: "Connections between two services that have no servicemap_edge_* series because max_edge_series is reached.",
};

/// Which Servicemap this is.
pub static BUILD_INFO: Descriptor = Descriptor {
    prometheus: "servicemap_build_info",
    otlp: "",
    kind: Kind::Info,
    unit: "",
    labels: &[label("version", Attribute::None)],
    help: "Version of Servicemap.",
};

/// What was lost.
pub static GAPS: Descriptor = Descriptor {
    prometheus: "servicemap_gaps_total",
    otlp: "servicemap.gaps",
    kind: Kind::Counter,
    unit: "{gap}",
    labels: &[label("reason", Attribute::Text("servicemap.gap.reason"))],
    help: "Connections, sockets and flows that were lost, by reason.",
};

/// Facts that the map took.
pub static FACTS: Descriptor = Descriptor {
    prometheus: "servicemap_facts_total",
    otlp: "servicemap.facts",
    kind: Kind::Counter,
    unit: "{fact}",
    labels: &[],
    help: "Facts that were applied to the map.",
};

/// Facts that came twice.
pub static FACTS_REPEATED: Descriptor = Descriptor {
    prometheus: "servicemap_facts_repeated_total",
    otlp: "servicemap.facts.repeated",
    kind: Kind::Counter,
    unit: "{fact}",
    labels: &[],
    help: "Facts that came a second time and changed nothing.",
};

/// Events written.
pub static EVENTS: Descriptor = Descriptor {
    prometheus: "servicemap_events_total",
    otlp: "servicemap.events",
    kind: Kind::Counter,
    unit: "{event}",
    labels: &[],
    help: "Events that were written to the event log.",
};

/// Events of edges that are not in the sample.
pub static EVENTS_SAMPLED_OUT: Descriptor = Descriptor {
    prometheus: "servicemap_events_sampled_out_total",
    otlp: "servicemap.events.sampled_out",
    kind: Kind::Counter,
    unit: "{event}",
    labels: &[],
    help: "Events about connections that were not told because their edges are not among the share that is.",
};

/// What the bounds of the map met.
pub static BOUNDED: Descriptor = Descriptor {
    prometheus: "servicemap_bounded_total",
    otlp: "servicemap.bounded",
    kind: Kind::Counter,
    unit: "{occurrence}",
    labels: &[label("bound", Attribute::Text("servicemap.bound"))],
    help: "What found no room in the map and counts for ~other or was turned away, by the bound that it met.",
};

/// What the kernel side did less well.
pub static CAPTURE_DEGRADED: Descriptor = Descriptor {
    prometheus: "servicemap_capture_degraded_total",
    otlp: "servicemap.capture.degraded",
    kind: Kind::Counter,
    unit: "{occurrence}",
    labels: &[label("reason", Attribute::Text("servicemap.capture.reason"))],
    help: "What the kernel side counted less exactly or told later than it should, by reason; losses are servicemap_gaps_total.",
};

/// Connections that were mended.
pub static CAPTURE_MENDED: Descriptor = Descriptor {
    prometheus: "servicemap_capture_mended_total",
    otlp: "servicemap.capture.mended",
    kind: Kind::Counter,
    unit: "{connection}",
    labels: &[],
    help: "TCP connections and listeners of which the map knew wrongly whether they are open, mended by a comparison with the sockets.",
};

/// How far the map was from the sockets.
pub static CAPTURE_RESIDUAL: Descriptor = Descriptor {
    prometheus: "servicemap_capture_residual_connections",
    otlp: "servicemap.capture.residual",
    kind: Kind::Gauge,
    unit: "{connection}",
    labels: &[],
    help: "How many of these the last complete comparison found: 0 while the map is exact.",
};

/// Agents of a cluster instance; without one it has no samples, like the two after it.
pub static AGENTS: Descriptor = Descriptor {
    prometheus: "servicemap_agents",
    otlp: "servicemap.agents",
    kind: Kind::Gauge,
    unit: "{agent}",
    labels: &[label("state", Attribute::Text("servicemap.agent.state"))],
    help: "Machines whose agents are heard (observed), and those whose agents are not any more (lost).",
};

/// What became of agents' records.
pub static AGENT_RECORDS: Descriptor = Descriptor {
    prometheus: "servicemap_agent_records_total",
    otlp: "servicemap.agent.records",
    kind: Kind::Counter,
    unit: "{record}",
    labels: &[label("outcome", Attribute::Text("servicemap.agent.record.outcome"))],
    help: "Records of agents that came: taken, repeated or older than what was known, stale (of a run that is over), turned away.",
};

/// Records that did not come.
pub static AGENT_RECORDS_MISSING: Descriptor = Descriptor {
    prometheus: "servicemap_agent_records_missing",
    otlp: "servicemap.agent.records.missing",
    kind: Kind::Gauge,
    unit: "{record}",
    labels: &[],
    help: "Records of agents that have not come although later ones have; the next full report makes good for them.",
};

/// Every metric, in the order in which they are shown.
pub static ALL: [&Descriptor; 31] = [
    &SERVICES_DISCOVERED,
    &SERVICES_REMOVED,
    &SERVICES_ACTIVE,
    &CONNECTIONS_TRACKED,
    &DEPENDENCIES_DETECTED,
    &CONNECTIONS_ACTIVE,
    &HEALTH_CHANGES,
    &UNHEALTHY_SERVICES,
    &K8S_API_CALLS,
    &EBPF_EVENTS,
    &PROCESSING_DURATION,
    &EDGE_OPENED,
    &EDGE_FAILED,
    &EDGE_ACTIVE,
    &EDGE_BYTES,
    &EDGE_RETRANSMITS,
    &EDGE_CONNECT,
    &EDGES_LEFT_OUT,
    &BUILD_INFO,
    &GAPS,
    &FACTS,
    &FACTS_REPEATED,
    &EVENTS,
    &EVENTS_SAMPLED_OUT,
    &BOUNDED,
    &CAPTURE_DEGRADED,
    &CAPTURE_MENDED,
    &CAPTURE_RESIDUAL,
    &AGENTS,
    &AGENT_RECORDS,
    &AGENT_RECORDS_MISSING,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_end_in_total_and_nothing_else_does() {
        for descriptor in ALL {
            assert_eq!(
                descriptor.prometheus.ends_with("_total"),
                descriptor.kind == Kind::Counter,
                "{}",
                descriptor.prometheus
            );
            assert!(!descriptor.otlp.ends_with("total"), "{}", descriptor.otlp);
        }
    }

    #[test]
    fn names_are_unique_in_both_worlds() {
        for (index, one) in ALL.iter().enumerate() {
            for other in &ALL[index + 1..] {
                assert_ne!(one.prometheus, other.prometheus);
                assert_ne!(one.otlp, other.otlp);
            }
        }
    }

    #[test]
    fn no_unit_is_one_because_translators_add_ratio() {
        assert!(ALL.iter().all(|descriptor| descriptor.unit != "1"));
    }
}
