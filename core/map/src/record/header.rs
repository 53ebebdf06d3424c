//! How a map begins.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{RunId, Timestamp};
use crate::{MapSettings, ServiceMap};

/// The first line of a recording: all that [`ServiceMap::new`] is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the format.
    #[serde(rename = "servicemap_recording")]
    pub version: u32,
    /// The run that is recorded; its id is in every event. All zeros where nothing is said.
    #[serde(default = "no_run")]
    pub run_id: RunId,
    /// When the map began.
    pub started_at: Timestamp,
    /// Settings of the map; each that is not said has its default.
    #[serde(default)]
    pub settings: MapSettings,
}

const fn no_run() -> RunId {
    RunId(Uuid::nil())
}

impl Header {
    /// The version that this code writes, and the latest that it reads. It goes up when an older reader would make another
    /// map.
    pub const VERSION: u32 = 1;

    /// The header of a map that begins now.
    pub const fn new(settings: MapSettings, run_id: RunId, started_at: Timestamp) -> Self {
        Self { version: Self::VERSION, run_id, started_at, settings }
    }

    /// The empty map to which the steps are told.
    pub fn map(&self) -> ServiceMap {
        ServiceMap::new(self.settings.clone(), self.run_id, self.started_at)
    }
}
