//! Maps that `-o json` wrote: how they are read, and what their analysis needs of them.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use servicemap_map::model::{ServiceId, ServiceKind, ServiceRef, Snapshot, SnapshotTopology};

use super::error::CliError;

/// A map as it was saved.
#[derive(Debug, Deserialize)]
pub(super) struct SavedMap {
    services: Vec<SavedService>,
    connections: Vec<SavedConnection>,
    pub(super) topology: SnapshotTopology,
}

#[derive(Debug, Deserialize)]
struct SavedService {
    id: ServiceId,
    /// What leads to it from outside.
    #[serde(default)]
    exposed_by: Vec<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct SavedConnection {
    source: ServiceRef,
    destination: ServiceRef,
    opened: u64,
}

/// The version alone: a map of another one may have other fields.
#[derive(Debug, Deserialize)]
struct Version {
    version: u32,
}

/// What a command needs of a saved map; `path` is where it is.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8], path: &Path) -> Result<T, CliError> {
    let refused = |why: String| CliError::SavedMap { path: path.to_owned(), why };
    let Version { version } = serde_json::from_slice(text).map_err(|error| refused(error.to_string()))?;
    if version != Snapshot::VERSION {
        let known = Snapshot::VERSION;
        return Err(refused(format!("its version is {version}, and this servicemap reads {known}")));
    }
    serde_json::from_slice(text).map_err(|error| refused(error.to_string()))
}

impl SavedMap {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
        parse(&text, path)
    }

    /// All services, each with whether it is outside or something leads to it from there.
    pub(super) fn services(&self) -> Vec<(ServiceId, bool)> {
        let is_open = |one: &SavedService| one.id.kind == ServiceKind::External || !one.exposed_by.is_empty();
        self.services.iter().map(|one| (one.id.clone(), is_open(one))).collect()
    }

    /// Who needs whom, and how many connections were opened over it.
    pub(super) fn dependencies(&self) -> Vec<(ServiceId, ServiceId, u64)> {
        let mut opened = HashMap::<_, u64>::new();
        for connection in &self.connections {
            let sum = opened.entry((connection.source.id(), connection.destination.id())).or_default();
            *sum = sum.saturating_add(connection.opened);
        }
        let ends = self.topology.dependencies.iter().map(|one| (one.source.clone(), one.destination.clone()));
        ends.map(|ends| {
            let connections = opened.get(&ends).copied().unwrap_or_default();
            (ends.0, ends.1, connections)
        })
        .collect()
    }
}
