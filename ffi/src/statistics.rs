//! Servicemap's own figures as JSON.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use servicemap_map::model::Readings;

use crate::batch::Kind;
use crate::channel::Counts;

pub(crate) fn to_json(readings: &Readings, channels: &[(Kind, &Counts)]) -> Vec<u8> {
    let statistics = &readings.statistics;
    let kernel: Map<String, Value> =
        readings.kernel.by_type().map(|(name, n)| (name.to_owned(), n.into())).into_iter().collect();
    let gaps: Map<String, Value> =
        statistics.gaps.iter().map(|(reason, n)| (reason.as_str().to_owned(), (*n).into())).collect();
    let bounded: Map<String, Value> =
        statistics.bounded.iter().map(|(bound, n)| (bound.as_str().to_owned(), (*n).into())).collect();
    let consumers: Map<String, Value> =
        channels.iter().map(|(kind, counts)| (kind.as_str().to_owned(), consumer(counts))).collect();
    let value = json!({
        "at": readings.at.to_string(),
        "services": readings.snapshot.services.len(),
        "connections": readings.snapshot.connections.len(),
        "services_discovered": statistics.services_discovered.values().sum::<u64>(),
        "services_removed": statistics.services_removed.values().sum::<u64>(),
        "connections_tracked": statistics.connections_tracked.values().sum::<u64>(),
        "dependencies_detected": statistics.dependencies_detected.values().sum::<u64>(),
        "health_changes": statistics.health_changes.values().sum::<u64>(),
        "facts": statistics.facts,
        "facts_repeated": statistics.facts_repeated,
        "events": statistics.events,
        "events_sampled_out": statistics.events_sampled_out,
        "bounded": bounded,
        "kernel": kernel,
        "gaps": gaps,
        "consumers": consumers,
    });
    value.to_string().into_bytes()
}

fn consumer(counts: &Counts) -> Value {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    json!({
        "batches": read(&counts.batches),
        "items": read(&counts.items),
        "lost": read(&counts.lost),
        "retried": read(&counts.retried),
        "rejected": read(&counts.rejected),
    })
}
