//! Atomic operations on map values. Where the kernel has only plain atomic addition (arm64 before 5.18), the ones that
//! return a value are made of a read and a write: a race between two CPUs over one socket may then count it twice.
//!
//! Intrinsics, because `core::sync::atomic` has none of them for this target (it says nothing of the instruction set's
//! version 3, which every supported kernel knows).
use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd, atomic_xchg};

use crate::globals::PLAIN_ATOMICS;

const RELAXED: AtomicOrdering = AtomicOrdering::Relaxed;
const SEQCST: AtomicOrdering = AtomicOrdering::SeqCst;

#[inline(always)]
pub(crate) unsafe fn add32(at: *mut u32, n: u32) {
    // SAFETY: the caller hands a member of a map value, aligned and alive while the program runs.
    unsafe { atomic_xadd::<u32, u32, RELAXED>(at, n) };
}

#[inline(always)]
pub(crate) unsafe fn add64(at: *mut u64, n: u64) {
    // SAFETY: as for `add32`.
    unsafe { atomic_xadd::<u64, u64, RELAXED>(at, n) };
}

/// Subtracts one and returns what is left.
#[inline(always)]
pub(crate) unsafe fn decrement32(at: *mut u32) -> u32 {
    // SAFETY: as for `add32`.
    unsafe {
        if PLAIN_ATOMICS.load() != 0 {
            let left = at.read_volatile().wrapping_sub(1);
            at.write_volatile(left);
            return left;
        }
        atomic_xadd::<u32, u32, SEQCST>(at, u32::MAX).wrapping_sub(1)
    }
}

#[inline(always)]
pub(crate) unsafe fn swap32(at: *mut u32, new: u32) -> u32 {
    // SAFETY: as for `add32`.
    unsafe {
        if PLAIN_ATOMICS.load() != 0 {
            let old = at.read_volatile();
            at.write_volatile(new);
            return old;
        }
        atomic_xchg::<u32, SEQCST>(at, new)
    }
}

#[inline(always)]
pub(crate) unsafe fn swap64(at: *mut u64, new: u64) -> u64 {
    // SAFETY: as for `add32`.
    unsafe {
        if PLAIN_ATOMICS.load() != 0 {
            let old = at.read_volatile();
            at.write_volatile(new);
            return old;
        }
        atomic_xchg::<u64, SEQCST>(at, new)
    }
}

/// Replaces `old` by `new`; false when something else was there.
#[inline(always)]
pub(crate) unsafe fn replace64(at: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: as for `add32`.
    unsafe {
        if PLAIN_ATOMICS.load() != 0 {
            if at.read_volatile() != old {
                return false;
            }
            at.write_volatile(new);
            return true;
        }
        atomic_cxchg::<u64, SEQCST, SEQCST>(at, old, new).1
    }
}

/// Replaces `old` by `new`; false when something else was there.
#[inline(always)]
pub(crate) unsafe fn replace32(at: *mut u32, old: u32, new: u32) -> bool {
    // SAFETY: as for `add32`.
    unsafe {
        if PLAIN_ATOMICS.load() != 0 {
            if at.read_volatile() != old {
                return false;
            }
            at.write_volatile(new);
            return true;
        }
        atomic_cxchg::<u32, SEQCST, SEQCST>(at, old, new).1
    }
}
