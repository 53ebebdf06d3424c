//! `servicemap map -o json`: the map as one JSON document.

use serde_json::Value;

use crate::agent::{command, wait_until_attached};
use crate::edge::Edge;
use crate::process::Process;

/// Observes for a while and prints the map at the end.
#[derive(Debug)]
pub struct MapCommand {
    /// The process.
    pub process: Process,
}

impl MapCommand {
    /// Starts to observe for a time as the command line has it: `6s`.
    pub fn start(duration: &str) -> Self {
        let process =
            Process::spawn("servicemap map", &mut command(&["map", "--for", duration, "-o", "json"]));
        Self { process }
    }

    /// The same, and waits until it counts.
    pub fn attached(duration: &str) -> Self {
        let mut map = Self::start(duration);
        wait_until_attached(&mut map.process);
        map
    }

    /// The printed document; `None` while it still observes.
    pub fn document(&mut self) -> Option<Value> {
        let status = self.process.ended()?;
        assert!(status.success(), "{:?}", self.process);
        let text = self.process.screen();
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// Its connections; none while it still observes.
    pub fn connections(&mut self) -> Vec<Value> {
        let list = |map: Value| map["connections"].as_array().cloned().expect("`connections` is a list");
        self.document().map_or_else(Vec::new, list)
    }

    /// Its connections as edges.
    pub fn edges(&mut self) -> Vec<Edge> {
        let edge = |connection| Edge::from_map(connection).unwrap_or_else(|| panic!("no edge: {connection}"));
        self.connections().iter().map(edge).collect()
    }
}
