//! `servicemap map` of a cluster, its connections as short lines.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::agent::{command, wait_until_attached};
use crate::map::MapCommand;
use crate::process::Process;

/// Observes the cluster of a kubeconfig for a time as the command line has it, and waits until it counts.
pub fn observe(kubeconfig: &Path, duration: &str) -> MapCommand {
    let mut command = command(&["map", "--for", duration, "-o", "json"]);
    command.env("KUBECONFIG", kubeconfig);
    let mut process = Process::spawn("servicemap map of a cluster", &mut command);
    wait_until_attached(&mut process);
    MapCommand { process }
}

/// `namespace/name:Type`.
pub fn party(end: &Value) -> String {
    let text = |key: &str| end[key].as_str().unwrap_or_default().to_owned();
    format!("{}/{}:{}", text("namespace"), text("name"), text("type"))
}

/// `source -> destination port`.
pub fn line(connection: &Value) -> String {
    format!(
        "{} -> {} {}",
        party(&connection["source"]),
        party(&connection["destination"]),
        connection["port"]
    )
}

/// Connections with an end in one of the namespaces.
pub fn within<'a>(connections: &'a [Value], namespaces: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    let is_within = |end: &Value| namespaces.contains(&end["namespace"].as_str().unwrap_or_default());
    connections.iter().filter(move |one| is_within(&one["source"]) || is_within(&one["destination"]))
}

/// Their lines, sorted.
pub fn lines(connections: &[Value], namespaces: &[&str]) -> BTreeSet<String> {
    within(connections, namespaces).map(line).collect()
}
