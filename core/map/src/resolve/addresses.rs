//! Which network namespaces of this machine have which address.

use std::net::IpAddr;

use crate::collections::HashMap;

/// Pairs of namespace and address that are kept. A machine with 1,000 containers of a few addresses each has some
/// thousand; what is beyond is turned away, and connections to it lead outside.
pub(crate) const MAX_ADDRESSES: usize = 65_536;

/// Where an address is, seen from one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In this namespace of the machine.
    Here(u32),
    /// On this machine, but several namespaces have it and nothing tells them apart.
    Ambiguous,
    /// Not on this machine.
    Outside,
}

/// Addresses by owner.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    owners: HashMap<IpAddr, Vec<u32>>,
    pairs: usize,
}

impl Addresses {
    /// A namespace has an address. `Some(true)` when that is news, `None` when there is no room.
    pub(crate) fn insert(&mut self, netns: u32, address: IpAddr) -> Option<bool> {
        let address = address.to_canonical();
        // Every namespace has these, and they lead nowhere else.
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return Some(false);
        }
        if self.owners.get(&address).is_some_and(|owners| owners.contains(&netns)) {
            return Some(false);
        }
        if self.pairs >= MAX_ADDRESSES {
            return None;
        }
        let owners = self.owners.entry(address).or_default();
        owners.push(netns);
        owners.sort_unstable();
        self.pairs += 1;
        Some(true)
    }

    /// A namespace has an address no longer.
    pub(crate) fn remove(&mut self, netns: u32, address: IpAddr) {
        let address = address.to_canonical();
        let Some(owners) = self.owners.get_mut(&address) else { return };
        let before = owners.len();
        owners.retain(|owner| *owner != netns);
        self.pairs -= before - owners.len();
        if owners.is_empty() {
            self.owners.remove(&address);
        }
    }

    /// Whether the address is one of this machine's.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || address.is_unspecified() || self.owners.contains_key(&address)
    }

    /// Whether a namespace has an address.
    pub(crate) fn has(&self, netns: u32, address: IpAddr) -> bool {
        self.owners.get(&address.to_canonical()).is_some_and(|owners| owners.contains(&netns))
    }

    /// Where a socket in namespace `from` finds `address`: at home, else at the only owner, else at the only owner for
    /// which `listens` is true.
    pub(crate) fn locate(&self, from: u32, address: IpAddr, listens: impl Fn(u32) -> bool) -> Location {
        if address.is_loopback() || address.is_unspecified() {
            return Location::Here(from);
        }
        match self.owners.get(&address).map(Vec::as_slice) {
            None | Some([]) => Location::Outside,
            Some(owners) if owners.contains(&from) => Location::Here(from),
            Some([owner]) => Location::Here(*owner),
            Some(owners) => {
                let mut listening = owners.iter().filter(|owner| listens(**owner));
                match (listening.next(), listening.next()) {
                    (Some(owner), None) => Location::Here(*owner),
                    _ => Location::Ambiguous,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn nobody(_: u32) -> bool {
        false
    }

    #[test]
    fn loopback_belongs_to_the_namespace_that_asks() {
        let addresses = Addresses::default();
        assert_eq!(addresses.locate(7, ip("127.0.0.53"), nobody), Location::Here(7));
        assert_eq!(addresses.locate(7, ip("::1"), nobody), Location::Here(7));
    }

    #[test]
    fn home_comes_before_other_owners() {
        let mut addresses = Addresses::default();
        addresses.insert(1, ip("10.0.0.1"));
        addresses.insert(2, ip("10.0.0.1"));
        assert_eq!(addresses.locate(2, ip("10.0.0.1"), |netns| netns == 1), Location::Here(2));
    }

    #[test]
    fn of_several_owners_the_only_one_that_listens_is_taken() {
        let mut addresses = Addresses::default();
        addresses.insert(1, ip("10.0.0.1"));
        addresses.insert(2, ip("10.0.0.1"));
        assert_eq!(addresses.locate(3, ip("10.0.0.1"), |netns| netns == 2), Location::Here(2));
        assert_eq!(addresses.locate(3, ip("10.0.0.1"), nobody), Location::Ambiguous);
        assert_eq!(addresses.locate(3, ip("10.0.0.1"), |_| true), Location::Ambiguous);
    }

    #[test]
    fn an_address_that_was_taken_away_is_outside() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.insert(1, ip("10.0.0.1")), Some(true));
        assert_eq!(addresses.insert(1, ip("10.0.0.1")), Some(false));
        addresses.remove(1, ip("10.0.0.1"));
        assert_eq!(addresses.locate(3, ip("10.0.0.1"), nobody), Location::Outside);
        assert_eq!(addresses.pairs, 0);
    }

    #[test]
    fn mapped_ipv4_is_the_same_address() {
        let mut addresses = Addresses::default();
        addresses.insert(1, ip("::ffff:10.0.0.1"));
        assert!(addresses.is_local(ip("10.0.0.1")));
    }

    #[test]
    fn beyond_the_bound_addresses_are_turned_away() {
        let mut addresses = Addresses::default();
        for n in 0..u32::try_from(MAX_ADDRESSES).unwrap() {
            assert_eq!(addresses.insert(1, IpAddr::from((0x0a00_0000 + n).to_be_bytes())), Some(true));
        }
        assert_eq!(addresses.insert(1, ip("192.0.2.1")), None);
    }
}
