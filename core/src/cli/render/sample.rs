//! Maps made by hand for the tests of all forms.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use servicemap_map::model::{
    ConnectLatency, Connection, ConnectionRef, Endpoint, Failures, FlowTotals, Gap, GapReason, Health,
    HealthReason, HealthStatus, ObserverInfo, Provenance, RunId, Service, ServiceRef, ServiceType, Side,
    Snapshot, SnapshotTopology, SnapshotTotals, SocketExample, Timestamp,
};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_790_000_000 * SECOND;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(START + seconds * SECOND)
}

pub(super) fn service(reference: &ServiceRef, status: HealthStatus) -> Arc<Service> {
    let reasons = match status {
        HealthStatus::Unknown => vec![HealthReason::NoTraffic],
        HealthStatus::Healthy => vec![HealthReason::ConnectionsSucceed],
        HealthStatus::Degraded | HealthStatus::Unhealthy => vec![HealthReason::ConnectionsFail],
    };
    Arc::new(Service {
        id: reference.id(),
        namespace: reference.namespace.clone(),
        name: reference.name.clone(),
        service_type: reference.service_type,
        environment: None,
        exposed_by: Vec::new(),
        uid: None,
        endpoints: [Endpoint::new(IpAddr::from([0, 0, 0, 0]), 8080, true)].into(),
        labels: [("unit", reference.name.clone())].into_iter().collect(),
        health: Health { status, reasons, ..Health::default() },
        first_seen: at(0),
        last_seen: at(60),
    })
}

pub(super) fn edge(
    source: &ServiceRef,
    destination: &ServiceRef,
    port: u16,
    totals: FlowTotals,
    last_seen: u64,
) -> Arc<Connection> {
    Arc::new(Connection {
        edge: ConnectionRef {
            source: source.clone(),
            destination: destination.clone(),
            protocol: "tcp",
            port,
        },
        totals,
        first_seen: at(0),
        last_seen: at(last_seen),
        health: Arc::new(Health {
            status: HealthStatus::Healthy,
            reasons: vec![HealthReason::ConnectionsSucceed],
            ..Health::default()
        }),
        connect_latency: (totals.opened > 0)
            .then(|| Box::new(ConnectLatency { counts: [1, 0, 0, 0, 0, 0, 0, 0], sum_us: 90 })),
        provenance: Provenance {
            side: Side::Client,
            source_rule: "cgroup",
            destination_rule: "listener",
            source_candidates: Vec::new(),
            destination_candidates: Vec::new(),
            direction_known: true,
        },
        example: Some(SocketExample {
            pid: 4242,
            uid: 1000,
            local_address: IpAddr::from([127, 0, 0, 1]),
            local_port: 51_234,
            cookie: 77,
        }),
    })
}

pub(super) fn named(namespace: &str, name: &str, service_type: ServiceType) -> ServiceRef {
    ServiceRef { namespace: namespace.into(), name: name.into(), service_type }
}

pub(super) fn snapshot(
    host: &str,
    services: Vec<Arc<Service>>,
    connections: Vec<Arc<Connection>>,
) -> Snapshot {
    let external = services.iter().filter(|service| service.service_type == ServiceType::External).count();
    Snapshot {
        version: Snapshot::VERSION,
        at: at(60),
        sequence: 12,
        observer: ObserverInfo {
            version: "0.1.0".into(),
            host: host.into(),
            cluster: "".into(),
            cluster_uid: "".into(),
            run_id: RunId(uuid::Uuid::from_u128(1)),
            started_at: at(0),
        },
        totals: SnapshotTotals {
            services: services.len() as u64,
            connections: connections.len() as u64,
            cross_namespace: 0,
            cross_environment: 0,
            external_services: external as u64,
        },
        services,
        connections,
        topology: SnapshotTopology::default(),
        excluded: BTreeMap::new(),
        unnamed: BTreeMap::new(),
        gaps: Vec::new(),
    }
}

/// A machine that has seen nothing yet.
pub(crate) fn empty() -> Snapshot {
    snapshot("shop-1", Vec::new(), Vec::new())
}

/// A machine with a small shop: all healths, an external peer by IPv6, a name too long for a narrow table.
pub(crate) fn shop() -> Snapshot {
    let [nginx, api, cache, mail] =
        ["nginx.service", "api.service", "cache.service", "notification-dispatcher-with-a-long-name.service"]
            .map(|name| named("shop-1", name, ServiceType::Process));
    let database = named("shop-2", "postgresql@15-main.service", ServiceType::Process);
    let outside = named("", "2606:2800:220:1:248:1893:25c8:1946", ServiceType::External);
    let totals = |opened, active, failed: Failures, bytes_sent, rtt_us| FlowTotals {
        cut: failed.reset,
        opened,
        preexisting: 1,
        active,
        failed,
        bytes_sent,
        bytes_received: bytes_sent * 3,
        retransmits: 2,
        rtt_us,
    };
    let none = Failures::default();
    let refused = Failures { refused: 100, ..none };
    let mixed = Failures { timeout: 4, reset: 1, ..none };
    snapshot(
        "shop-1",
        vec![
            service(&api, HealthStatus::Healthy),
            service(&cache, HealthStatus::Unhealthy),
            service(&mail, HealthStatus::Unknown),
            service(&nginx, HealthStatus::Healthy),
            service(&database, HealthStatus::Degraded),
            service(&outside, HealthStatus::Unknown),
        ],
        vec![
            edge(&api, &cache, 6379, totals(0, 0, refused, 0, None), 59),
            edge(&api, &database, 5432, totals(40, 12, mixed, 7_340_032, Some(310)), 60),
            edge(&mail, &outside, 587, totals(3, 0, none, 2_048, Some(98_400)), 12),
            edge(&nginx, &api, 8080, totals(1_000, 1, none, 1_000, Some(42)), 60),
            edge(&nginx, &api, 8443, totals(17, 2, none, 1_288_490_189, Some(1_240)), 60),
        ],
    )
}

/// Names that mean harm, an edge to a service that the list does not have, a cycle, and losses.
pub(crate) fn odd() -> Snapshot {
    let process = |name: &str| named("evil \"host\"", name, ServiceType::Process);
    let quotes = process("a\"b\\");
    let escape = process("\u{1b}]0;owned\u{7}\u{1b}[2J");
    let lines = process("two\r\nlines -> x; end");
    let markup = named("name]space", "<b>&amp;</b> `md` #35; |x| %%", ServiceType::ClusterIP);
    let wide = named("", "日本語\u{202e}txt", ServiceType::External);
    let empty = named("", "", ServiceType::Node);
    let missing = named("gone", "not-in-the-list\\", ServiceType::Workload);
    let totals = FlowTotals { opened: 1, ..FlowTotals::default() };
    let connections = vec![
        edge(&quotes, &escape, 1, totals, 1),
        edge(&escape, &quotes, 65_535, totals, 0),
        edge(&lines, &markup, 80, FlowTotals { opened: u64::MAX, bytes_sent: u64::MAX, ..totals }, 60),
        edge(&markup, &wide, 443, totals, 60),
        edge(&empty, &missing, 53, totals, 60),
        edge(&quotes, &quotes, 9, totals, 60),
    ];
    let services = [&quotes, &escape, &lines, &markup, &wide, &empty];
    let mut snapshot = snapshot(
        "evil \"host\"",
        services.map(|name| service(name, HealthStatus::Healthy)).to_vec(),
        connections,
    );
    snapshot.topology.cycles = vec![vec![quotes.id().to_string(), escape.id().to_string()]];
    snapshot.topology.orphans = vec![lines.id().to_string()];
    let gap = |reason, count, healed| Gap { reason, count, healed, at: at(30) };
    snapshot.gaps = vec![
        gap(GapReason::FlowMapFull, 5, true),
        gap(GapReason::UntrackedSocket, 3, true),
        gap(GapReason::FlowMapFull, 7, false),
    ];
    snapshot
}
