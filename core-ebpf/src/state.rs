//! A TCP socket changed its state. Real work is done at five of the ten changes of a connection's life: when it is asked
//! for, when it is there, when it is open no more, when it is gone, and when somebody begins to listen.
//!
//! `current` is the right task only when a socket connects or begins to listen. LISTEN→SYN_RECV is ignored: kernels
//! disagree about it, and SYN_RECV→ESTABLISHED has everything.
use crate::{
    access::{Access, Kernel},
    begin, end, listening,
    store::Store,
};

pub(crate) const ESTABLISHED: i32 = 1;
pub(crate) const SYN_SENT: i32 = 2;
pub(crate) const SYN_RECV: i32 = 3;
const FIN_WAIT1: i32 = 4;
pub(crate) const CLOSE: i32 = 7;
const CLOSE_WAIT: i32 = 8;
const LAST_ACK: i32 = 9;
pub(crate) const LISTEN: i32 = 10;

/// Is a connection in this state open? As in `ss`, one whose own FIN has left is not.
#[inline(always)]
pub(crate) fn is_open(state: i32) -> bool {
    state == ESTABLISHED || state == CLOSE_WAIT
}

/// Is a connection in this state still to come?
#[inline(always)]
pub(crate) fn is_asked_for(state: i32) -> bool {
    state == SYN_SENT || state == SYN_RECV
}

/// The program.
#[inline(always)]
pub(crate) unsafe fn changed<A: Access, S: Store>(sk: Kernel, old: i32, new: i32) {
    // SAFETY: `sk` is the tracepoint's socket.
    unsafe {
        if new == SYN_SENT && old == CLOSE {
            begin::connects::<A, S>(sk);
        } else if new == ESTABLISHED {
            begin::established::<A, S>(sk, old);
        } else if (new == FIN_WAIT1 || new == LAST_ACK) && is_open(old) {
            end::finishes::<A, S>(sk);
        } else if new == CLOSE && old == LISTEN {
            listening::ends::<A, S>(sk);
        } else if new == CLOSE && old != CLOSE {
            end::gone::<A, S>(sk, old);
        } else if new == LISTEN && old == CLOSE {
            listening::begins::<A, S>(sk);
        }
    }
}
