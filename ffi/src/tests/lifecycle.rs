//! Order, threads, panics and forks.

use std::ptr;
use std::time::Duration;

use super::fixtures::{call, event, give, observer, service, text};
use crate::batch::*;
use crate::events::{View, servicemap_events_view};
use crate::memory::{Bytes, Slice};
use crate::observer::*;
use crate::status::Status;
use servicemap_map::model::{EventData, EventType};

/// A pointer that a test hands to another thread, as a C program would.
#[derive(Clone, Copy)]
struct Shared(*const Observer);
// SAFETY: the header says that an observer may be used from any thread.
unsafe impl Send for Shared {}

/// `next` of typed events with no wait.
fn look(observer: *const Observer) -> (Status, String) {
    let mut batch = ptr::null_mut();
    // SAFETY: a live observer.
    call(|error| unsafe {
        servicemap_observer_next(observer, Kind::Events as i32, 100, 0, &raw mut batch, error)
    })
}

#[test]
fn nothing_can_be_read_before_the_start() {
    let mut observer = observer();
    let mut bytes = Bytes { ptr: ptr::null_mut(), len: 0 };
    // SAFETY: a live observer.
    unsafe {
        for (status, message) in [
            look(observer),
            call(|error| servicemap_observer_snapshot(observer, &raw mut bytes, error)),
            call(|error| servicemap_observer_statistics(observer, &raw mut bytes, error)),
        ] {
            assert_eq!(status, Status::InvalidState);
            assert!(message.ends_with("the observer was not started"), "{message}");
        }
        assert_eq!(servicemap_observer_destroy(&raw mut observer), Status::Ok);
    }
}

#[test]
fn destroy_clears_the_callers_pointer_and_may_be_repeated() {
    let mut observer = observer();
    // SAFETY: a live observer, then NULL.
    unsafe {
        assert_eq!(servicemap_observer_destroy(&raw mut observer), Status::Ok);
        assert!(observer.is_null());
        assert_eq!(servicemap_observer_destroy(&raw mut observer), Status::Ok);
    }
}

/// Asks for batches of a kind, each time for up to ten minutes, and frees them, until something else is answered.
fn read_until_no_batch(observer: *const Observer, kind: Kind) -> Status {
    loop {
        let mut batch = ptr::null_mut();
        // SAFETY: a live observer.
        unsafe {
            let status = servicemap_observer_next(
                observer,
                kind as i32,
                100,
                600_000,
                &raw mut batch,
                ptr::null_mut(),
            );
            servicemap_batch_free(batch);
            if status != Status::Ok {
                return status;
            }
        }
    }
}

#[test]
fn a_wake_from_another_thread_ends_a_wait_of_every_kind() {
    let mut observer = observer();
    // SAFETY: a live observer until all threads are joined.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        let waiting = Kind::ALL.map(|kind| {
            let shared = Shared(observer);
            std::thread::spawn(move || {
                let Shared(observer) = { shared };
                read_until_no_batch(observer, kind)
            })
        });
        assert_eq!(servicemap_observer_wake(observer), Status::Ok);
        assert_eq!(waiting.map(|thread| thread.join().unwrap()), [Status::Woken; 3]);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn after_a_shutdown_every_kind_is_read_to_its_end() {
    let mut observer = observer();
    // SAFETY: a live observer.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        assert_eq!(servicemap_observer_shutdown(observer, 60_000, ptr::null_mut()), Status::Ok);
        assert_eq!(Kind::ALL.map(|kind| read_until_no_batch(observer, kind)), [Status::Ended; 3]);
        assert_eq!(
            servicemap_observer_shutdown(observer, 0, ptr::null_mut()),
            Status::Ok,
            "it may be repeated"
        );
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn an_observer_starts_once() {
    let mut observer = observer();
    // SAFETY: a live observer.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        let (status, message) = call(|error| servicemap_observer_start(observer, error));
        assert_eq!(status, Status::InvalidState);
        assert!(message.contains("started before"), "{message}");
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn threads_of_an_observer_are_named_and_leave_signals_to_the_host() {
    let mut observer = observer();
    // SAFETY: a live observer.
    unsafe { assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok) };
    // The main thread has the name of the test's program, which begins like ours.
    let main = std::process::id().to_string();
    let ours: Vec<String> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter(|task| task.as_ref().unwrap().file_name() != *main)
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok())
        .filter(|status| status.starts_with("Name:\tservicemap-"))
        .collect();
    assert!(!ours.is_empty());
    for status in ours {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        assert_eq!(mask >> (libc::SIGTERM - 1) & 1, 1, "{status}");
        assert_eq!(mask >> (libc::SIGSEGV - 1) & 1, 0, "{status}");
    }
    // SAFETY: a live observer.
    unsafe { servicemap_observer_destroy(&raw mut observer) };
}

#[test]
fn a_second_thread_on_one_cursor_is_told_so() {
    let mut observer = observer();
    // SAFETY: a live observer.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        let batch = give(observer, &[]);
        let held = (*observer).handle.events_channel().hold();
        let (status, message) = look(observer);
        assert_eq!(status, Status::Busy);
        assert!(message.ends_with("another thread is using the cursor of events"), "{message}");
        assert_eq!(servicemap_observer_ack(observer, batch, 0, 0, ptr::null_mut()), Status::Busy);
        drop(held);
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn a_retried_batch_comes_again_with_the_same_content_and_is_freed_on_its_own() {
    let mut observer = observer();
    // SAFETY: live objects.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        let told = event(EventType::ServiceDiscovered, 1, EventData::Service(service("web")));
        let batch = give(observer, &[told]);
        assert_eq!(
            servicemap_observer_ack(observer, batch, Ack::Retry as i32, 0, ptr::null_mut()),
            Status::Ok
        );
        let mut again = ptr::null_mut();
        let kind = Kind::Events as i32;
        let status = servicemap_observer_next(observer, kind, 1, 60_000, &raw mut again, ptr::null_mut());
        assert_eq!(status, Status::Ok);
        assert_ne!(again, batch);
        assert!(std::sync::Arc::ptr_eq(&(*again).content, &(*batch).content));
        servicemap_batch_free(batch);
        assert_eq!(servicemap_batch_items(again), 1);
        servicemap_batch_free(again);
        servicemap_observer_destroy(&raw mut observer);
    }
}

#[test]
fn a_batch_of_another_observer_cannot_be_acknowledged() {
    let (mut one, mut other) = (observer(), observer());
    let batch = give(one, &[]);
    // SAFETY: live objects.
    unsafe {
        let (status, message) = call(|error| servicemap_observer_ack(other, batch, 0, 0, error));
        assert_eq!(status, Status::NotOutstanding);
        assert!(message.contains("not the latest unacknowledged one of events"), "{message}");
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut one);
        servicemap_observer_destroy(&raw mut other);
    }
}

#[test]
fn a_batch_outlives_its_observer() {
    let mut observer = observer();
    let batch = give(observer, &[event(EventType::ServiceDiscovered, 1, EventData::Service(service("web")))]);
    let mut words = [0_usize; size_of::<View<'_>>() / size_of::<usize>()];
    words[0] = size_of::<View<'_>>();
    // SAFETY: the batch is live; the view has room.
    unsafe {
        servicemap_observer_destroy(&raw mut observer);
        assert_eq!(servicemap_batch_items(batch), 1);
        let view = words.as_mut_ptr().cast::<View<'static>>();
        assert_eq!(
            servicemap_events_view(batch.cast_const().cast(), view, ptr::null_mut()),
            Status::Ok as i32
        );
        let view = &*view;
        let name = view.services[0].service.service_name;
        assert_eq!(&view.arena[name.offset as usize..][..name.len as usize], b"web");
        servicemap_batch_free(batch);
    }
}

#[test]
fn after_a_panic_an_observer_only_says_so_and_can_be_destroyed() {
    let mut observer = observer();
    // SAFETY: a live observer.
    unsafe {
        let (status, message) =
            call(|error| with("servicemap_test", observer, error, |_| panic!("injected")));
        assert_eq!((status, message.as_str()), (Status::Panic, "servicemap_test panicked: injected"));

        let (status, message) = call(|error| servicemap_observer_start(observer, error));
        assert_eq!(status, Status::Poisoned);
        assert!(
            message.ends_with("the observer is poisoned: servicemap_test panicked: injected"),
            "{message}"
        );
        assert_eq!(servicemap_observer_wake(observer), Status::Poisoned);
        assert_eq!(look(observer).0, Status::Poisoned);

        let size = size_of::<ObserverStatus>();
        let mut out = ObserverStatus { size, state: 0, ready: 0, message: Slice::EMPTY };
        assert_eq!(servicemap_observer_status(observer, &raw mut out, ptr::null_mut()), Status::Ok);
        assert_eq!(out.state, State::Poisoned as i32);
        assert_eq!(text(out.message), "servicemap_test panicked: injected");

        assert_eq!(servicemap_observer_destroy(&raw mut observer), Status::Ok);
        assert!(observer.is_null());
    }
}

#[test]
fn an_observer_whose_own_thread_ended_unasked_is_poisoned() {
    for ask in [Kind::Logs, Kind::Events] {
        let mut observer = observer();
        // SAFETY: a live observer.
        unsafe {
            assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
            // What a panic of the thread looks like from here: it has ended, and the ABI was not asked for it.
            (*observer).handle.core().shutdown(Duration::from_mins(1)).unwrap();
            assert_eq!(read_until_no_batch(observer, ask), Status::Panic);
            let (status, message) = look(observer);
            assert_eq!(status, Status::Poisoned);
            assert!(message.ends_with("the observer's own thread panicked"), "{message}");
            servicemap_observer_destroy(&raw mut observer);
        }
    }
}

#[test]
fn after_a_fork_the_child_is_answered_and_the_parent_goes_on() {
    let mut observer = observer();
    // SAFETY: the child calls only functions that answer without a lock of ours, then leaves without unwinding; the
    // alarm ends it should it hang.
    unsafe {
        assert_eq!(servicemap_observer_start(observer, ptr::null_mut()), Status::Ok);
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::alarm(20);
            let mut batch = ptr::null_mut();
            let next = servicemap_observer_next(observer, 3, 1, 0, &raw mut batch, ptr::null_mut());
            let wake = servicemap_observer_wake(observer);
            let destroy = servicemap_observer_destroy(&raw mut observer);
            let forked = [next, wake, destroy].iter().all(|status| *status == Status::Forked);
            libc::_exit(i32::from(!(forked && observer.is_null())));
        }
        let mut ended = 0;
        assert_eq!(libc::waitpid(child, &raw mut ended, 0), child);
        assert!(libc::WIFEXITED(ended) && libc::WEXITSTATUS(ended) == 0, "{ended:x}");
        assert_eq!(servicemap_observer_wake(observer), Status::Ok);
        assert_eq!(servicemap_observer_destroy(&raw mut observer), Status::Ok);
    }
}
