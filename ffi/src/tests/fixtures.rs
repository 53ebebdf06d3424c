//! Observers, batches and events to test with.

use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use servicemap_core::{Initial, Settings};
use servicemap_map::model::{
    Connection, ConnectionRef, Endpoint, Event, EventData, EventId, EventType, Failures, FlowTotals, Health,
    HealthReason, HealthStatus, Provenance, RunId, Service, ServiceId, ServiceKind, ServiceRef, ServiceType,
    Severity, Side, SocketExample, Timestamp,
};

use crate::batch::{Batch, Body, Content, Kind};
use crate::channel::{Bell, Pulled};
use crate::error::{Error, servicemap_error_free, servicemap_error_message, servicemap_error_status};
use crate::events::Table;
use crate::handle::Handle;
use crate::memory::Slice;
use crate::observer::Observer;
use crate::options::Options;
use crate::status::Status;

/// An observer that needs no privileges: it has no kernel side.
pub(super) fn observer() -> *mut Observer {
    let settings = Settings { enable_ebpf: false, ..Settings::default() };
    let options = Options { settings, initial: Initial::Events };
    Box::into_raw(Box::new(Observer { handle: Handle::new(options).expect("a handle") }))
}

/// Bytes that a function lent.
pub(super) fn text(slice: Slice) -> String {
    if slice.len == 0 {
        return String::new();
    }
    // SAFETY: the functions under test lend valid bytes.
    String::from_utf8(unsafe { std::slice::from_raw_parts(slice.ptr, slice.len) }.to_vec()).unwrap()
}

/// Calls a function with an error output; its status, and the message of the error, which is freed.
pub(super) fn call(function: impl FnOnce(*mut *mut Error) -> Status) -> (Status, String) {
    let mut error = ptr::null_mut();
    let status = function(&raw mut error);
    // SAFETY: NULL or as the function made it.
    unsafe {
        let message = text(servicemap_error_message(error));
        assert_eq!(
            error.is_null(),
            (status as i32) < 10,
            "an error object comes with errors only: {status:?}"
        );
        if !error.is_null() {
            assert_eq!(servicemap_error_status(error), status);
        }
        servicemap_error_free(error);
        (status, message)
    }
}

/// A batch of these events, as `next` would give it for the observer: outstanding until it is acknowledged.
pub(super) fn give(observer: *const Observer, events: &[Arc<Event>]) -> *mut Batch {
    let table = Table::new(events, None).unwrap();
    let content = Content {
        kind: Kind::Events,
        first: 1,
        next: 1 + events.len() as u64,
        lost: 0,
        items: events.len(),
        body: Body::Events(table.into()),
    };
    // SAFETY: the tests pass a live observer.
    let handle = unsafe { &(*observer).handle };
    let pulled = handle
        .events_channel()
        .next(&Bell::default(), Instant::now(), |_| Ok(Pulled::Content(content.into())));
    let Ok(Pulled::Content(content)) = pulled else { panic!("{pulled:?}") };
    Box::into_raw(Box::new(Batch { content }))
}

pub(super) const AT: Timestamp = Timestamp::from_nanos(1_790_000_000_000_000_000);
pub(super) const RUN: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

pub(super) fn service(name: &str) -> Arc<Service> {
    Arc::new(Service {
        id: ServiceId::new(ServiceKind::Process, "host", name),
        namespace: "host".into(),
        name: name.into(),
        service_type: ServiceType::Process,
        environment: None,
        exposed_by: Vec::new(),
        uid: None,
        endpoints: [Endpoint {
            pod: Some("web-1".into()),
            node: Some("n1".into()),
            zone: Some("a".into()),
            ..Endpoint::new("127.0.0.1".parse().unwrap(), 8080, true)
        }]
        .into(),
        labels: [("app", name)].into_iter().collect(),
        health: Health {
            status: HealthStatus::Degraded,
            reasons: vec![HealthReason::ConnectionsFail],
            ..Health::default()
        },
        first_seen: AT,
        last_seen: AT + Duration::from_secs(1),
    })
}

pub(super) fn connection() -> Arc<Connection> {
    let end = |name: &str| ServiceRef {
        namespace: "host".into(),
        name: name.into(),
        service_type: ServiceType::Process,
    };
    Arc::new(Connection {
        edge: ConnectionRef {
            source: end("client"),
            destination: end("server"),
            protocol: "tcp",
            port: 8080,
        },
        totals: FlowTotals {
            opened: 11,
            preexisting: 1,
            active: 2,
            failed: Failures { refused: 3, timeout: 4, unreachable: 5, reset: 6, other: 7 },
            cut: 2,
            bytes_sent: 100,
            bytes_received: 200,
            retransmits: 8,
            rtt_us: Some(250),
        },
        first_seen: AT,
        last_seen: AT + Duration::from_secs(2),
        health: Arc::default(),
        connect_latency: None,
        provenance: Provenance {
            side: Side::Client,
            source_rule: "cgroup",
            destination_rule: "listener",
            source_candidates: Vec::new(),
            destination_candidates: Vec::new(),
            direction_known: true,
        },
        example: Some(SocketExample {
            pid: 42,
            uid: 1000,
            local_address: "10.0.0.1".parse().unwrap(),
            local_port: 40_000,
            cookie: 77,
        }),
    })
}

pub(super) fn event(event_type: EventType, sequence: u64, data: EventData) -> Arc<Event> {
    Arc::new(Event {
        id: EventId(uuid::Uuid::from_u128(u128::from(sequence))),
        event_type,
        sequence,
        run_id: RunId(uuid::Uuid::from_u128(RUN)),
        at: AT,
        observed_at: AT + Duration::from_millis(1),
        severity: Severity::Info,
        initial: false,
        learning: false,
        sampling_ratio: None,
        subject: "subject".into(),
        data,
    })
}
