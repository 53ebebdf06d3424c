//! The kernel side of Servicemap: it counts TCP connections where they happen.
//!
//! One program on the tracepoint `inet_sock_set_state` counts into the hash map that `CONTROL_ACTIVE` names; user space
//! flips the two, waits until nobody can write to the old one, and takes everything out of it. See `docs` and the
//! layout crate for what is counted. Every program exists for typed access with socket storage, and for raw tracepoints.
#![no_std]
#![feature(asm_experimental_arch, core_intrinsics)]
#![allow(internal_features, reason = "see atomic.rs and flow.rs")]
#![no_main]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the verifier proves what the blocks claim; most functions are one block"
)]
#![allow(clippy::missing_safety_doc, reason = "nothing here is called from outside")]

mod access;
mod atomic;
mod begin;
mod cgroup;
mod counters;
mod describe;
mod end;
mod figures;
mod flow;
mod globals;
mod listen;
mod listening;
mod maps;
mod pass;
mod refresh;
mod socket;
mod state;
mod store;

use core::ffi::c_void;

use access::{Copied, Kernel, Typed};
use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use store::{InMap, InSocket};

/// The usual hook.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn state_typed(context: BtfTracePointContext) -> i32 {
    let sk: Kernel = context.arg(0);
    let old: i32 = context.arg(1);
    let new: i32 = context.arg(2);
    // SAFETY: the tracepoint's arguments.
    unsafe { state::changed::<Typed, InSocket>(sk, old, new) }
    0
}

/// Where the usual hook is refused.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
pub fn state_raw(context: RawTracePointContext) -> i32 {
    let sk: Kernel = context.arg(0);
    let old: i32 = context.arg(1);
    let new: i32 = context.arg(2);
    // SAFETY: the tracepoint's arguments.
    unsafe { state::changed::<Copied, InMap>(sk, old, new) }
    0
}

/// The walk that goes with `state_typed`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub fn pass_typed(context: *mut c_void) -> i32 {
    // SAFETY: the iterator's context.
    unsafe { pass::visit::<InSocket>(context) }
    0
}

/// The walk that goes with `state_raw`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub fn pass_raw(context: *mut c_void) -> i32 {
    // SAFETY: the iterator's context.
    unsafe { pass::visit::<InMap>(context) }
    0
}

/// The refresh pass, where state is in the sockets.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
pub fn refresh(context: *mut c_void) -> i32 {
    // SAFETY: the iterator's context.
    unsafe { refresh::visit(context) }
    0
}

/// New cgroups.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_made(context: BtfTracePointContext) -> i32 {
    let cgroup: Kernel = context.arg(0);
    let path: Kernel = context.arg(1);
    // SAFETY: the tracepoint's arguments.
    unsafe { cgroup::made(cgroup, path) }
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
