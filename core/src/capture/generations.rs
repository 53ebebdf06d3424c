//! Which owner of an address a connection belongs to: user space counts an address's owners, the kernel side notes the
//! number under which a connection was opened, and its close is counted there, whoever has the address by then.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use aya::maps;

use super::{Capture, CaptureError, decode, layout};

const MAP: &str = "GENERATIONS";

/// What the kernel's map of addresses that changed hands holds.
#[derive(Debug)]
pub(super) struct Generations {
    /// Generations, with when each was told.
    raised: HashMap<layout::Bytes16, (u32, u64)>,
    /// The addresses in the order in which they were told: the oldest makes room.
    order: BTreeMap<u64, layout::Bytes16>,
    bound: usize,
    told: u64,
    forgotten: u64,
}

impl Generations {
    pub(super) fn new(bound: u32) -> Self {
        let bound = usize::try_from(bound).unwrap_or(usize::MAX).max(1);
        Self { raised: HashMap::new(), order: BTreeMap::new(), bound, told: 0, forgotten: 0 }
    }

    /// How many addresses were forgotten to make room.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn is(&self, address: layout::Bytes16, generation: u32) -> bool {
        self.raised.get(&address).is_some_and(|(known, _)| *known == generation)
    }

    /// Takes out the address that was told longest ago if there is no room for this one.
    fn make_room(&mut self, address: layout::Bytes16) -> Option<layout::Bytes16> {
        if self.raised.contains_key(&address) || self.raised.len() < self.bound {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.raised.remove(&oldest);
        self.forgotten += 1;
        Some(oldest)
    }

    fn note(&mut self, address: layout::Bytes16, generation: u32) {
        self.told += 1;
        if let Some((_, before)) = self.raised.insert(address, (generation, self.told)) {
            self.order.remove(&before);
        }
        self.order.insert(self.told, address);
    }
}

impl Capture {
    /// An address has another owner: connections from and to it that are opened from now on carry this generation, those
    /// that are open keep theirs to the end. The same number again changes nothing, and costs no system call. Of more
    /// addresses than [`generation_entries`](super::CaptureSettings::generation_entries) the one that was told longest ago
    /// is forgotten, which is counted: connections opened from then on carry 0.
    pub fn raise(&mut self, address: IpAddr, generation: u32) -> Result<(), CaptureError> {
        let failed = CaptureError::map(MAP);
        let address = decode::words(address);
        if self.generations.is(address, generation) {
            return Ok(());
        }
        let map = self.ebpf.map_mut(MAP).ok_or(CaptureError::Object { missing: MAP })?;
        let mut map = maps::HashMap::<_, layout::Bytes16, u32>::try_from(map).map_err(&failed)?;
        if let Some(oldest) = self.generations.make_room(address) {
            map.remove(&oldest).map_err(&failed)?;
        }
        map.insert(address, generation, 0).map_err(&failed)?;
        self.generations.note(address, generation);
        self.set(layout::CONTROL_RAISED, self.generations.raised.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_was_told_longest_ago_makes_room() {
        let mut generations = Generations::new(2);
        for (address, generation) in [(1, 1), (2, 1), (1, 2)] {
            assert_eq!(generations.make_room([0, address]), None);
            generations.note([0, address], generation);
        }
        assert!(generations.is([0, 1], 2) && !generations.is([0, 1], 1));
        assert_eq!(generations.make_room([0, 3]), Some([0, 2]));
        generations.note([0, 3], 1);
        assert_eq!((generations.forgotten(), generations.raised.len(), generations.order.len()), (1, 2, 2));
    }
}
