//! The whole map at one instant: the JSON map of every door.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Connection, Gap, RunId, Service, SnapshotTopology, Timestamp};

/// Sums over a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotTotals {
    /// Services in the map.
    pub services: u64,
    /// Connections (edges) in the map.
    pub connections: u64,
    /// Edges whose ends have different, non-empty namespaces.
    pub cross_namespace: u64,
    /// Edges whose ends are in different environments.
    pub cross_environment: u64,
    /// Services of type External.
    pub external_services: u64,
}

/// Who observes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObserverInfo {
    /// Version of Servicemap.
    pub version: Arc<str>,
    /// Name of the machine.
    pub host: Arc<str>,
    /// Name of the cluster; empty without one.
    pub cluster: Arc<str>,
    /// UID of the cluster's namespace `kube-system`; empty where it is not known.
    pub cluster_uid: Arc<str>,
    /// This life of the observer.
    pub run_id: RunId,
    /// When it started.
    pub started_at: Timestamp,
}

impl ObserverInfo {
    /// By what event ids know the cluster: its name, else its UID; empty where there is neither.
    pub fn cluster_identity(&self) -> &Arc<str> {
        if self.cluster.is_empty() { &self.cluster_uid } else { &self.cluster }
    }
}

/// The whole map at one instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Version of this format; it changes when a reader would break.
    pub version: u32,
    /// The instant.
    pub at: Timestamp,
    /// Sequence number of the last event that this snapshot includes.
    pub sequence: u64,
    /// Who observes.
    pub observer: ObserverInfo,
    /// All services, sorted by id.
    pub services: Vec<Arc<Service>>,
    /// All edges, sorted.
    pub connections: Vec<Arc<Connection>>,
    /// What follows from the graph.
    pub topology: SnapshotTopology,
    /// Sums.
    pub totals: SnapshotTotals,
    /// Open connections that are counted and kept off the map, by reason: `itself` (of a pod to itself) and
    /// `kubelet_probe` (of a node's own programs to a pod of that node).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub excluded: BTreeMap<&'static str, u64>,
    /// How many addresses with connections of late are not shown by themselves, by the service that stands for them:
    /// `~other`, `~unresolved`, `~unwatched`. Those that the kernel put together are not among them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unnamed: BTreeMap<Arc<str>, u64>,
    /// What was lost in this run, oldest first, bounded.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// The version that this code writes.
    pub const VERSION: u32 = 1;
}
