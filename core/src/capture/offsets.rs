//! The members that the kernel side reads: where they are in the running kernel.

use super::btf::{Btf, BtfError, Kind};

/// Tells the kernel side that a member does not exist.
const ABSENT: u32 = u32::MAX;

/// Global of the kernel side, struct, member.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("SOCK_FAMILY", "sock", "__sk_common.skc_family"),
    ("SOCK_NUM", "sock", "__sk_common.skc_num"),
    ("SOCK_DPORT", "sock", "__sk_common.skc_dport"),
    ("SOCK_STATE", "sock", "__sk_common.skc_state"),
    ("SOCK_NET", "sock", "__sk_common.skc_net.net"),
    ("SOCK_RCV_SADDR", "sock", "__sk_common.skc_rcv_saddr"),
    ("SOCK_DADDR", "sock", "__sk_common.skc_daddr"),
    ("SOCK_COOKIE", "sock", "__sk_common.skc_cookie"),
    ("SOCK_PROTOCOL", "sock", "sk_protocol"),
    ("SOCK_ERR", "sock", "sk_err"),
    ("SOCK_UID", "sock", "sk_uid"),
    ("SOCK_SOCKET", "sock", "sk_socket"),
    ("NET_INUM", "net", "ns.inum"),
    ("CGROUP_KN", "cgroup", "kn"),
    ("CGROUP_ROOT", "cgroup", "root"),
    ("CGROUP_ROOT_HIERARCHY", "cgroup_root", "hierarchy_id"),
    ("KERNFS_ID", "kernfs_node", "id"),
    ("TCP_SPORT", "tcp_sock", "inet_conn.icsk_inet.inet_sport"),
    ("TCP_BYTES_ACKED", "tcp_sock", "bytes_acked"),
    ("TCP_BYTES_RECEIVED", "tcp_sock", "bytes_received"),
    ("TCP_SRTT", "tcp_sock", "srtt_us"),
    ("TCP_TOTAL_RETRANS", "tcp_sock", "total_retrans"),
    ("TASK_TGID", "task_struct", "tgid"),
    ("TASK_LEADER", "task_struct", "group_leader"),
    ("TASK_COMM", "task_struct", "comm"),
    ("SOCKET_SK", "socket", "sk"),
];

/// Members that a kernel may be built without.
const OPTIONAL: &[(&str, &str, &str)] = &[
    ("SOCK_CGROUP", "sock", "sk_cgrp_data.cgroup"),
    // Without IPv6 no socket has such an address.
    ("SOCK_V6_RCV_SADDR", "sock", "__sk_common.skc_v6_rcv_saddr"),
    ("SOCK_V6_DADDR", "sock", "__sk_common.skc_v6_daddr"),
];

const TP_STATE: &str = "btf_trace_inet_sock_set_state";
const TP_CGROUP: &str = "btf_trace_cgroup_mkdir";
const WALK: &str = "bpf_iter_task_file";
const REFRESH: &str = "bpf_iter_bpf_sk_storage_map";
const TRANSPARENT: &str = "INET_FLAGS_TRANSPARENT";

/// What the running kernel's type information says.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    /// Globals of the kernel side with their values.
    pub(super) globals: Vec<(&'static str, u32)>,
    /// The tracepoint for state changes has a typed form.
    pub(super) typed_state: bool,
    /// New cgroups are told.
    pub(super) cgroup_mkdir: bool,
    /// There is a walk over tasks' files.
    pub(super) walk: bool,
    /// There is a walk over the storage of sockets.
    pub(super) refresh: bool,
}

/// Looks everything up.
pub(super) fn resolve(data: &[u8]) -> Result<Offsets, BtfError> {
    let mut wanted: Vec<&str> = REQUIRED.iter().chain(OPTIONAL).map(|(_, structure, _)| *structure).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.extend(["mptcp_sock", "mptcp_subflow_context", TRANSPARENT, TP_STATE, TP_CGROUP, WALK, REFRESH]);
    let btf = Btf::parse(data, &wanted)?;
    let mut globals = Vec::with_capacity(REQUIRED.len() + OPTIONAL.len() + 2);
    for (global, structure, member) in REQUIRED {
        globals.push((*global, btf.offset(structure, member)?));
    }
    for (global, structure, member) in OPTIONAL {
        let fallback = if *global == "SOCK_CGROUP" { ABSENT } else { 0 };
        globals.push((*global, btf.offset(structure, member).unwrap_or(fallback)));
    }
    // Both or neither: where a subflow's state is kept depends on it.
    let mptcp =
        btf.offset("mptcp_sock", "first").ok().zip(btf.offset("tcp_sock", "inet_conn.icsk_ulp_ops").ok());
    globals.push(("MPTCP_FIRST", mptcp.map_or(ABSENT, |(first, _)| first)));
    globals.push(("TCP_ULP", mptcp.map_or(ABSENT, |(_, ulp)| ulp)));
    globals.extend(subflow(&btf));
    globals.extend(transparent(&btf));
    Ok(Offsets {
        globals,
        typed_state: btf.has(Kind::Typedef, TP_STATE),
        cgroup_mkdir: btf.has(Kind::Typedef, TP_CGROUP),
        walk: btf.has(Kind::Function, WALK),
        refresh: btf.has(Kind::Function, REFRESH),
    })
}

/// What leads from a subflow to its MPTCP connection: all of it or nothing.
fn subflow(btf: &Btf<'_>) -> [(&'static str, u32); 3] {
    let members = [
        ("TCP_IS_MPTCP", "tcp_sock", "is_mptcp"),
        ("TCP_ULP_DATA", "tcp_sock", "inet_conn.icsk_ulp_data"),
        ("SUBFLOW_CONN", "mptcp_subflow_context", "conn"),
    ];
    let offsets = members.map(|(global, structure, member)| (global, btf.offset(structure, member).ok()));
    let all = offsets.iter().all(|(_, offset)| offset.is_some());
    offsets.map(|(global, offset)| (global, offset.filter(|_| all).unwrap_or(ABSENT)))
}

/// The flag of a transparent proxy's socket: since 6.6 a bit of a word, before that a bit field.
fn transparent(btf: &Btf<'_>) -> [(&'static str, u32); 2] {
    let word = btf.bit_offset("tcp_sock", "inet_conn.icsk_inet.inet_flags").ok();
    let bit = word
        .zip(btf.constant(TRANSPARENT))
        .and_then(|(word, bit)| word.checked_add(bit))
        .or_else(|| btf.bit_offset("tcp_sock", "inet_conn.icsk_inet.transparent").ok());
    match bit {
        Some(bit) => [("TCP_TRANSPARENT", bit / 8), ("TRANSPARENT_BIT", 1 << (bit % 8))],
        None => [("TCP_TRANSPARENT", ABSENT), ("TRANSPARENT_BIT", 0)],
    }
}
