//! Somebody begins to listen, and listens no more.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::{add32, swap32},
    counters::count,
    describe,
    flow::{self, Purpose},
    listen, socket,
    store::Store,
};

#[inline(always)]
pub(crate) unsafe fn begins<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: the tracepoint's socket; `current` is who listens.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        let mut state = SocketState::ZERO;
        describe::listener::<A, A>(sk, netns, A::current(), &mut state);
        state.phase = PHASE_LISTENING;
        if state.key.port == 0 {
            // Not bound: the kernel picks a port after this. The next pass finds it.
            return;
        }
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            count(LOST_STORAGE);
            return;
        }
        *kept = state;
        listen::add(&state);
        count(COUNT_LISTEN);
        let value = flow::entry::<A>(sk, kept, Purpose::End);
        if !value.is_null() {
            add32(&raw mut (*value).opened, 1);
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn ends<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: the tracepoint's socket.
    unsafe {
        if socket::counted_netns::<A>(sk).is_none() {
            return;
        }
        let state = SocketState { phase: PHASE_CLOSED, ..SocketState::ZERO };
        // Made if there is none, as a mark for a pass that has this socket in its hands.
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            return;
        }
        if swap32(&raw mut (*kept).phase, PHASE_CLOSED) == PHASE_LISTENING {
            listen::remove(&(*kept).key);
            let value = flow::entry::<A>(sk, kept, Purpose::End);
            if !value.is_null() {
                add32(&raw mut (*value).closed, 1);
            }
        }
        S::forget(sk);
    }
}
