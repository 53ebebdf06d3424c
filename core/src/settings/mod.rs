//! Settings of an observer: one set of names, defaults and bounds for the YAML receiver, the C ABI's JSON and Go.
//!
//! [`tree`] is what any configuration text becomes, with the place of each value; [`reader`] takes typed values out of
//! it and collects *every* problem; [`duration`] reads lengths of time as Go writes them.

pub mod duration;
mod host;
mod labels;
mod ranges;
mod read;
pub mod reader;
pub mod tree;

use std::path::PathBuf;
use std::time::Duration;

use servicemap_map::MapSettings;
use servicemap_map::model::{AddressRange, EventTypes};

use crate::capture::HookChoice;

pub use host::machine_name;
pub use labels::LabelFilter;
#[cfg(feature = "export")]
pub(crate) use read::event_types;

use reader::{Problem, Section};
use tree::Node;

/// Name of an observer when none is given.
const DEFAULT_NAME: &str = "servicemap";
/// Edges that get metric series of their own: 18 series each, ten of them the histogram of connect latency, so 36,000 series, which one Prometheus takes easily.
pub const DEFAULT_MAX_EDGE_SERIES: usize = 2_000;

/// Consumers at a time: far more than pipelines and channels have, and few enough that one who makes them without end
/// learns so.
const DEFAULT_MAX_CONSUMERS: usize = 100;

/// What part an observer has in a cluster of agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Observes this machine, and the cluster where one is reachable, and keeps the map.
    #[default]
    AllInOne,
    /// Observes this machine and tells a cluster instance what it counts.
    Agent,
    /// Watches the cluster, takes what agents count, and keeps the map.
    Cluster,
}

/// What an observer is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Name of this observer, for logs.
    pub name: String,
    /// Its part in a cluster of agents.
    pub role: Role,
    /// Observe only sockets whose cgroup is this one or beneath it, and the network namespaces of such processes; `/` is the
    /// whole machine.
    pub cgroup_root: String,
    /// Time between two reports of an agent (5 s); flows that are new are told at once.
    pub report_interval: Duration,
    /// Watch the cluster's objects: yes, no, or (`None`, the default) where a cluster is reachable.
    pub enable_k8s_discovery: Option<bool>,
    /// Path of the kubeconfig file; `None` for the usual places.
    pub kube_config: Option<String>,
    /// Kubernetes namespaces to watch; empty for all.
    pub watch_namespaces: Vec<String>,
    /// Ranges of the cluster's pod and Service addresses, beside those that the cluster tells itself.
    pub cluster_ranges: Vec<AddressRange>,
    /// Labels of the cluster's objects that may leave the process; none, unless they are named.
    pub labels: LabelFilter,
    /// Count connections in the kernel (true).
    pub enable_ebpf: bool,
    /// Which kernel hook to use.
    pub capture_hook: HookChoice,
    /// Time between two drains of the kernel's counters (1 s); a new flow is fetched within 100 ms.
    pub drain_interval: Duration,
    /// Time between two passes over the open sockets (1 min), which bring their bytes up to date and check the map.
    pub refresh_interval: Duration,
    /// Time between two exports of metrics (10 s).
    pub collection_interval: Duration,
    /// Edges that get metric series of their own, the oldest first (2,000); the others are counted as left out.
    pub max_edge_series: usize,
    /// Directory in which what was told is kept from one run to the next: it is not told as new then. `None`: it is, and
    /// detections are marked as learning.
    pub state_dir: Option<PathBuf>,
    /// Types of events that consumers get which do not ask for others (all).
    pub events: EventTypes,
    /// Consumers of events at a time (100); one more is an error.
    pub max_consumers: usize,
    /// Settings of the map.
    pub map: MapSettings,
}

impl Default for Settings {
    /// The documented defaults, with this machine's name.
    fn default() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            role: Role::default(),
            cgroup_root: "/".to_owned(),
            report_interval: servicemap_map::agents::REPORT_INTERVAL,
            enable_k8s_discovery: None,
            kube_config: None,
            watch_namespaces: Vec::new(),
            cluster_ranges: Vec::new(),
            labels: LabelFilter::default(),
            enable_ebpf: true,
            capture_hook: HookChoice::Auto,
            drain_interval: Duration::from_secs(1),
            refresh_interval: Duration::from_mins(1),
            collection_interval: Duration::from_secs(10),
            max_edge_series: DEFAULT_MAX_EDGE_SERIES,
            state_dir: None,
            events: EventTypes::ALL,
            max_consumers: DEFAULT_MAX_CONSUMERS,
            map: MapSettings { host: machine_name().into(), ..MapSettings::default() },
        }
    }
}

/// What is wrong with settings: every problem, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct SettingsError {
    problems: Vec<Problem>,
}

impl SettingsError {
    /// The problems, in the order of the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn lines(&self) -> String {
        reader::lines(&self.problems)
    }
}

impl Settings {
    /// From JSON with the receiver's names; what is absent or `null` has its default. Unknown keys are errors that name
    /// the nearest known one.
    pub fn from_json(json: &[u8]) -> Result<Self, SettingsError> {
        let tree: Node = serde_json::from_slice(json).map_err(|error| SettingsError {
            problems: vec![Problem {
                origin: None,
                path: "settings".to_owned(),
                message: format!("not valid JSON: {error}"),
            }],
        })?;
        let mut problems = Vec::new();
        let settings = Self::from_tree(&tree, "", &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems }) }
    }

    /// From a section of a configuration tree. Problems are added to `problems`; where there are any, the result has
    /// defaults in their place and is not to be used.
    pub fn from_tree(node: &Node, path: &str, problems: &mut Vec<Problem>) -> Self {
        let mut section = Section::new(node, path, problems);
        let settings = read::settings(&mut section);
        section.finish();
        settings
    }
}

#[cfg(test)]
mod tests;
