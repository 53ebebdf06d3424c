//! The `otlp_grpc` exporter: encoded requests wait in a bounded queue (`queue.rs`) and are sent one after another
//! (`client.rs`), again and again while an error may pass (`retry.rs`).
//!
//! At start one connection is made: an endpoint that cannot be reached is told at once, with the mend. Later outages
//! are waited out.

mod client;
mod queue;
mod retry;
mod settings;

use std::sync::Arc;

pub use client::{Connection, UnreachableError};
pub use queue::{Payload, Queue, Sending};
pub use retry::RetrySettings;
pub use settings::{Compression, QueueSettings, Settings, TlsSettings};

/// What a request holds; each has a gRPC service of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `ExportLogsServiceRequest`s.
    Logs,
    /// `ExportMetricsServiceRequest`s.
    Metrics,
}

impl Signal {
    /// The word in messages and pipelines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// Starts to send what is put into the queue that this returns, in the order in which it is put there. Each delivery
/// holds the connection.
pub fn start(
    connection: Arc<Connection>,
    signal: Signal,
    runtime: &tokio::runtime::Handle,
) -> (Queue, Sending) {
    let settings = connection.settings().queue.clone();
    let id = format!("{} ({})", connection.id(), signal.as_str());
    queue::start(&id, &settings, runtime, move |payload| {
        let connection = connection.clone();
        async move { connection.deliver(signal, payload).await }
    })
}

#[cfg(test)]
pub(crate) mod test_receiver;
#[cfg(test)]
mod tests;
