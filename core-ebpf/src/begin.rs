//! A connection is asked for, and is there.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::add32,
    counters::count,
    describe, figures,
    flow::{self, Purpose},
    socket,
    state::SYN_RECV,
    store::Store,
};

#[inline(always)]
pub(crate) unsafe fn connects<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: the tracepoint's socket; `current` is who connects.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        if socket::is_later_subflow::<A>(sk) {
            set_aside::<S>(sk);
            return;
        }
        let task = A::current();
        let mut state = SocketState::ZERO;
        describe::out::<A>(sk, netns, &mut state);
        state.key.program = socket::program::<A>(task);
        state.tgid = socket::tgid::<A>(task);
        state.phase = PHASE_CONNECTING;
        state.connect_ns = aya_ebpf::helpers::generated::bpf_ktime_get_ns();
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            count(LOST_STORAGE);
            return;
        }
        // A descriptor may connect again after a failure: then there is a state already.
        if (*kept).connect_ns != state.connect_ns {
            *kept = state;
        }
        count(COUNT_CONNECT);
    }
}

/// Marks a socket whose connection is counted by another one.
#[inline(always)]
unsafe fn set_aside<S: Store>(sk: Kernel) {
    // SAFETY: the tracepoint's socket; the kernel holds the socket's lock, and no pass takes up such a socket.
    unsafe {
        let state = SocketState { phase: PHASE_SUBFLOW, ..SocketState::ZERO };
        let kept = S::get_or_create(sk, &state);
        if !kept.is_null() {
            (*kept).phase = PHASE_SUBFLOW;
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn established<A: Access, S: Store>(sk: Kernel, old: i32) {
    // SAFETY: the tracepoint's socket.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        let mut kept = core::ptr::null_mut();
        if old != SYN_RECV {
            kept = S::get(sk);
        }
        if kept.is_null() {
            if socket::is_later_subflow::<A>(sk) {
                set_aside::<S>(sk);
                return;
            }
            let mut state = SocketState::ZERO;
            if old == SYN_RECV {
                describe::inbound::<A>(sk, netns, &mut state);
            } else {
                // Its SYN left before the start.
                describe::out::<A>(sk, netns, &mut state);
            }
            state.phase = PHASE_OPEN;
            kept = S::get_or_create(sk, &state);
            if kept.is_null() {
                count(LOST_STORAGE);
                return;
            }
            if S::BY_ADDRESS && old == SYN_RECV && (*kept).phase != PHASE_OPEN {
                // Of an earlier socket at this address, whose end was not seen.
                *kept = state;
            }
        } else if (*kept).phase == PHASE_SUBFLOW {
            return;
        }
        // The kernel holds the socket's lock, and the first pass takes up a socket only once its state is visible, which
        // is after this program: nobody else writes here.
        (*kept).phase = PHASE_OPEN;
        let value = flow::entry::<A>(sk, kept, Purpose::Begin);
        if value.is_null() {
            (*kept).phase = PHASE_MISSED;
            return;
        }
        add32(&raw mut (*value).opened, 1);
        if (*kept).key.direction == DIRECTION_IN {
            count(COUNT_ACCEPT);
            return;
        }
        let began = (*kept).connect_ns;
        if began != 0 {
            flow::add_connect_latency(value, (*value).last_ns.wrapping_sub(began));
        }
        let tcp = A::tcp(sk);
        if !tcp.is_null() {
            figures::add_rtt::<A>(tcp, value);
        }
    }
}
