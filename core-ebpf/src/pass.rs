//! Sockets from before the start: a walk over all tasks' files, once for listeners and once for connections. It sees
//! every network namespace without CAP_SYS_ADMIN. A socket that has a state is counted already.
use core::{ffi::c_void, ptr};

use aya_ebpf::helpers::generated::bpf_sock_from_file;
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Copied, Kernel, Typed},
    atomic::{add32, replace32},
    counters::{control, count},
    describe,
    figures::Figures,
    flow::{self, Purpose},
    globals::*,
    listen,
    socket::{self, AF_INET, AF_INET6, IPPROTO_MPTCP},
    state::{LISTEN, SYN_SENT, is_open},
    store::{InMap, Store},
};

#[repr(C)]
struct TaskFile {
    meta: *const c_void,
    task: Kernel,
    fd: u32,
    file: Kernel,
}

/// One file of one task.
#[inline(always)]
pub(crate) unsafe fn visit<S: Store>(context: *mut c_void) {
    // SAFETY: the iterator's context; each pointer is read once, or LLVM reads it again after the null check and the
    // verifier objects.
    unsafe {
        let context = context as *const TaskFile;
        let task = ptr::read_volatile(&raw const (*context).task);
        let file = ptr::read_volatile(&raw const (*context).file);
        if task.is_null() || file.is_null() {
            return;
        }
        let owner = bpf_sock_from_file(file as *mut _) as Kernel;
        if owner.is_null() {
            return;
        }
        let sk = ptr::read_volatile(owner.add(SOCKET_SK.load() as usize).cast::<Kernel>());
        if sk.is_null() {
            return;
        }
        let family: u16 = Typed::read(sk, SOCK_FAMILY.load());
        if family != AF_INET && family != AF_INET6 {
            return;
        }
        if Typed::read::<u16>(sk, SOCK_PROTOCOL.load()) != IPPROTO_MPTCP {
            take_up::<Typed, S>(sk, task);
            return;
        }
        if MPTCP_FIRST.load() == ABSENT {
            return;
        }
        // An MPTCP descriptor stands for its first subflow; no typed pointer leads there.
        let first = Copied::read::<u64>(sk, MPTCP_FIRST.load()) as Kernel;
        if !first.is_null() {
            take_up::<Copied, InMap>(first, task);
        }
    }
}

#[inline(always)]
unsafe fn take_up<A: Access, S: Store>(sk: Kernel, task: Kernel) {
    // SAFETY: a socket and a task that the iterator holds.
    unsafe {
        let Some(netns) = socket::counted_netns::<A>(sk) else { return };
        let now = i32::from(A::read::<u8>(sk, SOCK_STATE.load()));
        let pass = control(CONTROL_PASS);
        if pass == PASS_LISTENERS && now == LISTEN {
            if S::get(sk).is_null() {
                listener::<A, S>(sk, netns, task);
            }
        } else if pass == PASS_CONNECTIONS && (is_open(now) || now == SYN_SENT) {
            if S::get(sk).is_null() {
                connection::<A, S>(sk, netns, task, now);
            }
        }
    }
}

#[inline(always)]
unsafe fn listener<A: Access, S: Store>(sk: Kernel, netns: u32, task: Kernel) {
    // SAFETY: as `take_up`.
    unsafe {
        let mut state = SocketState::ZERO;
        describe::listener::<A, Typed>(sk, netns, task, &mut state);
        state.phase = PHASE_PENDING;
        if state.key.port == 0 {
            return;
        }
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            count(LOST_STORAGE);
            return;
        }
        listen::add(&state);
        if !replace32(&raw mut (*kept).phase, PHASE_PENDING, PHASE_LISTENING) {
            // Closed in between, or counted by somebody else.
            listen::remove(&state.key);
            return;
        }
        let value = flow::entry::<A>(sk, kept, Purpose::End);
        if !value.is_null() {
            add32(&raw mut (*value).opened, 1);
            add32(&raw mut (*value).preexisting, 1);
        }
    }
}

#[inline(always)]
unsafe fn connection<A: Access, S: Store>(sk: Kernel, netns: u32, task: Kernel, now: i32) {
    // SAFETY: as `take_up`.
    unsafe {
        let mut state = SocketState::ZERO;
        if now == SYN_SENT || !describe::inbound::<A>(sk, netns, &mut state) {
            describe::out::<A>(sk, netns, &mut state);
            state.key.program = socket::program::<Typed>(task);
            state.tgid = socket::tgid::<Typed>(task);
        }
        let tcp = A::tcp(sk);
        if !tcp.is_null() {
            Figures::of::<A>(tcp).keep(&mut state);
        }
        // An attempt under way is counted by its outcome.
        state.phase = if now == SYN_SENT { PHASE_CONNECTING } else { PHASE_PENDING };
        let kept = S::get_or_create(sk, &state);
        if kept.is_null() {
            count(LOST_STORAGE);
            return;
        }
        if (*kept).phase != PHASE_PENDING {
            return;
        }
        // From here on the state is what a close finds. Exactly one side takes PENDING away: this one counts an opening
        // (the close will count itself), or the close counts the whole life.
        let value = flow::entry::<A>(sk, kept, Purpose::Begin);
        if value.is_null() {
            replace32(&raw mut (*kept).phase, PHASE_PENDING, PHASE_MISSED_OLD);
            return;
        }
        if !replace32(&raw mut (*kept).phase, PHASE_PENDING, PHASE_OPEN) {
            return;
        }
        add32(&raw mut (*value).opened, 1);
        add32(&raw mut (*value).preexisting, 1);
    }
}
