//! What watching a cluster costs: the first list of 10,000 pods and 1,000 Services, what each object takes in memory, and
//! how long it is from an event of a watch to the event that a consumer reads. Prints figures and asserts nothing.
//!
//! Memory is counted by the allocator: bytes that were asked for and not given back, at rest after the first lists. What an
//! object takes is the difference between a cluster with all objects of its kind and one with half of them, so what is
//! there once is in none of the figures, and tables are as full in both. What is given back when the watches end was
//! theirs; the rest is the map's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where something fails"
)]

mod objects;
mod server;

use std::alloc::System;
use std::time::{Duration, Instant};

use objects::Shape;
use server::Cluster;
use servicemap::map::model::EventType;
use servicemap::{Initial, Next, Observer, Settings};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The cluster for which budgets are given.
const FULL: Shape = Shape { pods: 10_000, services: 1_000, former_replica_sets: 0, is_dual_stack: false };
/// Services that are made one after the other while it watches.
const EVENTS: usize = 500;
/// Changes of what a Service selects.
const SELECTIONS: usize = 50;
/// How long nothing happens when everything is done.
const REST: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_mins(1);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    time(&runtime);
    memory(&runtime);
}

/// Prints how long things take, as a table.
fn time(runtime: &Runtime) {
    println!("\n| a cluster of {} pods and {} Services | |\n|---|---|", FULL.pods, FULL.services);
    let cluster = Cluster::new(FULL.lists());
    let kubeconfig = cluster.clone().serve(runtime);
    let before = resident();
    let started = Instant::now();
    let observer = observe(&kubeconfig);
    println!("| first lists, until the map is ready | {:.2?} |", started.elapsed());
    let decode = &observer.readings().processing["decode"];
    println!("| decoding an object | {:.1} µs |", micros(decode.sum) / decode.count() as f64);
    at_rest(&cluster);
    let grown = resident().saturating_sub(before) as f64 / f64::from(1 << 20);
    println!("| resident memory grew by | {grown:.1} MiB |");

    let times = (0..EVENTS).map(|n| discovered(&observer, &cluster, n));
    let (written, decoded): (Vec<_>, Vec<_>) = times.unzip();
    print_times("from the API server's write to the event that a consumer reads", written);
    print_times("from a decoded object to its event", decoded);
    let times = (0..SELECTIONS).map(|n| select_others(&observer, &cluster, n)).collect();
    print_times("a Service selects other pods", times);
    observer.shutdown(PATIENCE).unwrap();
}

/// Prints what each object takes in memory, as a table.
fn memory(runtime: &Runtime) {
    println!("\n| bytes that are live at rest | in all | the map's | the watches' |\n|---|---|---|---|");
    let full = Heap::of(FULL, runtime);
    let half = |shape, objects| (full - Heap::of(shape, runtime)) / objects;
    let more = |shape, objects| (Heap::of(shape, runtime) - full) / objects;
    let (pods, services) = (FULL.pods / 2, FULL.services / 2);
    println!("| a pod behind a Service of two ports {}", half(Shape { pods, ..FULL }, pods));
    println!("| a Service with slice and Deployment {}", half(Shape { services, ..FULL }, services));
    println!("| a pod's second address {}", more(Shape { is_dual_stack: true, ..FULL }, FULL.pods));
    let former_replica_sets = 10;
    let kept = FULL.services * former_replica_sets;
    println!("| a former ReplicaSet {}", more(Shape { former_replica_sets, ..FULL }, kept));
}

/// Live bytes; a difference of two may be less than nothing.
#[derive(Clone, Copy, Debug)]
struct Heap {
    map: isize,
    watches: isize,
}

impl Heap {
    /// Watches a cluster until it is at rest.
    fn of(shape: Shape, runtime: &Runtime) -> Self {
        let cluster = Cluster::new(shape.lists());
        let kubeconfig = cluster.clone().serve(runtime);
        let before = allocated();
        let observer = observe(&kubeconfig);
        let with_watches = at_rest(&cluster);
        observer.shutdown(PATIENCE).unwrap();
        let without_watches = at_rest(&cluster);
        Self {
            map: without_watches.cast_signed() - before.cast_signed(),
            watches: with_watches.cast_signed() - without_watches.cast_signed(),
        }
    }
}

impl std::ops::Sub for Heap {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self { map: self.map - less.map, watches: self.watches - less.watches }
    }
}

impl std::ops::Div<usize> for Heap {
    type Output = Self;

    fn div(self, objects: usize) -> Self {
        let objects = objects.cast_signed();
        Self { map: self.map / objects, watches: self.watches / objects }
    }
}

impl std::fmt::Display for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "| {} | {} | {} |", self.map + self.watches, self.map, self.watches)
    }
}

/// Starts to watch, and waits until the map is ready.
fn observe(kubeconfig: &tempfile::NamedTempFile) -> Observer {
    let observer = Observer::new(Settings {
        enable_ebpf: false,
        enable_k8s_discovery: Some(true),
        kube_config: Some(kubeconfig.path().to_string_lossy().into_owned()),
        ..Settings::default()
    });
    observer.start().unwrap();
    assert!(observer.wait_ready(PATIENCE));
    observer
}

/// Waits until Services are watched and the live bytes stay the same for a while, and returns them.
fn at_rest(cluster: &Cluster) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        let before = allocated();
        std::thread::sleep(REST);
        if cluster.is_watched() && allocated() == before {
            return before;
        }
        assert!(Instant::now() < until, "something is always done");
    }
}

/// Makes a Service and waits until its discovery is told. Returns the time from the write, and that from the decoded object.
fn discovered(observer: &Observer, cluster: &Cluster, n: usize) -> (Duration, Duration) {
    let name = format!("new-{n}");
    let mut consumer = observer.consumer(Initial::Nothing).expect("a consumer");
    // The consumer begins at the end of the log with its first call.
    let _ = observer.next(&mut consumer, 1, Duration::ZERO);
    let (_, before) = in_map(observer);
    let object = objects::service(200_000 + n, "shop", &name);
    let sent = Instant::now();
    cluster.tell("ADDED", &object);
    loop {
        let Next::Batch { batch, .. } = observer.next(&mut consumer, 100, PATIENCE) else {
            panic!("no event")
        };
        let mut discovered = batch.events.iter().filter(|one| one.event_type == EventType::ServiceDiscovered);
        if discovered.any(|event| *event.subject == *format!("service:shop/{name}")) {
            return (sent.elapsed(), in_map(observer).1.saturating_sub(before));
        }
    }
}

/// Lets a Service select none of its pods, or its own ones again. Returns how long the map took.
fn select_others(observer: &Observer, cluster: &Cluster, n: usize) -> Duration {
    let (namespace, name) = (objects::namespace(7), objects::name(7));
    let instance = if n.is_multiple_of(2) { "nobody" } else { "service-0007-production" };
    let (facts, before) = in_map(observer);
    cluster.tell("MODIFIED", &objects::selecting(300_000 + n, &namespace, &name, instance));
    let until = Instant::now() + PATIENCE;
    loop {
        let (now, took) = in_map(observer);
        if now > facts {
            return took.saturating_sub(before);
        }
        assert!(Instant::now() < until, "the change was not told");
        std::thread::yield_now();
    }
}

/// How many times facts were taken into the map, and how long that and telling what follows took in all.
fn in_map(observer: &Observer) -> (u64, Duration) {
    let processing = observer.readings().processing;
    (processing["apply"].count(), processing["apply"].sum + processing["advance"].sum)
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| micros(times[times.len() * share / 100]);
    println!("| {what} | {:.0} µs (p50), {:.0} µs (p99) |", at(50), at(99));
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Bytes that were asked for and not given back.
fn allocated() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
