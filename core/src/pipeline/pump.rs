//! Carries what an observer says to exporters. Pumps block, so each has a thread.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use servicemap_map::agents::Record;
use servicemap_map::changes::Batch;
use servicemap_map::model::{ObserverInfo, Readings, Snapshot};

use crate::Next;
use crate::settings::LabelFilter;
use crate::telemetry::debug::{self, Verbosity};
use crate::telemetry::otlp_grpc::{Payload, Queue};
use crate::telemetry::{agents, logs, metrics};

/// Bound of what a request holds before compression. gRPC receivers refuse messages above 4 MiB by default, the
/// Collector too.
const REQUEST_BYTES: usize = 3 << 20;

/// Where one signal of a pipeline goes.
#[derive(Clone, Debug)]
pub(super) enum Sink {
    Otlp(Queue),
    Debug(std::sync::Arc<DebugSink>),
}

/// Shows what passes; gives up when nobody reads any more.
#[derive(Debug)]
pub(super) struct DebugSink {
    id: String,
    verbosity: Verbosity,
    closed: AtomicBool,
}

impl DebugSink {
    pub(super) const fn new(id: String, verbosity: Verbosity) -> Self {
        Self { id, verbosity, closed: AtomicBool::new(false) }
    }

    fn show(&self, write: impl FnOnce(&mut dyn Write, &str, Verbosity) -> std::io::Result<()>) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = write(&mut std::io::stdout().lock(), &self.id, self.verbosity) {
            self.closed.store(true, Ordering::Relaxed);
            tracing::warn!("exporters::{}: cannot write to stdout: {error}; nothing more is shown", self.id);
        }
    }
}

/// Carries events until `next` says that there are no more.
pub(super) fn pump_logs(
    mut next: impl FnMut() -> Next,
    observer: impl Fn() -> ObserverInfo,
    labels: &LabelFilter,
    sinks: &[Sink],
) {
    loop {
        match next() {
            Next::Batch { batch, snapshot } => {
                send_logs(&batch, snapshot.as_deref(), &observer(), labels, sinks);
            }
            Next::Timeout | Next::Woken => {}
            Next::Ended => return,
        }
    }
}

fn send_logs(
    batch: &Batch,
    snapshot: Option<&Snapshot>,
    observer: &ObserverInfo,
    labels: &LabelFilter,
    sinks: &[Sink],
) {
    if batch.lost > 0 {
        tracing::warn!(
            "{} events were overwritten before a pipeline took them; a snapshot stands for them: make buffer_size larger",
            batch.lost
        );
    }
    for request in logs::requests(&batch.events, snapshot, observer, labels, REQUEST_BYTES) {
        send_log_records(&request, sinks);
    }
}

/// Carries an agent's records until `next` says that there are no more.
pub(super) fn pump_records(
    mut next: impl FnMut() -> Option<Vec<Record>>,
    observer: impl Fn() -> ObserverInfo,
    sinks: &[Sink],
) {
    while let Some(records) = next() {
        for request in agents::requests(&records, &observer(), REQUEST_BYTES) {
            send_log_records(&request, sinks);
        }
    }
}

fn send_log_records(request: &ExportLogsServiceRequest, sinks: &[Sink]) {
    let scopes = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
    let items = scopes.map(|scope| scope.log_records.len()).sum();
    send(request, items, sinks, |mut out, id, verbosity| debug::show_logs(&mut out, id, request, verbosity));
}

/// Carries metrics at once and then at every interval, and a last time when `stop` is closed.
pub(super) fn pump_metrics(
    readings: impl Fn() -> Readings,
    stop: &Receiver<()>,
    interval: Duration,
    max_edge_series: usize,
    sinks: &[Sink],
) {
    let mut due = Instant::now();
    loop {
        let ended = match stop.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => false,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
        };
        for request in metrics::requests(&readings(), max_edge_series, REQUEST_BYTES) {
            send_metrics(&request, sinks);
        }
        if ended {
            return;
        }
        // What was missed while readings took long is not made up for.
        due = (due + interval).max(Instant::now());
    }
}

fn send_metrics(request: &ExportMetricsServiceRequest, sinks: &[Sink]) {
    let items = metrics::data_points(request);
    send(request, items, sinks, |mut out, id, verbosity| {
        debug::show_metrics(&mut out, id, request, verbosity)
    });
}

/// Shows the request and queues it, encoded once.
fn send(
    request: &impl Message,
    items: usize,
    sinks: &[Sink],
    show: impl Fn(&mut dyn Write, &str, Verbosity) -> std::io::Result<()>,
) {
    let mut payload = None;
    for sink in sinks {
        match sink {
            Sink::Otlp(queue) => {
                let payload =
                    payload.get_or_insert_with(|| Payload { bytes: request.encode_to_vec().into(), items });
                queue.push(payload.clone());
            }
            Sink::Debug(debug) => debug.show(&show),
        }
    }
}

#[cfg(test)]
mod tests;
