//! The one state machine: facts and the time in, services, edges and events out.

use std::sync::Arc;

use crate::changes::EventLog;
use crate::model::{Event, Fact, ObserverInfo, RunId, Snapshot, SnapshotTopology, SnapshotTotals, Statistics, Timestamp};
use crate::settings::MapSettings;

/// The service map of one observer.
#[derive(Debug)]
pub struct ServiceMap {
    settings: MapSettings,
    run: RunId,
    started_at: Timestamp,
    log: EventLog,
    statistics: Statistics,
}

impl ServiceMap {
    /// An empty map that starts at `now`.
    pub fn new(settings: MapSettings, run: RunId, now: Timestamp) -> Self {
        let log = EventLog::new(settings.buffer_size);
        Self { settings, run, started_at: now, log, statistics: Statistics::default() }
    }

    /// Takes one fact. Cheap: names are settled and events told by the next [`advance`](Self::advance).
    pub fn apply(&mut self, fact: Fact) {
        let _ = fact;
        self.statistics.facts += 1;
    }

    /// Tells the map what time it is: settles names, expires what is gone, tells what is due.
    pub fn advance(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// When [`advance`](Self::advance) has something to do even if no fact comes.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Whether every source that was announced has told what existed when it began.
    pub fn is_ready(&self) -> bool {
        false
    }

    /// The whole map at this instant.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            version: Snapshot::VERSION,
            at: now,
            sequence: self.log.next_sequence() - 1,
            observer: ObserverInfo {
                version: self.settings.version.clone(),
                host: self.settings.host.clone(),
                cluster: self.settings.cluster.clone(),
                run_id: self.run,
                started_at: self.started_at,
            },
            services: Vec::new(),
            connections: Vec::new(),
            topology: SnapshotTopology::default(),
            totals: SnapshotTotals::default(),
            gaps: Vec::new(),
        }
    }

    /// The map as events marked `initial`, for a consumer that starts now: services, then connections, then
    /// dependencies. They carry the sequence number of the log's last event and take no number of their own.
    pub fn initial_events(&self, now: Timestamp) -> Vec<Arc<Event>> {
        let _ = now;
        Vec::new()
    }

    /// The log of events.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The map's counters.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
