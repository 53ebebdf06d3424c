//! The one place that calls core's OTLP encoders.

use servicemap_core::map::changes;
use servicemap_core::map::model::{Readings, Snapshot};

use crate::boundary::Failure;
use crate::status::Status;

/// An OTLP request as protobuf.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// Log records or data points in it.
    pub(crate) items: usize,
}

/// An `ExportLogsServiceRequest` of events, after the map's entities where there is a snapshot.
pub(crate) fn logs(batch: &changes::Batch, snapshot: Option<&Snapshot>) -> Result<Encoded, Failure> {
    let _ = (batch, snapshot);
    Err(Failure::new(Status::Unsupported, "this build has no OTLP encoder"))
}

/// An `ExportMetricsServiceRequest` of one reading.
pub(crate) fn metrics(readings: &Readings) -> Result<Encoded, Failure> {
    let _ = readings;
    Err(Failure::new(Status::Unsupported, "this build has no OTLP encoder"))
}
