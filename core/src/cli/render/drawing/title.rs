//! What a picture says of itself: of whom and when it is, what was found, what was folded or left out, what was lost.

use std::fmt::Write as _;

use servicemap_map::model::{HealthStatus, Snapshot};

use super::super::table::lost;
use super::super::text::visible;
use super::cells::{Cells, Omitted};
use super::place::{Cell, Place, brief};
use super::view::View;
use super::words::{many, thousands};

pub(super) fn lines(snapshot: &Snapshot, view: &View, cells: &Cells) -> Vec<String> {
    let mut lines = vec![heading(snapshot), size(snapshot)];
    lines.extend(found(snapshot));
    lines.extend(asked(view, &cells.omitted));
    lines.extend(folded(&cells.omitted));
    lines.extend(bounded(cells));
    if !snapshot.gaps.is_empty() {
        lines.push(lost(&snapshot.gaps));
    }
    lines
}

fn heading(snapshot: &Snapshot) -> String {
    let observer = &snapshot.observer;
    let subject = if observer.cluster.is_empty() {
        brief(&observer.host)
    } else {
        format!("cluster {}", brief(&observer.cluster))
    };
    let at = snapshot.at.to_string();
    let at = at.split('.').next().map_or_else(|| at.clone(), |seconds| seconds.replace('T', " "));
    format!("Servicemap of {subject}, {at} UTC")
}

fn size(snapshot: &Snapshot) -> String {
    let totals = &snapshot.totals;
    let services = many(totals.services, "service", "services");
    let connections = many(totals.connections, "connection", "connections");
    format!("{services} · {connections} · {} external", thousands(totals.external_services))
}

/// What somebody should look at, wherever it is drawn; `None`: nothing.
fn found(snapshot: &Snapshot) -> Option<String> {
    let topology = &snapshot.topology;
    let with = |status| snapshot.services.iter().filter(|service| service.health.status == status).count();
    let counts = [
        (with(HealthStatus::Unhealthy), "unhealthy", "unhealthy"),
        (with(HealthStatus::Degraded), "degraded", "degraded"),
        (topology.cycles.len(), "cycle", "cycles"),
        (topology.single_points_of_failure.len(), "single point of failure", "single points of failure"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<_> = counts.map(|(count, one, more)| many(count as u64, one, more)).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn asked(view: &View, omitted: &Omitted) -> Option<String> {
    if view.namespaces.is_empty() || view.unfolded {
        return None;
    }
    let names: Vec<_> = view.namespaces.iter().map(|name| visible(name)).collect();
    let mut line = format!("only {} and what it talks to", names.join(", "));
    if omitted.apart.1 > 0 {
        let _ = write!(line, "; {} elsewhere", many(omitted.apart.1, "service", "services"));
    }
    Some(line)
}

/// `folded by namespace: 1,240 services in 37 namespaces, outside`.
fn folded(omitted: &Omitted) -> Option<String> {
    let count = |which: fn(&Place) -> bool| {
        omitted.folded.keys().filter(|cell| matches!(cell, Cell::Folded(place) if which(place))).count()
            as u64
    };
    let namespaces = count(|place| matches!(place, Place::Namespace(_)));
    let machines = count(|place| matches!(place, Place::Machine(_)));
    let mut places = Vec::new();
    if namespaces > 0 {
        places.push(many(namespaces, "namespace", "namespaces"));
    }
    if machines > 0 {
        places.push(many(machines, "machine", "machines"));
    }
    for place in [Place::Unnamed, Place::Nodes, Place::Outside] {
        let name = place.name();
        if omitted.folded.contains_key(&Cell::Folded(place)) {
            places.push(name);
        }
    }
    let services = omitted.folded.values().sum();
    let services = many(services, "service", "services");
    (!places.is_empty()).then(|| format!("folded by namespace: {services} in {}", places.join(", ")))
}

fn bounded(cells: &Cells) -> Vec<String> {
    let omitted = &cells.omitted;
    let mut lines = Vec::new();
    if omitted.rest.0 > 0 {
        let (nodes, services) = omitted.rest;
        let nodes = many(nodes, "node", "nodes");
        lines.push(format!(
            "drawn as one, \u{201c}the rest\u{201d}: {nodes} for {}, those with the least trouble and traffic",
            many(services, "service", "services"),
        ));
    }
    if omitted.links.0 > 0 {
        let (arrows, connections) = omitted.links;
        let all = arrows + cells.links.len() as u64;
        lines.push(format!(
            "left out: {} of {} for {}, those with the least trouble and traffic",
            thousands(arrows),
            many(all, "arrow", "arrows"),
            many(connections, "connection", "connections"),
        ));
    }
    lines
}
