//! Settings of an observer: one set of names and defaults for the YAML receiver, the C ABI's JSON and Go.

use std::time::Duration;

use servicemap_map::MapSettings;

/// What an observer is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of this observer, for logs.
    pub name: String,
    /// Count connections in the kernel.
    pub enable_ebpf: bool,
    /// Time between two drains of the kernel's counters (1 s); a new flow is fetched within 100 ms.
    pub drain_interval: Duration,
    /// Settings of the map.
    pub map: MapSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self { name: "servicemap".to_owned(), enable_ebpf: true, drain_interval: Duration::from_secs(1), map: MapSettings::default() }
    }
}

/// What is wrong with settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Settings {
    /// From JSON with the receiver's names; unknown keys are errors that name the nearest known one.
    pub fn from_json(json: &[u8]) -> Result<Self, SettingsError> {
        let _ = json;
        Err(SettingsError("not yet".to_owned()))
    }
}
