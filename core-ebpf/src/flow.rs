//! Counting under a key: find the entry of the map that is written to, or make it, announce it, or fold it.
use core::{arch::asm, ptr};

use aya_ebpf::{
    Global,
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_ktime_get_ns, bpf_map_lookup_elem, bpf_map_update_elem, bpf_ringbuf_output},
};
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::{add32, add64, swap64},
    counters::{control, count},
    globals::FOLD_AFTER,
    maps::{ANNOUNCE, CONTROL, FLOWS_A, FLOWS_B},
    socket,
};

const NOEXIST: u64 = 1;
const EEXIST: i64 = -17;

/// What a new entry begins as; too large for the stack.
#[unsafe(no_mangle)]
static EMPTY_FLOW: Global<FlowValue> = Global::new(FlowValue::ZERO);

/// For what an entry is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Something begins: its key may be folded, and its end will find it.
    Begin,
    /// Something ends, and is counted where it began.
    End,
    /// A refresh pass: a new entry is no news, and leaves the last quarter of the map to what happens.
    Refresh,
}

#[inline(always)]
fn map_of(active: u64) -> *mut core::ffi::c_void {
    if active == 0 { (&raw const FLOWS_A) as *mut _ } else { (&raw const FLOWS_B) as *mut _ }
}

/// The entry for `state.key`, to which the caller then adds; null (and counted as lost) when there is no room. May fold
/// the key, in `state` too, so that the close finds the same one.
#[inline(always)]
pub(crate) unsafe fn entry<A: Access>(
    sk: Kernel,
    state: *mut SocketState,
    purpose: Purpose,
) -> *mut FlowValue {
    // SAFETY: `state` is a map value or on the stack, alive while the program runs; the verifier checks the rest.
    unsafe {
        let active = control(CONTROL_ACTIVE);
        let key = (&raw const (*state).key).cast();
        // One call for each map, kept apart: the kernel then replaces it by the hash map's own lookup, where a call that
        // may be for either map goes through a pointer (a retpoline, on many machines).
        let mut value: *mut FlowValue;
        if active == 0 {
            value = bpf_map_lookup_elem((&raw const FLOWS_A) as *mut _, key).cast();
            asm!("{0} = {0} # first map", inout(reg) value, options(nomem, nostack));
        } else {
            value = bpf_map_lookup_elem((&raw const FLOWS_B) as *mut _, key).cast();
            asm!("{0} = {0} # second map", inout(reg) value, options(nomem, nostack));
        }
        if value.is_null() {
            value = new_entry::<A>(sk, state, purpose, active);
            if value.is_null() {
                count(if purpose == Purpose::Refresh { LOST_REFRESH_FULL } else { LOST_FLOWS_FULL });
                return value;
            }
        }
        let now = bpf_ktime_get_ns();
        if (*value).first_ns == 0 {
            (*value).first_ns = now;
        }
        (*value).last_ns = now;
        value
    }
}

/// A function of its own in the kernel too: the long way, taken once a flow and drain.
#[inline(never)]
unsafe fn new_entry<A: Access>(
    sk: Kernel,
    state: *mut SocketState,
    purpose: Purpose,
    active: u64,
) -> *mut FlowValue {
    // SAFETY: as `entry`.
    unsafe {
        let map = map_of(active);
        let keys = if active == 0 { CONTROL_KEYS_A } else { CONTROL_KEYS_B };
        let Some(keys) = CONTROL.get_ptr_mut(keys) else { return ptr::null_mut() };
        let mut key = (*state).key;
        let filling = keys.read_volatile() >= u64::from(FOLD_AFTER.load());
        if filling && purpose == Purpose::Refresh {
            return ptr::null_mut();
        }
        if filling && purpose == Purpose::Begin {
            count(COUNT_FOLDED);
            key.remote = [0; 2];
            key.generation = 0;
            key.class |= FLAG_FOLDED;
            (*state).key = key;
            let folded = bpf_map_lookup_elem(map, (&raw const key).cast()) as *mut FlowValue;
            if !folded.is_null() {
                return folded;
            }
        }
        let made =
            bpf_map_update_elem(map, (&raw const key).cast(), (&raw const EMPTY_FLOW).cast(), NOEXIST) as i64;
        if made != 0 && made != EEXIST {
            return ptr::null_mut();
        }
        let value = bpf_map_lookup_elem(map, (&raw const key).cast()) as *mut FlowValue;
        if value.is_null() {
            return value;
        }
        if made == 0 {
            add64(keys, 1);
            let example = &raw mut (*value).example;
            (*example).cookie = A::cookie(sk);
            (*example).local = socket::local::<A>(sk);
            (*example).tgid = (*state).tgid;
            (*example).uid = (*state).uid;
            (*example).local_port = socket::local_port::<A>(sk);
            (*example).remote_port = socket::remote_port::<A>(sk);
            if socket::is_transparent::<A>(sk) {
                (*example).flags = EXAMPLE_TRANSPARENT;
            }
            if purpose != Purpose::Refresh {
                announce(&key);
            }
        }
        value
    }
}

#[inline(always)]
unsafe fn announce(key: &FlowKey) {
    // SAFETY: a ring buffer map and a key on the stack.
    unsafe {
        let mut flags = u64::from(BPF_RB_NO_WAKEUP);
        if let Some(wake) = CONTROL.get_ptr_mut(CONTROL_WAKE) {
            // One wake-up a wait: who takes the flag away wakes.
            if wake.read_volatile() != 0 && swap64(wake, 0) != 0 {
                flags = u64::from(BPF_RB_FORCE_WAKEUP);
            }
        }
        let ring = (&raw const ANNOUNCE) as *mut core::ffi::c_void;
        if bpf_ringbuf_output(ring, ptr::from_ref(key) as *mut _, size_of::<FlowKey>() as u64, flags) != 0 {
            count(LOST_ANNOUNCE_FULL);
        }
    }
}

/// Adds a connect latency.
#[inline(always)]
pub(crate) unsafe fn add_connect_latency(value: *mut FlowValue, ns: u64) {
    let us = ns / 1_000;
    // SAFETY: a map value; at most one step a bound, and there is one bucket more than bounds.
    unsafe {
        let mut bucket = (&raw mut (*value).connect_buckets).cast::<u32>();
        for bound in CONNECT_BOUNDS_US {
            if us <= bound {
                break;
            }
            bucket = bucket.add(1);
        }
        add32(bucket, 1);
        add64(&raw mut (*value).connect_us, us);
    }
}
