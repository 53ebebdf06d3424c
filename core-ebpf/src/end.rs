//! A connection is open no more, and then is gone.
//!
//! It is counted as closed when its own FIN leaves (or when it is gone at once), in the flow in which it was counted as
//! opened: the socket's state keeps the key. What it moves after that is added when it is gone, or by a refresh pass.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::{add32, swap32},
    counters::{control, count},
    describe,
    figures::{self, Figures},
    flow::{self, Purpose},
    globals::{SOCK_ERR, SOCK_SOCKET},
    socket,
    state::{SYN_RECV, SYN_SENT, is_open},
    store::Store,
};

/// The FIN of a connection that was open leaves.
#[inline(always)]
pub(crate) unsafe fn finishes<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: the tracepoint's socket.
    unsafe {
        let mut kept = S::get(sk);
        if kept.is_null() {
            kept = unseen::<A, S>(sk, true);
            if kept.is_null() {
                return;
            }
        } else if (*kept).phase == PHASE_SUBFLOW {
            return;
        }
        // Nobody may touch its figures until they are noted. Where there was no room for its end it stays so: that is
        // lost, and told once.
        let phase = swap32(&raw mut (*kept).phase, PHASE_CLOSED);
        if count_end::<A>(sk, kept, phase, 1, 0) {
            swap32(&raw mut (*kept).phase, PHASE_CLOSING);
        }
    }
}

/// A connection, or an attempt, is gone.
#[inline(always)]
pub(crate) unsafe fn gone<A: Access, S: Store>(sk: Kernel, old: i32) {
    // SAFETY: the tracepoint's socket.
    unsafe {
        let mut kept = S::get(sk);
        if kept.is_null() {
            // One that was on its way out before the start was not open then, and is not counted.
            if !is_open(old) && old != SYN_SENT {
                return;
            }
            kept = unseen::<A, S>(sk, is_open(old));
            if kept.is_null() {
                return;
            }
        }
        let phase = swap32(&raw mut (*kept).phase, PHASE_CLOSED);
        let error: u32 = A::read(sk, SOCK_ERR.load());
        if phase == PHASE_CLOSING {
            count_rest::<A>(sk, kept, error);
        } else if phase == PHASE_CONNECTING && (old == SYN_SENT || old == SYN_RECV) {
            let value = flow::entry::<A>(sk, kept, Purpose::Begin);
            if !value.is_null() {
                figures::add_attempt(value, error);
            }
        } else {
            count_end::<A>(sk, kept, phase, 0, error);
        }
        S::forget(sk);
    }
}

/// Counts the end of a connection that was in `phase`, and its beginning if nobody has; false when there was nothing to
/// count, or no room. `fin` is 1 when its FIN leaves just now.
#[inline(always)]
unsafe fn count_end<A: Access>(sk: Kernel, kept: *mut SocketState, phase: u32, fin: u64, error: u32) -> bool {
    // SAFETY: a socket and its state.
    unsafe {
        let is_begun = phase == PHASE_OPEN || phase == PHASE_REFRESHED;
        // The first pass was about to count it, and now will not.
        let is_old = phase == PHASE_PENDING || phase == PHASE_MISSED_OLD;
        // There was no room when it was established, or the kernel did not run the program then.
        let is_missed = phase == PHASE_MISSED || phase == PHASE_CONNECTING;
        if !is_begun && !is_old && !is_missed {
            return false;
        }
        let purpose = if is_begun { Purpose::End } else { Purpose::Begin };
        let value = flow::entry::<A>(sk, kept, purpose);
        if value.is_null() {
            return false;
        }
        if !is_begun {
            add32(&raw mut (*value).opened, 1);
            if is_old {
                add32(&raw mut (*value).preexisting, 1);
            }
        }
        count(COUNT_CLOSE);
        add32(&raw mut (*value).closed, 1);
        if figures::is_cut(error) {
            figures::add_cut(value, error);
        }
        let tcp = A::tcp(sk);
        if !tcp.is_null() {
            let mut figures = Figures::of::<A>(tcp);
            figures.sent += fin;
            // A refresh pass may be taking the same figures at this moment.
            let before = figures.note(kept, phase == PHASE_REFRESHED);
            figures.add_since(&before, value);
            figures::add_rtt::<A>(tcp, value);
        }
        true
    }
}

/// Counts what a connection did after its FIN had left: mostly nothing, and then no flow is looked up.
#[inline(always)]
unsafe fn count_rest<A: Access>(sk: Kernel, kept: *mut SocketState, error: u32) {
    // SAFETY: a socket and its state.
    unsafe {
        let tcp = A::tcp(sk);
        if tcp.is_null() {
            return;
        }
        let figures = Figures::of::<A>(tcp);
        let is_cut = figures::is_cut(error);
        if !is_cut && !figures.exceed(&Figures::counted(kept)) {
            return;
        }
        let value = flow::entry::<A>(sk, kept, Purpose::End);
        if value.is_null() {
            return;
        }
        if is_cut {
            figures::add_cut(value, error);
        }
        let before = figures.note(kept, true);
        figures.add_since(&before, value);
    }
}

/// A state for a socket that ends and has none: it was there before the start, and no pass has met it (yet). It is also a
/// mark for a pass that has this socket in its hands: the kernel calls the tracepoint before the new state is visible.
/// Null when it is not counted; what the pass made of it if that was faster by a hair.
#[inline(always)]
unsafe fn unseen<A: Access, S: Store>(sk: Kernel, was_open: bool) -> *mut SocketState {
    // SAFETY: the tracepoint's socket.
    unsafe {
        let nothing = core::ptr::null_mut();
        let Some(netns) = socket::counted_netns::<A>(sk) else { return nothing };
        if socket::is_later_subflow::<A>(sk) {
            return nothing;
        }
        let mut state = SocketState::ZERO;
        state.phase = PHASE_CLOSED;
        if was_open && control(CONTROL_READY) != 0 {
            state.phase = PHASE_PENDING;
            // In the accept queue a socket has no descriptor yet, and its listener may go before it.
            if !describe::inbound::<A>(sk, netns, &mut state) && A::read::<u64>(sk, SOCK_SOCKET.load()) != 0 {
                describe::out::<A>(sk, netns, &mut state);
            }
        }
        let tcp = A::tcp(sk);
        if !tcp.is_null() {
            // What it moved before the start is not counted.
            Figures::of::<A>(tcp).keep(&mut state);
        }
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            count(LOST_STORAGE);
        } else if was_open && (*kept).phase == PHASE_CLOSED {
            count(LOST_UNTRACKED);
        }
        kept
    }
}
