//! What user space sets before the programs are loaded: the running kernel's member offsets and a few settings. The
//! verifier sees constants and drops the code that they make unreachable.
use aya_ebpf::Global;

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] pub(crate) static $name: Global<u32> = Global::new($value);)*
    };
}

/// The member does not exist in this kernel.
pub(crate) const ABSENT: u32 = u32::MAX;

globals! {
    SOCK_FAMILY = 0;
    SOCK_NUM = 0;
    SOCK_DPORT = 0;
    SOCK_STATE = 0;
    SOCK_NET = 0;
    SOCK_RCV_SADDR = 0;
    SOCK_DADDR = 0;
    SOCK_V6_RCV_SADDR = 0;
    SOCK_V6_DADDR = 0;
    SOCK_COOKIE = 0;
    SOCK_PROTOCOL = 0;
    SOCK_ERR = 0;
    SOCK_UID = 0;
    SOCK_CGROUP = 0;
    SOCK_SOCKET = 0;
    NET_INUM = 0;
    CGROUP_KN = 0;
    CGROUP_ROOT = 0;
    CGROUP_ROOT_HIERARCHY = 0;
    KERNFS_ID = 0;
    TCP_SPORT = 0;
    TCP_BYTES_ACKED = 0;
    TCP_BYTES_RECEIVED = 0;
    TCP_SRTT = 0;
    TCP_TOTAL_RETRANS = 0;
    TASK_TGID = 0;
    TASK_LEADER = 0;
    TASK_COMM = 0;
    SOCKET_SK = 0;
    /// `ABSENT` where the kernel has no MPTCP.
    MPTCP_FIRST = 0;
    /// `ABSENT` where the kernel has no MPTCP: what else uses it is of no interest.
    TCP_ULP = 0;
    /// `ABSENT` where a subflow cannot be told from others, as with the next two.
    TCP_IS_MPTCP = 0;
    TCP_ULP_DATA = 0;
    SUBFLOW_CONN = 0;
    /// The byte of `struct tcp_sock` with the flag of a transparent proxy's socket; `ABSENT` where it is not known.
    TCP_TRANSPARENT = 0;
    /// Its bit in that byte.
    TRANSPARENT_BIT = 0;

    /// Count only this network namespace; 0: all.
    FILTER_NETNS = 0;
    /// New keys that a flow map takes before it folds.
    FOLD_AFTER = 12_288;
    /// Not zero: atomic operations that return a value do not exist (arm64 before 5.18).
    PLAIN_ATOMICS = 0;
}
