//! What a socket says of itself: the flow that it belongs to, and who holds it.
use servicemap_ebpf_layout::*;

use crate::{
    access::{Access, Kernel},
    globals::*,
    listen, socket,
};

/// Fills in what a connecting socket says of itself.
#[inline(always)]
pub(crate) unsafe fn out<A: Access>(sk: Kernel, netns: u32, state: &mut SocketState) {
    // SAFETY: a socket.
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
pub(crate) unsafe fn inbound<A: Access>(sk: Kernel, netns: u32, state: &mut SocketState) -> bool {
    // SAFETY: a socket.
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

/// Fills in what a listening socket says of itself.
#[inline(always)]
pub(crate) unsafe fn listener<A: Access, T: Access>(
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
