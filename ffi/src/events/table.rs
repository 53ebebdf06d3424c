//! Builds the rows of a batch from core's events.

use std::collections::HashMap;
use std::sync::Arc;

use servicemap_map::model::{
    Connection, Dependency, Event, EventData, EventType, Exposure, Gap, HealthChange, Service, ServiceRef,
    Side, Snapshot, TopologyChange,
};

use super::rows::{
    ConnectionRow, DependencyRow, EndpointRow, EventKind, EventRow, ExposureRow, GapRow, HealthChangeRow,
    LabelRow, Range, ServiceRefRow, ServiceRow, Text, TopologyRow,
};
use super::strings::{Strings, index, range};
use crate::boundary::Failure;

/// Flags of an [`EventRow`].
const INITIAL: u32 = 1;
const LEARNING: u32 = 2;

/// The rows of one batch.
#[derive(Debug, Default)]
pub struct Table {
    pub(super) run_id: [u8; 16],
    pub(super) snapshot: SnapshotRows,
    pub(super) events: Vec<EventRow>,
    pub(super) services: Vec<ServiceRow>,
    pub(super) connections: Vec<ConnectionRow>,
    pub(super) dependencies: Vec<DependencyRow>,
    pub(super) health_changes: Vec<HealthChangeRow>,
    pub(super) topologies: Vec<TopologyRow>,
    pub(super) gaps: Vec<GapRow>,
    pub(super) endpoints: Vec<EndpointRow>,
    pub(super) labels: Vec<LabelRow>,
    pub(super) exposures: Vec<ExposureRow>,
    pub(super) ports: Vec<u16>,
    pub(super) texts: Vec<Text>,
    pub(super) arena: Vec<u8>,
}

/// Which rows are the snapshot's: the first ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SnapshotRows {
    pub(super) present: bool,
    pub(super) sequence: u64,
    pub(super) services: usize,
    pub(super) connections: usize,
}

impl Table {
    /// Rows of a snapshot, where there is one, and of events. What several of them refer to is one row.
    pub(crate) fn new(events: &[Arc<Event>], snapshot: Option<&Snapshot>) -> Result<Self, Failure> {
        let mut builder = Builder::default();
        if let Some(snapshot) = snapshot {
            builder.snapshot(snapshot)?;
        }
        builder.table.events.reserve_exact(events.len());
        for event in events {
            builder.event(event)?;
        }
        Ok(builder.finish())
    }
}

/// A table that is being built. Rows are found again by the address of what they show: the events and the snapshot keep
/// it alive meanwhile.
#[derive(Default)]
struct Builder {
    table: Table,
    strings: Strings,
    services: HashMap<*const Service, u32>,
    connections: HashMap<*const Connection, u32>,
}

impl Builder {
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        self.table.run_id = *snapshot.observer.run_id.0.as_bytes();
        for service in &snapshot.services {
            self.service(service)?;
        }
        for connection in &snapshot.connections {
            self.connection(connection)?;
        }
        self.table.snapshot = SnapshotRows {
            present: true,
            sequence: snapshot.sequence,
            services: self.table.services.len(),
            connections: self.table.connections.len(),
        };
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        self.table.run_id = *event.run_id.0.as_bytes();
        let data = match &event.data {
            EventData::Service(service) => self.service(service)?,
            EventData::Connection(connection) => self.connection(connection)?,
            EventData::Dependency(dependency) => self.dependency(dependency)?,
            EventData::Health(change) => self.health_change(change)?,
            EventData::Topology(change) => self.topology(change)?,
            EventData::Gap(gap) => self.gap(gap)?,
        };
        let row = EventRow {
            id: *event.id.0.as_bytes(),
            sequence: event.sequence,
            at_ns: event.at.as_nanos(),
            observed_ns: event.observed_at.as_nanos(),
            kind: kind(event.event_type),
            severity: event.severity as u32,
            flags: if event.initial { INITIAL } else { 0 } | if event.learning { LEARNING } else { 0 },
            data,
            name: self.strings.text(event.event_type.as_str())?,
            subject: self.strings.text(&event.subject)?,
        };
        self.table.events.push(row);
        Ok(())
    }

    fn service(&mut self, service: &Arc<Service>) -> Result<u32, Failure> {
        if let Some(known) = self.services.get(&Arc::as_ptr(service)) {
            return Ok(*known);
        }
        let endpoints = self.table.endpoints.len();
        for endpoint in service.endpoints.iter() {
            let mut text = |text: &Option<Arc<str>>| self.strings.text(text.as_deref().unwrap_or_default());
            let [pod, node, zone] = [text(&endpoint.pod)?, text(&endpoint.node)?, text(&endpoint.zone)?];
            let address = self.strings.text(&endpoint.address.to_string())?;
            let (port, ready) = (endpoint.port, endpoint.ready.into());
            self.table.endpoints.push(EndpointRow { address, port, ready, pod, node, zone });
        }
        let labels = self.table.labels.len();
        for (key, value) in service.labels.iter() {
            let row = LabelRow { key: self.strings.text(key)?, value: self.strings.text(value)? };
            self.table.labels.push(row);
        }
        let row = ServiceRow {
            environment: self.strings.text(service.environment.as_deref().unwrap_or_default())?,
            exposed_by: self.exposures(&service.exposed_by)?,
            service: self.reference(&service.reference())?,
            health: self.strings.text(service.health.status.as_str())?,
            health_reasons: self
                .strings
                .texts(service.health.reasons.iter().map(|reason| reason.as_str()))?,
            endpoints: range(endpoints, self.table.endpoints.len())?,
            labels: range(labels, self.table.labels.len())?,
            first_seen_ns: service.first_seen.as_nanos(),
            last_seen_ns: service.last_seen.as_nanos(),
        };
        let place = push(&mut self.table.services, row)?;
        self.services.insert(Arc::as_ptr(service), place);
        Ok(place)
    }

    fn exposures(&mut self, exposures: &[Exposure]) -> Result<Range, Failure> {
        let first = self.table.exposures.len();
        for exposure in exposures {
            let ports = self.table.ports.len();
            self.table.ports.extend(&exposure.ports);
            let row = ExposureRow {
                kind: self.strings.text(exposure.kind)?,
                object_namespace: self.strings.text(&exposure.namespace)?,
                object_name: self.strings.text(&exposure.name)?,
                serving_class: self.strings.text(exposure.class.as_deref().unwrap_or_default())?,
                hosts: self.strings.texts(exposure.hosts.iter().map(|host| &**host))?,
                ports: range(ports, self.table.ports.len())?,
            };
            self.table.exposures.push(row);
        }
        range(first, self.table.exposures.len())
    }

    fn connection(&mut self, connection: &Arc<Connection>) -> Result<u32, Failure> {
        if let Some(known) = self.connections.get(&Arc::as_ptr(connection)) {
            return Ok(*known);
        }
        let Connection {
            edge,
            totals,
            provenance,
            example,
            first_seen,
            last_seen,
            connect_latency: _,
            health: _,
        } = &**connection;
        let address = example.as_ref().map(|example| example.local_address.to_string()).unwrap_or_default();
        let row = ConnectionRow {
            source: self.reference(&edge.source)?,
            destination: self.reference(&edge.destination)?,
            protocol: self.strings.text(edge.protocol)?,
            opened: totals.opened,
            preexisting: totals.preexisting,
            active: totals.active,
            failed_refused: totals.failed.refused,
            failed_timeout: totals.failed.timeout,
            failed_unreachable: totals.failed.unreachable,
            failed_reset: totals.failed.reset,
            failed_other: totals.failed.other,
            bytes_sent: totals.bytes_sent,
            bytes_received: totals.bytes_received,
            retransmits: totals.retransmits,
            first_seen_ns: first_seen.as_nanos(),
            last_seen_ns: last_seen.as_nanos(),
            example_cookie: example.as_ref().map_or(0, |example| example.cookie),
            example_address: self.strings.text(&address)?,
            example_pid: example.as_ref().map_or(0, |example| example.pid),
            example_uid: example.as_ref().map_or(0, |example| example.uid),
            side: self.strings.text(side(provenance.side))?,
            source_rule: self.strings.text(provenance.source_rule)?,
            destination_rule: self.strings.text(provenance.destination_rule)?,
            rtt_us: totals.rtt_us.unwrap_or(0),
            port: edge.port,
            example_port: example.as_ref().map_or(0, |example| example.local_port),
            direction_known: provenance.direction_known.into(),
            reserved: 0,
        };
        let place = push(&mut self.table.connections, row)?;
        self.connections.insert(Arc::as_ptr(connection), place);
        Ok(place)
    }

    fn dependency(&mut self, dependency: &Dependency) -> Result<u32, Failure> {
        let row = DependencyRow {
            source: self.reference(&dependency.source)?,
            destination: self.reference(&dependency.destination)?,
            protocol: self.strings.text(dependency.protocol)?,
            port: dependency.port,
            cross_namespace: dependency.cross_namespace.into(),
            cross_environment: dependency.cross_environment.into(),
            source_environment: self
                .strings
                .text(dependency.source_environment.as_deref().unwrap_or_default())?,
            destination_environment: self
                .strings
                .text(dependency.destination_environment.as_deref().unwrap_or_default())?,
        };
        push(&mut self.table.dependencies, row)
    }

    fn health_change(&mut self, change: &HealthChange) -> Result<u32, Failure> {
        let row = HealthChangeRow {
            from: self.strings.text(change.from.as_str())?,
            to: self.strings.text(change.to.as_str())?,
            reasons: self.strings.texts(change.reasons.iter().map(|reason| reason.as_str()))?,
            service: self.service(&change.service)?,
            reserved: 0,
        };
        push(&mut self.table.health_changes, row)
    }

    fn topology(&mut self, change: &TopologyChange) -> Result<u32, Failure> {
        let renamed = change.renamed.iter().flat_map(|one| [one.from.to_string(), one.to.to_string()]);
        let row = TopologyRow {
            revision: change.revision,
            service_count: change.service_count,
            connection_count: change.connection_count,
            service_count_before: change.service_count_before,
            connection_count_before: change.connection_count_before,
            services_added: self.strings.texts(&change.services_added)?,
            services_removed: self.strings.texts(&change.services_removed)?,
            connections_added: self.strings.texts(&change.connections_added)?,
            connections_removed: self.strings.texts(&change.connections_removed)?,
            disallowed_connections_added: self.strings.texts(&change.disallowed_connections_added)?,
            disallowed_connections_removed: self.strings.texts(&change.disallowed_connections_removed)?,
            unrestricted_services_added: self.strings.texts(&change.unrestricted_services_added)?,
            unrestricted_services_removed: self.strings.texts(&change.unrestricted_services_removed)?,
            renamed: self.strings.texts(renamed)?,
        };
        push(&mut self.table.topologies, row)
    }

    fn gap(&mut self, gap: &Gap) -> Result<u32, Failure> {
        let row = GapRow {
            reason: self.strings.text(gap.reason.as_str())?,
            count: gap.count,
            at_ns: gap.at.as_nanos(),
            healed: gap.healed.into(),
            reserved: 0,
        };
        push(&mut self.table.gaps, row)
    }

    fn reference(&mut self, service: &ServiceRef) -> Result<ServiceRefRow, Failure> {
        Ok(ServiceRefRow {
            service_namespace: self.strings.text(&service.namespace)?,
            service_name: self.strings.text(&service.name)?,
            service_type: self.strings.text(service.service_type.as_str())?,
        })
    }

    fn finish(mut self) -> Table {
        (self.table.arena, self.table.texts) = self.strings.finish();
        self.table
    }
}

/// Adds a row and says where it is.
fn push<T>(rows: &mut Vec<T>, row: T) -> Result<u32, Failure> {
    let place = index(rows.len())?;
    rows.push(row);
    Ok(place)
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

const fn kind(event_type: EventType) -> EventKind {
    match event_type {
        EventType::ServiceDiscovered => EventKind::ServiceDiscovered,
        EventType::ServiceRemoved => EventKind::ServiceRemoved,
        EventType::ConnectionEstablished => EventKind::ConnectionEstablished,
        EventType::ConnectionFailed => EventKind::ConnectionFailed,
        EventType::ConnectionExpired => EventKind::ConnectionExpired,
        EventType::DependencyDetected => EventKind::DependencyDetected,
        EventType::DependencyRemoved => EventKind::DependencyRemoved,
        EventType::HealthChanged => EventKind::HealthChanged,
        EventType::TopologyChanged => EventKind::TopologyChanged,
        EventType::CaptureGap => EventKind::CaptureGap,
    }
}
