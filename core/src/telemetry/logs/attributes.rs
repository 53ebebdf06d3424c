//! The attributes and the one-line body of each type of event.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use servicemap_map::model::{
    Connection, Dependency, Event, EventData, EventType, Gap, HealthChange, Renaming, Service, ServiceId,
    ServiceKind, ServiceRef, Side, SocketExample, TopologyChange,
};

use crate::telemetry::otlp;

/// Adds the attributes of the event's data; returns its body.
pub(super) fn describe(event: &Event, attributes: &mut Vec<KeyValue>) -> String {
    match &event.data {
        EventData::Service(service) => self::service(event.event_type, service, attributes),
        EventData::Connection(connection) => self::connection(event.event_type, connection, attributes),
        EventData::Dependency(dependency) => self::dependency(event.event_type, dependency, attributes),
        EventData::Health(change) => health(change, attributes),
        EventData::Topology(change) => topology(change, attributes),
        EventData::Gap(gap) => self::gap(gap, attributes),
    }
}

fn service(event_type: EventType, service: &Service, attributes: &mut Vec<KeyValue>) -> String {
    let reference = service.reference();
    let kubernetes = matches!(reference.service_type.kind(), ServiceKind::Service | ServiceKind::Workload)
        || service.uid.is_some();
    name_service(service, attributes);
    if let Some(environment) = &service.environment {
        attributes.push(otlp::text("servicemap.service.environment", &**environment));
    }
    attributes.push(otlp::text("servicemap.discovery.source", if kubernetes { "k8s" } else { "ebpf" }));
    if event_type == EventType::ServiceRemoved {
        attributes.push(otlp::text("entity.delete.reason", if kubernetes { "deleted" } else { "expired" }));
        return format!("{} was removed", display(&reference));
    }
    format!("{} was discovered", display(&reference))
}

fn connection(event_type: EventType, connection: &Connection, attributes: &mut Vec<KeyValue>) -> String {
    let edge = &connection.edge;
    name("source", &edge.source, attributes);
    name("destination", &edge.destination, attributes);
    attributes.push(otlp::integer("destination.port", edge.port.into()));
    attributes.push(otlp::text("network.transport", edge.protocol));
    if let Some(example) = &connection.example {
        self::example(example, connection.provenance.side, attributes);
    }
    let ends = format!(
        "{} -> {}:{}/{}",
        display(&edge.source),
        display(&edge.destination),
        edge.port_text(),
        edge.protocol
    );
    match event_type {
        EventType::ConnectionFailed => {
            let reasons = connection.totals.failed.by_reason();
            let (reason, _) =
                reasons.into_iter().rev().max_by_key(|(_, count)| *count).unwrap_or(("other", 0));
            attributes.push(otlp::text("error.type", reason));
            format!("{ends} fails: {reason}")
        }
        EventType::ConnectionExpired => format!("{ends} expired"),
        _ => {
            attributes.push(otlp::text("network.connection.state", "established"));
            format!("{ends} is established")
        }
    }
}

/// The first socket: at the source where the client's side was seen, else at the destination.
fn example(example: &SocketExample, side: Side, attributes: &mut Vec<KeyValue>) {
    let end = match side {
        Side::Client => "source",
        Side::Server => "destination",
    };
    attributes
        .push(otlp::text("network.type", if example.local_address.is_ipv4() { "ipv4" } else { "ipv6" }));
    attributes
        .push(otlp::text(format!("servicemap.example.{end}.address"), example.local_address.to_string()));
    attributes.push(otlp::integer(format!("servicemap.example.{end}.port"), example.local_port.into()));
    if example.pid != 0 {
        attributes.push(otlp::integer("servicemap.example.pid", example.pid.into()));
    }
}

fn dependency(event_type: EventType, dependency: &Dependency, attributes: &mut Vec<KeyValue>) -> String {
    for (end, reference) in [("source", &dependency.source), ("destination", &dependency.destination)] {
        name(end, reference, attributes);
        attributes.push(otlp::text(format!("{end}.service.name"), &*reference.name));
        if !reference.namespace.is_empty() {
            attributes.push(otlp::text(format!("{end}.service.namespace"), &*reference.namespace));
        }
    }
    attributes.push(otlp::integer("destination.port", dependency.port.into()));
    attributes.push(otlp::text("network.transport", dependency.protocol));
    attributes.push(otlp::flag("servicemap.dependency.cross_namespace", dependency.cross_namespace));
    attributes.push(otlp::flag("servicemap.dependency.cross_environment", dependency.cross_environment));
    let environments =
        [("source", &dependency.source_environment), ("destination", &dependency.destination_environment)];
    for (end, environment) in environments {
        if let Some(environment) = environment {
            attributes.push(otlp::text(format!("servicemap.{end}.environment"), &**environment));
        }
    }
    let verb = if event_type == EventType::DependencyRemoved { "no longer depends on" } else { "depends on" };
    format!("{} {verb} {}", display(&dependency.source), display(&dependency.destination))
}

fn health(change: &HealthChange, attributes: &mut Vec<KeyValue>) -> String {
    let reference = change.service.reference();
    name_service(&change.service, attributes);
    attributes.push(otlp::text("servicemap.health.from", change.from.as_str()));
    attributes.push(otlp::text("servicemap.health.to", change.to.as_str()));
    if let Some(reason) = change.reasons.first() {
        attributes.push(otlp::text("servicemap.health.reason", reason.as_str()));
    }
    let causes = &change.service.health.causes.listed;
    if !causes.is_empty() {
        let causes = causes.iter().map(|cause| cause.service.to_string());
        attributes.push(otlp::texts("servicemap.health.causes", causes));
    }
    let reasons: Vec<_> = change.reasons.iter().map(|reason| reason.as_str()).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    format!("{} is {} (was {}){why}", display(&reference), change.to.as_str(), change.from.as_str())
}

fn topology(change: &TopologyChange, attributes: &mut Vec<KeyValue>) -> String {
    let (came, went) = (change.services_added.len() as u64, change.services_removed.len() as u64);
    let (edges_came, edges_went) =
        (change.connections_added.len() as u64, change.connections_removed.len() as u64);
    for (key, value) in [
        ("servicemap.topology.revision", change.revision),
        ("servicemap.topology.node.count", change.service_count),
        ("servicemap.topology.edge.count", change.connection_count),
        ("servicemap.topology.nodes.added", came),
        ("servicemap.topology.nodes.removed", went),
        ("servicemap.topology.edges.added", edges_came),
        ("servicemap.topology.edges.removed", edges_went),
    ] {
        attributes.push(otlp::integer(key, value));
    }
    format!(
        "topology {}: {} services (+{came} -{went}), {} connections (+{edges_came} -{edges_went}){}{}{}",
        change.revision,
        change.service_count,
        change.connection_count,
        renamed(change, attributes),
        graph(change, attributes),
        policies(change, attributes)
    )
}

/// Whose pods have another name now: former ids, and those from now on in the same order.
fn renamed(change: &TopologyChange, attributes: &mut Vec<KeyValue>) -> String {
    let ids = |of: fn(&Renaming) -> &ServiceId| change.renamed.iter().map(move |one| of(one).to_string());
    if !change.renamed.is_empty() {
        attributes.push(otlp::texts("servicemap.topology.renamed.from", ids(|one| &one.from)));
        attributes.push(otlp::texts("servicemap.topology.renamed.to", ids(|one| &one.to)));
    }
    let clauses = change.renamed.iter().map(|one| format!("; {} is {} now", one.from, one.to));
    clauses.collect::<Vec<_>>().concat()
}

/// What follows from the graph now and did not, and the other way round; nothing is added where nothing changed.
fn graph(change: &TopologyChange, attributes: &mut Vec<KeyValue>) -> String {
    let cycles = [change.cycles_added.len(), change.cycles_removed.len()];
    let orphans = [change.orphans_added.len(), change.orphans_removed.len()];
    let single_points =
        [change.single_points_of_failure_added.len(), change.single_points_of_failure_removed.len()];
    let mut clauses = String::new();
    for (key, name, [came, went]) in [
        ("cycles", "cycles", cycles),
        ("orphans", "orphans", orphans),
        ("single_points_of_failure", "single points of failure", single_points),
    ] {
        for (what, count) in [("added", came), ("removed", went)] {
            if count > 0 {
                attributes.push(otlp::integer(format!("servicemap.topology.{key}.{what}"), count as u64));
            }
        }
        if came + went > 0 {
            clauses.extend(["; ", name, " (+", &came.to_string(), " -", &went.to_string(), ")"]);
        }
    }
    clauses
}

/// What changed of what network policies allow; nothing is added where nothing did.
fn policies(change: &TopologyChange, attributes: &mut Vec<KeyValue>) -> String {
    let mut clauses = String::new();
    for (key, clause, changed) in [
        ("disallowed.added", "connections that no policy allows", &change.disallowed_connections_added),
        ("disallowed.removed", "such connections fewer", &change.disallowed_connections_removed),
        ("unrestricted.added", "services that no policy restricts", &change.unrestricted_services_added),
        ("unrestricted.removed", "such services fewer", &change.unrestricted_services_removed),
    ] {
        if !changed.is_empty() {
            attributes.push(otlp::integer(format!("servicemap.topology.{key}"), changed.len() as u64));
            clauses.extend(["; ", &changed.len().to_string(), " ", clause]);
        }
    }
    clauses
}

fn gap(gap: &Gap, attributes: &mut Vec<KeyValue>) -> String {
    attributes.push(otlp::text("servicemap.gap.reason", gap.reason.as_str()));
    attributes.push(otlp::integer("servicemap.gap.count", gap.count));
    attributes.push(otlp::flag("servicemap.gap.healed", gap.healed));
    let state = if gap.healed { "the map is exact again" } else { "the map is not exact" };
    format!("{} lost: {}; {state}", gap.count, gap.reason.as_str())
}

/// Names a service: ours for any kind, OpenTelemetry's own, and Kubernetes' where they are true.
fn name_service(service: &Service, attributes: &mut Vec<KeyValue>) {
    let reference = &service.reference();
    name_under("servicemap.service", reference, attributes);
    attributes.push(otlp::text("service.name", &*reference.name));
    if !reference.namespace.is_empty() {
        attributes.push(otlp::text("service.namespace", &*reference.namespace));
    }
    name_kubernetes("", reference, attributes);
    if reference.service_type.kind() == ServiceKind::Service {
        attributes
            .push(otlp::text("k8s.service.type", otlp::kubernetes_type(reference.service_type.as_str())));
    }
    let labels = |prefix: &'static str| {
        service.labels.iter().map(move |(name, value)| otlp::text(format!("{prefix}.{name}"), &**value))
    };
    let Some(uid) = &service.uid else { return };
    match reference.service_type.kind() {
        ServiceKind::Service => {
            attributes.push(otlp::text("k8s.service.uid", &**uid));
            attributes.extend(labels("k8s.service.label"));
        }
        // A machine that the API server knows is a node of the cluster.
        ServiceKind::Node => {
            attributes.push(otlp::text("k8s.node.name", &*reference.name));
            attributes.push(otlp::text("k8s.node.uid", &**uid));
            attributes.extend(labels("k8s.node.label"));
        }
        ServiceKind::Workload | ServiceKind::Process | ServiceKind::External => {}
    }
}

/// Names one end of a connection or dependency.
fn name(end: &str, reference: &ServiceRef, attributes: &mut Vec<KeyValue>) {
    name_under(&format!("servicemap.{end}"), reference, attributes);
    name_kubernetes(&format!("{end}."), reference, attributes);
}

fn name_under(prefix: &str, reference: &ServiceRef, attributes: &mut Vec<KeyValue>) {
    attributes.push(otlp::text(format!("{prefix}.namespace"), &*reference.namespace));
    attributes.push(otlp::text(format!("{prefix}.name"), &*reference.name));
    attributes.push(otlp::text(format!("{prefix}.type"), reference.service_type.as_str()));
}

fn name_kubernetes(prefix: &str, reference: &ServiceRef, attributes: &mut Vec<KeyValue>) {
    let kind = reference.service_type.kind();
    if matches!(kind, ServiceKind::Service | ServiceKind::Workload) {
        attributes.push(otlp::text(format!("{prefix}k8s.namespace.name"), &*reference.namespace));
    }
    match kind {
        ServiceKind::Service => {
            attributes.push(otlp::text(format!("{prefix}k8s.service.name"), &*reference.name));
        }
        // A workload's owner may be of several kinds, of which the type does not tell the one. A machine is a node of
        // a cluster only sometimes, which its type does not tell either.
        ServiceKind::Workload | ServiceKind::Node | ServiceKind::Process | ServiceKind::External => {}
    }
}

/// `namespace/name`, or only the name of what has no namespace.
fn display(reference: &ServiceRef) -> String {
    if reference.namespace.is_empty() {
        reference.name.to_string()
    } else {
        format!("{}/{}", reference.namespace, reference.name)
    }
}
