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
    counters::control,
    flow::{self, Purpose},
    globals::*,
    maps::STORAGE,
    state::{CLOSE, LISTEN, SYN_RECV, SYN_SENT, add_rtt},
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
        add32(&raw mut (*value).open, 1);
        let tcp = Typed::tcp(sk);
        if !tcp.is_null() {
            bytes(tcp, kept, value);
        }
        replace32(&raw mut (*kept).phase, PHASE_REFRESHED, PHASE_OPEN);
    }
}

#[inline(always)]
unsafe fn bytes(tcp: Kernel, kept: *mut SocketState, value: *mut FlowValue) {
    // SAFETY: a `tcp_sock` and map values. What was counted before is read before what there is now, so the difference is
    // never negative; if a close was faster, it has counted everything.
    unsafe {
        let sent_before = ptr::read_volatile(&raw const (*kept).bytes_sent);
        let received_before = ptr::read_volatile(&raw const (*kept).bytes_received);
        let again_before = ptr::read_volatile(&raw const (*kept).retransmits);
        let sent: u64 = Typed::read(tcp, TCP_BYTES_ACKED.load());
        let received: u64 = Typed::read(tcp, TCP_BYTES_RECEIVED.load());
        let again: u32 = Typed::read(tcp, TCP_TOTAL_RETRANS.load());
        let mut moved = false;
        if sent != sent_before && replace64(&raw mut (*kept).bytes_sent, sent_before, sent) {
            add64(&raw mut (*value).bytes_sent, sent.wrapping_sub(sent_before));
            moved = true;
        }
        if received != received_before
            && replace64(&raw mut (*kept).bytes_received, received_before, received)
        {
            add64(&raw mut (*value).bytes_received, received.wrapping_sub(received_before));
            moved = true;
        }
        if again != again_before && replace32(&raw mut (*kept).retransmits, again_before, again) {
            add32(&raw mut (*value).retransmits, again.wrapping_sub(again_before));
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
        let now = i32::from(Typed::read::<u8>(sk, SOCK_STATE.load()));
        if now == SYN_SENT || now == SYN_RECV || now == CLOSE || now == LISTEN {
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
