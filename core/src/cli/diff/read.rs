//! Maps that are compared: saved ones, and those of recordings at an instant.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use servicemap_map::model::Snapshot;

use super::super::error::CliError;
use crate::recording::{Moment, map_at};
use crate::settings::LabelFilter;

/// What is compared of a map, as `docs/map.md` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Map {
    version: u32,
    pub(super) at: String,
    pub(super) services: Vec<Service>,
    pub(super) connections: Vec<Connection>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) id: String,
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) health: Health,
}

#[derive(Debug, Deserialize)]
pub(super) struct Endpoint {
    pub(super) ready: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Connection {
    source: End,
    destination: End,
    protocol: String,
    port: u16,
    pub(super) opened: u64,
    pub(super) active: u64,
    #[serde(default)]
    pub(super) failed: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct End {
    namespace: String,
    name: String,
}

impl Connection {
    /// `ns/a->ns/b:port/tcp`; a scan's port is `~scan`.
    pub(super) fn key(&self) -> String {
        let Self { source, destination, protocol, port, .. } = self;
        let port = if *port == 0 { "~scan".to_owned() } else { port.to_string() };
        let (from, to) = (&source.name, &destination.name);
        format!("{}/{from}->{}/{to}:{port}/{protocol}", source.namespace, destination.namespace)
    }
}

/// One of the two.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) map: Map,
}

impl Side {
    /// Reads what a person named: a file, or a recording with `@` and a moment.
    pub(super) fn read(text: &str) -> Result<Self, CliError> {
        let whole = Path::new(text);
        // A file whose name has an `@` in it is a file.
        if let Some((file, moment)) = text.rsplit_once('@').filter(|_| !whole.exists()) {
            let moment = Moment::parse(moment)
                .map_err(|reason| CliError::Moment { text: moment.to_owned(), reason })?;
            return Self::recorded(Path::new(file), moment);
        }
        let bytes = fs::read(whole).map_err(|source| CliError::Read { path: whole.to_owned(), source })?;
        if is_recording(&bytes) {
            return Self::recorded(whole, Moment::END);
        }
        Self::saved(&bytes, whole.to_owned())
    }

    fn recorded(path: &Path, moment: Moment) -> Result<Self, CliError> {
        let (map, at) = map_at(path, moment)?;
        Self::of(&map.snapshot(at), path)
    }

    fn of(snapshot: &Snapshot, path: &Path) -> Result<Self, CliError> {
        let bytes = serde_json::to_vec(&LabelFilter::default().snapshot(snapshot))?;
        Self::saved(&bytes, path.to_owned())
    }

    fn saved(bytes: &[u8], path: PathBuf) -> Result<Self, CliError> {
        match serde_json::from_slice::<Map>(bytes) {
            Ok(map) if map.version == Snapshot::VERSION => Ok(Self { map }),
            Ok(map) => Err(CliError::MapVersion { path, version: map.version }),
            Err(source) => Err(CliError::NoMap { path, source }),
        }
    }
}

/// Whether a file is a recording: its first line that says something is the header of one.
fn is_recording(bytes: &[u8]) -> bool {
    use servicemap_map::record::{Line, Reader};
    let mut reader = Reader::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match reader.read(line) {
            Ok(Line::Nothing) => {}
            Ok(Line::Header(_)) => return true,
            Ok(Line::Step(_)) | Err(_) => return false,
        }
    }
    false
}
