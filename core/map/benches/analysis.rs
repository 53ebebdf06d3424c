//! The whole analysis of the graph of dependencies: components, cycles, single points of failure, chains.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use servicemap_map::analysis::about;
use servicemap_map::model::{ServiceId, ServiceKind};

/// Dependencies of each service.
const FAN_OUT: u64 = 10;
/// One dependency in so many goes back up and closes a circle.
const BACKWARDS: u64 = 1_000;

/// A multiplier of a linear congruential generator (Knuth, MMIX): the same graph each time.
const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

type Services = Vec<(ServiceId, bool)>;
type Dependencies = Vec<(ServiceId, ServiceId, u64)>;

/// A cluster whose services mostly need ones behind them.
fn cluster(size: u64) -> (Services, Dependencies) {
    let id = |number: u64| ServiceId::new(ServiceKind::Service, "shop", format!("{number:05}"));
    let services = (0..size).map(|number| (id(number), number % 100 == 0)).collect();
    let mut random = 1_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(MULTIPLIER).wrapping_add(1);
        (random >> 33) % bound.max(1)
    };
    let mut dependencies = Vec::new();
    for from in 0..size {
        for _ in 0..FAN_OUT {
            let behind = (from + 1 + below(size - from)).min(size - 1);
            let to = if below(BACKWARDS) == 0 { below(size) } else { behind };
            dependencies.push((id(from), id(to), below(1_000)));
        }
    }
    (services, dependencies)
}

fn analysis(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analysis");
    group.sample_size(20);
    for size in [1_000, 10_000] {
        let (services, dependencies) = cluster(size);
        let name = format!("{size} services, {} dependencies", size * FAN_OUT);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let last = services.last().map(|(id, _)| id);
            bencher.iter(|| black_box(last.and_then(|last| about(&services, &dependencies, last))));
        });
    }
    group.finish();
}

criterion_group!(benches, analysis);
criterion_main!(benches);
