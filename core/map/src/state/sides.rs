//! Counts of an edge that are taken at both ends.
//!
//! Where the machine of a client and that of its server both tell what they count, each connection is counted twice. What
//! the clients of one machine did on an edge is what the side that saw more of it saw, number by number: nobody counts
//! what was not there, and a side that was away for a while (an agent that restarts, a machine that is heard of late)
//! has seen less. So nothing counts twice, nothing that one side saw is lost, and no number jumps or goes back when a side
//! comes or goes.

use super::flows::Flow;
use super::sums::Counts;
use crate::model::{Direction, MachineId};

/// Whose counts something is among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Taken at the clients of a machine.
    Client(MachineId),
    /// Taken at the server's side, of clients of a machine.
    Server(MachineId),
    /// Taken at the server's side, of clients on no machine that is known.
    Alone,
}

impl Count {
    /// Whose counts those of a flow are.
    pub(crate) fn of(flow: &Flow) -> Self {
        match (flow.key.direction, flow.client) {
            (Direction::Outbound, _) => Self::Client(flow.key.machine),
            (_, Some(machine)) => Self::Server(machine),
            (_, None) => Self::Alone,
        }
    }
}

/// What the clients of one machine did, as each side counted it.
#[derive(Clone, Debug)]
struct Sides {
    machine: MachineId,
    client: Counts,
    server: Counts,
}

/// The counts of one edge by machine and side.
#[derive(Clone, Debug, Default)]
pub(crate) struct BothSides {
    alone: Counts,
    /// Sorted by machine.
    machines: Vec<Sides>,
}

impl BothSides {
    /// Begins with what was counted before sides mattered.
    pub(crate) fn beginning_with(alone: Counts) -> Self {
        Self { alone, machines: Vec::new() }
    }

    /// Adds to the counts of a side; returns by how much the edge's counts grow.
    pub(crate) fn add(&mut self, whose: Count, counts: &Counts) -> Counts {
        let (machine, at_client) = match whose {
            Count::Alone => {
                self.alone.add(counts);
                return *counts;
            }
            Count::Client(machine) => (machine, true),
            Count::Server(machine) => (machine, false),
        };
        let Some(sides) = self.sides_mut(machine) else { return Counts::default() };
        let before = sides.larger();
        let side = if at_client { &mut sides.client } else { &mut sides.server };
        side.add(counts);
        sides.larger().less(&before)
    }

    /// Takes away what a flow has counted that goes with it.
    pub(crate) fn take(&mut self, whose: Count, counts: &Counts) {
        match whose {
            Count::Alone => self.alone = self.alone.less(counts),
            Count::Client(machine) => {
                if let Some(sides) = self.sides_mut(machine) {
                    sides.client = sides.client.less(counts);
                }
            }
            Count::Server(machine) => {
                if let Some(sides) = self.sides_mut(machine) {
                    sides.server = sides.server.less(counts);
                }
            }
        }
        self.machines.retain(|sides| sides.larger() != Counts::default());
    }

    /// Adds all that another edge has counted.
    pub(crate) fn absorb(&mut self, other: &Self) -> Counts {
        let mut growth = self.add(Count::Alone, &other.alone);
        for sides in &other.machines {
            growth.add(&self.add(Count::Client(sides.machine), &sides.client));
            growth.add(&self.add(Count::Server(sides.machine), &sides.server));
        }
        growth
    }

    /// The edge's counts.
    pub(crate) fn total(&self) -> Counts {
        let mut total = self.alone;
        self.machines.iter().for_each(|sides| total.add(&sides.larger()));
        total
    }

    /// Whether the clients of a machine have counted anything.
    pub(crate) fn counts_at_client(&self, machine: MachineId) -> bool {
        let place = self.machines.binary_search_by_key(&machine, |sides| sides.machine);
        place
            .ok()
            .and_then(|index| self.machines.get(index))
            .is_some_and(|sides| sides.client != Counts::default())
    }

    fn sides_mut(&mut self, machine: MachineId) -> Option<&mut Sides> {
        let place = self.machines.binary_search_by_key(&machine, |sides| sides.machine);
        let index = place.unwrap_or_else(|index| {
            let (client, server) = (Counts::default(), Counts::default());
            self.machines.insert(index, Sides { machine, client, server });
            index
        });
        self.machines.get_mut(index)
    }
}

impl Sides {
    fn larger(&self) -> Counts {
        self.client.larger(&self.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MachineId = MachineId(1);

    fn opened(opened: u64, closed: u64) -> Counts {
        Counts { opened, closed, ..Counts::default() }
    }

    #[test]
    fn what_both_sides_counted_counts_once_whichever_comes_first() {
        let mut sides = BothSides::default();
        assert_eq!(sides.add(Count::Client(ONE), &opened(3, 1)), opened(3, 1));
        assert_eq!(sides.add(Count::Server(ONE), &opened(2, 2)), opened(0, 1));
        assert_eq!(sides.add(Count::Server(ONE), &opened(2, 0)), opened(1, 0));
        assert_eq!(sides.total(), opened(4, 2));
    }

    #[test]
    fn machines_and_clients_of_no_machine_add_up() {
        let mut sides = BothSides::default();
        for whose in
            [Count::Alone, Count::Client(ONE), Count::Server(MachineId(2)), Count::Client(MachineId(2))]
        {
            sides.add(whose, &opened(2, 0));
        }
        assert_eq!(sides.total(), opened(6, 0));
    }

    #[test]
    fn what_is_taken_away_leaves_what_the_other_side_counted() {
        let mut sides = BothSides::default();
        sides.add(Count::Client(ONE), &opened(3, 1));
        sides.add(Count::Server(ONE), &opened(2, 1));
        assert!(sides.counts_at_client(ONE));
        sides.take(Count::Client(ONE), &opened(3, 1));
        assert!(!sides.counts_at_client(ONE));
        assert_eq!(sides.total(), opened(2, 1));
    }

    #[test]
    fn absorbing_another_edge_compares_side_with_side() {
        let mut sides = BothSides::default();
        sides.add(Count::Client(ONE), &opened(3, 3));
        let mut other = BothSides::default();
        other.add(Count::Server(ONE), &opened(4, 4));
        assert_eq!(sides.absorb(&other), opened(1, 1));
    }
}
