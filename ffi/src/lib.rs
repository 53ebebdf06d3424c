//! The C ABI of Servicemap. Thin: every function reads as check, call core, convert.
//!
//! Two headers, two generators, disjoint types. cbindgen writes `include/servicemap.h` from the plain `extern "C"`
//! functions of this crate: handles, statuses, bytes. safer-ffi writes `include/servicemap_events.h` from [`events`]:
//! the typed event batch, whose layouts are checked when this crate is compiled. `ffi/headers.sh` runs both.
//!
//! Every exported function runs inside [`boundary`], which checks pointers, notices a `fork`, and turns a panic into a
//! status. The files: [`status`] and [`error`] (what is answered), [`memory`] (bytes that cross), [`boundary`],
//! [`options`] (the JSON), [`observer`] (the handle), `channel` (one kind's cursor, its redelivery and its counts),
//! [`batch`], [`events`].

pub mod batch;
pub mod boundary;
mod channel;
pub mod error;
pub mod events;
mod handle;
pub mod memory;
pub mod observer;
pub mod options;
mod signals;
mod statistics;
pub mod status;
#[cfg(test)]
mod tests;

use std::ffi::c_char;

/// Version of this ABI. It is raised when a program built against an older header would break: compare it with what
/// `servicemap_abi_version` answers before anything else, and refuse to run when they differ.
pub const SERVICEMAP_ABI_VERSION: u32 = 2;

/// Version of the library, for example "0.1.0": NUL-terminated, static, never freed.
/// Any thread; does not block; cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn servicemap_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The `SERVICEMAP_ABI_VERSION` that the library was built with.
/// Any thread; does not block; cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn servicemap_abi_version() -> u32 {
    SERVICEMAP_ABI_VERSION
}
