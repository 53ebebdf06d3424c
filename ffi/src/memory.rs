//! Bytes that cross the boundary, and structs that may grow.

use std::{ptr, slice};

use crate::boundary::{Failure, boundary};
use crate::status::Status;

/// A caller's struct is at most this many times longer than ours: more is an uninitialised `size`, not a newer header.
const MAX_GROWTH: usize = 16;

/// Borrowed bytes; text is UTF-8 without a NUL at its end. Valid as long as what lent it; `ptr` is NULL when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// The first byte.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl Slice {
    pub(crate) const EMPTY: Self = Self { ptr: ptr::null(), len: 0 };

    /// Rust's empty slices have an address where nothing is (1, say). A host that looks at pointers, as Go does, ends the
    /// program at such a one, so it never crosses.
    pub(crate) const fn lend(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::EMPTY;
        }
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

/// Bytes that the caller owns: give them back with `servicemap_bytes_free`.
#[repr(C)]
#[derive(Debug)]
pub struct Bytes {
    /// The first byte.
    pub ptr: *mut u8,
    /// How many bytes.
    pub len: usize,
}

impl Bytes {
    pub(crate) fn give(bytes: Vec<u8>) -> Self {
        let bytes = Box::leak(bytes.into_boxed_slice());
        Self { ptr: bytes.as_mut_ptr(), len: bytes.len() }
    }
}

/// Frees bytes and sets the caller's struct to zero, so that a second call does nothing. NULL does nothing.
///
/// Threads: any, one at a time. Does not block. Answers OK.
///
/// # Safety
/// `bytes` is NULL, all zero, or as a function of this library filled it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn servicemap_bytes_free(bytes: *mut Bytes) -> Status {
    boundary("servicemap_bytes_free", ptr::null_mut(), || {
        // SAFETY: the caller promises NULL or a valid struct that nobody else uses now.
        if let Some(bytes) = unsafe { bytes.as_mut() } {
            let (data, len) =
                (std::mem::replace(&mut bytes.ptr, ptr::null_mut()), std::mem::take(&mut bytes.len));
            if !data.is_null() {
                // SAFETY: `give` leaked exactly such a box, and the struct was emptied, so that it is freed once.
                drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(data, len)) });
            }
        }
        Ok(Status::Ok)
    })
}

/// Borrows `len` bytes of the caller; NULL with length 0 is empty.
///
/// # Safety
/// Unless NULL, `data` is readable for `len` bytes as long as the result lives.
pub(crate) unsafe fn borrow<'a>(
    data: *const u8,
    len: usize,
    name: &str,
    max: usize,
) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::null(name));
    }
    if len > max {
        return Err(Failure::new(
            Status::InvalidArgument,
            format!("`{name}` has {len} bytes; at most {max} are taken"),
        ));
    }
    // SAFETY: not NULL, at most `max` bytes, readable as the caller promises.
    Ok(unsafe { slice::from_raw_parts(data, len) })
}

/// A plain struct whose first field is its size in bytes as the caller knows it, and that may grow at its end.
///
/// # Safety
/// `repr(C)`, starts with a `usize` that is its size, all bit patterns of the rest are valid, no padding at its end.
pub(crate) unsafe trait Growing: Copy {
    /// Name in the header, for messages.
    const NAME: &'static str;
    /// Size of the first published version.
    const FIRST_SIZE: usize;
}

/// Fills the caller's struct: as much of `value` as its `size` has room for. A caller newer than this library has a
/// longer struct; its unknown tail must be zero, and stays so.
///
/// # Safety
/// `out` is not NULL and writable for the number of bytes that its first field says.
pub(crate) unsafe fn fill<T: Growing>(out: *mut T, value: &T) -> Result<(), Failure> {
    let known = size_of::<T>();
    // SAFETY: the first field of a growing struct is its size.
    let size = unsafe { out.cast::<usize>().read() };
    let bound = known.saturating_mul(MAX_GROWTH);
    if size < T::FIRST_SIZE || size > bound {
        return Err(Failure::new(
            Status::StructSize,
            format!("`size` of {} is {size}; it must be between {} and {bound}", T::NAME, T::FIRST_SIZE),
        ));
    }
    if let Some(tail) = size.checked_sub(known) {
        // SAFETY: `known + tail == size` bytes are readable as the caller promises.
        let tail = unsafe { slice::from_raw_parts(out.cast::<u8>().add(known), tail) };
        if tail.iter().any(|byte| *byte != 0) {
            return Err(Failure::new(
                Status::StructSize,
                format!(
                    "{} has {size} bytes of which this library knows {known}, and the rest is not zero",
                    T::NAME
                ),
            ));
        }
    }
    let skip = size_of::<usize>();
    let len = size.min(known) - skip;
    // SAFETY: both have at least `skip + len` bytes and do not overlap; the caller's `size` is left as it is.
    unsafe {
        ptr::copy_nonoverlapping(
            ptr::from_ref(value).cast::<u8>().add(skip),
            out.cast::<u8>().add(skip),
            len,
        );
    };
    Ok(())
}
