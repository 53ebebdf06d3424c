//! What can be set about the map; names and defaults are the same through every door.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::environments::EnvironmentSettings;
use crate::ranges::NamedRanges;

/// Whether consumers get changes or whole snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmissionMode {
    /// One snapshot when a consumer starts, then changes.
    #[default]
    Incremental,
    /// A `topology.changed` with a snapshot every [`MapSettings::full_snapshot_interval`].
    Full,
}

/// Thresholds of health, by attempts to connect and by endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthSettings {
    /// Length of the window in which attempts are counted (1 min).
    #[serde(with = "crate::duration_text")]
    pub window: Duration,
    /// Unhealthy: at least this share of the attempts failed (0.5) …
    pub unhealthy_ratio: f64,
    /// … of at least this many (10).
    pub unhealthy_min_attempts: u64,
    /// Degraded: at least this share failed (0.05) …
    pub degraded_ratio: f64,
    /// … of at least this many (20).
    pub degraded_min_attempts: u64,
    /// Degraded: at least this share of at least [`degraded_min_attempts`](Self::degraded_min_attempts) had a handshake
    /// longer than [`SLOW_HANDSHAKE`](Self::SLOW_HANDSHAKE) (0.05).
    pub degraded_slow_ratio: f64,
    /// Degraded: fewer than this share of the endpoints take connections (0.75).
    pub degraded_ready_ratio: f64,
    /// Degraded: the readiness of endpoints changed at least so often (4), at most
    /// [`MOST_FLAP_CHANGES`](Self::MOST_FLAP_CHANGES) …
    pub flap_changes: u64,
    /// … within this time (5 min).
    #[serde(with = "crate::duration_text")]
    pub flap_window: Duration,
    /// A worse status takes effect after it held this long (10 s).
    #[serde(with = "crate::duration_text")]
    pub worse_after: Duration,
    /// Unhealthy takes effect after it held this long (2 s).
    #[serde(with = "crate::duration_text")]
    pub unhealthy_after: Duration,
    /// A better status takes effect after it held this long (30 s).
    #[serde(with = "crate::duration_text")]
    pub better_after: Duration,
}

impl HealthSettings {
    /// So many changes of readiness are remembered of a service: one every five seconds in five minutes.
    pub const MOST_FLAP_CHANGES: usize = 64;

    /// A handshake that takes longer has lost a SYN or its answer, which are repeated after a second, or goes to the moon. It
    /// is a bound of [`ConnectLatency`](crate::model::ConnectLatency), by which handshakes are counted.
    pub const SLOW_HANDSHAKE: Duration = Duration::from_millis(500);
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(1),
            unhealthy_ratio: 0.5,
            unhealthy_min_attempts: 10,
            degraded_ratio: 0.05,
            degraded_min_attempts: 20,
            degraded_slow_ratio: 0.05,
            degraded_ready_ratio: 0.75,
            flap_changes: 4,
            flap_window: Duration::from_mins(5),
            worse_after: Duration::from_secs(10),
            unhealthy_after: Duration::from_secs(2),
            better_after: Duration::from_secs(30),
        }
    }
}

/// Settings of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapSettings {
    /// Version of Servicemap, for the snapshot's `observer`.
    pub version: Arc<str>,
    /// Name of this machine: namespace of Process services.
    pub host: Arc<str>,
    /// Name of the cluster; part of event ids. Empty without one.
    pub cluster: Arc<str>,
    /// A service that is not from Kubernetes goes when nothing was seen of it this long (5 min).
    #[serde(with = "crate::duration_text")]
    pub service_timeout: Duration,
    /// An edge expires without open socket and traffic this long (30 s).
    #[serde(with = "crate::duration_text")]
    pub connection_timeout: Duration,
    /// A dependency is forgotten after this long unseen (24 h).
    #[serde(with = "crate::duration_text")]
    pub dependency_retention: Duration,
    /// A service to which nobody connected this long is an orphan (1 h); it makes no difference how much longer than
    /// [`dependency_retention`](Self::dependency_retention) it is.
    #[serde(with = "crate::duration_text")]
    pub orphan_after: Duration,
    /// Changes or snapshots.
    pub emission_mode: EmissionMode,
    /// Time between snapshots in full mode (5 min).
    #[serde(with = "crate::duration_text")]
    pub full_snapshot_interval: Duration,
    /// A second immediate event about one subject waits this long (1 s).
    #[serde(with = "crate::duration_text")]
    pub min_emit_interval: Duration,
    /// Debounced changes are told this long after the first one (2 s).
    #[serde(with = "crate::duration_text")]
    pub debounce_window: Duration,
    /// An edge that expires and returns while its dependency lives is told as expired and as established (no).
    pub returning_connections: bool,
    /// The share of edges of which `connection.*` events are told, from 0 (none) to 1 (all, the default). An edge is told or
    /// not, from its begin to its end; each event says what share it is of.
    pub connection_sampling_ratio: f64,
    /// Detections carry `learning` this long after the start (1 h).
    #[serde(with = "crate::duration_text")]
    pub learning_period: Duration,
    /// Events kept for consumers (10,000).
    pub buffer_size: usize,
    /// Services kept (20,000); what more of them count is in `~other`, one of its machine and one of the cluster.
    pub max_services: usize,
    /// Flows kept (200,000); what more of them count is in `~other`: other addresses of a program first, then other programs.
    pub max_flows: usize,
    /// Addresses outside kept by name (1,000); the rest is `~other`. Names of [`named_ranges`](Self::named_ranges) are kept
    /// in any case.
    pub max_externals: usize,
    /// Series of each counter that has namespaces or services as labels (20,000); what comes after them is counted together,
    /// as `~other`.
    pub max_label_values: usize,
    /// Ranges of addresses outside that have a name (none).
    pub named_ranges: NamedRanges,
    /// Connections of a node's own programs to pods of that node, as of the kubelet's probes, are edges (no).
    pub kubelet_probes: bool,
    /// Which environment a service is in (none).
    pub environments: EnvironmentSettings,
    /// Health thresholds.
    pub health: HealthSettings,
}

impl Default for MapSettings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            host: "localhost".into(),
            cluster: "".into(),
            service_timeout: Duration::from_mins(5),
            connection_timeout: Duration::from_secs(30),
            dependency_retention: Duration::from_hours(24),
            orphan_after: Duration::from_hours(1),
            emission_mode: EmissionMode::Incremental,
            full_snapshot_interval: Duration::from_mins(5),
            min_emit_interval: Duration::from_secs(1),
            debounce_window: Duration::from_secs(2),
            returning_connections: false,
            connection_sampling_ratio: 1.0,
            learning_period: Duration::from_hours(1),
            buffer_size: 10_000,
            max_services: 20_000,
            max_flows: 200_000,
            max_externals: 1_000,
            max_label_values: 20_000,
            named_ranges: NamedRanges::default(),
            kubelet_probes: false,
            environments: EnvironmentSettings::default(),
            health: HealthSettings::default(),
        }
    }
}
