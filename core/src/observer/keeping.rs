//! When what was told is written to `state_dir`.

use std::path::Path;
use std::time::{Duration, Instant};

use servicemap_map::model::Timestamp;

use super::shared::Shared;
use crate::memory::Memory;

/// Least time between two writings. What was told within it is told again should the process be killed; a shutdown
/// writes in any case.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);
/// Most time between two: when dependencies were last seen is in the file, too.
const LONGEST_INTERVAL: Duration = Duration::from_mins(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Keeping {
    memory: Memory,
    /// The revision that was written last.
    written: u64,
    /// When that was.
    at: Instant,
    /// After this long it is written also where nothing new was told.
    refresh: Duration,
}

impl Keeping {
    /// Opens the directory and tells the map what earlier runs told. Where that cannot be, it is said and gone on as without
    /// a directory.
    pub(super) fn open(directory: &Path, retention: Duration, shared: &Shared) -> Option<Self> {
        let (memory, known) = Memory::open(directory)
            .inspect_err(|error| {
                tracing::warn!("{error}; detections are marked as learning, and told again after a restart");
            })
            .ok()?;
        if let Some(known) = known {
            tracing::info!(
                dependencies = known.dependencies.len(),
                "{directory:?} says what was told before"
            );
            shared.lock().map.remember(known);
        }
        // Often enough that a dependency that is there is not forgotten over a restart.
        let refresh = (retention / 4).clamp(WRITE_INTERVAL, LONGEST_INTERVAL);
        Some(Self { memory, written: 0, at: Instant::now(), refresh })
    }

    /// Has it written where that is due.
    pub(super) fn look(&mut self, shared: &Shared) {
        let since = self.at.elapsed();
        if since < WRITE_INTERVAL {
            return;
        }
        let mut inner = shared.lock();
        let revision = inner.map.known_revision();
        if revision == 0 || (revision == self.written && since < self.refresh) {
            return;
        }
        let known = inner.map.known(shared.now());
        drop(inner);
        if self.memory.keep(known) {
            (self.written, self.at) = (revision, Instant::now());
        }
    }

    /// Has it written for the last time. A map that never was complete has told nothing: what is there stays.
    pub(super) fn finish(self, shared: &Shared, now: Timestamp) {
        let mut inner = shared.lock();
        if inner.map.known_revision() > 0 {
            let known = inner.map.known(now);
            drop(inner);
            self.memory.keep_last(known);
        }
    }
}
