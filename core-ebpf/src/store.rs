//! Where a socket's state is kept: in the socket itself, or, for the hook that has no access to it, in a map by the
//! socket's address.
use core::ptr;

use aya_ebpf::{bindings::BPF_SK_STORAGE_GET_F_CREATE, helpers::generated::bpf_sk_storage_get};
use servicemap_ebpf_layout::SocketState;

use crate::{
    access::{Access, Kernel, Typed},
    globals::{ABSENT, TCP_ULP},
    maps::{SOCKETS, STORAGE},
};

pub(crate) trait Store {
    /// A state is found by the socket's address, and may be left over from an earlier socket.
    const BY_ADDRESS: bool;
    /// The state; null if there is none.
    unsafe fn get(sk: Kernel) -> *mut SocketState;
    /// The state, made from `first` if there was none; null when the kernel refuses.
    unsafe fn get_or_create(sk: Kernel, first: &SocketState) -> *mut SocketState;
    /// The socket is closed: what is left of it must not be counted again.
    unsafe fn forget(sk: Kernel);
}

/// Socket storage: goes with the socket. The subflows of MPTCP sockets are in the map instead: the walk over descriptors
/// cannot get a typed pointer to them, and without one there is no way to their storage.
pub(crate) struct InSocket;

/// Is it an MPTCP subflow, or a socket with TLS in the kernel?
#[inline(always)]
unsafe fn has_upper_protocol(sk: Kernel) -> bool {
    // SAFETY: a socket; the helper checks its type.
    unsafe {
        if TCP_ULP.load() == ABSENT {
            return false;
        }
        let tcp = Typed::tcp(sk);
        !tcp.is_null() && Typed::read::<u64>(tcp, TCP_ULP.load()) != 0
    }
}

impl Store for InSocket {
    const BY_ADDRESS: bool = false;
    #[inline(always)]
    unsafe fn get(sk: Kernel) -> *mut SocketState {
        // SAFETY: a map and a socket, as the verifier checks.
        unsafe {
            let there: *mut SocketState =
                bpf_sk_storage_get((&raw const STORAGE) as *mut _, sk as *mut _, ptr::null_mut(), 0).cast();
            if there.is_null() && TCP_ULP.load() != ABSENT {
                return InMap::get(sk);
            }
            there
        }
    }
    #[inline(always)]
    unsafe fn get_or_create(sk: Kernel, first: &SocketState) -> *mut SocketState {
        // SAFETY: as `get`; `first` has the map's value type.
        unsafe {
            if has_upper_protocol(sk) {
                return InMap::get_or_create(sk, first);
            }
            bpf_sk_storage_get(
                (&raw const STORAGE) as *mut _,
                sk as *mut _,
                ptr::from_ref(first) as *mut _,
                BPF_SK_STORAGE_GET_F_CREATE as u64,
            )
            .cast()
        }
    }
    #[inline(always)]
    unsafe fn forget(sk: Kernel) {
        // SAFETY: as `get`.
        unsafe {
            if has_upper_protocol(sk) {
                InMap::forget(sk);
            }
        }
    }
}

/// A map by socket address.
pub(crate) struct InMap;

impl Store for InMap {
    const BY_ADDRESS: bool = true;
    #[inline(always)]
    unsafe fn get(sk: Kernel) -> *mut SocketState {
        SOCKETS.get_ptr_mut(sk as u64).unwrap_or(ptr::null_mut())
    }
    #[inline(always)]
    unsafe fn get_or_create(sk: Kernel, first: &SocketState) -> *mut SocketState {
        const NOEXIST: u64 = 1;
        let _ = SOCKETS.insert(sk as u64, first, NOEXIST);
        SOCKETS.get_ptr_mut(sk as u64).unwrap_or(ptr::null_mut())
    }
    #[inline(always)]
    unsafe fn forget(sk: Kernel) {
        let _ = SOCKETS.remove(sk as u64);
    }
}
