//! Ranges of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Leading bits of `::ffff:0:0`, which IPv4-mapped IPv6 addresses have in common.
const MAPPED_PREFIX: u8 = 96;

/// A range of addresses (CIDR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many leading bits all addresses have in common: at most 32 (IPv4) or 128 (IPv6); more count as that.
    pub prefix: u8,
}

impl AddressRange {
    /// Reads `10.96.0.0/12`; an address alone is the range of that one. `None` where the text is neither, or has both
    /// IPv4-mapped and other addresses in it.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        let canonical = address.to_canonical();
        let mapped = if canonical == address { 0 } else { MAPPED_PREFIX };
        let prefix = prefix.checked_sub(mapped).filter(|_| prefix <= longest)?;
        Some(Self { address: canonical, prefix })
    }

    /// The same range by its first address, with a prefix that is no longer than addresses are.
    #[must_use]
    pub fn first(self) -> Self {
        match self.address.to_canonical() {
            IpAddr::V4(four) => {
                let prefix = self.prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(four.to_bits() & mask).into(), prefix }
            }
            IpAddr::V6(six) => {
                let prefix = self.prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(six.to_bits() & mask).into(), prefix }
            }
        }
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

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "{text:?} is no range of addresses; write for example \"10.96.0.0/12\""
            ))
        })
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
        assert_eq!(AddressRange::parse("::ffff:10.96.0.0/108"), Some(range("10.96.0.0", 12)));
        for text in [
            "::ffff:10.96.0.0/95",
            "",
            "10.96.0.0/33",
            "10.96.0.0/",
            "10.96.0.0/-1",
            "fd00::/129",
            "example.com",
        ] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_address_stands_for_the_range() {
        assert_eq!(range("10.111.2.3", 12).first(), range("10.96.0.0", 12));
        assert_eq!(range("10.111.2.3", 0).first(), range("0.0.0.0", 0));
        assert_eq!(range("10.111.2.3", 99).first().to_string(), "10.111.2.3/32");
        assert_eq!(range("fd00:10:ffff::1", 32).first(), range("fd00:10::", 32));
        assert_eq!(range("::1", 0).first(), range("::", 0));
    }
}
