//! The typed event batch: rows that C reads in place and Go copies in one pass. Its header is written by safer-ffi,
//! which refuses at compile time whatever has no C layout; a panic inside `#[ffi_export]` would abort, so that each
//! body runs inside our own boundary.

#![allow(clippy::expl_impl_clone_on_copy, reason = "the derive of safer-ffi adds its own Clone bounds")]

mod rows;
mod strings;
mod table;

use std::ptr;

use safer_ffi::prelude::*;
use safer_ffi::slice::Ref;

pub use rows::{
    ConnectionRow, DependencyRow, EndpointRow, EventKind, EventRow, ExposureRow, GapRow, HealthChangeRow,
    LabelRow, Range, ServiceRefRow, ServiceRow, Text, TopologyRow,
};
pub use table::Table;

use crate::batch::{self, Body};
use crate::boundary::{Failure, boundary};
use crate::error::Error;
use crate::memory::{Growing, fill};
use crate::status::Status;

/// The batch of `servicemap.h`: `struct servicemap_batch`.
#[derive_ReprC(rename = "servicemap_batch")]
#[repr(opaque)]
pub struct BatchHandle {
    _private: (),
}

/// The error of `servicemap.h`: `struct servicemap_error`.
#[derive_ReprC(rename = "servicemap_error")]
#[repr(opaque)]
pub struct ErrorHandle {
    _private: (),
}

/// Everything in a typed batch, lent until the batch is freed. May grow: set `size` to sizeof this struct and the rest to
/// zero.
#[derive_ReprC(rename = "servicemap_events_view")]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Size of this struct in bytes, as the caller knows it.
    pub size: usize,
    /// This life of the observer, the 16 bytes of a UUID: sequence numbers begin anew with each.
    pub run_id: [u8; 16],
    /// 1 if the batch carries a snapshot of the map: then it is all that the consumer needs to know before the events.
    pub has_snapshot: usize,
    /// Sequence number of the last event that the snapshot includes.
    pub snapshot_sequence: u64,
    /// How many of `services`, from the first on, are the snapshot's.
    pub snapshot_services: usize,
    /// How many of `connections`, from the first on, are the snapshot's.
    pub snapshot_connections: usize,
    /// The events, in the order of the log.
    pub events: Ref<'a, EventRow>,
    /// Services.
    pub services: Ref<'a, ServiceRow>,
    /// Connections.
    pub connections: Ref<'a, ConnectionRow>,
    /// Dependencies.
    pub dependencies: Ref<'a, DependencyRow>,
    /// Changes of health.
    pub health_changes: Ref<'a, HealthChangeRow>,
    /// Changes of the graph.
    pub topologies: Ref<'a, TopologyRow>,
    /// Losses.
    pub gaps: Ref<'a, GapRow>,
    /// Endpoints of services.
    pub endpoints: Ref<'a, EndpointRow>,
    /// Labels of services.
    pub labels: Ref<'a, LabelRow>,
    /// Texts of lists.
    pub texts: Ref<'a, Text>,
    /// The bytes that every text points into.
    pub arena: Ref<'a, u8>,
    /// What leads to services from outside the cluster.
    pub exposures: Ref<'a, ExposureRow>,
    /// Ports of exposures.
    pub ports: Ref<'a, u16>,
}

// SAFETY: repr(C), begins with its size, then integers, pointers and lengths, all of eight bytes: no padding.
unsafe impl Growing for View<'_> {
    const NAME: &'static str = "servicemap_events_view_t";
    const FIRST_SIZE: usize = 232;
}

/// Where empty lists point: an address that exists, aligned for any row. Rust's own empty slices have one where nothing
/// is (8, say), and a host that looks at pointers, as Go does, ends the program at such a one.
static NOTHING: u64 = 0;

fn lend<T: ReprC>(rows: &[T]) -> Ref<'_, T> {
    const { assert!(align_of::<T>() <= align_of::<u64>()) };
    if rows.is_empty() {
        // SAFETY: aligned and not NULL; no element is in it.
        return unsafe { std::slice::from_raw_parts(ptr::from_ref(&NOTHING).cast(), 0) }.into();
    }
    rows.into()
}

impl<'a> View<'a> {
    pub(crate) fn of(table: &'a Table) -> Self {
        Self {
            size: size_of::<Self>(),
            run_id: table.run_id,
            has_snapshot: table.snapshot.present.into(),
            snapshot_sequence: table.snapshot.sequence,
            snapshot_services: table.snapshot.services,
            snapshot_connections: table.snapshot.connections,
            events: lend(&table.events),
            services: lend(&table.services),
            connections: lend(&table.connections),
            dependencies: lend(&table.dependencies),
            health_changes: lend(&table.health_changes),
            topologies: lend(&table.topologies),
            gaps: lend(&table.gaps),
            endpoints: lend(&table.endpoints),
            labels: lend(&table.labels),
            texts: lend(&table.texts),
            arena: lend(&table.arena),
            exposures: lend(&table.exposures),
            ports: lend(&table.ports),
        }
    }
}

/// Looks into a batch of kind EVENTS without a copy. `*out` is written only on success.
///
/// Ownership: the view is lent until the batch is freed. Threads: any one at a time for a batch. Does not block.
/// Answers a `servicemap_status`: OK, NULL_POINTER, INVALID_ARGUMENT (a batch of another kind), STRUCT_SIZE, PANIC;
/// `error` may be NULL.
///
/// Safety: `batch` is NULL or was not freed, `out` is NULL or writable for `out->size` bytes.
#[ffi_export]
pub fn servicemap_events_view(
    batch: *const BatchHandle,
    out: *mut View<'static>,
    error: *mut *mut ErrorHandle,
) -> i32 {
    boundary("servicemap_events_view", error.cast::<*mut Error>(), || {
        // SAFETY: NULL or valid, as the caller promises; `struct servicemap_batch` is one type in both headers.
        let batch = unsafe { batch.cast::<batch::Batch>().as_ref() }.ok_or_else(|| Failure::null("batch"))?;
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        let Body::Events(table) = &batch.content.body else {
            let kind = batch.content.kind.as_str();
            return Err(Failure::new(
                Status::InvalidArgument,
                format!("the batch is of kind {kind}, not events"),
            ));
        };
        let view = View::of(table);
        // SAFETY: not NULL, as large as it says, as the caller promises; the lifetime is the documented one.
        unsafe { fill(out.cast::<View<'_>>(), &view) }?;
        Ok(Status::Ok)
    }) as i32
}
