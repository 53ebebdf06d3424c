//! Structs that may grow: shorter ones are served as far as they go, longer ones only with a tail of zeros.

use std::ptr;

use super::fixtures::{call, give, observer};
use crate::batch::servicemap_batch_free;
use crate::events::{View, servicemap_events_view};
use crate::memory::{Growing, fill};
use crate::observer::{
    Observer, ObserverStatus, State, servicemap_observer_destroy, servicemap_observer_status,
};
use crate::status::Status;

/// A struct with room for a newer header's fields.
#[repr(C)]
struct Longer {
    known: ObserverStatus,
    tail: u64,
}

fn zeroed(size: usize) -> Longer {
    let known = ObserverStatus { size, state: 0, ready: 0, message: crate::memory::Slice::EMPTY };
    Longer { known, tail: 0 }
}

fn ask(observer: *const Observer, out: &mut Longer) -> (Status, String) {
    // SAFETY: live observer, and room for more than any `size` that is not refused.
    call(|error| unsafe { servicemap_observer_status(observer, ptr::from_mut(out).cast(), error) })
}

#[test]
fn a_struct_of_the_known_size_is_filled() {
    let mut observer = observer();
    let mut out = zeroed(size_of::<ObserverStatus>());
    assert_eq!(ask(observer, &mut out).0, Status::Ok);
    assert_eq!((out.known.state, out.known.size), (State::Created as i32, size_of::<ObserverStatus>()));
    // SAFETY: live.
    unsafe { servicemap_observer_destroy(&raw mut observer) };
}

#[test]
fn a_longer_struct_is_filled_if_its_tail_is_zero() {
    let mut observer = observer();
    let mut out = zeroed(size_of::<Longer>());
    assert_eq!(ask(observer, &mut out).0, Status::Ok);
    assert_eq!((out.known.state, out.tail), (State::Created as i32, 0));
    // SAFETY: live.
    unsafe { servicemap_observer_destroy(&raw mut observer) };
}

#[test]
fn a_longer_struct_with_something_unknown_in_it_is_refused_untouched() {
    let mut observer = observer();
    let mut out = zeroed(size_of::<Longer>());
    out.tail = 1;
    let (status, message) = ask(observer, &mut out);
    assert_eq!(status, Status::StructSize);
    assert!(message.contains("has 40 bytes of which this library knows 32"), "{message}");
    assert_eq!(out.known.state, 0);
    // SAFETY: live.
    unsafe { servicemap_observer_destroy(&raw mut observer) };
}

#[test]
fn a_size_below_the_first_version_or_out_of_all_bounds_is_refused() {
    let mut observer = observer();
    for size in [0, 1, ObserverStatus::FIRST_SIZE - 1, usize::MAX] {
        let (status, message) = ask(observer, &mut zeroed(size));
        assert_eq!(status, Status::StructSize, "{size}");
        assert!(message.contains(&format!("`size` of servicemap_observer_status_t is {size}")), "{message}");
    }
    // SAFETY: live.
    unsafe { servicemap_observer_destroy(&raw mut observer) };
}

#[test]
fn the_first_version_stays_what_it_was() {
    // A caller of the first header must go on to work: these never change, whatever is added behind.
    assert_eq!((ObserverStatus::FIRST_SIZE, View::FIRST_SIZE), (32, 232));
    assert!(size_of::<ObserverStatus>() >= 32 && size_of::<View<'_>>() >= 232);
}

/// A struct that has grown since its first version.
#[repr(C)]
#[derive(Clone, Copy)]
struct Grown {
    size: usize,
    first: u64,
    second: u64,
}

// SAFETY: repr(C), begins with its size, integers, no padding.
unsafe impl Growing for Grown {
    const NAME: &'static str = "grown";
    const FIRST_SIZE: usize = 16;
}

#[test]
fn a_caller_with_an_older_header_gets_what_it_knows() {
    let mut older = [16_usize, 0, 7];
    // SAFETY: `older` has more room than the 16 bytes that it says.
    unsafe { fill(older.as_mut_ptr().cast::<Grown>(), &Grown { size: 24, first: 5, second: 6 }) }.unwrap();
    assert_eq!(older, [16, 5, 7], "what lies behind the caller's struct is not touched");
}

#[test]
fn the_view_follows_the_same_rules() {
    let mut observer = observer();
    let batch = give(observer, &[]);
    let mut out = [0_usize; 64];
    let mut ask = |size: usize| {
        out = [0; 64];
        out[0] = size;
        servicemap_events_view(batch.cast_const().cast(), out.as_mut_ptr().cast(), ptr::null_mut())
    };
    assert_eq!(ask(size_of::<View<'_>>()), Status::Ok as i32);
    assert_eq!(ask(View::FIRST_SIZE), Status::Ok as i32);
    assert_eq!(ask(View::FIRST_SIZE - 8), Status::StructSize as i32);
    assert_eq!(ask(size_of::<View<'_>>() + 8), Status::Ok as i32);
    // SAFETY: live.
    unsafe {
        servicemap_batch_free(batch);
        servicemap_observer_destroy(&raw mut observer);
    }
}
