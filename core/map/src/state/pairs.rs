//! The pairs behind an edge: its flows, by who is at their ends.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::sums::{Counts, Sums};
use super::{Edge, State};
use crate::model::{Direction, EdgePairs, Pair, PairEnd, Side};
use crate::resolve::Instant;

/// By what an end is known: two flows of the same ends are one pair.
type Name = PairEnd;

/// What was counted of a pair at either side.
#[derive(Debug, Default)]
struct Counted {
    client: Option<Sums>,
    server: Option<Sums>,
    /// The fullest description of both ends.
    source: PairEnd,
    destination: PairEnd,
}

impl State {
    /// The pairs behind the edge that has a key, as [`ConnectionRef::key`](crate::model::ConnectionRef::key) gives it.
    pub(crate) fn pairs(&self, key: &str) -> Option<EdgePairs> {
        let (_, edge) = self.edges.iter().find(|(_, edge)| edge.reference.key() == key)?;
        let mut counted = self.counted(edge);
        leave_out_twice_counted(&mut counted);
        let mut pairs: Vec<Pair> = counted.into_values().filter_map(Counted::pair).collect();
        pairs.sort_by_cached_key(|pair| {
            let Pair { source, destination, totals, .. } = pair;
            (Reverse((totals.opened, totals.failed.total())), source.clone(), destination.clone())
        });
        let left_out = pairs.len().saturating_sub(EdgePairs::MAX) as u64;
        pairs.truncate(EdgePairs::MAX);
        Some(EdgePairs { edge: edge.reference.clone(), pairs, left_out })
    }

    fn counted(&self, edge: &Edge) -> BTreeMap<(Name, Name), Counted> {
        let mut counted: BTreeMap<_, Counted> = BTreeMap::new();
        for (_, flow) in self.flows.list(edge.head) {
            let when = Instant { at: flow.sums.last, generation: flow.key.generation, patient: false };
            let local = flow.sums.example.as_ref().map(|(_, example)| example.local_address);
            let Some([source, destination]) = self.resolver.pair(&flow.key, local, when) else { continue };
            let at_client = flow.key.direction == Direction::Outbound;
            let name = (name(&source, at_client), name(&destination, !at_client));
            counted.entry(name).or_default().add(&flow.sums, at_client, source, destination);
        }
        counted
    }
}

/// A client that connects to a Service's address does not know to which pod it comes; the pod's own machine does, if it is
/// observed. Then only what no pod has counted is left to the address.
fn leave_out_twice_counted(counted: &mut BTreeMap<(Name, Name), Counted>) {
    let mut accepted: BTreeMap<Name, Counts> = BTreeMap::new();
    for ((source, _), pair) in &*counted {
        if let (None, Some(server)) = (&pair.client, &pair.server) {
            accepted.entry(source.clone()).or_default().add(&server.counts);
        }
    }
    counted.retain(|(source, destination), pair| {
        let (Some(client), None, Some(accepted)) = (&mut pair.client, &pair.server, accepted.get_mut(source))
        else {
            return true;
        };
        if destination.pod.is_some() {
            return true;
        }
        let left = client.counts.less(accepted);
        *accepted = accepted.less(&client.counts);
        client.counts = left;
        left.attempts().0 > 0 || left.opened > 0
    });
}

/// A pod is known by its name, whoever counts. What is no pod is known by its program where it counts itself, and by its
/// address at the other end.
fn name(end: &PairEnd, counts: bool) -> Name {
    let end = end.clone();
    match (&end.pod, counts) {
        (Some(_), _) => PairEnd { program: None, address: None, ..end },
        (None, true) => PairEnd { address: None, ..end },
        (None, false) => PairEnd { program: None, ..end },
    }
}

impl Counted {
    fn add(&mut self, sums: &Sums, at_client: bool, source: PairEnd, destination: PairEnd) {
        let side = if at_client { &mut self.client } else { &mut self.server };
        side.get_or_insert_default().merge(sums);
        describe(&mut self.source, source, at_client);
        describe(&mut self.destination, destination, !at_client);
    }

    /// Of what was counted at both sides each number is that of the side that saw more.
    fn pair(self) -> Option<Pair> {
        let (side, sums) = match (self.client, self.server) {
            (Some(client), Some(server)) => {
                let counts = client.counts.larger(&server.counts);
                (
                    Side::Client,
                    Sums {
                        counts,
                        first: client.first.min(server.first),
                        last: client.last.max(server.last),
                        ..client
                    },
                )
            }
            (Some(client), None) => (Side::Client, client),
            (None, Some(server)) => (Side::Server, server),
            (None, None) => return None,
        };
        Some(Pair {
            source: self.source,
            destination: self.destination,
            side,
            totals: sums.totals(),
            first_seen: sums.first,
            last_seen: sums.last,
        })
    }
}

/// Adds to what is known of an end. Whoever counts knows its own program best; of several the first in order is shown, so
/// that the order of flows does not show.
fn describe(known: &mut PairEnd, end: PairEnd, counts: bool) {
    let PairEnd { namespace, pod, node, program, address } = end;
    let first = |known: Option<_>, more| known.into_iter().chain(more).min();
    known.namespace = first(known.namespace.take(), namespace);
    known.pod = first(known.pod.take(), pod);
    known.node = first(known.node.take(), node);
    if counts || known.program.is_none() {
        known.program = first(known.program.take(), program);
    }
    known.address = known.address.into_iter().chain(address).min();
}
