//! A TCP socket changed its state. Real work is done at four of the ten changes of a connection's life: when it is asked
//! for, when it is there, when it is gone, and when somebody begins to listen.
//!
//! `current` is the right task only when a socket connects or begins to listen. LISTEN→SYN_RECV is ignored: kernels
//! disagree about it, and SYN_RECV→ESTABLISHED has everything.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    atomic::{add32, add64, swap32, swap64},
    counters::{control, count},
    flow::{self, Purpose},
    globals::*,
    listen, socket,
    store::Store,
};

pub(crate) const ESTABLISHED: i32 = 1;
pub(crate) const SYN_SENT: i32 = 2;
pub(crate) const SYN_RECV: i32 = 3;
pub(crate) const CLOSE: i32 = 7;
pub(crate) const CLOSE_WAIT: i32 = 8;
pub(crate) const LISTEN: i32 = 10;

const ENETUNREACH: u32 = 101;
const ECONNRESET: u32 = 104;
const ETIMEDOUT: u32 = 110;
const ECONNREFUSED: u32 = 111;
const EHOSTDOWN: u32 = 112;
const EHOSTUNREACH: u32 = 113;

/// The program.
#[inline(always)]
pub(crate) unsafe fn changed<A: Access, S: Store>(sk: Kernel, old: i32, new: i32) {
    // SAFETY: `sk` is the tracepoint's socket.
    unsafe {
        if new == SYN_SENT && old == CLOSE {
            connects::<A, S>(sk);
        } else if new == ESTABLISHED {
            established::<A, S>(sk, old);
        } else if new == CLOSE && old == LISTEN {
            listened::<A, S>(sk);
        } else if new == CLOSE && old != CLOSE {
            closed::<A, S>(sk, old);
        } else if new == LISTEN && old == CLOSE {
            listens::<A, S>(sk);
        }
    }
}

#[inline(always)]
unsafe fn connects<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: as `changed`; `current` is who connects.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        if socket::is_later_subflow::<A>(sk) {
            set_aside::<S>(sk);
            return;
        }
        let task = A::current();
        let mut state = SocketState::ZERO;
        describe_out::<A>(sk, netns, &mut state);
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
    // SAFETY: as `changed`; the kernel holds the socket's lock, and no pass takes up such a socket.
    unsafe {
        let state = SocketState { phase: PHASE_SUBFLOW, ..SocketState::ZERO };
        let kept = S::get_or_create(sk, &state);
        if !kept.is_null() {
            (*kept).phase = PHASE_SUBFLOW;
        }
    }
}

/// Fills in what a connecting socket says of itself.
#[inline(always)]
pub(crate) unsafe fn describe_out<A: Access>(sk: Kernel, netns: u32, state: &mut SocketState) {
    // SAFETY: as `changed`.
    unsafe {
        state.key.cgroup = socket::cgroup::<A>(sk);
        state.key.netns = netns;
        state.key.direction = DIRECTION_OUT;
        state.key.port = socket::remote_port::<A>(sk);
        state.key.remote = socket::remote::<A>(sk);
        state.key.generation = socket::generation(state.key.remote);
        state.key.class = socket::class(socket::local::<A>(sk));
        state.uid = A::read(sk, SOCK_UID.load());
    }
}

/// Fills in what an accepted socket says of itself, and who listens for it; false when nobody is known to.
#[inline(always)]
pub(crate) unsafe fn describe_in<A: Access>(sk: Kernel, netns: u32, state: &mut SocketState) -> bool {
    // SAFETY: as `changed`.
    unsafe {
        let local = socket::local::<A>(sk);
        let port = socket::local_port::<A>(sk);
        state.key.cgroup = socket::cgroup::<A>(sk);
        state.key.netns = netns;
        state.key.direction = DIRECTION_IN;
        state.key.port = port;
        state.key.remote = socket::remote::<A>(sk);
        state.key.generation = socket::generation(state.key.remote);
        state.key.class = socket::class(local);
        state.uid = A::read(sk, SOCK_UID.load());
        match listen::find(netns, port, local) {
            Some(listener) => {
                state.key.program = (*listener).program;
                state.tgid = (*listener).tgid;
                true
            }
            None => false,
        }
    }
}

#[inline(always)]
unsafe fn established<A: Access, S: Store>(sk: Kernel, old: i32) {
    // SAFETY: as `changed`.
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
                describe_in::<A>(sk, netns, &mut state);
            } else {
                // Its SYN left before the start.
                describe_out::<A>(sk, netns, &mut state);
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
            add_rtt::<A>(tcp, value);
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

#[inline(always)]
unsafe fn closed<A: Access, S: Store>(sk: Kernel, old: i32) {
    // SAFETY: as `changed`.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        let kept = S::get(sk);
        if kept.is_null() {
            if old != SYN_RECV {
                closed_unseen::<A, S>(sk, old, netns);
            }
            return;
        }
        let phase = swap32(&raw mut (*kept).phase, PHASE_CLOSED);
        let error: u32 = A::read(sk, SOCK_ERR.load());
        if phase == PHASE_OPEN || phase == PHASE_REFRESHED {
            let value = flow::entry::<A>(sk, kept, Purpose::End);
            if !value.is_null() {
                count_close::<A>(sk, kept, value, error, phase == PHASE_REFRESHED);
            }
        } else if phase == PHASE_CONNECTING && (old == SYN_SENT || old == SYN_RECV) {
            let value = flow::entry::<A>(sk, kept, Purpose::Begin);
            if !value.is_null() {
                count_failure(value, error);
            }
        } else if phase == PHASE_PENDING {
            // The first pass was about to count it, and now will not.
            count_unseen::<A>(sk, kept);
        } else if phase == PHASE_MISSED || phase == PHASE_MISSED_OLD || phase == PHASE_CONNECTING {
            // There was no room when it was established, or the kernel did not run the program then.
            let value = flow::entry::<A>(sk, kept, Purpose::Begin);
            if !value.is_null() {
                add32(&raw mut (*value).opened, 1);
                if phase == PHASE_MISSED_OLD {
                    add32(&raw mut (*value).preexisting, 1);
                }
                count_close::<A>(sk, kept, value, error, false);
            }
        }
        S::forget(sk);
    }
}

/// `shared`: a refresh pass may be taking the same figures at this moment.
#[inline(always)]
unsafe fn count_close<A: Access>(
    sk: Kernel,
    kept: *mut SocketState,
    value: *mut FlowValue,
    error: u32,
    shared: bool,
) {
    // SAFETY: a socket and map values.
    unsafe {
        count(COUNT_CLOSE);
        add32(&raw mut (*value).closed, 1);
        if error == ECONNRESET || error == ETIMEDOUT {
            add32(&raw mut (*value).cut, 1);
            add_failure(value, error);
        }
        let tcp = A::tcp(sk);
        if tcp.is_null() {
            return;
        }
        let sent: u64 = A::read(tcp, TCP_BYTES_ACKED.load());
        let received: u64 = A::read(tcp, TCP_BYTES_RECEIVED.load());
        let again: u32 = A::read(tcp, TCP_TOTAL_RETRANS.load());
        let (sent_before, received_before, again_before) = if shared {
            (
                swap64(&raw mut (*kept).bytes_sent, sent),
                swap64(&raw mut (*kept).bytes_received, received),
                swap32(&raw mut (*kept).retransmits, again),
            )
        } else {
            ((*kept).bytes_sent, (*kept).bytes_received, (*kept).retransmits)
        };
        add64(&raw mut (*value).bytes_sent, sent.wrapping_sub(sent_before));
        add64(&raw mut (*value).bytes_received, received.wrapping_sub(received_before));
        if again != again_before {
            add32(&raw mut (*value).retransmits, again.wrapping_sub(again_before));
        }
        add_rtt::<A>(tcp, value);
    }
}

#[inline(always)]
unsafe fn count_failure(value: *mut FlowValue, error: u32) {
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

/// The end of a socket that has no state: it was there before the start, and no pass has met it (yet).
#[inline(always)]
unsafe fn closed_unseen<A: Access, S: Store>(sk: Kernel, old: i32, netns: u32) {
    // SAFETY: as `changed`.
    unsafe {
        if socket::is_later_subflow::<A>(sk) {
            return;
        }
        let mut state = SocketState::ZERO;
        let ready = control(CONTROL_READY) != 0;
        if ready && old != SYN_SENT && !describe_in::<A>(sk, netns, &mut state) {
            // In the accept queue a socket has no descriptor yet, and its listener went before it. One that its process
            // closed has none either, but is in another state.
            let queued =
                (old == ESTABLISHED || old == CLOSE_WAIT) && A::read::<u64>(sk, SOCK_SOCKET.load()) == 0;
            if !queued {
                describe_out::<A>(sk, netns, &mut state);
            }
        }
        state.phase = PHASE_CLOSED;
        // A mark for a pass that has this socket in its hands: the kernel calls the tracepoint before the new state is
        // visible. Only socket storage goes with the socket.
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            return;
        }
        // The pass was faster by a hair: what it began is taken from it, or, if it counted, counted as closed.
        let phase = swap32(&raw mut (*kept).phase, PHASE_CLOSED);
        if phase == PHASE_OPEN || phase == PHASE_REFRESHED {
            let value = flow::entry::<A>(sk, kept, Purpose::End);
            if !value.is_null() {
                count(COUNT_CLOSE);
                add32(&raw mut (*value).closed, 1);
            }
        } else if old != SYN_SENT && (phase == PHASE_CLOSED || phase == PHASE_PENDING) {
            if (*kept).key.direction == 0 {
                count(LOST_UNTRACKED);
            } else {
                count_unseen::<A>(sk, kept);
            }
        }
        S::forget(sk);
    }
}

/// Counts a whole life of which only the end was seen. Its bytes are left out: they were sent before the start.
#[inline(always)]
unsafe fn count_unseen<A: Access>(sk: Kernel, kept: *mut SocketState) {
    // SAFETY: a socket and map values.
    unsafe {
        let value = flow::entry::<A>(sk, kept, Purpose::Begin);
        if value.is_null() {
            return;
        }
        count(COUNT_CLOSE);
        add32(&raw mut (*value).opened, 1);
        add32(&raw mut (*value).preexisting, 1);
        add32(&raw mut (*value).closed, 1);
    }
}

/// Fills in what a listening socket says of itself.
#[inline(always)]
pub(crate) unsafe fn describe_listener<A: Access, T: Access>(
    sk: Kernel,
    netns: u32,
    task: Kernel,
    state: &mut SocketState,
) {
    // SAFETY: a socket and a task.
    unsafe {
        let local = socket::local::<A>(sk);
        state.key.cgroup = socket::cgroup::<A>(sk);
        state.key.netns = netns;
        state.key.direction = DIRECTION_LISTEN;
        state.key.port = socket::bound_port::<A>(sk);
        state.key.remote = local;
        state.key.class = socket::class(local);
        state.key.program = socket::program::<T>(task);
        state.tgid = socket::tgid::<T>(task);
        state.uid = A::read(sk, SOCK_UID.load());
    }
}

#[inline(always)]
unsafe fn listens<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: as `changed`; `current` is who listens.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        let mut state = SocketState::ZERO;
        describe_listener::<A, A>(sk, netns, A::current(), &mut state);
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
unsafe fn listened<A: Access, S: Store>(sk: Kernel) {
    // SAFETY: as `changed`.
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
