//! Who listens at which address and port of which network namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::collections::HashMap;
use crate::model::{AddressClass, Direction, FlowKey, Timestamp};

/// How sure it is that somebody is at a port; the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Its listening socket is open.
    Listening,
    /// It accepted a connection there; the listening socket itself was not seen.
    Accepted,
    /// It listened until lately.
    Closed,
}

/// Somebody at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// cgroup of the socket.
    pub(crate) cgroup: u64,
    /// Name of the program.
    pub(crate) program: Arc<str>,
    /// Since when it is known to be there.
    pub(crate) since: Timestamp,
    /// How sure that is.
    pub(crate) standing: Standing,
    bound: IpAddr,
    direction: Direction,
}

/// Listeners by namespace and port. Bounded by the flows that they come from.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    ports: HashMap<(u32, u16), Vec<Listener>>,
}

impl Listeners {
    /// Takes what a listening or accepting flow says. True when a connection may now find another listener than before.
    pub(crate) fn set(&mut self, key: &FlowKey, since: Timestamp, standing: Standing) -> bool {
        let listeners = self.ports.entry((key.netns, key.port)).or_default();
        if let Some(known) = listeners.iter_mut().find(|listener| listener.is_of(key)) {
            let news = standing < known.standing || since < known.since;
            known.standing = standing;
            known.since = known.since.min(since);
            return news;
        }
        listeners.push(Listener {
            cgroup: key.cgroup,
            program: key.program.clone(),
            since,
            standing,
            bound: bound(key),
            direction: key.direction,
        });
        true
    }

    /// Forgets what a flow said that is gone.
    pub(crate) fn remove(&mut self, key: &FlowKey) {
        let port = (key.netns, key.port);
        if let Some(listeners) = self.ports.get_mut(&port) {
            listeners.retain(|listener| !listener.is_of(key));
            if listeners.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// Who takes connections to an address and port. Of several (SO_REUSEPORT) the surest, then the one bound most
    /// closely, then the one that was there first.
    pub(crate) fn find(&self, netns: u32, address: IpAddr, port: u16) -> Option<&Listener> {
        self.at(netns, port)
            .filter_map(|listener| Some((listener.distance(address)?, listener)))
            .min_by_key(|(distance, found)| {
                (found.standing, *distance, found.since, found.cgroup, &*found.program)
            })
            .map(|(_, listener)| listener)
    }

    /// The program that listens at a port with sockets of this cgroup: who accepts there, where that was not seen.
    pub(crate) fn program(&self, netns: u32, cgroup: u64, port: u16) -> Option<&Arc<str>> {
        self.at(netns, port)
            .filter(|listener| listener.cgroup == cgroup && !listener.program.is_empty())
            .min_by_key(|found| (found.standing, found.since, &*found.program))
            .map(|listener| &listener.program)
    }

    fn at(&self, netns: u32, port: u16) -> impl Iterator<Item = &Listener> {
        self.ports.get(&(netns, port)).into_iter().flatten()
    }
}

impl Listener {
    fn is_of(&self, key: &FlowKey) -> bool {
        self.direction == key.direction
            && self.cgroup == key.cgroup
            && self.bound == bound(key)
            && self.program == key.program
    }

    /// How closely it is bound to an address to which it takes connections; `None` when it takes none. Whether one on all
    /// IPv6 addresses takes IPv4 too (IPV6_V6ONLY) is not known: it nearly always does.
    fn distance(&self, address: IpAddr) -> Option<u8> {
        // An accepting flow on any loopback address is kept under the first one.
        let any_loopback = self.direction == Direction::Inbound;
        match (self.bound, address) {
            (bound, address) if bound == address => Some(0),
            (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(v4)) if any_loopback && v4.is_loopback() => Some(1),
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(_)) => Some(2),
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), _) => Some(3),
            _ => None,
        }
    }
}

/// Where a flow's listener is bound. An accepting flow tells only the class of its local address: loopback stands for
/// itself, everything else for all addresses of the peer's family.
fn bound(key: &FlowKey) -> IpAddr {
    match (key.direction, key.local_class, key.remote) {
        (Direction::Listen, _, bound) => bound.to_canonical(),
        (_, AddressClass::Loopback, IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (_, AddressClass::Loopback, IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        (_, _, IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (_, _, IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MachineId;

    fn key(direction: Direction, remote: &str, program: &str) -> FlowKey {
        FlowKey {
            machine: MachineId::OWN,
            generation: 0,
            cgroup: 1,
            netns: 9,
            direction,
            local_class: AddressClass::Other,
            remote: remote.parse().unwrap(),
            port: 80,
            program: program.into(),
            folded: false,
        }
    }

    fn listen(address: &str, program: &str) -> FlowKey {
        key(Direction::Listen, address, program)
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    fn found(listeners: &Listeners, address: &str) -> Option<String> {
        listeners.find(9, address.parse().unwrap(), 80).map(|listener| listener.program.to_string())
    }

    #[test]
    fn ipv4_finds_its_own_address_then_all_ipv4_then_all() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("::", "dual"), at(1), Standing::Listening);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "dual");
        listeners.set(&listen("0.0.0.0", "four"), at(2), Standing::Listening);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "four");
        listeners.set(&listen("10.0.0.1", "exact"), at(3), Standing::Listening);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "exact");
    }

    #[test]
    fn ipv6_never_finds_a_listener_on_all_ipv4() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("0.0.0.0", "four"), at(1), Standing::Listening);
        assert_eq!(found(&listeners, "2001:db8::1"), None);
        listeners.set(&listen("::", "dual"), at(2), Standing::Listening);
        assert_eq!(found(&listeners, "2001:db8::1").unwrap(), "dual");
    }

    #[test]
    fn of_two_on_one_port_the_first_stays() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("0.0.0.0", "second"), at(2), Standing::Listening);
        listeners.set(&listen("0.0.0.0", "first"), at(1), Standing::Listening);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "first");
    }

    #[test]
    fn one_that_closed_is_found_until_another_listens() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("0.0.0.0", "old"), at(1), Standing::Listening);
        listeners.set(&listen("0.0.0.0", "old"), at(1), Standing::Closed);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "old");
        listeners.set(&listen("0.0.0.0", "new"), at(2), Standing::Listening);
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "new");
    }

    #[test]
    fn whoever_accepted_is_found_although_its_listener_was_not_seen() {
        let mut listeners = Listeners::default();
        let accepted = key(Direction::Inbound, "10.0.0.9", "server");
        assert!(listeners.set(&accepted, at(1), Standing::Accepted));
        assert_eq!(found(&listeners, "10.0.0.1").unwrap(), "server");
        listeners.remove(&accepted);
        assert_eq!(found(&listeners, "10.0.0.1"), None);
    }

    #[test]
    fn a_listener_on_one_loopback_address_is_not_on_another_but_an_accepting_one_may_be() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("127.0.0.1", "listens"), at(1), Standing::Listening);
        assert_eq!(found(&listeners, "127.0.0.1").unwrap(), "listens");
        assert_eq!(found(&listeners, "127.0.0.2"), None);
        let accepted = key(Direction::Inbound, "127.0.0.9", "accepts");
        let accepted = FlowKey { local_class: AddressClass::Loopback, ..accepted };
        listeners.set(&accepted, at(2), Standing::Accepted);
        assert_eq!(found(&listeners, "127.0.0.2").unwrap(), "accepts");
        assert_eq!(found(&listeners, "10.0.0.1"), None);
    }

    #[test]
    fn other_namespaces_and_ports_are_not_found() {
        let mut listeners = Listeners::default();
        listeners.set(&listen("0.0.0.0", "server"), at(1), Standing::Listening);
        assert!(listeners.find(8, "10.0.0.1".parse().unwrap(), 80).is_none());
        assert!(listeners.find(9, "10.0.0.1".parse().unwrap(), 81).is_none());
    }
}
