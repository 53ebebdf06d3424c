//! The boundary that every exported function runs inside: a panic ends here, as a status that names the function.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::status::Status;

/// A status that is an error, with its sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which error.
    pub status: Status,
    /// One sentence that names the thing and the value.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::new(Status::NullPointer, format!("`{name}` is NULL"))
    }
}

/// Runs the body of the exported function `function`. What goes wrong is told by the status and, where `error` is not
/// NULL, by an error object that the caller owns; `error` is written only then.
pub(crate) fn boundary(
    function: &'static str,
    error: *mut *mut Error,
    body: impl FnOnce() -> Result<Status, Failure>,
) -> Status {
    let failure = match catch(function, body) {
        Ok(Ok(status)) => return status,
        // A panic's message has the name already.
        Ok(Err(failure)) if failure.status == Status::Panic => failure,
        Ok(Err(mut failure)) => {
            failure.message.insert_str(0, ": ");
            failure.message.insert_str(0, function);
            failure
        }
        Err(failure) => failure,
    };
    let status = failure.status;
    if !error.is_null() {
        // SAFETY: the functions' contract: `error` is NULL or writable. Running out of memory here aborts, as it does
        // everywhere in Rust.
        unsafe { error.write(Error::give(failure)) };
    }
    status
}

/// Runs the body of an accessor, which has no status to answer: a panic gives `otherwise`.
pub(crate) fn accessor<T>(function: &'static str, otherwise: T, body: impl FnOnce() -> T) -> T {
    catch(function, body).unwrap_or(otherwise)
}

/// Runs a body and turns its panic into a failure with the function's name.
pub(crate) fn catch<T>(function: &str, body: impl FnOnce() -> T) -> Result<T, Failure> {
    // A panic leaves no half-changed state behind that anyone looks at: an observer is poisoned by it.
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let failure =
            Failure::new(Status::Panic, format!("{function} panicked: {}", panic_text(payload.as_ref())));
        // Dropping a payload may panic again; a panic is rare enough to leak the few bytes.
        std::mem::forget(payload);
        failure
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
