//! Figures: what metrics are made of, through whichever door.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Bound, GapReason, HealthStatus, ServiceType, Snapshot, Timestamp};

/// Monotonic counters of the map since the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Services that came, by namespace and type.
    pub services_discovered: BTreeMap<(Arc<str>, ServiceType), u64>,
    /// Services that went, by namespace.
    pub services_removed: BTreeMap<Arc<str>, u64>,
    /// Edges first seen, by source and destination namespace.
    pub connections_tracked: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// Dependencies first seen, by whether they cross namespaces.
    pub dependencies_detected: BTreeMap<bool, u64>,
    /// Health changes, by `namespace/name`, status before and after.
    pub health_changes: BTreeMap<(String, HealthStatus, HealthStatus), u64>,
    /// Things lost, by reason.
    pub gaps: BTreeMap<GapReason, u64>,
    /// Facts applied.
    pub facts: u64,
    /// Facts that came twice and changed nothing.
    pub facts_repeated: u64,
    /// Closes of connections, or listeners, that were never counted as opened; they change nothing.
    pub closes_without_open: u64,
    /// What the bounds of the map turned away or put into `~other`.
    pub bounded: BTreeMap<Bound, u64>,
    /// `connection.*` events of edges that are not among the share that is told.
    pub events_sampled_out: u64,
    /// Events written to the log.
    pub events: u64,
}

/// What the kernel side counted since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelEvents {
    /// Connection attempts (CLOSE → SYN_SENT).
    pub connect: u64,
    /// Accepted connections (SYN_RECV → ESTABLISHED).
    pub accept: u64,
    /// Established connections that ended.
    pub close: u64,
    /// Attempts that failed.
    pub fail: u64,
    /// Listeners that began.
    pub listen: u64,
    /// What could not be counted.
    pub lost: u64,
}

impl KernelEvents {
    /// `event_type` label values with their counts, in a fixed order.
    pub const fn by_type(&self) -> [(&'static str, u64); 6] {
        [
            ("connect", self.connect),
            ("accept", self.accept),
            ("close", self.close),
            ("fail", self.fail),
            ("listen", self.listen),
            ("lost", self.lost),
        ]
    }
}

/// What the kernel side could do only less well, and how far the map was from the sockets. Counters since the start of the
/// run, but for `residual`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureHealth {
    /// Counted without their remote address because too many flows changed between two drains.
    pub folded: u64,
    /// New flows that found no room in the ring that announces them: told by the next drain instead of at once.
    pub announced_late: u64,
    /// Connections from before the start that ended before the first pass met them: not counted.
    pub ended_before_first_pass: u64,
    /// New cgroups whose path found no room: what is in them may stay without a name.
    pub cgroups_missed: u64,
    /// Addresses of which the kernel no longer knows that they changed hands, because others did so since.
    pub generations_forgotten: u64,
    /// Bytes of open connections that found no room in a refresh pass: told by the next one.
    pub refreshed_late: u64,
    /// Connections of which the map knew wrongly whether they are open, found and mended by comparing it with the sockets.
    pub mended: u64,
    /// How many of these the last complete comparison found.
    pub residual: u64,
}

impl CaptureHealth {
    /// `reason` label values of what was done less well, with their counts, in a fixed order.
    pub const fn by_reason(&self) -> [(&'static str, u64); 6] {
        [
            ("folded", self.folded),
            ("announced_late", self.announced_late),
            ("ended_before_first_pass", self.ended_before_first_pass),
            ("cgroups_missed", self.cgroups_missed),
            ("generations_forgotten", self.generations_forgotten),
            ("refreshed_late", self.refreshed_late),
        ]
    }
}

/// How long an operation of ours took: a histogram with fixed bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DurationHistogram {
    /// Observations at most as long as the bound of the same index; the last one has no bound. Not cumulative.
    pub counts: [u64; Self::BOUNDS_MS.len() + 1],
    /// Sum of all observations.
    pub sum: Duration,
}

impl DurationHistogram {
    /// Upper bounds in milliseconds.
    pub const BOUNDS_MS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 50.0, 250.0];

    /// Adds one observation.
    pub fn observe(&mut self, duration: Duration) {
        let milliseconds = duration.as_secs_f64() * 1e3;
        let index =
            Self::BOUNDS_MS.iter().position(|bound| milliseconds <= *bound).unwrap_or(Self::BOUNDS_MS.len());
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.sum += duration;
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What agents told, and who is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentStatistics {
    /// Records that said something new.
    pub taken: u64,
    /// Records that had come before or were older than what is known: they change nothing.
    pub repeated: u64,
    /// Records of runs that are over.
    pub stale: u64,
    /// Records of machines or flows for which there was no room.
    pub turned_away: u64,
    /// Records that have not come although later ones have. What they said comes again with the next full report.
    pub missing: u64,
    /// Machines that are heard.
    pub observed: u64,
    /// Machines whose agents are not heard any more.
    pub lost: u64,
}

/// Everything that metrics are made of, at one instant.
#[derive(Clone, Debug)]
pub struct Readings {
    /// The instant.
    pub at: Timestamp,
    /// The map.
    pub snapshot: Arc<Snapshot>,
    /// The map's counters.
    pub statistics: Statistics,
    /// The kernel side's counters.
    pub kernel: KernelEvents,
    /// What the kernel side could not do as well as it should.
    pub capture: CaptureHealth,
    /// What agents told; of a cluster instance.
    pub agents: Option<AgentStatistics>,
    /// Calls to the cluster's API server, by resource (`pods`) and operation (`list`, `watch`, `get`).
    pub k8s_api_calls: BTreeMap<(&'static str, &'static str), u64>,
    /// Values that a label of the map's gauges may have; the rest is `~other`.
    pub max_label_values: usize,
    /// Durations by operation: `drain`, `refresh`, `apply`, `advance`, `snapshot`, and where a cluster is watched `decode`.
    pub processing: BTreeMap<&'static str, DurationHistogram>,
}
