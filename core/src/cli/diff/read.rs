//! Maps that are compared: saved ones, and those of recordings at an instant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use servicemap_map::model::{ConnectionRef, ServiceRef};

use super::super::error::CliError;
use super::super::saved;
use crate::recording::{Moment, map_at};
use crate::settings::LabelFilter;

/// What is compared of a map, as `docs/map.md` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Map {
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
    source: ServiceRef,
    destination: ServiceRef,
    port: u16,
    pub(super) opened: u64,
    pub(super) active: u64,
    #[serde(default)]
    pub(super) failed: BTreeMap<String, u64>,
}

impl Connection {
    /// Which connection it is, as everything else calls it.
    pub(super) fn key(&self) -> String {
        let Self { source, destination, port, .. } = self;
        let (source, destination) = (source.clone(), destination.clone());
        ConnectionRef { source, destination, protocol: ConnectionRef::PROTOCOL, port: *port }.key()
    }
}

impl Map {
    /// Reads what a person named: a saved map or a recording, perhaps with `@` and a moment.
    pub(super) fn open(text: &str) -> Result<Self, CliError> {
        let whole = Path::new(text);
        // A file whose name has an `@` in it is a file.
        if let Some((file, moment)) = text.rsplit_once('@').filter(|_| !whole.exists()) {
            let moment = Moment::parse(moment)
                .map_err(|reason| CliError::Moment { text: moment.to_owned(), reason })?;
            return Self::recorded(Path::new(file), moment);
        }
        let bytes = fs::read(whole).map_err(|source| CliError::Read { path: whole.to_owned(), source })?;
        if is_recording(&bytes) { Self::recorded(whole, Moment::END) } else { saved::parse(&bytes, whole) }
    }

    fn recorded(path: &Path, moment: Moment) -> Result<Self, CliError> {
        let (map, at) = map_at(path, moment)?;
        let bytes = serde_json::to_vec(&LabelFilter::default().snapshot(&map.snapshot(at)))?;
        saved::parse(&bytes, path)
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
