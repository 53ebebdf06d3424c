//! Events and figures as OpenTelemetry and Prometheus have them, and the exporters.
//!
//! Encoders need no runtime and no network, so an embedding host has them too: [`logs`] turns events into OTLP log
//! records, [`metrics`] turns readings into OTLP metrics, [`prometheus`] into what a scrape reads. Both take their
//! names from one table, [`descriptors`]; [`agents`] writes and reads what agents tell a cluster instance. With the feature `export` there are also the exporters that send and serve.

pub mod agents;
pub mod descriptors;
pub mod families;
pub mod logs;
pub mod metrics;
mod otlp;
pub mod prometheus;

#[cfg(feature = "export")]
pub mod debug;
#[cfg(feature = "export")]
pub mod otlp_grpc;
#[cfg(feature = "export")]
pub mod otlp_receiver;
#[cfg(feature = "export")]
pub mod prometheus_server;

pub use logs::encode_logs;
pub use metrics::encode_metrics;

/// One OTLP export request as protobuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoded `ExportLogsServiceRequest` or `ExportMetricsServiceRequest`.
    pub bytes: Vec<u8>,
    /// Log records or data points in it.
    pub items: usize,
}

#[cfg(test)]
pub(crate) mod fixtures;
