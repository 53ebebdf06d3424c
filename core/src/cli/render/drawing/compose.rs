//! From what is shown to words, shapes and frames.

use std::collections::BTreeMap;

use servicemap_map::model::{HealthStatus, ServiceType, Snapshot};

use super::cells::{Cells, Content, Known};
use super::place::{Cell, Place, brief};
use super::view::{Limits, View};
use super::words::{CRITICAL, CYCLE, diagnosis, many, thousands};
use super::{Drawing, Group, Link, Node, Shape, legend, title};

impl Drawing {
    /// The map as `view` asks for it, within `limits` as far as that leaves a choice.
    pub(in super::super) fn new(snapshot: &Snapshot, view: &View, limits: Limits) -> Self {
        let cells = Cells::new(snapshot, view, limits);
        let ids: BTreeMap<&Cell, String> =
            cells.contents.keys().enumerate().map(|(index, cell)| (cell, format!("n{index}"))).collect();
        let groups = groups(&cells, &ids);
        let links: Vec<Link> = cells
            .links
            .iter()
            .filter_map(|((source, destination), sum)| {
                let alone = |cell: &Cell| matches!(cell, Cell::Service(_));
                Some(Link {
                    source: ids.get(source)?.clone(),
                    destination: ids.get(destination)?.clone(),
                    lines: if alone(source) && alone(destination) { sum.by_port() } else { sum.in_one() },
                    quarters: sum.quarters(),
                    failing: sum.failing(),
                    cyclic: sum.cyclic,
                })
            })
            .collect();
        Self {
            title: title::lines(snapshot, view, &cells),
            legend: legend::nodes(&groups, &links),
            groups,
            links,
        }
    }
}

fn groups(cells: &Cells, ids: &BTreeMap<&Cell, String>) -> Vec<Group> {
    let mut framed: BTreeMap<Option<Place>, Vec<Node>> = BTreeMap::new();
    for (cell, content) in &cells.contents {
        let Some(id) = ids.get(cell) else { continue };
        let place = cell.place().filter(|place| place.frame().is_some());
        framed.entry(place).or_default().push(node(id, cell, content));
    }
    let group =
        |(place, nodes): (Option<Place>, _)| Group { label: place.and_then(|place| place.frame()), nodes };
    framed.into_iter().map(group).collect()
}

fn node(id: &str, cell: &Cell, content: &Content) -> Node {
    let (lines, shape, critical) = match (cell, content.services.first()) {
        (Cell::Service(service), Some(known)) => {
            (alone(&service.name, known), shape(known.service_type), known.mark.dependents.is_some())
        }
        (Cell::Folded(place), _) => {
            let heading = [place.name(), place.population(content.services.len() as u64)];
            (together(&heading, content), Shape::Folded, false)
        }
        (Cell::Rest | Cell::Service(_), _) => {
            let heading = ["the rest".to_owned(), many(content.services.len() as u64, "service", "services")];
            (together(&heading, content), Shape::Folded, false)
        }
    };
    Node { id: id.to_owned(), lines, shape, health: content.health(), critical }
}

const fn shape(service_type: ServiceType) -> Shape {
    match service_type {
        ServiceType::External | ServiceType::ExternalName => Shape::Outside,
        ServiceType::Node => Shape::Machine,
        _ => Shape::Service,
    }
}

/// What stands on a service: name, type, and why somebody should look.
fn alone(name: &str, known: &Known) -> Vec<String> {
    let mut lines = vec![brief(name), known.service_type.as_str().to_owned()];
    let reasons = known.health.map(|health| health.reasons.as_slice()).unwrap_or_default();
    lines.extend(diagnosis(known.status(), reasons));
    if let Some((_, members)) = known.mark.cycle {
        lines.push(format!("{CYCLE} in a cycle of {}", thousands(members as u64)));
    }
    if let Some(dependents) = known.mark.dependents {
        lines.push(format!("{CRITICAL} single point of failure for {}", thousands(dependents)));
    }
    lines
}

/// What stands on a node for several services: of each mark, on how many it is.
fn together(heading: &[String; 2], content: &Content) -> Vec<String> {
    let mut lines = heading.to_vec();
    let counts = [
        (content.count(|known| known.status() == HealthStatus::Unhealthy), "✖", "unhealthy", "unhealthy"),
        (content.count(|known| known.status() == HealthStatus::Degraded), "⚠", "degraded", "degraded"),
        (content.count(|known| known.mark.cycle.is_some()), CYCLE, "in a cycle", "in cycles"),
        (
            content.count(|known| known.mark.dependents.is_some()),
            CRITICAL,
            "single point of failure",
            "single points of failure",
        ),
    ];
    for (count, sign, one, more) in counts {
        if count > 0 {
            lines.push(format!("{sign} {}", many(count, one, more)));
        }
    }
    if content.inside > 0 {
        lines.push(many(content.inside, "connection inside", "connections inside"));
    }
    lines
}
