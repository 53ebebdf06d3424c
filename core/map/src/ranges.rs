//! Names that the settings give to ranges of addresses outside: offices, partners, a cloud's storage.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::collections::HashMap;
use crate::model::AddressRange;

/// Ranges of addresses outside by name. Of several that hold an address the one with the longest prefix names it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedRanges {
    /// By the range's first address and its prefix.
    names: HashMap<AddressRange, Arc<str>>,
    /// Lengths of the prefixes of IPv4 ranges, the longest first.
    four: BTreeSet<Reverse<u8>>,
    /// The same of IPv6.
    six: BTreeSet<Reverse<u8>>,
}

impl NamedRanges {
    /// Gives a range a name. A range that has one already keeps it, and that name is the error.
    pub fn insert(&mut self, name: Arc<str>, range: AddressRange) -> Result<(), Arc<str>> {
        let range = range.first();
        if let Some(known) = self.names.get(&range) {
            return Err(known.clone());
        }
        let prefixes = if range.address.is_ipv4() { &mut self.four } else { &mut self.six };
        prefixes.insert(Reverse(range.prefix));
        self.names.insert(range, name);
        Ok(())
    }

    /// How many ranges have names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no range has a name.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of an address.
    pub(crate) fn name(&self, address: IpAddr) -> Option<&Arc<str>> {
        let address = address.to_canonical();
        let prefixes = if address.is_ipv4() { &self.four } else { &self.six };
        prefixes
            .iter()
            .find_map(|Reverse(prefix)| self.names.get(&AddressRange { address, prefix: *prefix }.first()))
    }
}

impl Serialize for NamedRanges {
    /// A map from ranges to their names, sorted.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.names.iter().collect::<BTreeMap<_, _>>())
    }
}

impl<'de> Deserialize<'de> for NamedRanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut named = Self::default();
        for (range, name) in BTreeMap::<AddressRange, Arc<str>>::deserialize(deserializer)? {
            named.insert(name, range).map_err(|known| {
                serde::de::Error::custom(format_args!("range {range} has a name already: {known}"))
            })?;
        }
        Ok(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ranges: &[(&str, &str)]) -> NamedRanges {
        let mut named = NamedRanges::default();
        for (name, range) in ranges {
            named.insert((*name).into(), AddressRange::parse(range).unwrap()).unwrap();
        }
        named
    }

    fn name(named: &NamedRanges, address: &str) -> Option<String> {
        named.name(address.parse().unwrap()).map(ToString::to_string)
    }

    #[test]
    fn the_longest_prefix_names_an_address_whatever_the_order() {
        let ranges = [("all", "0.0.0.0/0"), ("host", "192.0.2.7"), ("office", "192.0.2.0/24")];
        let mut reversed = ranges;
        reversed.reverse();
        for ranges in [ranges, reversed] {
            let named = named(&ranges);
            assert_eq!(name(&named, "192.0.2.7").unwrap(), "host");
            assert_eq!(name(&named, "192.0.2.8").unwrap(), "office");
            assert_eq!(name(&named, "198.51.100.1").unwrap(), "all");
            assert_eq!(name(&named, "2001:db8::1"), None, "no IPv4 range holds an IPv6 address");
        }
    }

    #[test]
    fn ipv6_and_mapped_ipv4_addresses_have_names() {
        let named = named(&[("six", "2001:db8::/32"), ("four", "192.0.2.0/24")]);
        assert_eq!(name(&named, "2001:db8:5::1").unwrap(), "six");
        assert_eq!(name(&named, "2001:db9::1"), None);
        assert_eq!(name(&named, "::ffff:192.0.2.1").unwrap(), "four");
    }

    #[test]
    fn a_range_has_one_name() {
        let mut named = named(&[("office", "192.0.2.0/24")]);
        let same = AddressRange { address: "192.0.2.99".parse().unwrap(), prefix: 24 };
        assert_eq!(named.insert("branch".into(), same), Err("office".into()));
        assert_eq!(named.len(), 1);
    }
}
