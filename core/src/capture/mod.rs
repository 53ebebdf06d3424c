//! Connections, counted in the kernel: load and attach the eBPF programs of `core-ebpf/`, drain their counters, decode
//! them into facts.
//!
//! Promises: what happened between two drains comes with the later one, exactly once; what could not be counted is told
//! as a gap; user space does work for flows that changed and for nothing else; dropping a [`Capture`] detaches
//! everything. Needs CAP_BPF and CAP_PERFMON, and a kernel (5.15 or newer) that describes itself (BTF).

mod btf;
mod decode;
mod drain;
mod error;
mod generations;
mod ledger;
mod load;
mod offsets;
mod pass;
mod refresh;
mod requirements;
mod settings;
#[allow(unsafe_code, reason = "the one module of the capture that talks to the kernel below what aya offers")]
mod sys;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::{Array, MapData, PerCpuArray, RingBuf};
use servicemap_map::model::{CaptureHealth, GapReason, KernelEvents};

pub use drain::DrainReport;
pub use error::CaptureError;
pub use pass::FirstPass;
pub use refresh::Refresh;
pub use requirements::{Requirement, State, requirements};
pub use settings::{CaptureSettings, Hook, HookChoice};
#[cfg(feature = "cli")]
pub(crate) use sys::keep_large_allocations_apart;
pub use wait::{CgroupMade, Poll};

use crate::clock::Clock;
use decode::Names;
use generations::Generations;
use ledger::{Ledger, Seen};
use servicemap_ebpf_layout as layout;

/// The kernel side at work.
pub struct Capture {
    /// Owns programs and links: they go with it.
    ebpf: Ebpf,
    hook: Hook,
    /// The two flow maps; see [`layout::CONTROL_ACTIVE`].
    flows: [MapData; 2],
    /// Size of each.
    flow_entries: usize,
    active: usize,
    /// States of sockets that are not in the socket: of MPTCP subflows, and of all with the raw hook.
    states: MapData,
    generations: Generations,
    control: Array<MapData, u64>,
    counters: PerCpuArray<MapData, u64>,
    announce: RingBuf<MapData>,
    /// Absent where the kernel tells nobody of new cgroups.
    cgroups: Option<RingBuf<MapData>>,
    /// The held link of the walk over tasks' files; absent where the kernel has no such iterator.
    walk: Option<OwnedFd>,
    /// The held link of the walk over sockets' storage; absent where the kernel or the hook has none.
    refresh: Option<OwnedFd>,
    ledger: Ledger,
    /// What the part of a refresh pass that is under way sees.
    seen: Option<Seen>,
    /// Connections and listeners that were mended, and how many of them by the last complete pass.
    mended: u64,
    residual: u64,
    names: Names,
    /// Fingerprints of flow keys that a drain brought.
    known: HashSet<u64>,
    buffer: drain::Buffer,
    sequence: u64,
    clock: Clock,
    told: Losses,
    /// What of it was made good by refresh passes.
    healed: Losses,
}

/// What the kernel side counted and lost since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By type.
    pub events: KernelEvents,
    /// By reason.
    pub lost: Losses,
    /// What was done less well than it should be.
    pub health: CaptureHealth,
}

/// Things that could not be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// No room in a flow map.
    pub flow_map_full: u64,
    /// The kernel refused storage for a socket.
    pub storage_refused: u64,
    /// No room in the table of listeners: programs of accepted connections are unknown.
    pub listeners_full: u64,
    /// The kernel did not run the program since it was running on that CPU already (an interrupt in the middle of it).
    pub recursion: u64,
}

impl Losses {
    /// Everything together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.flow_map_full
            .saturating_add(self.storage_refused)
            .saturating_add(self.listeners_full)
            .saturating_add(self.recursion)
    }

    const fn by_reason(&self) -> [(GapReason, u64); 4] {
        [
            (GapReason::FlowMapFull, self.flow_map_full),
            (GapReason::SocketStorageRefused, self.storage_refused),
            (GapReason::ListenerMapFull, self.listeners_full),
            (GapReason::UntrackedSocket, self.recursion),
        ]
    }
}

impl Capture {
    /// Loads and attaches. Nothing is known of sockets from before until [`first_pass`](Self::first_pass).
    pub fn start(settings: &CaptureSettings) -> Result<Self, CaptureError> {
        load::start(settings)
    }

    /// Which hook counts.
    #[must_use]
    pub const fn hook(&self) -> Hook {
        self.hook
    }

    /// What was counted and lost so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let lost = self.losses();
        Counters {
            events: KernelEvents {
                connect: self.counter(layout::COUNT_CONNECT),
                accept: self.counter(layout::COUNT_ACCEPT),
                close: self.counter(layout::COUNT_CLOSE),
                fail: self.counter(layout::COUNT_FAIL),
                listen: self.counter(layout::COUNT_LISTEN),
                lost: lost.total(),
            },
            lost,
            health: CaptureHealth {
                folded: self.counter(layout::COUNT_FOLDED),
                announced_late: self.counter(layout::LOST_ANNOUNCE_FULL),
                ended_before_first_pass: self.counter(layout::LOST_UNTRACKED),
                cgroups_missed: self.counter(layout::LOST_CGROUPS_FULL),
                generations_forgotten: self.generations.forgotten(),
                refreshed_late: self.counter(layout::LOST_REFRESH_FULL),
                mended: self.mended,
                residual: self.residual,
            },
        }
    }

    /// A counter over all CPUs. The kernel refuses to read a slot only if it does not exist.
    fn counter(&self, slot: u32) -> u64 {
        self.counters.get(&slot, 0).map_or(0, |values| values.iter().sum())
    }

    fn losses(&self) -> Losses {
        Losses {
            flow_map_full: self.counter(layout::LOST_FLOWS_FULL),
            storage_refused: self.counter(layout::LOST_STORAGE),
            listeners_full: self.counter(layout::LOST_LISTENERS_FULL),
            recursion: self.program_info().map_or(0, |info| info.recursion_misses),
        }
    }

    /// The counting program's own figures (run time only while the kernel's BPF statistics are on).
    pub fn program_info(&self) -> Result<ProgramInfo, CaptureError> {
        let program = self
            .ebpf
            .program(self.hook.program())
            .ok_or(CaptureError::Object { missing: self.hook.program() })?;
        let fd = program.fd().map_err(CaptureError::program(self.hook.program()))?;
        sys::program_info(fd)
            .map_err(|source| CaptureError::Kernel { doing: "read the counting program's figures", source })
    }

    /// Kernel memory of the maps in bytes, as the kernel accounts it.
    #[must_use]
    pub fn map_memory(&self) -> u64 {
        let mut fds = vec![
            sys::raw(self.flows[0].fd()),
            sys::raw(self.flows[1].fd()),
            sys::raw(self.states.fd()),
            sys::raw(self.announce.as_fd()),
        ];
        fds.extend(self.cgroups.as_ref().map(|ring| sys::raw(ring.as_fd())));
        fds.extend(self.ebpf.maps().filter_map(|(_, map)| load::map_fd(map)));
        fds.iter().filter_map(|fd| sys::map_memory(*fd)).sum()
    }
}

/// What the kernel says of the counting program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramInfo {
    /// How often it ran while statistics were on.
    pub runs: u64,
    /// For how long, in nanoseconds.
    pub run_time_ns: u64,
    /// How often it was due but running on that CPU already.
    pub recursion_misses: u64,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("hook", &self.hook)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}
