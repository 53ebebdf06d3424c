//! The observer's handle: create, start, next, acknowledge, wake, shut down, destroy.

use std::ptr;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Kind};
use crate::boundary::{Failure, boundary};
use crate::channel::{Outcome, Pulled};
use crate::error::Error;
use crate::handle::Handle;
use crate::memory::{Bytes, Growing, Slice, borrow, fill};
use crate::options::{MAX_CONFIG_LEN, Options};
use crate::status::Status;

/// An observer: sources, map and threads. Several may live in one process. Its functions may be called from any thread
/// at the same time, except where they say otherwise.
#[derive(Debug)]
pub struct Observer {
    pub(crate) handle: Handle,
}

/// What an observer is doing.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Created, not started.
    Created = 1,
    /// Started and observing.
    Running = 2,
    /// Shut down; what is left can be read.
    ShutDown = 3,
    /// A function panicked inside it; it can only be destroyed.
    Poisoned = 4,
}

/// How the host fared with a batch.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// It is delivered.
    Ok = 0,
    /// Give it again after a while; later batches wait.
    Retry = 1,
    /// It will never be taken: drop it and go on. It is counted as rejected.
    Never = 2,
}

/// What `servicemap_observer_status` tells. May grow: set `size` to sizeof this struct and the rest to zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ObserverStatus {
    /// Size of this struct in bytes, as the caller knows it.
    pub size: usize,
    /// A `servicemap_state`.
    pub state: i32,
    /// 1 once the map holds everything that existed at the start, else 0.
    pub ready: i32,
    /// Why it is poisoned, lent until it is destroyed; empty otherwise.
    pub message: Slice,
}

// SAFETY: repr(C), begins with its size, integers and a pointer of which any bits are valid, no padding at the end.
unsafe impl Growing for ObserverStatus {
    const NAME: &'static str = "servicemap_observer_status_t";
    const FIRST_SIZE: usize = 32;
}

/// Runs the body of a function of an observer: not NULL, not from before a `fork`, not poisoned; poisons it on a panic.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed; `error` is NULL or writable.
pub(crate) unsafe fn with(
    function: &'static str,
    observer: *const Observer,
    error: *mut *mut Error,
    body: impl FnOnce(&Handle) -> Result<Status, Failure>,
) -> Status {
    boundary(function, error, || {
        // SAFETY: NULL or valid, as the caller promises.
        let observer = unsafe { observer.as_ref() }.ok_or_else(|| Failure::null("observer"))?;
        observer.handle.guarded(function, body)
    })
}

/// Makes an observer from a JSON object of settings; nothing happens before `servicemap_observer_start`.
///
/// `config`: UTF-8, `config_len` bytes; NULL with length 0 takes the defaults. Keys, defaults and units are those of the
/// receiver `servicemap` (durations are strings such as "30s"), and `initial`: what `next` gives of typed events for
/// what exists already: "events" (the default: the same events as for new things, marked initial), "snapshot" or
/// "nothing".
///
/// Ownership: `*out` belongs to the caller until `servicemap_observer_destroy`. Threads: any. Does not block.
/// Errors: NULL_POINTER, INVALID_ARGUMENT, INVALID_CONFIG (the message names the key and the nearest known one), SYSTEM.
///
/// # Safety
/// `config` is readable for `config_len` bytes, `out` is writable, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_create(
    config: *const u8,
    config_len: usize,
    out: *mut *mut Observer,
    error: *mut *mut Error,
) -> Status {
    boundary("servicemap_observer_create", error, || {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: readable as the caller promises.
        let json = unsafe { borrow(config, config_len, "config", MAX_CONFIG_LEN) }?;
        let handle = Handle::new(Options::from_json(json)?)?;
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { out.write(Box::into_raw(Box::new(Observer { handle }))) };
        Ok(Status::Ok)
    })
}

/// Loads and attaches the kernel side and begins to observe, on threads of the observer's own: they are named
/// `servicemap-…`, block signals, and never call into the host. An observer starts once.
///
/// Threads: any. Blocks for as long as the kernel checks the programs: tens of milliseconds, seconds on a busy machine.
/// Errors: CAPTURE (the message says what is missing and how to give it), SYSTEM, INVALID_STATE, FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_start(
    observer: *const Observer,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as this function's own.
    unsafe { with("servicemap_observer_start", observer, error, Handle::start) }
}

/// What the observer is doing. Also answers for a poisoned observer.
///
/// Ownership: `out->message` is lent until the observer is destroyed. Threads: any. Does not block.
/// Errors: NULL_POINTER, STRUCT_SIZE, FORKED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed; `out` is writable for `out->size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_status(
    observer: *const Observer,
    out: *mut ObserverStatus,
    error: *mut *mut Error,
) -> Status {
    boundary("servicemap_observer_status", error, || {
        // SAFETY: NULL or valid, as the caller promises.
        let observer = unsafe { observer.as_ref() }.ok_or_else(|| Failure::null("observer"))?;
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        let status = observer.handle.status()?;
        // SAFETY: not NULL, as large as it says, as the caller promises.
        unsafe { fill(out, &status) }?;
        Ok(Status::Ok)
    })
}

/// Servicemap's own figures as a JSON object: facts, events, what the kernel side counted and lost, and per kind the
/// batches, items, losses, retries and rejections of `next`.
///
/// Ownership: free `*out` with `servicemap_bytes_free`. Threads: any. Blocks at most while the map takes in one batch of
/// facts. Errors: NULL_POINTER, INVALID_STATE (not started), FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_statistics(
    observer: *const Observer,
    out: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as this function's own.
    unsafe { give("servicemap_observer_statistics", observer, out, error, Handle::statistics) }
}

/// The whole map now, as the JSON of `servicemap map -o json`.
///
/// Ownership: free `*out` with `servicemap_bytes_free`. Threads: any. Blocks at most while the map takes in one batch of
/// facts. Errors: NULL_POINTER, INVALID_STATE (not started), FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_snapshot(
    observer: *const Observer,
    out: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as this function's own.
    unsafe { give("servicemap_observer_snapshot", observer, out, error, Handle::snapshot) }
}

/// Gives the caller bytes that an observer makes.
///
/// # Safety
/// As [`with`]; `out` is NULL or writable.
unsafe fn give(
    function: &'static str,
    observer: *const Observer,
    out: *mut Bytes,
    error: *mut *mut Error,
    make: impl FnOnce(&Handle) -> Result<Vec<u8>, Failure>,
) -> Status {
    let body = |handle: &Handle| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        let bytes = Bytes::give(make(handle)?);
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { out.write(bytes) };
        Ok(Status::Ok)
    };
    // SAFETY: as this function's own.
    unsafe { with(function, observer, error, body) }
}

/// The next batch of a kind. Each kind has a cursor of its own, which begins with the first call after the map is
/// complete: logs with the whole map, typed events as `initial` says, metrics with one reading each `collection_interval`.
///
/// `kind`: a `servicemap_kind`. `max_items`: at most so many events (at least 1); a batch that carries a snapshot is
/// larger, and metrics are never cut. `timeout_ms`: how long to wait; 0 looks only. A call without an acknowledgement of
/// the batch before says that that one was delivered.
///
/// Answers: OK with `*out`; TIMEOUT; WOKEN (a wake is answered once by each kind's cursor, also when it came before the
/// call; it may be answered twice, never less); ENDED after a shutdown when everything was read.
/// Ownership: `*out` belongs to the caller until `servicemap_batch_free`. Threads: any; one cursor is used by one thread
/// at a time, a second one gets BUSY. Blocks at most `timeout_ms`.
/// Errors: NULL_POINTER, INVALID_ARGUMENT, INVALID_STATE (not started), BUSY, UNSUPPORTED, FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_next(
    observer: *const Observer,
    kind: i32,
    max_items: u32,
    timeout_ms: u32,
    out: *mut *mut Batch,
    error: *mut *mut Error,
) -> Status {
    let body = |handle: &Handle| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        let kind = Kind::from_number(kind)?;
        if max_items == 0 {
            return Err(Failure::new(Status::InvalidArgument, "`max_items` is 0; it must be at least 1"));
        }
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        let max = usize::try_from(max_items).unwrap_or(usize::MAX);
        let content = match handle.next(kind, max, deadline)? {
            Pulled::Content(content) => content,
            Pulled::Timeout => return Ok(Status::Timeout),
            Pulled::Woken => return Ok(Status::Woken),
            Pulled::Ended => return Ok(Status::Ended),
        };
        // SAFETY: not NULL, writable as the caller promises.
        unsafe { out.write(Box::into_raw(Box::new(Batch { content }))) };
        Ok(Status::Ok)
    };
    // SAFETY: as this function's own.
    unsafe { with("servicemap_observer_next", observer, error, body) }
}

/// Says how the latest batch of its kind has fared.
///
/// `ack`: a `servicemap_ack`: OK; RETRY, and the next `next` of that kind gives the same batch again (the same bytes, to be
/// freed on its own), not before `retry_after_ms` have passed, with later ones waiting behind it, and after a shutdown
/// without delay; NEVER. The batch still has to be freed.
///
/// Threads: any, but not while `next` of that kind runs: BUSY. Does not block.
/// Errors: NULL_POINTER, INVALID_ARGUMENT, NOT_OUTSTANDING (not the latest batch of its kind, acknowledged before, or
/// of another observer), BUSY, FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `batch` is NULL or was not freed, `error` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_ack(
    observer: *const Observer,
    batch: *const Batch,
    ack: i32,
    retry_after_ms: u32,
    error: *mut *mut Error,
) -> Status {
    let body = |handle: &Handle| {
        // SAFETY: NULL or valid, as the caller promises.
        let batch = unsafe { batch.as_ref() }.ok_or_else(|| Failure::null("batch"))?;
        let outcome = match ack {
            n if n == Ack::Ok as i32 => Outcome::Delivered,
            n if n == Ack::Retry as i32 => Outcome::Retry(Duration::from_millis(retry_after_ms.into())),
            n if n == Ack::Never as i32 => Outcome::Rejected,
            other => {
                let message = format!("`ack` is {other}; it must be 0 (ok), 1 (retry) or 2 (never)");
                return Err(Failure::new(Status::InvalidArgument, message));
            }
        };
        handle.acknowledge(&batch.content, outcome)
    };
    // SAFETY: as this function's own.
    unsafe { with("servicemap_observer_ack", observer, error, body) }
}

/// Makes a waiting `next` of every kind return WOKEN now; where none waits, the next one does.
///
/// Threads: any. Does not block. Errors: NULL_POINTER, FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_wake(observer: *const Observer) -> Status {
    let wake = |handle: &Handle| {
        handle.wake();
        Ok(Status::Ok)
    };
    // SAFETY: as this function's own.
    unsafe { with("servicemap_observer_wake", observer, ptr::null_mut(), wake) }
}

/// Stops observing: the kernel's last counts are taken in, `next` gives what is left and then ENDED.
///
/// Threads: any. Blocks until the observer's threads have ended, at most `deadline_ms`.
/// May be called more than once. Errors: STILL_RUNNING (the deadline passed), PANIC, FORKED, POISONED.
///
/// # Safety
/// `observer` is NULL or an observer that was not destroyed, `error` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_shutdown(
    observer: *const Observer,
    deadline_ms: u32,
    error: *mut *mut Error,
) -> Status {
    let deadline = Duration::from_millis(deadline_ms.into());
    // SAFETY: as this function's own.
    unsafe { with("servicemap_observer_shutdown", observer, error, |handle| handle.shut_down(deadline)) }
}

/// Frees an observer and sets the caller's pointer to NULL, so that a second call does nothing. One that still runs is
/// shut down first. Batches stay valid. In the child of a `fork` the memory is left alone, and the answer is FORKED.
///
/// Threads: any; no other call on this observer may be running or begin. Blocks until the observer's threads have ended,
/// at most 5 s. NULL, and a pointer to NULL, do nothing. Errors: FORKED, PANIC.
///
/// # Safety
/// `observer` is NULL or points to NULL or to an observer that was not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_observer_destroy(observer: *mut *mut Observer) -> Status {
    boundary("servicemap_observer_destroy", ptr::null_mut(), || {
        // SAFETY: NULL or valid, as the caller promises.
        let Some(slot) = (unsafe { observer.as_mut() }) else { return Ok(Status::Ok) };
        let observer = std::mem::replace(slot, ptr::null_mut());
        if observer.is_null() {
            return Ok(Status::Ok);
        }
        // SAFETY: `create` made it by a box, and the slot was emptied, so that it is freed once.
        let observer = unsafe { Box::from_raw(observer) };
        if let Err(forked) = observer.handle.same_process() {
            std::mem::forget(observer);
            return Err(forked);
        }
        observer.handle.close();
        Ok(Status::Ok)
    })
}
