//! What it costs to build and encode OTLP log records: the figure is records a second on one core.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use servicemap::settings::LabelFilter;
use servicemap::telemetry::encode_logs;
use servicemap_map::model::{
    Connection, ConnectionRef, Event, EventData, EventId, EventType, FlowTotals, ObserverInfo, Provenance,
    RunId, ServiceRef, ServiceType, Severity, Side, SocketExample, Timestamp,
};
use uuid::Uuid;

const START: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);
/// Events of one request, as a pipeline sends them.
const EVENTS: u16 = 512;

fn event(number: u16) -> Arc<Event> {
    let at = START + Duration::from_millis(number.into());
    let service =
        |name: String, service_type| ServiceRef { namespace: "shop".into(), name: name.into(), service_type };
    let edge = ConnectionRef {
        source: service(format!("frontend-{number}"), ServiceType::Process),
        destination: service(format!("backend-{number}"), ServiceType::ClusterIP),
        protocol: "tcp",
        port: 8080,
    };
    let subject: Arc<str> = edge.key().into();
    let connection = Connection {
        edge,
        totals: FlowTotals { opened: 1, active: 1, ..FlowTotals::default() },
        first_seen: at,
        last_seen: at,
        health: Arc::default(),
        connect_latency: None,
        provenance: Provenance {
            side: Side::Client,
            source_rule: "cgroup",
            destination_rule: "address",
            source_candidates: Vec::new(),
            destination_candidates: Vec::new(),
            direction_known: true,
        },
        example: Some(SocketExample {
            pid: 4711,
            uid: 1000,
            local_address: [10, 1, 2, 3].into(),
            local_port: 40_000,
            cookie: 1,
        }),
    };
    Arc::new(Event {
        id: EventId::new("prod", EventType::ConnectionEstablished.as_str(), &subject, at),
        event_type: EventType::ConnectionEstablished,
        sequence: number.into(),
        run_id: RunId(Uuid::from_u128(7)),
        at,
        observed_at: at,
        severity: Severity::Debug,
        initial: false,
        learning: false,
        sampling_ratio: None,
        subject,
        data: EventData::Connection(connection.into()),
    })
}

fn benchmark(criterion: &mut Criterion) {
    let observer = ObserverInfo {
        version: "0.1.0".into(),
        host: "node-1".into(),
        cluster: "prod".into(),
        cluster_uid: "".into(),
        run_id: RunId(Uuid::from_u128(7)),
        started_at: START,
    };
    let events: Vec<_> = (0..EVENTS).map(event).collect();
    let mut group = criterion.benchmark_group("otlp");
    group.throughput(Throughput::Elements(EVENTS.into()));
    group.bench_function("connection_records", |bencher| {
        bencher.iter(|| encode_logs(&events, None, &observer, &LabelFilter::default()));
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
