//! The graph between folding and spelling: what stands in each node, and what goes from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use servicemap_map::model::{Health, HealthStatus, ServiceId, ServiceType, Snapshot};

use super::links::Sum;
use super::marks::{Mark, Marks};
use super::place::Cell;
use super::view::{Fold, Limits, View};

/// A service of the map: listed, or only the end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) service_type: ServiceType,
    pub(super) health: Option<&'a Health>,
    pub(super) mark: Mark,
}

impl Known<'_> {
    pub(super) fn status(&self) -> HealthStatus {
        self.health.map_or(HealthStatus::Unknown, |health| health.status)
    }
}

/// What a node stands for.
#[derive(Default)]
pub(super) struct Content<'a> {
    pub(super) services: Vec<Known<'a>>,
    /// Connections between its own services.
    pub(super) inside: u64,
    /// TCP connections opened by, to and inside of it.
    opened: u64,
}

impl Content<'_> {
    pub(super) fn count(&self, which: impl Fn(&Known) -> bool) -> u64 {
        self.services.iter().filter(|service| which(service)).count() as u64
    }

    /// The worst health of its services.
    pub(super) fn health(&self) -> HealthStatus {
        self.services.iter().map(Known::status).max().unwrap_or_default()
    }

    /// How much it is missed when it is not drawn.
    fn weight(&self) -> (HealthStatus, u64, u64) {
        // Unknown or healthy: nobody looks for it because of that.
        let health = self.health().max(HealthStatus::Healthy);
        let dependents = self.services.iter().filter_map(|service| service.mark.dependents).max();
        (health, dependents.unwrap_or(0), self.opened)
    }

    fn absorb(&mut self, other: Self) {
        self.services.extend(other.services);
        self.inside = self.inside.saturating_add(other.inside);
        self.opened = self.opened.saturating_add(other.opened);
    }
}

/// What was folded and what is not drawn.
#[derive(Default)]
pub(super) struct Omitted {
    /// Nodes that several services were folded into, with how many; before some went into the rest.
    pub(super) folded: BTreeMap<Cell, u64>,
    /// Nodes left out since nothing that was asked for talks to them, and their services.
    pub(super) apart: (u64, u64),
    /// Nodes that were put together as the rest, and their services.
    pub(super) rest: (u64, u64),
    /// Arrows that are not drawn, and the connections that they stand for.
    pub(super) links: (u64, u64),
}

/// The graph of what is drawn.
pub(super) struct Cells<'a> {
    pub(super) contents: BTreeMap<Cell, Content<'a>>,
    pub(super) links: BTreeMap<(Cell, Cell), Sum<'a>>,
    pub(super) omitted: Omitted,
}

impl<'a> Cells<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, view: &View, limits: Limits) -> Self {
        let marks = Marks::new(&snapshot.topology);
        let known = known(snapshot, &marks);
        let pairs: BTreeSet<_> =
            snapshot.connections.iter().map(|c| (c.edge.source.id(), c.edge.destination.id())).collect();
        let fold = view.fold(known.len(), pairs.len(), limits);
        let mut cells = Self::folded(snapshot, &known, fold);
        if let Fold::Except(_) = fold {
            cells.focus();
        }
        let limits = view.limits(limits);
        cells.bound_nodes(limits.nodes);
        cells.bound_links(limits.links);
        cells
    }

    fn folded(snapshot: &'a Snapshot, known: &BTreeMap<ServiceId, Known<'a>>, fold: Fold) -> Self {
        let mut contents: BTreeMap<Cell, Content> = BTreeMap::new();
        for (id, service) in known {
            contents.entry(Cell::of(id, fold)).or_default().services.push(*service);
        }
        let is_folded = |cell: &&Cell| matches!(cell, Cell::Folded(_));
        let folded = contents.iter().filter(|(cell, _)| is_folded(cell));
        let folded = folded.map(|(cell, content)| (cell.clone(), content.services.len() as u64)).collect();
        let omitted = Omitted { folded, ..Omitted::default() };
        let mut cells = Self { contents, links: BTreeMap::new(), omitted };
        for connection in &snapshot.connections {
            let edge = &connection.edge;
            let (source, destination) = (edge.source.id(), edge.destination.id());
            let cycle = |id| known.get(id).and_then(|service| service.mark.cycle);
            let cyclic = source != destination && !edge.is_scan() && cycle(&source).is_some();
            let cyclic = cyclic && cycle(&source) == cycle(&destination);
            let mut sum = Sum::default();
            sum.add(connection, cyclic);
            let ends = (Cell::of(&source, fold), Cell::of(&destination, fold));
            for end in BTreeSet::from([&ends.0, &ends.1]) {
                if let Some(content) = cells.contents.get_mut(end) {
                    content.opened = content.opened.saturating_add(connection.totals.opened);
                }
            }
            cells.connect(ends, sum);
        }
        cells
    }

    /// Adds to the arrow between two nodes; of one that stands for several services to itself there is none.
    fn connect(&mut self, ends: (Cell, Cell), sum: Sum<'a>) {
        if ends.0 == ends.1 && !matches!(ends.0, Cell::Service(_)) {
            let content = self.contents.entry(ends.0).or_default();
            content.inside = content.inside.saturating_add(sum.len());
        } else {
            self.links.entry(ends).or_default().absorb(sum);
        }
    }

    /// Leaves only what is drawn by itself, and what that talks to.
    fn focus(&mut self) {
        let is_asked = |cell: &Cell| matches!(cell, Cell::Service(_));
        self.links.retain(|(source, destination), _| is_asked(source) || is_asked(destination));
        let linked: BTreeSet<&Cell> = self.links.keys().flat_map(|(a, b)| [a, b]).collect();
        let apart = self.contents.extract_if(.., |cell, _| !is_asked(cell) && !linked.contains(cell));
        self.omitted.apart = apart.fold((0, 0), |(nodes, services), (cell, content)| {
            self.omitted.folded.remove(&cell);
            (nodes + 1, services + content.services.len() as u64)
        });
    }

    /// Puts together as the rest what is missed least, so that at most `most` nodes are left.
    fn bound_nodes(&mut self, most: usize) {
        if self.contents.len() <= most {
            return;
        }
        let mut ranked: Vec<_> =
            self.contents.iter().map(|(cell, content)| (content.weight(), cell)).collect();
        ranked.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
        let small: BTreeSet<Cell> =
            ranked.into_iter().skip(most.saturating_sub(1)).map(|(_, cell)| cell.clone()).collect();
        let mut rest = Content::default();
        for cell in &small {
            if let Some(content) = self.contents.remove(cell) {
                self.omitted.rest.0 += 1;
                rest.absorb(content);
            }
        }
        self.omitted.rest.1 = rest.services.len() as u64;
        self.contents.insert(Cell::Rest, rest);
        let place = |cell: Cell| if small.contains(&cell) { Cell::Rest } else { cell };
        for ((source, destination), sum) in std::mem::take(&mut self.links) {
            self.connect((place(source), place(destination)), sum);
        }
    }

    /// Leaves out the arrows that are missed least, so that at most `most` are left.
    fn bound_links(&mut self, most: usize) {
        if self.links.len() <= most {
            return;
        }
        let weight = |sum: &Sum| (sum.failing(), sum.cyclic, sum.opened());
        let mut ranked: Vec<_> = self.links.iter().map(|(ends, sum)| (weight(sum), ends)).collect();
        ranked.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.cmp(other)));
        let small: BTreeSet<_> = ranked.into_iter().skip(most).map(|(_, ends)| ends.clone()).collect();
        for ends in small {
            if let Some(sum) = self.links.remove(&ends) {
                self.omitted.links.0 += 1;
                self.omitted.links.1 += sum.len();
            }
        }
    }
}

fn known<'a>(snapshot: &'a Snapshot, marks: &Marks) -> BTreeMap<ServiceId, Known<'a>> {
    let mark = |id: &ServiceId| marks.of(&id.to_string());
    let mut known = BTreeMap::new();
    for service in &snapshot.services {
        let (service_type, health) = (service.service_type, Some(&service.health));
        known.insert(service.id.clone(), Known { service_type, health, mark: mark(&service.id) });
    }
    let ends = snapshot.connections.iter().flat_map(|c| [&c.edge.source, &c.edge.destination]);
    for end in ends {
        let id = end.id();
        let mark = mark(&id);
        known.entry(id).or_insert(Known { service_type: end.service_type, health: None, mark });
    }
    known
}
