//! What is read of a socket and of a task.
use servicemap_ebpf_layout::{Bytes16, CLASS_LINK_LOCAL, CLASS_LOOPBACK, CLASS_OTHER, CONTROL_RAISED};

use crate::{
    access::{Access, Copied, Kernel},
    counters::control,
    globals::*,
    maps::GENERATIONS,
};

pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
pub(crate) const IPPROTO_TCP: u16 = 6;
pub(crate) const IPPROTO_MPTCP: u16 = 262;

/// Bytes 8..12 of an IPv4 address in IPv6 form, as the low half of the second word.
const MAPPED: u64 = 0xffff_0000;

/// The network namespace of a TCP socket that is to be counted; `None` for any other socket.
#[inline(always)]
pub(crate) unsafe fn counted_netns<A: Access>(sk: Kernel) -> Option<u32> {
    // SAFETY: `sk` is a full socket.
    unsafe {
        if A::read::<u16>(sk, SOCK_PROTOCOL.load()) != IPPROTO_TCP {
            return None;
        }
        let net = A::read::<u64>(sk, SOCK_NET.load()) as Kernel;
        let inum: u32 = A::read(net, NET_INUM.load());
        let only = FILTER_NETNS.load();
        (only == 0 || only == inum).then_some(inum)
    }
}

/// The cgroup id of a socket.
#[inline(always)]
pub(crate) unsafe fn cgroup<A: Access>(sk: Kernel) -> u64 {
    // SAFETY: members of kernel structs; null is checked where it can be.
    unsafe {
        if SOCK_CGROUP.load() == ABSENT {
            return 0;
        }
        let cgroup = A::read::<u64>(sk, SOCK_CGROUP.load()) as Kernel;
        if cgroup.is_null() {
            return 0;
        }
        cgroup_id::<A>(cgroup)
    }
}

/// The id of a cgroup.
#[inline(always)]
pub(crate) unsafe fn cgroup_id<A: Access>(cgroup: Kernel) -> u64 {
    // SAFETY: a `struct cgroup`, which always has a kernfs node.
    unsafe {
        let node = A::read::<u64>(cgroup, CGROUP_KN.load()) as Kernel;
        A::read(node, KERNFS_ID.load())
    }
}

#[inline(always)]
unsafe fn address<A: Access>(sk: Kernel, v4: u32, v6: u32) -> Bytes16 {
    // SAFETY: members of `struct sock`.
    unsafe {
        if A::read::<u16>(sk, SOCK_FAMILY.load()) == AF_INET {
            [0, u64::from(A::read::<u32>(sk, v4)) << 32 | MAPPED]
        } else {
            [A::read(sk, v6), A::read(sk, v6 + 8)]
        }
    }
}

/// The local address.
#[inline(always)]
pub(crate) unsafe fn local<A: Access>(sk: Kernel) -> Bytes16 {
    // SAFETY: as `address`.
    unsafe { address::<A>(sk, SOCK_RCV_SADDR.load(), SOCK_V6_RCV_SADDR.load()) }
}

/// The remote address.
#[inline(always)]
pub(crate) unsafe fn remote<A: Access>(sk: Kernel) -> Bytes16 {
    // SAFETY: as `address`.
    unsafe { address::<A>(sk, SOCK_DADDR.load(), SOCK_V6_DADDR.load()) }
}

/// The port that the socket is bound to (0 once it is closed).
#[inline(always)]
pub(crate) unsafe fn bound_port<A: Access>(sk: Kernel) -> u16 {
    // SAFETY: a member of `struct sock`.
    unsafe { A::read(sk, SOCK_NUM.load()) }
}

/// The local port as packets carry it (kept when the socket closes).
#[inline(always)]
pub(crate) unsafe fn local_port<A: Access>(sk: Kernel) -> u16 {
    // SAFETY: a member of `struct tcp_sock`, null checked.
    unsafe {
        let tcp = A::tcp(sk);
        if tcp.is_null() { 0 } else { u16::from_be(A::read(tcp, TCP_SPORT.load())) }
    }
}

/// The remote port.
#[inline(always)]
pub(crate) unsafe fn remote_port<A: Access>(sk: Kernel) -> u16 {
    // SAFETY: a member of `struct sock`.
    unsafe { u16::from_be(A::read(sk, SOCK_DPORT.load())) }
}

/// Is it a subflow of an MPTCP connection, other than the first one?
#[inline(always)]
pub(crate) unsafe fn is_later_subflow<A: Access>(sk: Kernel) -> bool {
    // SAFETY: members of a `tcp_sock`, null checked; what hangs off it has no typed pointers and is copied.
    unsafe {
        if MPTCP_FIRST.load() == ABSENT || TCP_IS_MPTCP.load() == ABSENT {
            return false;
        }
        let tcp = A::tcp(sk);
        if tcp.is_null() || A::read::<u8>(tcp, TCP_IS_MPTCP.load()) == 0 {
            return false;
        }
        let subflow = A::read::<u64>(tcp, TCP_ULP_DATA.load()) as Kernel;
        let connection = Copied::read::<u64>(subflow, SUBFLOW_CONN.load()) as Kernel;
        if subflow.is_null() || connection.is_null() {
            return false;
        }
        let first = Copied::read::<u64>(connection, MPTCP_FIRST.load());
        first != 0 && first != sk as u64
    }
}

/// Is it a transparent proxy's socket, whose local address is another machine's?
#[inline(always)]
pub(crate) unsafe fn is_transparent<A: Access>(sk: Kernel) -> bool {
    // SAFETY: a member of a `tcp_sock`, null checked.
    unsafe {
        if TCP_TRANSPARENT.load() == ABSENT {
            return false;
        }
        let tcp = A::tcp(sk);
        !tcp.is_null() && u32::from(A::read::<u8>(tcp, TCP_TRANSPARENT.load())) & TRANSPARENT_BIT.load() != 0
    }
}

/// The number of an address's present owner.
#[inline(always)]
pub(crate) fn generation(remote: Bytes16) -> u32 {
    if control(CONTROL_RAISED) == 0 {
        return 0;
    }
    // SAFETY: an aligned word of a map value, which user space replaces whole.
    GENERATIONS.get_ptr(&remote).map_or(0, |generation| unsafe { generation.read_volatile() })
}

/// The class of a local address.
#[inline(always)]
pub(crate) fn class(address: Bytes16) -> u8 {
    if address[0] == 0 && address[1] as u32 == MAPPED as u32 {
        let v4 = (address[1] >> 32) as u32;
        if v4 & 0xff == 127 {
            CLASS_LOOPBACK
        } else if v4 & 0xffff == 0xfea9 {
            CLASS_LINK_LOCAL
        } else {
            CLASS_OTHER
        }
    } else if address[0] == 0 && address[1] == 1 << 56 {
        CLASS_LOOPBACK
    } else if address[0] & 0xc0ff == 0x80fe {
        CLASS_LINK_LOCAL
    } else {
        CLASS_OTHER
    }
}

/// The process of a task.
#[inline(always)]
pub(crate) unsafe fn tgid<A: Access>(task: Kernel) -> u32 {
    // SAFETY: a member of `struct task_struct`.
    unsafe { A::read(task, TASK_TGID.load()) }
}

/// The name of a task's program: its thread group leader's, since threads rename themselves.
#[inline(always)]
pub(crate) unsafe fn program<A: Access>(task: Kernel) -> Bytes16 {
    // SAFETY: members of `struct task_struct`; a task always has a leader.
    unsafe {
        let leader = A::read::<u64>(task, TASK_LEADER.load()) as Kernel;
        let comm = TASK_COMM.load();
        padded([A::read(leader, comm), A::read(leader, comm + 8)])
    }
}

/// Zeroes whatever follows the first zero byte.
#[inline(always)]
fn padded(name: Bytes16) -> Bytes16 {
    let (first, ended) = padded_word(name[0]);
    if ended { [first, 0] } else { [first, padded_word(name[1]).0] }
}

#[inline(always)]
fn padded_word(word: u64) -> (u64, bool) {
    // The lowest byte that is zero has its top bit set here (bytes above it may have, too).
    let zero = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
    if zero == 0 {
        return (word, false);
    }
    let lowest = zero & zero.wrapping_neg();
    (word & (lowest >> 7).wrapping_sub(1), true)
}
