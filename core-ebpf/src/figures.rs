//! What a connection moved, and how attempts and connections failed.
//!
//! The kernel counts sequence numbers as bytes, also those of SYN and FIN. A connection's own FIN is counted when it
//! leaves, and not when it is acknowledged: so when a connection is gone there is mostly nothing to add, and no flow to
//! look up. One that a reset answers has a byte too many.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::{add32, add64, swap32, swap64},
    counters::count,
    globals::*,
};

const ENETUNREACH: u32 = 101;
const ECONNRESET: u32 = 104;
const ETIMEDOUT: u32 = 110;
const ECONNREFUSED: u32 = 111;
const EHOSTDOWN: u32 = 112;
const EHOSTUNREACH: u32 = 113;

/// What the kernel counted of a connection so far.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) retransmits: u32,
}

impl Figures {
    /// `tcp` is a `tcp_sock`, null checked.
    #[inline(always)]
    pub(crate) unsafe fn of<A: Access>(tcp: Kernel) -> Self {
        // SAFETY: members of a `tcp_sock`.
        unsafe {
            Self {
                sent: A::read(tcp, TCP_BYTES_ACKED.load()),
                received: A::read(tcp, TCP_BYTES_RECEIVED.load()),
                retransmits: A::read(tcp, TCP_TOTAL_RETRANS.load()),
            }
        }
    }

    /// Those that are counted already.
    #[inline(always)]
    pub(crate) unsafe fn counted(kept: *const SocketState) -> Self {
        // SAFETY: a socket's state. A pass may change it, so it is read once.
        unsafe {
            Self {
                sent: (&raw const (*kept).bytes_sent).read_volatile(),
                received: (&raw const (*kept).bytes_received).read_volatile(),
                retransmits: (&raw const (*kept).retransmits).read_volatile(),
            }
        }
    }

    /// Is there more than what is counted already? (There is less while the FIN is not acknowledged.)
    #[inline(always)]
    pub(crate) fn exceed(&self, counted: &Self) -> bool {
        self.sent > counted.sent
            || self.received > counted.received
            || self.retransmits != counted.retransmits
    }

    /// Notes these as counted; returns those that were counted before. `shared`: a refresh pass may be doing the same at
    /// this moment.
    #[inline(always)]
    pub(crate) unsafe fn note(&self, kept: *mut SocketState, shared: bool) -> Self {
        // SAFETY: a socket's state.
        unsafe {
            if shared {
                return Self {
                    sent: swap64(&raw mut (*kept).bytes_sent, self.sent),
                    received: swap64(&raw mut (*kept).bytes_received, self.received),
                    retransmits: swap32(&raw mut (*kept).retransmits, self.retransmits),
                };
            }
            let counted = Self::counted(kept);
            self.keep(&mut *kept);
            counted
        }
    }

    /// Puts these into a state that nobody else has.
    #[inline(always)]
    pub(crate) fn keep(&self, state: &mut SocketState) {
        state.bytes_sent = self.sent;
        state.bytes_received = self.received;
        state.retransmits = self.retransmits;
    }

    /// Adds what there is more than before.
    #[inline(always)]
    pub(crate) unsafe fn add_since(&self, before: &Self, value: *mut FlowValue) {
        // SAFETY: a map value.
        unsafe {
            if self.sent > before.sent {
                add64(&raw mut (*value).bytes_sent, self.sent - before.sent);
            }
            add64(&raw mut (*value).bytes_received, self.received.wrapping_sub(before.received));
            if self.retransmits != before.retransmits {
                add32(&raw mut (*value).retransmits, self.retransmits.wrapping_sub(before.retransmits));
            }
        }
    }
}

#[inline(always)]
pub(crate) unsafe fn add_rtt<A: Access>(tcp: Kernel, value: *mut FlowValue) {
    // SAFETY: a `tcp_sock` and a map value.
    unsafe {
        let rtt = A::read::<u32>(tcp, TCP_SRTT.load()) >> 3;
        if rtt != 0 {
            add64(&raw mut (*value).rtt_us, u64::from(rtt));
            add32(&raw mut (*value).rtt_samples, 1);
        }
    }
}

/// Did a connection that was established end like this: not by itself, but by a reset or a time-out?
#[inline(always)]
pub(crate) fn is_cut(error: u32) -> bool {
    error == ECONNRESET || error == ETIMEDOUT
}

/// Counts a connection that was cut off.
#[inline(always)]
pub(crate) unsafe fn add_cut(value: *mut FlowValue, error: u32) {
    // SAFETY: a map value.
    unsafe {
        add32(&raw mut (*value).cut, 1);
        add_failure(value, error);
    }
}

/// Counts an attempt that came to nothing.
#[inline(always)]
pub(crate) unsafe fn add_attempt(value: *mut FlowValue, error: u32) {
    // SAFETY: a map value.
    unsafe {
        if error == 0 {
            add32(&raw mut (*value).abandoned, 1);
            return;
        }
        count(COUNT_FAIL);
        add_failure(value, error);
    }
}

#[inline(always)]
unsafe fn add_failure(value: *mut FlowValue, error: u32) {
    // SAFETY: a map value, and an index within its array.
    unsafe {
        let reason = match error {
            ECONNREFUSED => FAILED_REFUSED,
            ETIMEDOUT => FAILED_TIMED_OUT,
            EHOSTUNREACH | ENETUNREACH | EHOSTDOWN => FAILED_UNREACHABLE,
            ECONNRESET => FAILED_RESET,
            _ => FAILED_OTHER,
        };
        add32((&raw mut (*value).failed).cast::<u32>().add(reason), 1);
    }
}
