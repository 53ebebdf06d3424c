//! `servicemap run` with its standard output read: events as JSON lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::agent::command;
use crate::process::Process;

/// A running observer and what it has told.
#[derive(Debug)]
pub struct Events {
    /// The process.
    pub process: Process,
}

impl Events {
    /// Watches the cluster of a kubeconfig, and this machine.
    pub fn of_cluster(kubeconfig: &Path) -> Self {
        let mut command = command(&["run"]);
        command.env("KUBECONFIG", kubeconfig);
        Self { process: Process::spawn("servicemap run", &mut command) }
    }

    /// All events so far.
    pub fn all(&self) -> Vec<Value> {
        let parse =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.process.stdout().iter().map(parse).collect()
    }

    /// Those of a type.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = Value> {
        let kind = kind.to_owned();
        self.all().into_iter().filter(move |event| event["type"] == *kind)
    }

    /// Waits for the Service that every cluster has: then the first lists are in.
    pub fn wait_until_ready(&mut self) {
        self.wait_for("service.discovered", "service:default/kubernetes", crate::agent::TOLD);
    }

    /// Waits for an event about a subject.
    pub fn wait_for(&mut self, kind: &str, subject: &str, deadline: Duration) -> Value {
        self.process.wait_for(&format!("{kind} {subject}"), deadline, |process| {
            let lines = process.stdout();
            let events = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events.filter(|event| event["type"] == *kind).find(|event| event["subject"] == *subject)
        })
    }

    /// How often each (type, subject) was told, those that were there at the start left out.
    pub fn told(&self) -> BTreeMap<(String, String), usize> {
        let mut told = BTreeMap::new();
        for event in self.all().iter().filter(|event| event["initial"] != true) {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            *told.entry((text("type"), text("subject"))).or_default() += 1;
        }
        told
    }
}
