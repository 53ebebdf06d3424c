//! Two ways to read the kernel's structs: typed pointers that the verifier checks (tp_btf, iterators), and
//! `bpf_probe_read_kernel` (raw tracepoints).
use core::ptr;

use aya_ebpf::helpers::{
    bpf_probe_read_kernel,
    generated::{bpf_get_current_task, bpf_get_current_task_btf, bpf_get_socket_cookie, bpf_skc_to_tcp_sock},
};

use crate::globals::SOCK_COOKIE;

/// A pointer into the kernel.
pub(crate) type Kernel = *const u8;

pub(crate) trait Access {
    /// Reads the member at `offset`.
    unsafe fn read<T: Copy + Default>(base: Kernel, offset: u32) -> T;
    /// The `tcp_sock` of a TCP socket; null if it is none.
    unsafe fn tcp(sk: Kernel) -> Kernel;
    unsafe fn cookie(sk: Kernel) -> u64;
    unsafe fn current() -> Kernel;
}

/// Typed pointers.
pub(crate) struct Typed;

impl Access for Typed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: Kernel, offset: u32) -> T {
        // SAFETY: the verifier checks that `base` is a kernel struct with a member there; a fault reads zero.
        unsafe { ptr::read_volatile(base.add(offset as usize).cast()) }
    }
    #[inline(always)]
    unsafe fn tcp(sk: Kernel) -> Kernel {
        // SAFETY: the helper checks the socket's type.
        unsafe { bpf_skc_to_tcp_sock(sk as *mut _) as Kernel }
    }
    #[inline(always)]
    unsafe fn cookie(sk: Kernel) -> u64 {
        // SAFETY: a socket.
        unsafe { bpf_get_socket_cookie(sk as *mut _) }
    }
    #[inline(always)]
    unsafe fn current() -> Kernel {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_task_btf() as Kernel }
    }
}

/// Checked copies.
pub(crate) struct Copied;

impl Access for Copied {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: Kernel, offset: u32) -> T {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast::<T>()).unwrap_or_default() }
    }
    #[inline(always)]
    unsafe fn tcp(sk: Kernel) -> Kernel {
        sk
    }
    #[inline(always)]
    unsafe fn cookie(sk: Kernel) -> u64 {
        // SAFETY: as `read`. Zero as long as nobody asked the kernel for one.
        unsafe { Self::read(sk, SOCK_COOKIE.load()) }
    }
    #[inline(always)]
    unsafe fn current() -> Kernel {
        // SAFETY: no arguments.
        unsafe { bpf_get_current_task() as Kernel }
    }
}
