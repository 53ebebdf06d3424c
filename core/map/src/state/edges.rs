//! Edges as the map keeps them. What they count is in their flows, and is added up when somebody asks: so a fact changes one
//! place, and an edge takes little more room than its name.

use std::sync::{Arc, OnceLock};

use super::flows::{Flow, Flows};
use super::health::{Attempts, EdgeHealth};
use super::services::Entry;
use super::sides::{BothSides, Count};
use super::slots::{Id, Slots};
use super::sums::{Arrival, Counts, Sums};
use crate::collections::HashMap;
use crate::model::{
    Connection, ConnectionRef, MachineId, Provenance, ServiceId, ServiceType, Side, Timestamp,
};
use crate::resolve::{Candidates, VIA_NODE, is_offered};
use crate::settings::HealthSettings;

/// What consumers were told of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) established: bool,
    pub(crate) failing: bool,
}

impl Told {
    /// What is known of another one is known of this one as well.
    pub(crate) fn merge(&mut self, other: Self) {
        self.established |= other.established;
        self.failing |= other.failing;
    }

    pub(crate) fn anything(self) -> bool {
        self.established || self.failing
    }
}

/// Which edge: source, destination and the port that the destination offers.
pub(crate) type EdgeKey = (Id<Entry>, Id<Entry>, u16);

#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) key: EdgeKey,
    pub(crate) reference: ConnectionRef,
    side: Side,
    source_rule: &'static str,
    pub(crate) destination_rule: &'static str,
    /// Who else its ends might have been called; nobody, nearly always.
    candidates: Option<Box<Candidates>>,
    /// The counts of its sums by machine and side; only where several machines count.
    sides: Option<Box<BothSides>>,
    /// What flows counted that are gone.
    pub(crate) retired: Option<Box<Sums>>,
    /// What it counted in all before flows left with their own, until it is known who stays.
    before: Option<Box<Sums>>,
    /// Its flows: list and length.
    pub(crate) head: Option<Id<Flow>>,
    pub(crate) flows: u32,
    /// When something was last counted.
    pub(crate) last: Timestamp,
    /// Connections were established on it, and connections or attempts failed.
    opened: bool,
    failed: bool,
    /// Since when it carries an established connection.
    pub(crate) established: Option<Timestamp>,
    /// Since when its attempts fail.
    pub(crate) failing: Option<Timestamp>,
    /// It is one of the edges of its dependency.
    pub(crate) depends: bool,
    /// Nothing but failed on it, at a port that nobody offers.
    pub(crate) vain: bool,
    pub(crate) told: Told,
    health: EdgeHealth,
    cache: OnceLock<Arc<Connection>>,
}

/// What flows left behind at an edge.
#[derive(Debug)]
pub(crate) struct Remains {
    sums: Sums,
    sides: Option<BothSides>,
}

/// What became of an edge by a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// It carries its first established connection.
    pub(crate) established: bool,
    /// Its attempts start or stop to fail.
    pub(crate) failing: bool,
}

impl Edge {
    pub(crate) fn new(
        key: EdgeKey,
        reference: ConnectionRef,
        side: Side,
        rules: (&'static str, &'static str),
    ) -> Self {
        Self {
            key,
            reference,
            side,
            source_rule: rules.0,
            destination_rule: rules.1,
            candidates: None,
            sides: None,
            retired: None,
            before: None,
            last: Timestamp::ZERO,
            opened: false,
            failed: false,
            head: None,
            flows: 0,
            established: None,
            failing: None,
            depends: false,
            vain: false,
            told: Told::default(),
            health: EdgeHealth::default(),
            cache: OnceLock::new(),
        }
    }

    /// Counts by machine and side from now on.
    pub(crate) fn tell_sides_apart<'a>(&mut self, flows: impl Iterator<Item = &'a Flow>) {
        let retired = self.retired.as_ref().map_or_else(Counts::default, |sums| sums.counts);
        let mut sides = BothSides::beginning_with(retired);
        for flow in flows {
            sides.add(Count::of(flow), &flow.sums.counts);
        }
        self.sides = Some(Box::new(sides));
    }

    /// Whether clients of a machine have counted what they do here.
    pub(crate) fn counts_at_client(&self, machine: MachineId) -> bool {
        self.sides.as_ref().is_some_and(|sides| sides.counts_at_client(machine))
    }

    /// Another flow counts here. Clients know better; and it may turn out that a node passes on what comes from it.
    pub(crate) fn seen_by(&mut self, side: Side, rules: (&'static str, &'static str)) {
        if self.side == Side::Server && (side == Side::Client || rules.0 == VIA_NODE) {
            self.side = side;
            (self.source_rule, self.destination_rule) = rules;
            self.cache.take();
        }
    }

    /// Adds to the sums; returns what that is more than before, too.
    pub(crate) fn merge(&mut self, arrival: &Arrival<'_>, whose: Count) -> (Turn, Counts) {
        let growth = match &mut self.sides {
            None => arrival.sums.counts,
            Some(sides) => sides.add(whose, &arrival.sums.counts),
        };
        (self.grow(arrival, growth), growth)
    }

    /// What flows counted that are gone.
    pub(crate) fn remains(&self) -> Option<Remains> {
        let sums = self.retired.as_deref()?.clone();
        Some(Remains { sums, sides: self.sides.as_deref().cloned() })
    }

    /// Takes over what is left of another edge.
    pub(crate) fn inherit(&mut self, remains: &Remains, came: Timestamp) {
        let Remains { sums, sides } = remains;
        let growth = self.growth(sums, sides.as_ref());
        self.grow(&Arrival { sums, came }, growth);
        self.retire(sums);
    }

    /// Takes over all of an edge that has the same ends and port by now, but for the list of its flows.
    /// Its health has to be reviewed if this returns true.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        if let (Some(ours), Some(theirs)) = (&mut self.sides, &other.sides) {
            ours.absorb(theirs);
        }
        self.last = self.last.max(other.last);
        self.opened |= other.opened;
        self.failed |= other.failed;
        if let Some(retired) = &other.retired {
            self.retire(retired);
        }
        self.established = self.established.into_iter().chain(other.established).min();
        self.failing = self.failing.or(other.failing);
        self.told.merge(other.told);
        self.seen_by(other.side, (other.source_rule, other.destination_rule));
        if let Some(candidates) = &other.candidates {
            self.may_be(candidates);
        }
        self.cache.take();
        self.health.absorb(&other.health)
    }

    /// By how much its counts grow by those of another edge.
    fn growth(&mut self, sums: &Sums, sides: Option<&BothSides>) -> Counts {
        match (&mut self.sides, sides) {
            (Some(ours), Some(theirs)) => ours.absorb(theirs),
            (Some(ours), None) => ours.add(Count::Alone, &sums.counts),
            (None, Some(theirs)) => theirs.total(),
            (None, None) => sums.counts,
        }
    }

    /// Its ends might have been called like these as well.
    pub(crate) fn may_be(&mut self, others: &Candidates) {
        if self.candidates.get_or_insert_default().add(others) {
            self.cache.take();
        }
    }

    /// There is no such service any more.
    pub(crate) fn cannot_be(&mut self, service: &ServiceId) {
        if let Some(known) = &mut self.candidates {
            known.remove(service);
            self.cache.take();
        }
    }

    /// Its ends were named by these rules.
    pub(crate) fn named_by(&mut self, rules: (&'static str, &'static str)) {
        (self.source_rule, self.destination_rule) = rules;
        self.cache.take();
    }

    fn grow(&mut self, arrival: &Arrival<'_>, growth: Counts) -> Turn {
        self.last = self.last.max(arrival.sums.last);
        self.opened |= growth.opened > 0;
        self.failed |= growth.failed.total() > 0;
        self.cache.take();
        let mut turn = Turn::default();
        if self.established.is_none() && growth.opened > 0 {
            self.established = Some(arrival.came);
            turn.established = true;
        }
        // Starts to fail when at least half of the attempts fail, stops when all succeed: in between nothing turns.
        let (attempts, failed) = self.attempts(&growth);
        if self.failing.is_none() && failed > 0 && failed >= attempts - failed {
            self.failing = Some(arrival.came.max(arrival.sums.last));
            turn.failing = true;
        } else if self.failing.is_some() && failed == 0 && attempts > 0 {
            self.failing = None;
            turn.failing = true;
        }
        turn
    }

    /// A flow leaves with what it counted.
    pub(crate) fn lose(&mut self, whose: Count, counts: &Counts) {
        if let Some(sides) = &mut self.sides {
            sides.take(whose, counts);
        }
    }

    /// Flows will leave with what they counted: consumers see it here until it is known who stays.
    pub(crate) fn freeze(&mut self, flows: &Flows) {
        if self.before.is_none() {
            self.before = Some(Box::new(self.sums(flows)));
        }
    }

    /// All of its flows that are here, and what those left behind that are gone.
    fn sums(&self, flows: &Flows) -> Sums {
        let mut sums = self.retired.as_deref().cloned().unwrap_or_default();
        flows.list(self.head).for_each(|(_, flow)| sums.merge(&flow.sums));
        if let Some(sides) = &self.sides {
            sums.counts = sides.total();
        }
        sums
    }

    /// The counts of them.
    pub(crate) fn counts(&self, flows: &Flows) -> Counts {
        if let Some(before) = &self.before {
            return before.counts;
        }
        if let Some(sides) = &self.sides {
            return sides.total();
        }
        let mut counts = self.retired.as_deref().map_or_else(Counts::default, |retired| retired.counts);
        flows.list(self.head).for_each(|(_, flow)| counts.add(&flow.sums.counts));
        counts
    }

    /// Counts only what is here, after flows left with what they counted.
    pub(crate) fn recount(&mut self, flows: &Flows) {
        self.before = None;
        self.cache.take();
        let sums = self.sums(flows);
        self.last = sums.last;
        self.opened = sums.counts.opened > 0;
        self.failed = sums.counts.failed.total() > 0;
        if !self.opened {
            self.established = None;
        }
        if sums.counts.attempts().1 == 0 {
            self.failing = None;
        }
    }

    /// Keeps what a flow counted that goes.
    pub(crate) fn retire(&mut self, sums: &Sums) {
        self.retired.get_or_insert_default().merge(sums);
    }

    /// Whether it is from or to a service.
    pub(crate) fn touches(&self, service: Id<Entry>) -> bool {
        self.key.0 == service || self.key.1 == service
    }

    /// Whether the destination was seen to offer the port.
    pub(crate) fn offered(&self) -> bool {
        self.side == Side::Server || is_offered(self.destination_rule)
    }

    /// Whether nothing but failed here, at a port that nobody offers.
    pub(crate) fn is_vain(&self) -> bool {
        !self.offered() && !self.reference.is_scan() && !self.opened && self.failed
    }

    /// Counts attempts for its health; returns whether that has to be reviewed. Those of a scan say nothing.
    pub(crate) fn record_health(
        &mut self,
        at: Timestamp,
        attempts: Attempts,
        settings: &HealthSettings,
    ) -> bool {
        !self.reference.is_scan() && self.health.record(at, attempts, self.opened, settings)
    }

    /// Judges its health at `now`; returns when to do so again.
    pub(crate) fn review_health(&mut self, now: Timestamp, settings: &HealthSettings) -> Option<Timestamp> {
        let (is_other, remind) = self.health.review(now, self.opened, settings);
        if is_other {
            self.cache.take();
        }
        remind
    }

    /// Attempts that say something about the destination, and how many of them failed. What is counted at the server was
    /// accepted: there a reset is the client's doing, as of a load balancer that checks whether the port is open.
    pub(crate) fn attempts(&self, counts: &Counts) -> (u64, u64) {
        let (attempts, failed) = counts.attempts();
        match self.side {
            Side::Client => (attempts, failed),
            Side::Server => (attempts - failed, 0),
        }
    }

    /// Whether attempts say something about the destination: not so at a port of the machine where nobody listens, nor in a
    /// scan.
    pub(crate) fn tells_health(&self) -> bool {
        self.reference.destination.service_type != ServiceType::Node && !self.reference.is_scan()
    }

    /// Whether it shows that the source needs the destination.
    pub(crate) fn shows_dependency(&self) -> bool {
        self.opened || (self.failed && self.offered())
    }

    /// As consumers see it.
    pub(crate) fn view(&self, flows: &Flows) -> Arc<Connection> {
        let build = || {
            let sums = self.before.as_deref().cloned().unwrap_or_else(|| self.sums(flows));
            let ends = &self.reference;
            let beside = |known: &Candidates| known.beside(&ends.source, &ends.destination);
            let [source_candidates, destination_candidates] =
                self.candidates.as_deref().map(beside).unwrap_or_default();
            Arc::new(Connection {
                edge: self.reference.clone(),
                totals: sums.totals(),
                first_seen: sums.first,
                last_seen: sums.last,
                health: self.health.view(self.opened),
                provenance: Provenance {
                    side: self.side,
                    source_rule: self.source_rule,
                    destination_rule: self.destination_rule,
                    source_candidates,
                    destination_candidates,
                    direction_known: sums.direction_seen(),
                },
                connect_latency: sums.connect,
                example: sums.example.map(|(_, example)| example),
            })
        };
        self.cache.get_or_init(build).clone()
    }
}

/// All edges.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    slots: Slots<Edge>,
    index: HashMap<EdgeKey, Id<Edge>>,
}

impl Edges {
    /// A service is of another type now.
    pub(crate) fn retype(&mut self, service: Id<Entry>, service_type: ServiceType) {
        for edge in self.slots.values_mut().filter(|edge| edge.touches(service)) {
            if edge.key.0 == service {
                edge.reference.source.service_type = service_type;
            }
            if edge.key.1 == service {
                edge.reference.destination.service_type = service_type;
            }
            edge.cache.take();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: Id<Edge>) -> Option<&Edge> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Edge>) -> Option<&mut Edge> {
        self.slots.get_mut(id)
    }

    pub(crate) fn find(&self, key: EdgeKey) -> Option<Id<Edge>> {
        self.index.get(&key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<Edge>, &Edge)> {
        self.slots.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Edge> {
        self.slots.values_mut()
    }

    pub(crate) fn insert(&mut self, edge: Edge) -> Option<Id<Edge>> {
        let key = edge.key;
        let id = self.slots.insert(edge)?;
        self.index.insert(key, id);
        Some(id)
    }

    /// An edge has other ends, or another port. There must be none of that key.
    pub(crate) fn rename(&mut self, id: Id<Edge>, key: EdgeKey, reference: ConnectionRef) {
        let Some(edge) = self.slots.get_mut(id) else { return };
        self.index.remove(&edge.key);
        self.index.insert(key, id);
        (edge.key, edge.reference) = (key, reference);
        edge.cache.take();
    }

    pub(crate) fn remove(&mut self, id: Id<Edge>) -> Option<Edge> {
        let edge = self.slots.remove(id)?;
        self.index.remove(&edge.key);
        Some(edge)
    }
}
