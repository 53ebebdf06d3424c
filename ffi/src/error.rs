//! The owned error object: no thread-local state, so that it can be read on whatever thread the host continues.

use std::ptr;

use crate::boundary::{Failure, accessor, boundary};
use crate::memory::Slice;
use crate::status::Status;

/// What went wrong, in words. Owned by the caller until `servicemap_error_free`; reading it is safe from any thread.
#[derive(Debug)]
pub struct Error {
    failure: Failure,
}

impl Error {
    pub(crate) fn give(failure: Failure) -> *mut Self {
        Box::into_raw(Box::new(Self { failure }))
    }
}

/// The status that the failed function returned; OK for NULL.
///
/// Threads: any. Does not block.
///
/// # Safety
/// `error` is NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_error_status(error: *const Error) -> Status {
    accessor("servicemap_error_status", Status::Ok, || {
        // SAFETY: NULL or valid, as the caller promises.
        unsafe { error.as_ref() }.map_or(Status::Ok, |error| error.failure.status)
    })
}

/// One sentence that names the thing and the value; empty for NULL. Lent until the error is freed.
///
/// Threads: any. Does not block.
///
/// # Safety
/// `error` is NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_error_message(error: *const Error) -> Slice {
    accessor("servicemap_error_message", Slice::EMPTY, || {
        // SAFETY: NULL or valid, as the caller promises.
        unsafe { error.as_ref() }.map_or(Slice::EMPTY, |error| Slice::lend(error.failure.message.as_bytes()))
    })
}

/// What to do about it; empty for NULL. Static.
///
/// Threads: any. Does not block.
///
/// # Safety
/// `error` is NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_error_mend(error: *const Error) -> Slice {
    accessor("servicemap_error_mend", Slice::EMPTY, || {
        // SAFETY: NULL or valid, as the caller promises.
        unsafe { error.as_ref() }
            .map_or(Slice::EMPTY, |error| Slice::lend(error.failure.status.mend().as_bytes()))
    })
}

/// Frees an error. NULL does nothing.
///
/// Threads: any, once. Does not block.
///
/// # Safety
/// `error` is NULL or an error that was not freed; it is gone afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_error_free(error: *mut Error) {
    let _ = boundary("servicemap_error_free", ptr::null_mut(), || {
        if !error.is_null() {
            // SAFETY: `give` made it by a box, and the caller promises to free it once.
            drop(unsafe { Box::from_raw(error) });
        }
        Ok(Status::Ok)
    });
}
