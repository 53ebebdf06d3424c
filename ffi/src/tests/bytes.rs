//! Bytes that an observer gives: OTLP requests and JSON.

use std::ptr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;
use serde_json::Value;

use super::fixtures::observer;
use crate::batch::*;
use crate::error::Error;
use crate::memory::{Bytes, Slice, servicemap_bytes_free};
use crate::observer::*;
use crate::status::Status;

/// Longer than any machine takes.
const LONG_MS: u32 = 60_000;

fn started() -> *mut Observer {
    let observer = observer();
    // SAFETY: a live observer.
    unsafe { assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok) };
    observer
}

/// The next batch of a kind, which must come.
fn next(observer: *const Observer, kind: Kind) -> *mut Batch {
    let mut batch = ptr::null_mut();
    // SAFETY: a live observer.
    let status = unsafe {
        servicemap_observer_next(observer, kind as i32, 100, LONG_MS, &raw mut batch, ptr::null_mut())
    };
    assert_eq!(status, Status::Ok);
    batch
}

fn bytes<'a>(slice: Slice) -> &'a [u8] {
    // SAFETY: the tests read them before they free the batch.
    unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }
}

/// What a function gives as JSON.
fn json(function: impl FnOnce(*mut Bytes, *mut *mut Error) -> Status) -> Value {
    let mut out = Bytes { ptr: ptr::null_mut(), len: 0 };
    assert_eq!(function(&raw mut out, ptr::null_mut()), Status::Ok);
    let value = serde_json::from_slice(bytes(Slice { ptr: out.ptr, len: out.len })).unwrap();
    // SAFETY: as the function filled it.
    unsafe { servicemap_bytes_free(&raw mut out) };
    value
}

#[test]
fn the_first_logs_are_a_request_with_the_map_in_it() {
    let mut observer = started();
    let batch = next(observer, Kind::Logs);
    // SAFETY: live objects.
    unsafe {
        let request = ExportLogsServiceRequest::decode(bytes(servicemap_batch_otlp(batch))).unwrap();
        let records: Vec<_> =
            request.resource_logs.iter().flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records).collect();
        assert_eq!(records.len(), servicemap_batch_items(batch));
        assert!(records.iter().any(|record| record.event_name == "servicemap.snapshot"), "{records:?}");
        assert_eq!(servicemap_batch_kind(batch), Kind::Logs as i32);
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn metrics_are_a_request_with_data_points() {
    let mut observer = started();
    let batch = next(observer, Kind::Metrics);
    // SAFETY: live objects.
    unsafe {
        let request = ExportMetricsServiceRequest::decode(bytes(servicemap_batch_otlp(batch))).unwrap();
        let metrics = request.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
        assert!(metrics.count() > 0);
        assert!(servicemap_batch_items(batch) > 0);
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn a_snapshot_is_the_json_map() {
    let mut observer = started();
    // SAFETY: live objects.
    unsafe {
        let map = json(|out, error| servicemap_observer_snapshot(observer, out, error));
        assert_eq!(map["version"], 1);
        assert!(map["services"].is_array() && map["connections"].is_array(), "{map}");
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn statistics_count_what_each_kind_gave() {
    let mut observer = started();
    // SAFETY: live objects.
    unsafe {
        let batch = next(observer, Kind::Logs);
        assert_eq!(
            servicemap_observer_ack(observer, batch, Ack::Never as i32, 0, ptr::null_mut()),
            Status::Ok
        );
        let items = servicemap_batch_items(batch);
        servicemap_batch_free(batch);
        let figures = json(|out, error| servicemap_observer_statistics(observer, out, error));
        let logs = &figures["consumers"]["logs"];
        assert_eq!((logs["batches"].as_u64(), logs["rejected"].as_u64()), (Some(1), Some(1)), "{figures}");
        assert_eq!(logs["items"].as_u64(), Some(items as u64), "{figures}");
        assert_eq!(figures["consumers"]["events"]["batches"], 0);
        assert!(figures["facts"].as_u64() > Some(0), "{figures}");
        servicemap_observer_destroy(&raw mut observer);
    }
}
