//! Ranges of addresses.

use std::net::IpAddr;

/// A range of addresses (CIDR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many leading bits all addresses have in common: at most 32 (IPv4) or 128 (IPv6); more count as that.
    pub prefix: u8,
}

impl AddressRange {
    /// Reads `10.96.0.0/12`; an address alone is the range of that one. `None` where the text is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(32))
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix.min(128))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(address: &str, prefix: u8) -> AddressRange {
        AddressRange { address: address.parse().unwrap(), prefix }
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_prefix() {
        let holds = |range: AddressRange, address: &str| range.contains(address.parse().unwrap());
        assert!(holds(range("10.96.0.0", 12), "10.111.255.255"));
        assert!(!holds(range("10.96.0.0", 12), "10.112.0.0"));
        assert!(holds(range("10.96.0.0", 12), "::ffff:10.96.0.1"));
        assert!(holds(range("fd00:10::", 32), "fd00:10:ffff::1"));
        assert!(!holds(range("fd00:10::", 32), "fd00:11::1"));
        assert!(!holds(range("0.0.0.0", 0), "::1"));
        assert!(holds(range("10.0.0.1", 255), "10.0.0.1"));
    }

    #[test]
    fn a_range_is_read_from_its_text() {
        assert_eq!(AddressRange::parse("10.96.0.0/12"), Some(range("10.96.0.0", 12)));
        assert_eq!(AddressRange::parse("10.96.0.1"), Some(range("10.96.0.1", 32)));
        assert_eq!(AddressRange::parse("fd00::/8"), Some(range("fd00::", 8)));
        for text in ["", "10.96.0.0/33", "10.96.0.0/", "10.96.0.0/-1", "fd00::/129", "example.com"] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }
}
