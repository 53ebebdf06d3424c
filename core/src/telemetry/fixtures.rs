//! Readings and events made by hand, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::model::*;
use uuid::Uuid;

pub(crate) const HOST: &str = "web-1";

/// Seconds after an arbitrary instant.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(1_790_000_000_000_000_000) + Duration::from_secs(seconds)
}

pub(crate) fn observer() -> ObserverInfo {
    ObserverInfo {
        version: "0.1.0".into(),
        host: HOST.into(),
        cluster: "prod".into(),
        cluster_uid: "".into(),
        run_id: RunId(Uuid::from_u128(7)),
        started_at: at(0),
    }
}

pub(crate) fn reference(namespace: &str, name: &str, service_type: ServiceType) -> ServiceRef {
    ServiceRef { namespace: namespace.into(), name: name.into(), service_type }
}

pub(crate) fn service(
    namespace: &str,
    name: &str,
    service_type: ServiceType,
    status: HealthStatus,
) -> Arc<Service> {
    let reference = reference(namespace, name, service_type);
    Arc::new(Service {
        id: reference.id(),
        namespace: reference.namespace,
        name: reference.name,
        service_type,
        environment: None,
        exposed_by: Vec::new(),
        uid: None,
        endpoints: Arc::new([]),
        labels: Labels::default(),
        health: Health { status, reasons: vec![HealthReason::ConnectionsFail], ..Health::default() },
        first_seen: at(1),
        last_seen: at(2),
    })
}

pub(crate) fn connection(first_seen: u64, port: u16, totals: FlowTotals) -> Arc<Connection> {
    Arc::new(Connection {
        edge: ConnectionRef {
            source: reference(HOST, "curl", ServiceType::Process),
            destination: reference("shop", "api", ServiceType::ClusterIP),
            protocol: "tcp",
            port,
        },
        totals,
        first_seen: at(first_seen),
        last_seen: at(first_seen + 1),
        health: Arc::new(Health {
            status: HealthStatus::Healthy,
            reasons: vec![HealthReason::ConnectionsSucceed],
            ..Health::default()
        }),
        connect_latency: (totals.opened > 0)
            .then(|| Box::new(ConnectLatency { counts: [998, 1, 0, 0, 0, 0, 0, 1], sum_us: 3_500_000 })),
        provenance: Provenance {
            side: Side::Client,
            source_rule: "program",
            destination_rule: "address",
            source_candidates: Vec::new(),
            destination_candidates: Vec::new(),
            direction_known: true,
        },
        example: Some(SocketExample {
            pid: 42,
            uid: 0,
            local_address: "10.0.0.1".parse().unwrap(),
            local_port: 40_000,
            cookie: 9,
        }),
    })
}

pub(crate) fn snapshot() -> Snapshot {
    let failed = Failures { refused: 3, reset: 1, ..Failures::default() };
    Snapshot {
        version: Snapshot::VERSION,
        at: at(60),
        sequence: 17,
        observer: observer(),
        services: vec![
            service("shop", "api", ServiceType::ClusterIP, HealthStatus::Unhealthy),
            service(HOST, "curl", ServiceType::Process, HealthStatus::Healthy),
            service("", "10.9.9.9", ServiceType::External, HealthStatus::Unknown),
        ],
        connections: vec![
            connection(20, 443, FlowTotals::default()),
            connection(
                10,
                80,
                FlowTotals {
                    opened: 1_000,
                    active: 2,
                    failed,
                    bytes_sent: 5,
                    bytes_received: 6,
                    retransmits: 7,
                    ..FlowTotals::default()
                },
            ),
        ],
        topology: SnapshotTopology::default(),
        totals: SnapshotTotals::default(),
        excluded: BTreeMap::new(),
        unnamed: BTreeMap::new(),
        gaps: Vec::new(),
    }
}

pub(crate) fn readings() -> Readings {
    let mut drain = DurationHistogram::default();
    drain.observe(Duration::from_micros(80));
    drain.observe(Duration::from_millis(3));
    drain.observe(Duration::from_secs(1));
    Readings {
        at: at(60),
        snapshot: Arc::new(snapshot()),
        statistics: Statistics {
            services_discovered: BTreeMap::from([
                (("shop".into(), ServiceType::Headless), 4),
                ((HOST.into(), ServiceType::Process), 5),
            ]),
            services_removed: BTreeMap::from([(HOST.into(), 2)]),
            connections_tracked: BTreeMap::from([((HOST.into(), "shop".into()), 6)]),
            dependencies_detected: BTreeMap::from([(false, 8), (true, 9)]),
            health_changes: BTreeMap::from([(
                ("shop/api".to_owned(), HealthStatus::Healthy, HealthStatus::Unhealthy),
                1,
            )]),
            gaps: BTreeMap::from([(GapReason::FlowMapFull, 11)]),
            facts: 12,
            facts_repeated: 13,
            closes_without_open: 15,
            events_sampled_out: 17,
            bounded: BTreeMap::from([(Bound::Services, 16)]),
            events: 14,
        },
        kernel: KernelEvents { connect: 21, accept: 22, close: 23, fail: 24, listen: 25, lost: 26 },
        capture: CaptureHealth {
            folded: 31,
            announced_late: 32,
            ended_before_first_pass: 33,
            cgroups_missed: 34,
            generations_forgotten: 35,
            refreshed_late: 36,
            mended: 37,
            residual: 2,
        },
        agents: None,
        k8s_api_calls: BTreeMap::new(),
        max_label_values: 100,
        processing: BTreeMap::from([("drain", drain)]),
    }
}

pub(crate) fn event(event_type: EventType, severity: Severity, data: EventData) -> Arc<Event> {
    let subject = "subject";
    Arc::new(Event {
        id: EventId::new("prod", event_type.as_str(), subject, at(30)),
        event_type,
        sequence: 5,
        run_id: RunId(Uuid::from_u128(7)),
        at: at(30),
        observed_at: at(31),
        severity,
        initial: false,
        learning: false,
        sampling_ratio: None,
        subject: subject.into(),
        data,
    })
}
