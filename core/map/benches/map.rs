//! What the map costs a drain of the kernel's counters: facts of flows that changed, then the time.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use servicemap_map::model::{
    AddressClass, Direction, Fact, FactBody, FlowDelta, FlowKey, MachineId, Origin, RunId, SourceId,
    Timestamp,
};
use servicemap_map::{MapSettings, ServiceMap};
use uuid::Uuid;

const START: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);
/// Edges that change between two drains; each is connected ten times.
const EDGES: u16 = 1_000;
const CONNECTIONS: u64 = 10;

/// A drain: every edge was connected ten times and no connection is open any more.
fn drain(number: u64) -> Vec<Fact> {
    let at = START + Duration::from_secs(number);
    (0..EDGES)
        .map(|edge| {
            let sequence = number * u64::from(EDGES) + u64::from(edge) + 1;
            let origin = Origin { source: SourceId::Capture, sequence };
            Fact { at, origin, body: FactBody::Flow(delta(edge, at)) }
        })
        .collect()
}

fn delta(edge: u16, at: Timestamp) -> FlowDelta {
    let [high, low] = edge.to_be_bytes();
    let key = FlowKey {
        machine: MachineId::OWN,
        generation: 0,
        cgroup: 1,
        netns: 1,
        direction: Direction::Outbound,
        local_class: AddressClass::Other,
        remote: IpAddr::V4(Ipv4Addr::new(10, 1, high, low)),
        port: 443,
        program: "client".into(),
        folded: false,
    };
    FlowDelta {
        opened: CONNECTIONS,
        closed: CONNECTIONS,
        bytes_sent: 1_000,
        bytes_received: 5_000,
        rtt_us: Some(100),
        first: at,
        last: at,
        ..FlowDelta::nothing(key)
    }
}

/// A map that has seen every edge, and the number of the next drain.
fn busy_map() -> (ServiceMap, u64) {
    let mut map = ServiceMap::new(MapSettings::default(), RunId(Uuid::nil()), START);
    for number in 1..=5 {
        apply(&mut map, drain(number), number);
    }
    (map, 6)
}

fn apply(map: &mut ServiceMap, facts: Vec<Fact>, number: u64) {
    for fact in facts {
        map.apply(fact);
    }
    map.advance(START + Duration::from_secs(number));
}

fn benchmarks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(u64::from(EDGES) * CONNECTIONS));
    let (mut map, mut number) = busy_map();
    group.bench_function("drain: 10,000 connections over 1,000 known edges", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                (drain(number), number)
            },
            |(facts, number)| apply(&mut map, facts, number),
            BatchSize::LargeInput,
        );
    });
    group.throughput(Throughput::Elements(EDGES.into()));
    let (map, number) = busy_map();
    group.bench_function("snapshot: 1,000 edges", |bencher| {
        bencher.iter(|| map.snapshot(START + Duration::from_secs(number)));
    });
    group.finish();
}

criterion_group!(all, benchmarks);
criterion_main!(all);
