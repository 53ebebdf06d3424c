//! The maps. User space may shrink or grow them before the load.
use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    btf_maps::SkStorage,
    macros::{btf_map, map},
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use servicemap_ebpf_layout::{
    Bytes16, CONTROL_SLOTS, COUNTER_SLOTS, FlowKey, FlowValue, Listener, ListenerKey, SocketState,
};

/// One of the two flow maps; `CONTROL_ACTIVE` says which one is written to.
#[map]
pub(crate) static FLOWS_A: HashMap<FlowKey, FlowValue> = HashMap::with_max_entries(16_384, 0);
/// The other one.
#[map]
pub(crate) static FLOWS_B: HashMap<FlowKey, FlowValue> = HashMap::with_max_entries(16_384, 0);
/// Who listens where.
#[map]
pub(crate) static LISTENERS: HashMap<ListenerKey, Listener> = HashMap::with_max_entries(8_192, 0);
/// Socket state by the socket's address: of MPTCP subflows, and of all sockets with the hook that has no socket storage.
#[map]
pub(crate) static SOCKETS: HashMap<u64, SocketState> = HashMap::with_max_entries(1, 0);
/// Socket state in the socket itself.
#[btf_map]
pub(crate) static STORAGE: SkStorage<SocketState> = SkStorage::new();
/// Remote addresses that changed hands: which owner has one now, as a number that user space counts up. Memory is taken for
/// what is in it only; the programs look things up, and only user space writes.
#[map]
pub(crate) static GENERATIONS: HashMap<Bytes16, u32> = HashMap::with_max_entries(16_384, BPF_F_NO_PREALLOC);
/// What user space and the programs tell each other.
#[map]
pub(crate) static CONTROL: Array<u64> = Array::with_max_entries(CONTROL_SLOTS, 0);
/// What happened, and what was lost.
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS, 0);
/// New flow keys.
#[map]
pub(crate) static ANNOUNCE: RingBuf = RingBuf::with_byte_size(128 * 1024, 0);
/// New cgroups.
#[map]
pub(crate) static CGROUPS: RingBuf = RingBuf::with_byte_size(64 * 1024, 0);
