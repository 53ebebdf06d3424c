//! The analysis of the topology as sentences for people.

use std::fmt::Write as _;

use servicemap_map::model::{Chain, ServiceAnalysis, SinglePointOfFailure, SnapshotTopology};

use super::text::visible;

/// Entries of a list that are shown: as many as fit on a screen beside the other lists.
const MAX_SHOWN: usize = 10;

/// What follows from the graph.
pub(crate) fn topology(topology: &SnapshotTopology) -> String {
    let left = topology.left_out;
    let mut out = String::new();
    let points = &topology.single_points_of_failure;
    section(
        &mut out,
        "Single points of failure",
        "No service is one.",
        points.iter().map(single_point),
        left.single_points_of_failure,
    );
    let cycles = topology.shortest_cycles.iter().map(|cycle| round(cycle));
    section(&mut out, "Circular dependencies", "There are none.", cycles, left.shortest_cycles);
    chain_section(&mut out, "Longest chain", topology.longest_chain.as_ref());
    chain_section(&mut out, "Busiest chain", topology.busiest_chain.as_ref());
    let orphans = topology.orphans.iter().map(|id| visible(id));
    section(&mut out, "Orphans: nobody connects to them", "There are none.", orphans, left.orphans);
    let crossing = |crosses: fn(&servicemap_map::model::SnapshotDependency) -> bool| {
        let all = topology.dependencies.iter().filter(move |one| crosses(one));
        all.map(|one| {
            let (from, to) = (one.source.to_string(), one.destination.to_string());
            format!("{} → {}", visible(&from), visible(&to))
        })
    };
    section(
        &mut out,
        "Dependencies across environments",
        "There are none.",
        crossing(|one| one.cross_environment),
        0,
    );
    section(
        &mut out,
        "Dependencies across namespaces",
        "There are none.",
        crossing(|one| one.cross_namespace),
        0,
    );
    let disallowed = topology.disallowed_connections.iter().map(|one| visible(&one.connection));
    section(&mut out, "Connections that no network policy allows", "There are none.", disallowed, 0);
    let open = topology.unrestricted_services.iter().map(|id| visible(id));
    section(&mut out, "Services that no network policy restricts", "There are none.", open, 0);
    out
}

/// What follows from the graph for one service.
pub(crate) fn service_analysis(found: &ServiceAnalysis) -> String {
    let name = visible(&found.service.to_string());
    let mut out = String::new();
    let affected = found.needed_by.len() + found.needed_through_others.len();
    let _ = writeln!(out, "When {name} fails, {affected} other services are affected.");
    match &found.single_point_of_failure {
        Some(one) => {
            let _ = writeln!(out, "It is a single point of failure: {}.", why(one));
        }
        None => out.push_str("It is no single point of failure.\n"),
    }
    out.push('\n');
    let list = |ids: &[String]| ids.iter().map(|id| visible(id)).collect::<Vec<_>>();
    let nobody = "Nobody.";
    section(&mut out, "Affected at once: they need it", nobody, list(&found.needed_by).into_iter(), 0);
    section(&mut out, "Affected through others", nobody, list(&found.needed_through_others).into_iter(), 0);
    section(&mut out, "It needs", nobody, list(&found.needs).into_iter(), 0);
    section(&mut out, "It needs through others", nobody, list(&found.needs_through_others).into_iter(), 0);
    let cycle = (!found.shortest_cycle.is_empty()).then(|| round(&found.shortest_cycle));
    section(&mut out, "Circular dependency, the shortest way round", "None.", cycle.into_iter(), 0);
    chain_section(&mut out, "Longest chain through it", found.longest_chain.as_ref());
    chain_section(&mut out, "Busiest chain through it", found.busiest_chain.as_ref());
    out
}

/// A heading with a bounded list beneath it; `left_out` entries more are not in the list at all.
fn section(out: &mut String, heading: &str, none: &str, all: impl Iterator<Item = String>, left_out: u64) {
    let mut all = all.peekable();
    let _ = writeln!(out, "{heading}");
    if all.peek().is_none() {
        let _ = writeln!(out, "  {none}");
    }
    for line in all.by_ref().take(MAX_SHOWN) {
        let _ = writeln!(out, "  {line}");
    }
    let more = all.count() as u64 + left_out;
    if more > 0 {
        let _ = writeln!(out, "  and {more} more; `-o json` lists them");
    }
    out.push('\n');
}

fn chain_section(out: &mut String, heading: &str, chain: Option<&Chain>) {
    let line = chain.map(|chain| {
        let step = |members: &Vec<String>| match members.as_slice() {
            [] => String::new(),
            [one] => visible(one),
            [first, others @ ..] => format!("({} and {} more in a circle)", visible(first), others.len()),
        };
        let mut steps: Vec<String> = chain.steps.iter().take(MAX_SHOWN).map(step).collect();
        let more = chain.steps.len().saturating_sub(MAX_SHOWN);
        if more > 0 {
            steps.push(format!("… {more} more"));
        }
        let (path, connections) = (steps.join(" → "), chain.connections);
        format!("{path}  (at least {connections} connections over each step)")
    });
    section(out, heading, "There is none.", line.into_iter(), 0);
}

fn single_point(one: &SinglePointOfFailure) -> String {
    format!("{}: {}", visible(&one.service), why(one))
}

fn why(one: &SinglePointOfFailure) -> String {
    let mut why = format!("{} services depend on it", one.dependents);
    if one.separates {
        why.push_str("; without it the graph falls apart");
    }
    if one.entry_points > 1 {
        let _ = write!(why, "; {} entry points depend on it with everything they do", one.entry_points);
    }
    why
}

/// A way round, back to where it begins.
fn round(cycle: &[String]) -> String {
    let mut steps: Vec<String> = cycle.iter().take(MAX_SHOWN).map(|id| visible(id)).collect();
    let more = cycle.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        steps.push(format!("… {more} more"));
    }
    steps.extend(cycle.first().map(|id| visible(id)));
    steps.join(" → ")
}
