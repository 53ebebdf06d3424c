//! The checked configuration: what is built from it cannot fail for a mistake in a file.

mod check;
mod component;
mod roles;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use servicemap_map::model::EventTypes;

use super::{merge, substitute, yaml};
use crate::settings::Settings;
use crate::settings::reader::{Problem, lines};
use crate::settings::tree::{Node, Origin, Value};
use crate::telemetry::otlp_grpc::Signal;
use crate::telemetry::{debug, otlp_grpc, otlp_receiver, prometheus_server};

pub use component::{COMPONENTS, Component, ComponentKind, components};

/// Largest configuration file: many times what a long one has. `/dev/zero` would be read until memory ends.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// From which level on Servicemap's own log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What does not work.
    Error,
}

impl LogLevel {
    /// The word in the configuration and in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Settings of an exporter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Exporter {
    OtlpGrpc(Box<otlp_grpc::Settings>),
    Prometheus(prometheus_server::Settings),
    Debug(debug::Settings),
}

impl Exporter {
    /// Types of events that it asks for; `None` for those of the receiver.
    pub(super) fn events(&self) -> Option<EventTypes> {
        match self {
            Self::OtlpGrpc(settings) => settings.events,
            Self::Debug(settings) => settings.events,
            Self::Prometheus(_) => None,
        }
    }
}

/// Settings of a receiver.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Receiver {
    Servicemap(Box<Settings>),
    Otlp(otlp_receiver::Settings),
}

impl Receiver {
    /// Settings of the observer that it is, if it is one.
    pub(super) fn observer(&self) -> Option<&Settings> {
        match self {
            Self::Servicemap(settings) => Some(settings),
            Self::Otlp(_) => None,
        }
    }
}

/// One pipeline: what these receivers say goes to these exporters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline {
    pub(super) signal: Signal,
    pub(super) receivers: Vec<String>,
    pub(super) exporters: Vec<String>,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) receivers: Vec<(String, Receiver)>,
    pub(super) exporters: Vec<(String, Exporter)>,
    pub(super) pipelines: Vec<Pipeline>,
    log_level: LogLevel,
    tree: Node,
}

/// Everything that is wrong with a configuration, in the order of the files, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl ConfigErrors {
    fn new(mut problems: Vec<Problem>) -> Self {
        // What stands nowhere (something is missing) comes last.
        problems.sort_by_key(|problem| {
            problem.origin.as_ref().map_or((usize::MAX, 0), |origin| (origin.order, origin.line))
        });
        Self { problems }
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Reads the files, later ones over earlier ones, then `--set key=value`s over them, puts environment variables in and
/// checks the whole.
pub fn load(paths: &[PathBuf], sets: &[String]) -> Result<Config, ConfigErrors> {
    load_with(paths, sets, &|name| std::env::var(name).ok())
}

fn load_with(
    paths: &[PathBuf],
    sets: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigErrors> {
    let mut problems = Vec::new();
    let files = paths.iter().enumerate().map(|(order, path)| read(path, order));
    let sets = sets.iter().enumerate().map(|(index, set)| merge::tree_of_set(set, paths.len() + index));
    let mut tree = Node::bare(Value::Map(Vec::new()));
    for part in files.chain(sets) {
        match part {
            Ok(node) => merge::merge(&mut tree, node),
            Err(problem) => problems.push(problem),
        }
    }
    // A part that cannot be read would make every other message doubtful.
    if !problems.is_empty() {
        return Err(ConfigErrors::new(problems));
    }
    substitute::substitute(&mut tree, "", lookup, &mut problems);
    let config = check::check(tree, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(ConfigErrors::new(problems)) }
}

fn read(path: &Path, order: usize) -> Result<Node, Problem> {
    let file: Arc<str> = path.display().to_string().into();
    let text = text(path).map_err(|message| Problem {
        origin: Some(Origin { order, file: file.clone(), line: 0 }),
        path: String::new(),
        message,
    })?;
    yaml::parse(&text, &file, order)
}

/// The text of a file, or what is wrong with it.
fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    // Read, not asked for its size: devices and pipes have none.
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(
        |error| format!("cannot read this configuration file: {error}; correct its path or its permissions"),
    )?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let mib = MAX_FILE_BYTES >> 20;
        return Err(format!("is larger than {mib} MiB, which no configuration file is; correct its path"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8 text (byte {at}); correct its path, or save it as UTF-8")
    })
}

impl Config {
    /// From which level on the log is written: `service::telemetry::logs::level`.
    pub const fn log_level(&self) -> LogLevel {
        self.log_level
    }

    /// Settings of its observers: the `servicemap` receivers.
    pub fn observers(&self) -> impl Iterator<Item = &Settings> {
        self.receivers.iter().filter_map(|(_, receiver)| receiver.observer())
    }

    /// The merged configuration as JSON (which is YAML, too), with environment variables put in and header values
    /// hidden.
    pub fn to_json(&self) -> String {
        format!("{:#}", json(&self.tree))
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => i64::try_from(*value).map_or_else(|_| value.to_string().into(), Into::into),
        Value::Float(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let shown = |key: &str, node: &Node| if key == "headers" { hidden(node) } else { json(node) };
            entries
                .iter()
                .map(|entry| (entry.key.name.clone(), shown(&entry.key.name, &entry.node)))
                .collect()
        }
    }
}

/// Headers carry secrets: their names are shown, their values are not.
fn hidden(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.name.clone(), serde_json::Value::from("[REDACTED]")))
            .collect(),
        _ => "[REDACTED]".into(),
    }
}

#[cfg(test)]
mod tests;
