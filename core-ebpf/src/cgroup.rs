//! A cgroup was made: its path is told at once, since a short-lived container is gone before anyone can look.
use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use servicemap_ebpf_layout::{CGROUP_PATH, CgroupRecord, LOST_CGROUPS_FULL};

use crate::{
    access::{Access, Kernel, Typed},
    counters::count,
    globals::{CGROUP_ROOT, CGROUP_ROOT_HIERARCHY},
    maps::CGROUPS,
    socket,
};

#[inline(always)]
pub(crate) unsafe fn made(cgroup: Kernel, path: Kernel) {
    // SAFETY: the tracepoint's cgroup and its path, a string.
    unsafe {
        // The cgroup v2 hierarchy is number 0; ids of others are numbers of their own.
        let root = Typed::read::<u64>(cgroup, CGROUP_ROOT.load()) as Kernel;
        if Typed::read::<u32>(root, CGROUP_ROOT_HIERARCHY.load()) != 0 {
            return;
        }
        let id = socket::cgroup_id::<Typed>(cgroup);
        let Some(mut record) = CGROUPS.reserve::<CgroupRecord>(0) else {
            count(LOST_CGROUPS_FULL);
            return;
        };
        let at = record.as_mut_ptr();
        (*at).id = id;
        let copied = bpf_probe_read_kernel_str((&raw mut (*at).path).cast(), CGROUP_PATH as u32, path.cast());
        if copied < 0 {
            (*at).path[0] = 0;
        }
        record.submit(u64::from(aya_ebpf::bindings::BPF_RB_NO_WAKEUP));
    }
}
