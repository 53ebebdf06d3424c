//! Batches: what `next` gives. Owned by the caller, and independent of the observer that made them.

use std::sync::Arc;

use crate::boundary::{Failure, accessor, boundary};
use crate::events::Table;
use crate::memory::Slice;
use crate::status::Status;

/// What a batch is made of. Each kind has a cursor of its own.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OTLP: an `ExportLogsServiceRequest` of events as log records; the first batch tells the whole map.
    Logs = 1,
    /// OTLP: an `ExportMetricsServiceRequest`, one each `collection_interval`, cumulative.
    Metrics = 2,
    /// Typed events, read in place by the functions of `servicemap_events.h`.
    Events = 3,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    /// cbindgen:ignore
    pub(crate) const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Events];

    pub(crate) fn from_number(number: i32) -> Result<Self, Failure> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number).ok_or_else(|| {
            Failure::new(
                Status::InvalidArgument,
                format!("`kind` is {number}; it must be 1 (logs), 2 (metrics) or 3 (events)"),
            )
        })
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Events => "events",
        }
    }
}

/// What a batch holds; shared with the cursor until it is acknowledged, so that a retry gives the same bytes.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) kind: Kind,
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) lost: u64,
    pub(crate) items: usize,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Otlp(Vec<u8>),
    Events(Box<Table>),
}

/// A batch. It belongs to the caller until `servicemap_batch_free` and stays valid when its observer is destroyed.
/// All its functions may be called by any one thread at a time; none blocks; NULL is an empty batch.
#[derive(Debug)]
pub struct Batch {
    pub(crate) content: Arc<Content>,
}

/// Runs an accessor on a batch.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
unsafe fn read<T: Copy>(
    batch: *const Batch,
    function: &'static str,
    otherwise: T,
    get: impl FnOnce(&Content) -> T,
) -> T {
    accessor(function, otherwise, || {
        // SAFETY: NULL or valid, as the caller promises.
        unsafe { batch.as_ref() }.map_or(otherwise, |batch| get(&batch.content))
    })
}

/// The batch's `servicemap_kind`; 0 for NULL.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_kind(batch: *const Batch) -> i32 {
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_kind", 0, |content| content.kind as i32) }
}

/// Sequence number of the first event that the batch covers. Numbers belong to the observer's log and begin at 1;
/// events that a consumer does not get leave no hole. 0 for metrics.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_first(batch: *const Batch) -> u64 {
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_first", 0, |content| content.first) }
}

/// Sequence number after the last event that the batch covers: where the next batch begins. 0 for metrics.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_next(batch: *const Batch) -> u64 {
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_next", 0, |content| content.next) }
}

/// How many events before `first` this consumer has lost because it was slower than the log is long. A batch that says
/// so carries a snapshot of the map, so that the consumer is up to date again.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_lost(batch: *const Batch) -> u64 {
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_lost", 0, |content| content.lost) }
}

/// Log records, data points or events in the batch.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_items(batch: *const Batch) -> usize {
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_items", 0, |content| content.items) }
}

/// The OTLP request as protobuf, exactly what Servicemap's own exporter would send. Lent until the batch is freed.
/// Empty for typed events.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_otlp(batch: *const Batch) -> Slice {
    let get = |content: &Content| match &content.body {
        Body::Otlp(bytes) => Slice::lend(bytes),
        Body::Events(_) => Slice::EMPTY,
    };
    // SAFETY: as this function's own.
    unsafe { read(batch, "servicemap_batch_otlp", Slice::EMPTY, get) }
}

/// Frees a batch, whether it was acknowledged or not. NULL does nothing. Slices that it lent are gone.
///
/// # Safety
/// `batch` is NULL or a batch that was not freed; it is gone afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_batch_free(batch: *mut Batch) {
    let _ = boundary("servicemap_batch_free", std::ptr::null_mut(), || {
        if !batch.is_null() {
            // SAFETY: `next` made it by a box, and the caller promises to free it once.
            drop(unsafe { Box::from_raw(batch) });
        }
        Ok(Status::Ok)
    });
}
