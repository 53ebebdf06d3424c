//! Records of the kernel side → facts. The bytes come from the kernel; whatever they are, nothing here panics.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use servicemap_map::model::{
    AddressClass, ConnectLatency, Direction, Failures, FlowDelta, FlowKey, MachineId, SocketExample,
    Timestamp,
};

use super::layout;

/// Size of a flow key in a map and in an announcement.
pub(super) const KEY: usize = size_of::<layout::FlowKey>();
/// Size of a flow value.
pub(super) const VALUE: usize = size_of::<layout::FlowValue>();

/// A cursor over a record: each read takes bytes off its front.
struct Record<'data>(&'data [u8]);

impl<'data> Record<'data> {
    fn take<const N: usize>(&mut self) -> Option<&'data [u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(head)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| *byte)
    }
    fn u16(&mut self) -> Option<u16> {
        self.take().map(|bytes| u16::from_le_bytes(*bytes))
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_le_bytes(*bytes))
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_le_bytes(*bytes))
    }
    fn words(&mut self) -> Option<[u64; 2]> {
        Some([self.u64()?, self.u64()?])
    }
    fn array<const N: usize>(&mut self) -> Option<[u32; N]> {
        let mut all = [0; N];
        for one in &mut all {
            *one = self.u32()?;
        }
        Some(all)
    }
}

/// Reads a flow key, in the order of the layout's fields.
pub(super) fn key(bytes: &[u8]) -> Option<layout::FlowKey> {
    let mut record = Record(bytes);
    Some(layout::FlowKey {
        cgroup: record.u64()?,
        netns: record.u32()?,
        port: record.u16()?,
        direction: record.u8()?,
        class: record.u8()?,
        remote: record.words()?,
        program: record.words()?,
        generation: record.u32()?,
        unused: record.u32()?,
    })
}

/// Reads a flow value, in the order of the layout's fields.
pub(super) fn value(bytes: &[u8]) -> Option<layout::FlowValue> {
    let mut record = Record(bytes);
    Some(layout::FlowValue {
        opened: record.u32()?,
        preexisting: record.u32()?,
        closed: record.u32()?,
        abandoned: record.u32()?,
        failed: record.array()?,
        cut: record.u32()?,
        retransmits: record.u32()?,
        rtt_samples: record.u32()?,
        open: record.u32()?,
        unused: record.u32()?,
        rtt_us: record.u64()?,
        bytes_sent: record.u64()?,
        bytes_received: record.u64()?,
        first_ns: record.u64()?,
        last_ns: record.u64()?,
        connect_us: record.u64()?,
        connect_buckets: record.array()?,
        example: layout::Example {
            cookie: record.u64()?,
            local: record.words()?,
            tgid: record.u32()?,
            uid: record.u32()?,
            local_port: record.u16()?,
            remote_port: record.u16()?,
            flags: record.u32()?,
        },
    })
}

/// Reads of a socket's state what a comparison with the map needs: its flow and its phase.
pub(super) fn state(bytes: &[u8]) -> Option<(layout::FlowKey, u32)> {
    let phase = Record(bytes.get(KEY..)?).u32()?;
    Some((key(bytes)?, phase))
}

/// Whether anything happened on a flow; a refresh pass also leaves entries that only say what is.
pub(super) fn happened(value: &layout::FlowValue) -> bool {
    let counts = [value.opened, value.closed, value.abandoned, value.retransmits];
    counts.into_iter().chain(value.failed).any(|count| count != 0)
        || value.bytes_sent != 0
        || value.bytes_received != 0
}

/// Reads a new cgroup: its id and its path.
pub(super) fn cgroup(bytes: &[u8]) -> Option<(u64, Arc<str>)> {
    let mut record = Record(bytes);
    let id = record.u64()?;
    let path = record.0.split(|byte| *byte == 0).next().filter(|path| !path.is_empty())?;
    Some((id, Arc::from(String::from_utf8_lossy(path))))
}

/// An address as the kernel side has it in its keys.
pub(super) fn words(address: IpAddr) -> layout::Bytes16 {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bits = u128::from_le_bytes(address.octets());
    let [low, high] = [bits, bits >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    [low, high]
}

fn address(words: layout::Bytes16) -> IpAddr {
    Ipv6Addr::from(layout::bytes(words)).to_canonical()
}

/// Names of programs, each kept once.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<layout::Bytes16, Arc<str>>);

impl Names {
    /// More programs than a machine runs at a time; past it the table starts afresh.
    const MOST: usize = 4_096;

    fn get(&mut self, words: layout::Bytes16) -> Arc<str> {
        if let Some(name) = self.0.get(&words) {
            return Arc::clone(name);
        }
        let bytes = layout::bytes(words);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let name: Arc<str> = Arc::from(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()));
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(words, Arc::clone(&name));
        name
    }
}

/// An entry of a flow map as the model has it; `None` when the key is of no known direction. `wall` is what to add to
/// the kernel's clock.
pub(super) fn flow(
    key: &layout::FlowKey,
    value: &layout::FlowValue,
    wall: u64,
    names: &mut Names,
) -> Option<FlowDelta> {
    let direction = match key.direction {
        layout::DIRECTION_OUT => Direction::Outbound,
        layout::DIRECTION_IN => Direction::Inbound,
        layout::DIRECTION_LISTEN => Direction::Listen,
        _ => return None,
    };
    let local_class = match key.class & layout::CLASS_MASK {
        layout::CLASS_LOOPBACK => AddressClass::Loopback,
        layout::CLASS_LINK_LOCAL => AddressClass::LinkLocal,
        _ => AddressClass::Other,
    };
    let [refused, timeout, unreachable, reset, other] = value.failed.map(u64::from);
    let at = |ns: u64| Timestamp::from_nanos(ns.wrapping_add(wall));
    let rtt = value.rtt_us.checked_div(u64::from(value.rtt_samples));
    let connect = ConnectLatency { counts: value.connect_buckets.map(u64::from), sum_us: value.connect_us };
    let example = &value.example;
    Some(FlowDelta {
        key: FlowKey {
            machine: MachineId::OWN,
            generation: key.generation,
            cgroup: key.cgroup,
            netns: key.netns,
            direction,
            local_class,
            remote: address(key.remote),
            port: key.port,
            program: names.get(key.program),
            folded: key.class & layout::FLAG_FOLDED != 0,
        },
        opened: value.opened.into(),
        preexisting: value.preexisting.into(),
        closed: value.closed.into(),
        failed: Failures { refused, timeout, unreachable, reset, other },
        cut: value.cut.into(),
        abandoned: value.abandoned.into(),
        bytes_sent: value.bytes_sent,
        bytes_received: value.bytes_received,
        retransmits: value.retransmits.into(),
        rtt_us: rtt.map(|us| u32::try_from(us).unwrap_or(u32::MAX)),
        connect: (!connect.is_empty()).then(|| Box::new(connect)),
        first: at(value.first_ns),
        last: at(value.last_ns),
        example: (example.cookie != 0 || example.local_port != 0).then(|| SocketExample {
            pid: example.tgid,
            uid: example.uid,
            local_address: address(example.local),
            local_port: example.local_port,
            cookie: example.cookie,
        }),
        foreign_local: example.flags & layout::EXAMPLE_TRANSPARENT != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_key_is_read_as_it_lies_in_memory() {
        let mut bytes = bytes_of(&[77]);
        bytes.extend(4_026_531_840_u32.to_le_bytes());
        bytes.extend(443_u16.to_le_bytes());
        bytes.extend([layout::DIRECTION_OUT, layout::CLASS_LOOPBACK | layout::FLAG_FOLDED]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3]);
        bytes.extend(b"curl\0\0\0\0\0\0\0\0\0\0\0\0");
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        assert_eq!(bytes.len(), KEY);
        let key = key(&bytes).unwrap();
        let flow = flow(&key, &layout::FlowValue::ZERO, 5, &mut Names::default()).unwrap();
        assert_eq!(flow.key.remote, "10.1.2.3".parse::<IpAddr>().unwrap());
        assert_eq!((flow.key.cgroup, flow.key.netns, flow.key.port), (77, 4_026_531_840, 443));
        assert_eq!((&*flow.key.program, flow.key.folded, flow.key.generation), ("curl", true, 7));
        assert_eq!(words(flow.key.remote), key.remote);
        assert_eq!(flow.key.local_class, AddressClass::Loopback);
        assert_eq!(flow.example, None);
        assert_eq!(flow.rtt_us, None);
    }

    #[test]
    fn a_value_is_read_as_it_lies_in_memory() {
        let mut bytes: Vec<u8> = (1..=12_u32).chain([13, 0]).flat_map(u32::to_le_bytes).collect();
        bytes.extend(bytes_of(&[120, 14, 15, 16, 17, 18]));
        bytes.extend((20..28_u32).flat_map(u32::to_le_bytes));
        bytes.extend(bytes_of(&[9, 0, 1 << 56]));
        bytes.extend(100_u32.to_le_bytes());
        bytes.extend(1000_u32.to_le_bytes());
        bytes.extend(5000_u16.to_le_bytes());
        bytes.extend(80_u16.to_le_bytes());
        bytes.extend(layout::EXAMPLE_TRANSPARENT.to_le_bytes());
        assert_eq!(bytes.len(), VALUE);
        let read = value(&bytes).unwrap();
        assert_eq!(read.open, 13);
        assert_eq!(read.connect_buckets, [20, 21, 22, 23, 24, 25, 26, 27]);
        let key = layout::FlowKey { direction: layout::DIRECTION_IN, ..layout::FlowKey::ZERO };
        let flow = flow(&key, &read, 100, &mut Names::default()).unwrap();
        assert_eq!((flow.opened, flow.preexisting, flow.closed, flow.abandoned), (1, 2, 3, 4));
        assert_eq!(flow.failed, Failures { refused: 5, timeout: 6, unreachable: 7, reset: 8, other: 9 });
        assert_eq!(flow.cut, 10);
        let connect = ConnectLatency { counts: [20, 21, 22, 23, 24, 25, 26, 27], sum_us: 18 };
        assert_eq!(flow.connect.as_deref(), Some(&connect));
        assert_eq!((flow.retransmits, flow.rtt_us), (11, Some(10)));
        assert_eq!((flow.bytes_sent, flow.bytes_received), (14, 15));
        assert_eq!((flow.first.as_nanos(), flow.last.as_nanos()), (116, 117));
        assert!(flow.foreign_local);
        let example = flow.example.unwrap();
        assert_eq!(example.local_address, "::1".parse::<IpAddr>().unwrap());
        assert_eq!((example.pid, example.uid, example.local_port, example.cookie), (100, 1000, 5000, 9));
    }

    #[test]
    fn both_sides_sort_connect_latencies_by_the_same_bounds() {
        assert_eq!(layout::CONNECT_BOUNDS_US, ConnectLatency::BOUNDS_US);
        for (us, s) in ConnectLatency::BOUNDS_US.into_iter().zip(ConnectLatency::BOUNDS_S) {
            assert_eq!(std::time::Duration::from_micros(us), std::time::Duration::from_secs_f64(s));
        }
    }

    #[test]
    fn short_and_strange_records_are_nothing() {
        let long = [0xff_u8; KEY + VALUE];
        for length in 0..KEY {
            assert_eq!(key(&long[..length]), None);
        }
        for length in 0..VALUE {
            assert_eq!(value(&long[..length]), None);
        }
        let (key, value) = (key(&long).unwrap(), value(&long).unwrap());
        assert_eq!(flow(&key, &value, u64::MAX, &mut Names::default()), None);
        let key = layout::FlowKey { direction: layout::DIRECTION_OUT, ..key };
        assert!(flow(&key, &value, u64::MAX, &mut Names::default()).is_some());
        assert_eq!(cgroup(&[1, 2, 3]), None);
        assert_eq!(cgroup(&[0; 264]), None);
        assert_eq!(cgroup(b"\x07\0\0\0\0\0\0\0/a/b\0rest"), Some((7, Arc::from("/a/b"))));
        assert_eq!(cgroup(&[0xff; 264]).map(|(id, _)| id), Some(u64::MAX));
    }
}
