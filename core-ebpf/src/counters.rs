//! Per-CPU counters and the control array.
use crate::maps::{CONTROL, COUNTERS};

/// Adds one to a slot of `COUNTERS`.
#[inline(always)]
pub(crate) fn count(slot: u32) {
    if let Some(counter) = COUNTERS.get_ptr_mut(slot) {
        // SAFETY: a per-CPU value, and a BPF program is not moved to another CPU. An interrupt's program on the same CPU
        // could lose one of two additions, so it is an atomic one.
        unsafe { crate::atomic::add64(counter, 1) }
    }
}

/// Reads a slot of `CONTROL`.
#[inline(always)]
pub(crate) fn control(slot: u32) -> u64 {
    // SAFETY: an aligned word of an array that lives as long as the program.
    CONTROL.get_ptr(slot).map_or(0, |value| unsafe { value.read_volatile() })
}
