//! Machines: what means something on one of them only (addresses of its namespaces, who listens there, names of cgroups
//! and namespaces), and where an address leads from one machine to another.

use std::net::IpAddr;
use std::sync::Arc;

use super::addresses::{Addresses, Location};
use super::homes::Homes;
use super::listeners::{Listener, Listeners};
use super::names::Names;
use crate::collections::HashMap;
use crate::model::{Direction, FlowKey, MachineId, Timestamp};

/// Machines beside the own one: as many as Kubernetes is tested for. More are turned away, with all that they say.
pub(crate) const MAX_MACHINES: usize = 5_000;

/// Pairs of address and machine that are kept to find machines by address: 16 addresses a machine that others can reach.
/// Beyond, an address of another machine is found by the cluster's objects, or is outside.
const MAX_REACHABLE: usize = 16 * MAX_MACHINES;

/// What is known of one machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its name: namespace of its Process services, and the name of its node.
    pub(crate) name: Arc<str>,
    /// Since when its connections are counted without a break; `None` while they are not.
    pub(crate) observed_since: Option<Timestamp>,
    /// Addresses of its namespaces.
    pub(crate) addresses: Addresses,
    /// Who listens.
    pub(crate) listeners: Listeners,
    /// Names of cgroups and namespaces.
    pub(crate) names: Names,
    /// Containers by their network namespaces.
    pub(crate) homes: Homes,
    /// Flows that it counts.
    pub(crate) flows: u32,
    /// Nothing more will be told of it: it is forgotten with its last flow.
    parted: bool,
}

impl Machine {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            observed_since: None,
            addresses: Addresses::default(),
            listeners: Listeners::default(),
            names: Names::default(),
            homes: Homes::default(),
            flows: 0,
            parted: false,
        }
    }

    fn locate(&self, from: u32, address: IpAddr, port: u16) -> Location {
        self.addresses.locate(from, address, |netns| self.listeners.find(netns, address, port).is_some())
    }
}

/// Where an address leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whereabouts<'a> {
    /// To this namespace of this machine.
    At(&'a Machine, u32),
    /// To a machine that is known, but several namespaces have the address and nothing tells them apart.
    Ambiguous,
    /// To no machine that is known.
    Outside,
}

/// All machines.
#[derive(Debug)]
pub(crate) struct Machines {
    own: Machine,
    others: HashMap<MachineId, Machine>,
    by_name: HashMap<Arc<str>, MachineId>,
    /// Other machines by the addresses at which they can be reached.
    reachable: HashMap<IpAddr, Vec<MachineId>>,
    pairs: usize,
}

impl Machines {
    /// The own one alone.
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            own: Machine::new(name),
            others: HashMap::default(),
            by_name: HashMap::default(),
            reachable: HashMap::default(),
            pairs: 0,
        }
    }

    /// A machine, if anything was told of it.
    pub(crate) fn get(&self, id: MachineId) -> Option<&Machine> {
        if id == MachineId::OWN { Some(&self.own) } else { self.others.get(&id) }
    }

    /// A machine of which something is told. `None` when there is no room for another one.
    pub(crate) fn get_mut(&mut self, id: MachineId) -> Option<&mut Machine> {
        if id == MachineId::OWN {
            return Some(&mut self.own);
        }
        if self.others.len() >= MAX_MACHINES && !self.others.contains_key(&id) {
            return None;
        }
        Some(self.others.entry(id).or_insert_with(|| Machine::new(unnamed(id))))
    }

    /// A machine that is known already.
    pub(crate) fn known_mut(&mut self, id: MachineId) -> Option<&mut Machine> {
        if id == MachineId::OWN { Some(&mut self.own) } else { self.others.get_mut(&id) }
    }

    /// Whether there are others than the own one.
    pub(crate) fn are_several(&self) -> bool {
        !self.others.is_empty()
    }

    /// Another machine of a name.
    pub(crate) fn named(&self, name: &str) -> Option<(MachineId, &Machine)> {
        let id = self.by_name.get(name)?;
        Some((*id, self.others.get(id)?))
    }

    /// The other machine that has an address, if there is only one.
    pub(crate) fn only_one_with(&self, address: IpAddr) -> Option<(MachineId, &Machine)> {
        match self.reachable.get(&address.to_canonical()).map(Vec::as_slice) {
            Some([id]) => Some((*id, self.others.get(id)?)),
            _ => None,
        }
    }

    /// All machines.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Machine> {
        std::iter::once(&self.own).chain(self.others.values())
    }

    /// Learns a machine's name, and since when it is observed. `Some(true)` when flows may now be called differently, or
    /// count at their other side; `None` when there is no room.
    pub(crate) fn set(&mut self, id: MachineId, name: &Arc<str>, since: Option<Timestamp>) -> Option<bool> {
        let machine = self.get_mut(id)?;
        let before = std::mem::replace(&mut machine.name, name.clone());
        let news = before != *name || machine.observed_since != since;
        (machine.observed_since, machine.parted) = (since, false);
        if self.by_name.get(&before) == Some(&id) {
            self.by_name.remove(&before);
        }
        if id != MachineId::OWN {
            self.by_name.insert(name.clone(), id);
        }
        Some(news)
    }

    /// Nothing more will be told of a machine: nobody is found there any more, and it is forgotten with its last flow.
    /// True when it was known.
    pub(crate) fn part(&mut self, id: MachineId) -> bool {
        let Some(machine) = self.others.get_mut(&id) else { return false };
        (machine.observed_since, machine.parted) = (None, true);
        if self.by_name.get(&machine.name) == Some(&id) {
            self.by_name.remove(&machine.name);
        }
        self.reachable.retain(|_, machines| {
            machines.retain(|other| *other != id);
            !machines.is_empty()
        });
        self.pairs = self.reachable.values().map(Vec::len).sum();
        self.forget_if_over(id);
        true
    }

    /// A flow is gone.
    pub(crate) fn release(&mut self, flow: &FlowKey) {
        let Some(machine) = self.known_mut(flow.machine) else { return };
        machine.flows = machine.flows.saturating_sub(1);
        machine.names.release_cgroup(flow.cgroup);
        machine.homes.release(flow.netns);
        if flow.direction != Direction::Outbound {
            machine.listeners.remove(flow);
        }
        self.forget_if_over(flow.machine);
    }

    fn forget_if_over(&mut self, id: MachineId) {
        if self.others.get(&id).is_some_and(|machine| machine.parted && machine.flows == 0) {
            self.others.remove(&id);
        }
    }

    /// A namespace of a machine has an address. `Some(true)` when that is news, `None` when there is no room.
    pub(crate) fn insert_address(&mut self, id: MachineId, netns: u32, address: IpAddr) -> Option<bool> {
        let news = self.get_mut(id)?.addresses.insert(netns, address)?;
        if !news || id == MachineId::OWN || !leaves_machine(address) {
            return Some(news);
        }
        let room = self.pairs < MAX_REACHABLE;
        let machines = self.reachable.entry(address.to_canonical()).or_default();
        if let Err(place) = machines.binary_search(&id) {
            if !room {
                return None;
            }
            machines.insert(place, id);
            self.pairs += 1;
        }
        Some(true)
    }

    /// A namespace of a machine has an address no longer.
    pub(crate) fn remove_address(&mut self, id: MachineId, netns: u32, address: IpAddr) {
        let Some(machine) = self.known_mut(id) else { return };
        machine.addresses.remove(netns, address);
        if machine.addresses.is_local(address) {
            return;
        }
        let address = address.to_canonical();
        let Some(machines) = self.reachable.get_mut(&address) else { return };
        let before = machines.len();
        machines.retain(|other| *other != id);
        self.pairs -= before - machines.len();
        if machines.is_empty() {
            self.reachable.remove(&address);
        }
    }

    /// Where a socket in a namespace of a machine finds an address and port: on its own machine, else on the only other
    /// one that has it, else on the only one where somebody listens.
    pub(crate) fn locate(&self, id: MachineId, netns: u32, address: IpAddr, port: u16) -> Whereabouts<'_> {
        let Some(here) = self.get(id) else { return Whereabouts::Outside };
        match here.locate(netns, address, port) {
            Location::Here(netns) => return Whereabouts::At(here, netns),
            Location::Ambiguous => return Whereabouts::Ambiguous,
            Location::Outside => {}
        }
        let machines = self.reachable.get(&address).map_or(&[][..], Vec::as_slice);
        let mut places = machines.iter().filter_map(|id| self.others.get(id)).filter_map(|machine| {
            match machine.locate(NOWHERE, address, port) {
                Location::Here(netns) => Some((machine, netns)),
                Location::Ambiguous | Location::Outside => None,
            }
        });
        match (places.next(), places.next(), machines) {
            (Some((machine, netns)), None, _) => Whereabouts::At(machine, netns),
            (None, _, []) => Whereabouts::Outside,
            (None, _, _) => Whereabouts::Ambiguous,
            (Some(first), Some(second), _) => {
                let places = [first, second].into_iter().chain(places);
                let mut listening =
                    places.filter(|(machine, netns)| machine.listener(*netns, address, port).is_some());
                match (listening.next(), listening.next()) {
                    (Some((machine, netns)), None) => Whereabouts::At(machine, netns),
                    _ => Whereabouts::Ambiguous,
                }
            }
        }
    }
}

impl Machine {
    /// Who takes connections to an address and port of a namespace.
    pub(crate) fn listener(&self, netns: u32, address: IpAddr, port: u16) -> Option<&Listener> {
        self.listeners.find(netns, address, port)
    }
}

/// No namespace has this inode.
const NOWHERE: u32 = 0;

/// The name of a machine that was not told yet.
fn unnamed(id: MachineId) -> Arc<str> {
    format!("machine-{}", id.0).into()
}

/// Whether an address can mean the same on another machine.
fn leaves_machine(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => !four.is_link_local() && !four.is_loopback(),
        IpAddr::V6(six) => !six.is_unicast_link_local() && !six.is_loopback(),
    }
}
