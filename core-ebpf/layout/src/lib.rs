//! What the kernel side and the user side share: the keys and values of the BPF maps.
//!
//! Plain `repr(C)` data without padding, so that every byte of a record is one that somebody wrote: a hash key with
//! stray padding would be two keys. Both sides are little-endian (x86-64 and arm64). Addresses are 16 bytes in network
//! order, IPv4 as `::ffff:a.b.c.d`; they and program names are held as two words because the kernel side copies words.
#![no_std]
#![forbid(unsafe_code)]

/// A 16-byte address or name: two words, the bytes in memory order.
pub type Bytes16 = [u64; 2];

/// The bytes of a [`Bytes16`] in memory order.
#[must_use]
pub const fn bytes(words: Bytes16) -> [u8; 16] {
    let (a, b) = (words[0].to_le_bytes(), words[1].to_le_bytes());
    [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]
}

/// The socket connected.
pub const DIRECTION_OUT: u8 = 1;
/// The socket was accepted.
pub const DIRECTION_IN: u8 = 2;
/// The socket listens: `opened` and `closed` of such a flow count listeners.
pub const DIRECTION_LISTEN: u8 = 3;

/// The local address is neither loopback nor link-local.
pub const CLASS_OTHER: u8 = 0;
/// The local address is 127.0.0.0/8 or `::1`.
pub const CLASS_LOOPBACK: u8 = 1;
/// The local address is 169.254.0.0/16 or `fe80::/10`.
pub const CLASS_LINK_LOCAL: u8 = 2;
/// The part of [`FlowKey::class`] that is the class.
pub const CLASS_MASK: u8 = 0x0f;
/// Set in [`FlowKey::class`] when the remote address was left out because the map had too many keys.
pub const FLAG_FOLDED: u8 = 0x80;

/// What makes two connections one flow. Ephemeral ports are no part of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Cgroup v2 id of the socket (the inode of its directory); 0 when the kernel does not say.
    pub cgroup: u64,
    /// Inode of the socket's network namespace.
    pub netns: u32,
    /// The port of the serving side: remote for [`DIRECTION_OUT`], local otherwise. Host byte order.
    pub port: u16,
    /// One of the `DIRECTION_` constants.
    pub direction: u8,
    /// Class of the local address, and [`FLAG_FOLDED`].
    pub class: u8,
    /// The other side; of a listener the address it is bound to.
    pub remote: Bytes16,
    /// Name of the program that connected or listens: its thread group leader's, zero-padded.
    pub program: Bytes16,
    /// What the `GENERATIONS` map said of [`Self::remote`] when the key was made; 0 where it said nothing.
    pub generation: u32,
    /// Zero.
    pub unused: u32,
}

impl FlowKey {
    /// All zero.
    pub const ZERO: Self = Self {
        cgroup: 0,
        netns: 0,
        port: 0,
        direction: 0,
        class: 0,
        remote: [0; 2],
        program: [0; 2],
        generation: 0,
        unused: 0,
    };

    /// In which part of all keys this one is, if there are `parts` of them, a power of two. A refresh pass goes through
    /// the open sockets one part at a time, so that the flows of a part fit into a flow map.
    #[must_use]
    #[inline(always)]
    pub const fn part(&self, parts: u32) -> u32 {
        let hash = spread(self.remote[0] ^ self.cgroup);
        let hash = spread(hash ^ self.remote[1]);
        let hash = spread(hash ^ self.program[0] ^ self.generation as u64);
        let hash = spread(hash ^ (self.port as u64) << 32 ^ self.netns as u64);
        (hash >> 32) as u32 & parts.wrapping_sub(1)
    }
}

/// Lets every bit move most others: a multiplication moves those above, the shift those below.
#[inline(always)]
const fn spread(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^ word >> 32
}

/// Indexes of [`FlowValue::failed`].
pub const FAILED_REFUSED: usize = 0;
/// No answer in time.
pub const FAILED_TIMED_OUT: usize = 1;
/// No route, or a router or host said so.
pub const FAILED_UNREACHABLE: usize = 2;
/// Answered with a reset, or reset in mid-life.
pub const FAILED_RESET: usize = 3;
/// Any other error.
pub const FAILED_OTHER: usize = 4;
/// How many reasons there are.
pub const FAILED_REASONS: usize = 5;

/// Upper bounds of [`FlowValue::connect_buckets`] in microseconds; the last bucket has none.
pub const CONNECT_BOUNDS_US: [u64; 7] = [250, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000];
/// How many buckets of connect latency there are.
pub const CONNECT_BUCKETS: usize = 8;

/// The first socket that touched a flow since the last drain: an example, one of many.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// Socket cookie; 0 when the kernel gave none.
    pub cookie: u64,
    /// Local address.
    pub local: Bytes16,
    /// Process (thread group) that connected, or that listens; 0 when unknown.
    pub tgid: u32,
    /// User of the socket.
    pub uid: u32,
    /// Local port, host byte order.
    pub local_port: u16,
    /// Remote port, host byte order.
    pub remote_port: u16,
    /// [`EXAMPLE_TRANSPARENT`] or zero.
    pub flags: u32,
}

/// Set in [`Example::flags`] when the socket is a transparent proxy's (`IP_TRANSPARENT`): its local address is another
/// machine's.
pub const EXAMPLE_TRANSPARENT: u32 = 1;

/// What happened on a flow since the last drain.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowValue {
    /// Connections that were established, those that were so before the start included.
    pub opened: u32,
    /// Of [`Self::opened`], those from before the start.
    pub preexisting: u32,
    /// Established connections that are open no more: their own FIN has left, or they are gone.
    pub closed: u32,
    /// Attempts that their own side gave up.
    pub abandoned: u32,
    /// Attempts that failed, and connections that were cut off, by reason (`FAILED_` constants).
    pub failed: [u32; FAILED_REASONS],
    /// Of [`Self::closed`] and of [`Self::failed`], those that a reset or a time-out ended in mid-life.
    pub cut: u32,
    /// Segments sent again.
    pub retransmits: u32,
    /// How many figures [`Self::rtt_us`] sums up.
    pub rtt_samples: u32,
    /// Open sockets that a refresh pass counted. It says what is, not what happened.
    pub open: u32,
    /// Zero.
    pub unused: u32,
    /// Sum of smoothed round-trip times in microseconds.
    pub rtt_us: u64,
    /// `TCP_INFO`'s `bytes_acked`.
    pub bytes_sent: u64,
    /// `TCP_INFO`'s `bytes_received`.
    pub bytes_received: u64,
    /// `CLOCK_MONOTONIC` of the first thing counted here.
    pub first_ns: u64,
    /// `CLOCK_MONOTONIC` of the last thing counted here.
    pub last_ns: u64,
    /// Sum of the connect latencies in [`Self::connect_buckets`], in microseconds.
    pub connect_us: u64,
    /// Connect latencies (SYN sent to established), by [`CONNECT_BOUNDS_US`].
    pub connect_buckets: [u32; CONNECT_BUCKETS],
    /// The first socket.
    pub example: Example,
}

impl FlowValue {
    /// Nothing happened.
    pub const ZERO: Self = Self {
        opened: 0,
        preexisting: 0,
        closed: 0,
        abandoned: 0,
        failed: [0; FAILED_REASONS],
        cut: 0,
        retransmits: 0,
        rtt_samples: 0,
        open: 0,
        unused: 0,
        rtt_us: 0,
        bytes_sent: 0,
        bytes_received: 0,
        first_ns: 0,
        last_ns: 0,
        connect_us: 0,
        connect_buckets: [0; CONNECT_BUCKETS],
        example: Example {
            cookie: 0,
            local: [0; 2],
            tgid: 0,
            uid: 0,
            local_port: 0,
            remote_port: 0,
            flags: 0,
        },
    };
}

/// Where a socket is in its life, as far as it was counted. [`SocketState::phase`].
pub const PHASE_NONE: u32 = 0;
/// A SYN is out.
pub const PHASE_CONNECTING: u32 = 1;
/// Counted as opened.
pub const PHASE_OPEN: u32 = 2;
/// Counted as listening.
pub const PHASE_LISTENING: u32 = 3;
/// The first pass found it and is about to count it.
pub const PHASE_PENDING: u32 = 4;
/// Its end was dealt with, or is being so just now; nobody may count it again.
pub const PHASE_CLOSED: u32 = 5;
/// Open, but there was no room to count it: the next refresh pass does, or its end counts its whole life.
pub const PHASE_MISSED: u32 = 6;
/// The same of a connection from before the start.
pub const PHASE_MISSED_OLD: u32 = 7;
/// Counted as opened, and a refresh pass brings its byte counts up to date just now.
pub const PHASE_REFRESHED: u32 = 8;
/// A later subflow of an MPTCP connection, which counts by its first one.
pub const PHASE_SUBFLOW: u32 = 9;
/// Counted as closed, since its own FIN has left; what it still moves is counted when it is gone.
pub const PHASE_CLOSING: u32 = 10;

/// What a socket's storage remembers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketState {
    /// The flow that its opening was, or will be, counted in.
    pub key: FlowKey,
    /// One of the `PHASE_` constants. Changed atomically: who takes `PHASE_OPEN` away counts the close.
    pub phase: u32,
    /// Who connected, listens, or was found to hold it.
    pub tgid: u32,
    /// User of the socket.
    pub uid: u32,
    /// Retransmits already counted.
    pub retransmits: u32,
    /// When the SYN left; 0 when that was before the start.
    pub connect_ns: u64,
    /// Bytes sent already counted.
    pub bytes_sent: u64,
    /// Bytes received already counted.
    pub bytes_received: u64,
}

impl SocketState {
    /// All zero.
    pub const ZERO: Self = Self {
        key: FlowKey::ZERO,
        phase: PHASE_NONE,
        tgid: 0,
        uid: 0,
        retransmits: 0,
        connect_ns: 0,
        bytes_sent: 0,
        bytes_received: 0,
    };
}

/// Where somebody listens.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerKey {
    /// Network namespace.
    pub netns: u32,
    /// Port, host byte order.
    pub port: u16,
    /// Zero.
    pub unused: u16,
    /// Bound address; any is `::ffff:0.0.0.0` for IPv4 and `::` for IPv6.
    pub address: Bytes16,
}

/// Who listens there.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Cgroup of the listening socket.
    pub cgroup: u64,
    /// Name of its program.
    pub program: Bytes16,
    /// Its process.
    pub tgid: u32,
    /// How many sockets share the address (`SO_REUSEPORT`).
    pub sockets: u32,
}

/// A new cgroup: its id and its path, as `cgroup_mkdir` tells them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupRecord {
    /// Cgroup id.
    pub id: u64,
    /// Path below the cgroup v2 root, ended by a zero byte; cut at 255 bytes.
    pub path: [u8; CGROUP_PATH],
}

/// Size of [`CgroupRecord::path`].
pub const CGROUP_PATH: usize = 256;

/// Slots of the `CONTROL` array.
pub const CONTROL_ACTIVE: u32 = 0;
/// Not zero: somebody waits for the next new key.
pub const CONTROL_WAKE: u32 = 1;
/// What the iterator does: one of the `PASS_` constants.
pub const CONTROL_PASS: u32 = 2;
/// Not zero: the listeners from before the start are known.
pub const CONTROL_READY: u32 = 3;
/// Keys inserted into the first map since it was emptied.
pub const CONTROL_KEYS_A: u32 = 4;
/// Keys inserted into the second map since it was emptied.
pub const CONTROL_KEYS_B: u32 = 5;
/// In how many parts the refresh pass goes through the sockets: a power of two; see [`FlowKey::part`].
pub const CONTROL_PARTS: u32 = 6;
/// Which of them it does now.
pub const CONTROL_PART: u32 = 7;
/// Addresses in the `GENERATIONS` map: nobody looks into it while there are none.
pub const CONTROL_RAISED: u32 = 8;
/// Size of the `CONTROL` array.
pub const CONTROL_SLOTS: u32 = 16;

/// The iterator takes up listening sockets.
pub const PASS_LISTENERS: u64 = 1;
/// The iterator takes up connections.
pub const PASS_CONNECTIONS: u64 = 2;

/// Slots of the per-CPU `COUNTERS` array. Connection attempts.
pub const COUNT_CONNECT: u32 = 0;
/// Accepted connections.
pub const COUNT_ACCEPT: u32 = 1;
/// Ended connections.
pub const COUNT_CLOSE: u32 = 2;
/// Failed attempts.
pub const COUNT_FAIL: u32 = 3;
/// Sockets that began to listen.
pub const COUNT_LISTEN: u32 = 4;
/// Things counted under a folded key.
pub const COUNT_FOLDED: u32 = 5;
/// Lost: a flow map was full.
pub const LOST_FLOWS_FULL: u32 = 6;
/// Lost: the kernel gave no socket storage.
pub const LOST_STORAGE: u32 = 7;
/// Lost: the table of listeners was full (connections are counted, their program is unknown).
pub const LOST_LISTENERS_FULL: u32 = 8;
/// Not lost, only later: no room to announce a new key.
pub const LOST_ANNOUNCE_FULL: u32 = 9;
/// A connection from before the start ended before the first pass reached it.
pub const LOST_UNTRACKED: u32 = 10;
/// Lost: no room to tell a new cgroup's path.
pub const LOST_CGROUPS_FULL: u32 = 11;
/// Not lost, only later: a refresh pass found no room in the flow map.
pub const LOST_REFRESH_FULL: u32 = 12;
/// Size of the `COUNTERS` array.
pub const COUNTER_SLOTS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes<const PARTS: usize>(keys: impl Iterator<Item = FlowKey>) -> [u32; PARTS] {
        let mut sizes = [0; PARTS];
        for key in keys {
            sizes[key.part(PARTS as u32) as usize] += 1;
        }
        sizes
    }

    #[test]
    fn parts_are_of_about_the_same_size_where_only_the_address_differs() {
        let v4 = |client: u32| [0, u64::from((0x0a00_0000 + client).to_be()) << 32 | 0xffff_0000];
        let v6 = |client: u32| [0xfd, u64::from(client).to_be()];
        let key =
            |remote| FlowKey { cgroup: 77, port: 443, direction: DIRECTION_IN, remote, ..FlowKey::ZERO };
        let sizes_v4 = sizes::<16>((0..16_000).map(v4).map(key));
        assert!(sizes_v4.iter().all(|size| (700..1_300).contains(size)), "{sizes_v4:?}");
        let sizes_v6 = sizes::<16>((0..16_000).map(v6).map(key));
        assert!(sizes_v6.iter().all(|size| (700..1_300).contains(size)), "{sizes_v6:?}");
        let few = sizes::<32>((1..=200).map(v4).map(key));
        assert!(few.iter().all(|size| *size < 20), "{few:?}");
    }

    #[test]
    fn parts_are_of_about_the_same_size_where_only_the_port_differs() {
        let sizes = sizes::<16>((1..=u16::MAX).map(|port| FlowKey { port, ..FlowKey::ZERO }));
        assert!(sizes.iter().all(|size| (3_000..5_500).contains(size)), "{sizes:?}");
    }

    #[test]
    fn of_one_part_everything_is_in_it() {
        let key = FlowKey { port: 443, remote: [u64::MAX, 5], ..FlowKey::ZERO };
        assert_eq!(key.part(1), 0);
    }
}
