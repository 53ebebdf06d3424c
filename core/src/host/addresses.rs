//! Addresses of the network namespace of a process, from `/proc/PID/net`: readable without entering the namespace.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// All local addresses of the namespace that the process `/proc/PID` is in; `None` when they cannot be read.
pub(super) fn of_process(process: &Path) -> Option<BTreeSet<IpAddr>> {
    let fib_trie = fs::read_to_string(process.join("net/fib_trie")).ok()?;
    // Without IPv6 in the kernel the file does not exist.
    let if_inet6 = fs::read_to_string(process.join("net/if_inet6")).unwrap_or_default();
    Some(local_ipv4(&fib_trie).map(IpAddr::from).chain(local_ipv6(&if_inet6).map(IpAddr::from)).collect())
}

/// Addresses that `fib_trie` marks `/32 host LOCAL` (`net/ipv4/fib_trie.c`): a leaf line `|-- ADDRESS`, then its
/// entries.
fn local_ipv4(fib_trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut leaf = None;
    fib_trie.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            return leaf;
        }
        None
    })
}

/// Addresses in `if_inet6` (`net/ipv6/addrconf.c`): 32 hex digits, then index, prefix length, scope, flags, name.
fn local_ipv6(if_inet6: &str) -> impl Iterator<Item = Ipv6Addr> {
    if_inet6.lines().filter_map(|line| {
        let digits = line.split_whitespace().next().filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_addresses_are_taken_from_the_trie() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\nLocal:\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
        assert_eq!(local_ipv4(trie).collect::<Vec<_>>(), [Ipv4Addr::new(10, 0, 0, 7)]);
    }

    #[test]
    fn ipv6_addresses_are_taken_from_if_inet6() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000002 02 40 00 80     eth0\n";
        let addresses: Vec<_> = local_ipv6(text).map(|address| address.to_string()).collect();
        assert_eq!(addresses, ["::1", "fd00::2"]);
    }

    #[test]
    fn nonsense_gives_no_address() {
        assert_eq!(local_ipv4("|-- x\n/32 host LOCAL\n\0").count(), 0);
        assert_eq!(local_ipv6("zz 01\n\nfe80").count(), 0);
    }
}
