//! Who listens where: so that an accepted connection gets its program's name, and a connection from before the start
//! its direction.
use servicemap_ebpf_layout::*;

use crate::{
    atomic::{add32, decrement32},
    counters::count,
    maps::LISTENERS,
};

const NOEXIST: u64 = 1;
/// `::ffff:0.0.0.0`.
const ANY_V4: Bytes16 = [0, 0xffff_0000];
const ANY_V6: Bytes16 = [0, 0];

#[inline(always)]
fn place(netns: u32, port: u16, address: Bytes16) -> ListenerKey {
    ListenerKey { netns, port, unused: 0, address }
}

/// One more socket listens at the address and port of a listen flow's key.
#[inline(always)]
pub(crate) unsafe fn add(state: &SocketState) {
    let at = place(state.key.netns, state.key.port, state.key.remote);
    let listener =
        Listener { cgroup: state.key.cgroup, program: state.key.program, tgid: state.tgid, sockets: 1 };
    if LISTENERS.insert(&at, &listener, NOEXIST).is_ok() {
        return;
    }
    match LISTENERS.get_ptr_mut(&at) {
        // SAFETY: a map value.
        Some(there) => unsafe { add32(&raw mut (*there).sockets, 1) },
        None => count(LOST_LISTENERS_FULL),
    }
}

/// One socket fewer.
#[inline(always)]
pub(crate) unsafe fn remove(key: &FlowKey) {
    let at = place(key.netns, key.port, key.remote);
    if let Some(there) = LISTENERS.get_ptr_mut(&at) {
        // SAFETY: a map value. A socket that begins to listen at this very address between the two steps loses its entry;
        // its connections are then counted without a program's name.
        if unsafe { decrement32(&raw mut (*there).sockets) } == 0 {
            let _ = LISTENERS.remove(&at);
        }
    }
}

/// Who listens at a connection's local address: the exact one, then any of its family, then any of IPv6 for IPv4.
#[inline(always)]
pub(crate) fn find(netns: u32, port: u16, local: Bytes16) -> Option<*mut Listener> {
    let mut at = place(netns, port, local);
    if let Some(found) = LISTENERS.get_ptr_mut(&at) {
        return Some(found);
    }
    if local[0] == 0 && local[1] as u32 == ANY_V4[1] as u32 {
        at.address = ANY_V4;
        if let Some(found) = LISTENERS.get_ptr_mut(&at) {
            return Some(found);
        }
    }
    at.address = ANY_V6;
    LISTENERS.get_ptr_mut(&at)
}
