//! The refresh pass: a walk over the storage of all sockets that counts, per flow, how many are open, brings the bytes of
//! open connections up to date, and counts those for which there was no room before. It goes through the sockets one part
//! of the flows at a time (see [`FlowKey::part`]), so that the flows of a part fit into a flow map.
//!
//! The walk does not hold the sockets' locks. Whoever moves a socket's phase from one value to the next owns what follows
//! from it, so a socket that closes meanwhile is counted by exactly one side.
use core::{ffi::c_void, ptr};

use aya_ebpf::helpers::generated::bpf_sk_storage_get;
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel, Typed},
    atomic::{add32, add64, replace32, replace64},
    counters::{control, count},
    figures::{Figures, add_rtt},
    flow::{self, Purpose},
    globals::*,
    maps::STORAGE,
    state::{is_asked_for, is_open},
};

#[repr(C)]
struct StorageOfSocket {
    meta: *const c_void,
    map: *const c_void,
    sk: Kernel,
    value: *const c_void,
}

/// The storage of one socket.
#[inline(always)]
pub(crate) unsafe fn visit(context: *mut c_void) {
    // SAFETY: the iterator's context; the pointer is read once (see `pass::visit`).
    unsafe {
        let sk = ptr::read_volatile(&raw const (*context.cast::<StorageOfSocket>()).sk);
        if sk.is_null() {
            return;
        }
        let kept: *mut SocketState =
            bpf_sk_storage_get((&raw const STORAGE) as *mut _, sk as *mut _, ptr::null_mut(), 0).cast();
        if kept.is_null() {
            return;
        }
        let parts = control(CONTROL_PARTS) as u32;
        if (*kept).key.part(parts) != control(CONTROL_PART) as u32 {
            return;
        }
        let phase = ptr::read_volatile(&raw const (*kept).phase);
        match phase {
            PHASE_OPEN => open(sk, kept),
            PHASE_CLOSING => closing(sk, kept),
            PHASE_LISTENING => add_open(flow::entry::<Typed>(sk, kept, Purpose::Refresh)),
            PHASE_CONNECTING | PHASE_MISSED | PHASE_MISSED_OLD => missed(sk, kept, phase),
            _ => {}
        }
    }
}

#[inline(always)]
unsafe fn add_open(value: *mut FlowValue) {
    if !value.is_null() {
        // SAFETY: a map value.
        unsafe { add32(&raw mut (*value).open, 1) }
    }
}

/// The state that others see of a socket.
#[inline(always)]
unsafe fn state_of(sk: Kernel) -> i32 {
    // SAFETY: a member of `struct sock`.
    unsafe { i32::from(Typed::read::<u8>(sk, SOCK_STATE.load())) }
}

/// Counts an open connection, and its bytes since it was last counted.
#[inline(always)]
unsafe fn open(sk: Kernel, kept: *mut SocketState) {
    // SAFETY: a socket and its state.
    unsafe {
        let value = flow::entry::<Typed>(sk, kept, Purpose::Refresh);
        // From here on a close takes its figures in a way that this program may do so, too.
        if value.is_null() || !replace32(&raw mut (*kept).phase, PHASE_OPEN, PHASE_REFRESHED) {
            return;
        }
        let tcp = Typed::tcp(sk);
        if !tcp.is_null() {
            bytes(tcp, kept, value);
        }
        let now = state_of(sk);
        if is_open(now) || is_asked_for(now) {
            // (The program that counts an opening runs before its new state can be seen.)
            add32(&raw mut (*value).open, 1);
            replace32(&raw mut (*kept).phase, PHASE_REFRESHED, PHASE_OPEN);
        } else if replace32(&raw mut (*kept).phase, PHASE_REFRESHED, PHASE_CLOSING) {
            // The kernel did not run the program when its FIN left.
            count(COUNT_CLOSE);
            add32(&raw mut (*value).closed, 1);
        }
    }
}

/// Counts the bytes of a connection whose own FIN has left: the other side may go on for long.
#[inline(always)]
unsafe fn closing(sk: Kernel, kept: *mut SocketState) {
    // SAFETY: a socket and its state.
    unsafe {
        let tcp = Typed::tcp(sk);
        if tcp.is_null() || !Figures::of::<Typed>(tcp).exceed(&Figures::counted(kept)) {
            return;
        }
        let value = flow::entry::<Typed>(sk, kept, Purpose::Refresh);
        if !value.is_null() {
            bytes(tcp, kept, value);
        }
    }
}

#[inline(always)]
unsafe fn bytes(tcp: Kernel, kept: *mut SocketState, value: *mut FlowValue) {
    // SAFETY: a `tcp_sock` and map values. What was counted before is read before what there is now; if a close was
    // faster, it has counted everything, and its FIN before that is acknowledged.
    unsafe {
        let before = Figures::counted(kept);
        let now = Figures::of::<Typed>(tcp);
        let mut moved = false;
        if now.sent > before.sent && replace64(&raw mut (*kept).bytes_sent, before.sent, now.sent) {
            add64(&raw mut (*value).bytes_sent, now.sent - before.sent);
            moved = true;
        }
        if now.received > before.received
            && replace64(&raw mut (*kept).bytes_received, before.received, now.received)
        {
            add64(&raw mut (*value).bytes_received, now.received - before.received);
            moved = true;
        }
        if now.retransmits != before.retransmits
            && replace32(&raw mut (*kept).retransmits, before.retransmits, now.retransmits)
        {
            add32(&raw mut (*value).retransmits, now.retransmits.wrapping_sub(before.retransmits));
        }
        if moved {
            add_rtt::<Typed>(tcp, value);
        }
    }
}

/// Counts a connection that is open, and was not counted when it was established. One that is still connecting has not
/// been: the program runs before its new state can be seen.
#[inline(always)]
unsafe fn missed(sk: Kernel, kept: *mut SocketState, phase: u32) {
    // SAFETY: a socket and its state.
    unsafe {
        if !is_open(state_of(sk)) {
            return;
        }
        let value = flow::entry::<Typed>(sk, kept, Purpose::Refresh);
        if value.is_null() || !replace32(&raw mut (*kept).phase, phase, PHASE_OPEN) {
            return;
        }
        add32(&raw mut (*value).opened, 1);
        if phase == PHASE_MISSED_OLD {
            add32(&raw mut (*value).preexisting, 1);
        }
        add32(&raw mut (*value).open, 1);
    }
}
