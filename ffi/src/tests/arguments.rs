//! Wrong arguments: each gives a status and a sentence, and writes no output.

use std::ptr;

use super::fixtures::{call, give, observer, text};
use crate::batch::*;
use crate::error::*;
use crate::events::{View, servicemap_events_view};
use crate::memory::{Bytes, servicemap_bytes_free};
use crate::observer::*;
use crate::options::MAX_CONFIG_LEN;
use crate::status::Status;

fn create(config: &[u8]) -> (Status, String) {
    let mut out = ptr::null_mut();
    // SAFETY: valid pointers.
    let result = call(|error| unsafe {
        servicemap_observer_create(config.as_ptr(), config.len(), &raw mut out, error)
    });
    assert_eq!(out.is_null(), result.0 != Status::Ok, "an output is written only on success");
    // SAFETY: NULL or just made.
    unsafe { servicemap_observer_destroy(&raw mut out) };
    result
}

#[test]
fn a_null_observer_is_named() {
    let none: *const Observer = ptr::null();
    let mut bytes = Bytes { ptr: ptr::null_mut(), len: 0 };
    let mut batch = ptr::null_mut();
    // SAFETY: NULL is what these functions have to answer.
    let results = unsafe {
        [
            call(|error| servicemap_observer_start(none, error)),
            call(|error| servicemap_observer_status(none, ptr::null_mut(), error)),
            call(|error| servicemap_observer_statistics(none, &raw mut bytes, error)),
            call(|error| servicemap_observer_snapshot(none, &raw mut bytes, error)),
            call(|error| servicemap_observer_next(none, 1, 1, 0, &raw mut batch, error)),
            call(|error| servicemap_observer_ack(none, ptr::null(), 0, 0, error)),
            call(|error| servicemap_observer_shutdown(none, 0, error)),
        ]
    };
    for (status, message) in results {
        assert_eq!(status, Status::NullPointer);
        assert!(
            message.starts_with("servicemap_observer_") && message.ends_with(": `observer` is NULL"),
            "{message}"
        );
    }
    // SAFETY: as above.
    assert_eq!(unsafe { servicemap_observer_wake(none) }, Status::NullPointer);
    assert!(batch.is_null() && bytes.ptr.is_null());
}

#[test]
fn a_null_output_is_named() {
    let mut observer = observer();
    // SAFETY: a live observer; NULL is what these functions have to answer.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        for (status, message) in [
            call(|error| servicemap_observer_create(ptr::null(), 0, ptr::null_mut(), error)),
            call(|error| servicemap_observer_status(observer, ptr::null_mut(), error)),
            call(|error| servicemap_observer_statistics(observer, ptr::null_mut(), error)),
            call(|error| servicemap_observer_snapshot(observer, ptr::null_mut(), error)),
            call(|error| servicemap_observer_next(observer, 3, 1, 0, ptr::null_mut(), error)),
        ] {
            assert_eq!(status, Status::NullPointer);
            assert!(message.ends_with("`out` is NULL"), "{message}");
        }
        let (status, message) = call(|error| servicemap_observer_ack(observer, ptr::null(), 0, 0, error));
        assert_eq!(
            (status, message.as_str()),
            (Status::NullPointer, "servicemap_observer_ack: `batch` is NULL")
        );
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn an_error_output_may_be_null() {
    // SAFETY: NULL is allowed for the error.
    assert_eq!(unsafe { servicemap_observer_start(ptr::null(), ptr::null_mut()) }, Status::NullPointer);
}

#[test]
fn a_view_needs_a_batch_of_typed_events_and_a_place() {
    let mut view = [0_usize; 64];
    view[0] = size_of::<View<'_>>();
    let out = view.as_mut_ptr().cast();
    let otlp = Content { kind: Kind::Logs, first: 1, next: 1, lost: 0, items: 0, body: Body::Otlp(vec![]) };
    let otlp = Batch { content: otlp.into() };
    let otlp = ptr::from_ref(&otlp);
    let ask = |batch: *const Batch, out| servicemap_events_view(batch.cast(), out, ptr::null_mut());
    assert_eq!(ask(ptr::null(), out), Status::NullPointer as i32);
    assert_eq!(ask(otlp, ptr::null_mut()), Status::NullPointer as i32);
    assert_eq!(ask(otlp, out), Status::InvalidArgument as i32);
    assert_eq!(view[1..], [0; 63], "nothing is written");
}

#[test]
fn freeing_null_does_nothing() {
    // SAFETY: NULL is allowed.
    unsafe {
        servicemap_batch_free(ptr::null_mut());
        servicemap_error_free(ptr::null_mut());
        assert_eq!(servicemap_bytes_free(ptr::null_mut()), Status::Ok);
        assert_eq!(servicemap_observer_destroy(ptr::null_mut()), Status::Ok);
        let mut none = ptr::null_mut();
        assert_eq!(servicemap_observer_destroy(&raw mut none), Status::Ok);
    }
}

#[test]
fn a_null_batch_and_a_null_error_read_as_empty() {
    // SAFETY: NULL is allowed.
    unsafe {
        assert_eq!(servicemap_batch_kind(ptr::null()), 0);
        assert_eq!(servicemap_batch_first(ptr::null()), 0);
        assert_eq!(servicemap_batch_next(ptr::null()), 0);
        assert_eq!(servicemap_batch_lost(ptr::null()), 0);
        assert_eq!(servicemap_batch_items(ptr::null()), 0);
        assert_eq!(servicemap_batch_otlp(ptr::null()).len, 0);
        assert_eq!(servicemap_error_status(ptr::null()), Status::Ok);
        assert_eq!(servicemap_error_message(ptr::null()).len, 0);
        assert_eq!(servicemap_error_mend(ptr::null()).len, 0);
    }
}

#[test]
fn owned_bytes_are_freed_once_however_often_it_is_asked() {
    let mut bytes = Bytes::give(b"{}".to_vec());
    // SAFETY: made by the library.
    unsafe {
        assert_eq!(servicemap_bytes_free(&raw mut bytes), Status::Ok);
        assert!(bytes.ptr.is_null() && bytes.len == 0);
        assert_eq!(servicemap_bytes_free(&raw mut bytes), Status::Ok);
    }
}

#[test]
fn a_null_configuration_of_length_0_is_the_defaults() {
    let mut out = ptr::null_mut();
    // SAFETY: valid output.
    unsafe {
        assert_eq!(servicemap_observer_create(ptr::null(), 0, &raw mut out, ptr::null_mut()), Status::Ok);
        servicemap_observer_destroy(&raw mut out);
    }
}

#[test]
fn a_null_configuration_with_a_length_is_refused() {
    let mut out = ptr::null_mut();
    // SAFETY: NULL is what it has to answer.
    let result = call(|error| unsafe { servicemap_observer_create(ptr::null(), 5, &raw mut out, error) });
    assert_eq!(result, (Status::NullPointer, "servicemap_observer_create: `config` is NULL".to_owned()));
}

#[test]
fn a_configuration_that_is_too_long_is_refused_unread() {
    let (status, message) = create(&vec![b' '; MAX_CONFIG_LEN + 1]);
    assert_eq!(status, Status::InvalidArgument);
    assert!(message.contains("`config` has 1048577 bytes"), "{message}");
}

#[test]
fn a_configuration_that_is_no_json_object_says_where() {
    let (status, message) = create(b"{\"name\": }");
    assert_eq!(status, Status::InvalidConfig);
    assert!(message.contains("line 1 column 10"), "{message}");
    assert_eq!(create(b"[]").0, Status::InvalidConfig);
    assert_eq!(create(b"{\"name\": \"\xff\"}").0, Status::InvalidConfig);
}

#[test]
fn a_wrong_initial_is_named_with_what_it_may_be() {
    let (status, message) = create(br#"{"initial": "all"}"#);
    assert_eq!(status, Status::InvalidConfig);
    assert!(
        message.contains(r#"`initial` is "all"; it must be "events", "snapshot" or "nothing""#),
        "{message}"
    );
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let (status, message) = create(br#"{"enable_epbf": false}"#);
    assert_eq!(status, Status::InvalidConfig);
    assert!(message.contains("enable_epbf") && message.contains("enable_ebpf"), "{message}");
    let (status, message) = create(br#"{"initial": "events", "enable_epbf": false}"#);
    assert_eq!(status, Status::InvalidConfig);
    assert!(message.contains("enable_epbf") && message.contains("enable_ebpf"), "{message}");
}

#[test]
fn a_wrong_value_is_named() {
    let (status, message) = create(br#"{"connection_timeout": "30"}"#);
    assert_eq!(status, Status::InvalidConfig);
    assert!(message.contains("connection_timeout") && message.contains("30"), "{message}");
}

#[test]
fn an_unknown_kind_and_no_items_are_refused() {
    let mut observer = observer();
    let mut batch = ptr::null_mut();
    // SAFETY: a live observer.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        for kind in [0, 4, -1, i32::MAX] {
            let (status, message) =
                call(|error| servicemap_observer_next(observer, kind, 1, 0, &raw mut batch, error));
            assert_eq!(status, Status::InvalidArgument);
            assert!(message.contains(&format!("`kind` is {kind}")), "{message}");
        }
        let (status, message) =
            call(|error| servicemap_observer_next(observer, 3, 0, 0, &raw mut batch, error));
        assert_eq!(status, Status::InvalidArgument);
        assert!(message.contains("`max_items` is 0"), "{message}");
        assert!(batch.is_null());
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn an_unknown_acknowledgement_is_refused_and_the_batch_stays_outstanding() {
    let mut observer = observer();
    let batch = give(observer, &[]);
    // SAFETY: live objects.
    unsafe {
        let (status, message) = call(|error| servicemap_observer_ack(observer, batch, 3, 0, error));
        assert_eq!(status, Status::InvalidArgument);
        assert!(message.contains("`ack` is 3"), "{message}");
        assert_eq!(servicemap_observer_ack(observer, batch, Ack::Ok as i32, 0, ptr::null_mut()), Status::Ok);
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn an_error_says_what_to_do() {
    let mut error = ptr::null_mut();
    // SAFETY: NULL is what it has to answer.
    unsafe {
        servicemap_observer_start(ptr::null(), &raw mut error);
        assert_eq!(text(servicemap_error_mend(error)), Status::NullPointer.mend());
        servicemap_error_free(error);
    }
}
