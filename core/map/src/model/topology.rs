//! What follows from the graph of dependencies, as snapshots show it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ServiceId;

/// The graph of dependencies, and what follows from it. Lists of what is found hold at most
/// [`MAX_LISTED`](Self::MAX_LISTED) entries; [`left_out`](Self::left_out) says how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTopology {
    /// Who needs whom, whatever the port, sorted by the ids of source and destination. A dependency outlives its connections.
    pub dependencies: Arc<[SnapshotDependency]>,
    /// Service ids of each strongly connected component with more than one member, sorted.
    pub cycles: Vec<Vec<String>>,
    /// One of the shortest cycles through each member of those components, in the order in which they need each other,
    /// beginning with the first member by id; each cycle once, sorted, at most 100.
    pub shortest_cycles: Vec<Vec<String>>,
    /// Ids of services to which nobody has connected for `orphan_after`, External ones and those that are exposed to the
    /// outside excepted; sorted.
    pub orphans: Vec<String>,
    /// Services that several others depend on and that nothing stands beside: those first on which most depend, then by id.
    pub single_points_of_failure: Vec<SinglePointOfFailure>,
    /// The chain of dependencies with the most steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_chain: Option<Chain>,
    /// The chain of dependencies whose least used one carries the most connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_chain: Option<Chain>,
    /// Connections that no network policy allows, sorted by their keys.
    pub disallowed_connections: Vec<DisallowedConnection>,
    /// Ids of services with pods to which anybody may connect as far as network policies go; sorted. Empty as long as the
    /// cluster has no policy at all: then it is every service.
    pub unrestricted_services: Vec<String>,
    /// How many more there are than the lists hold.
    #[serde(default, skip_serializing_if = "TopologyLeftOut::is_nothing")]
    pub left_out: TopologyLeftOut,
}

impl SnapshotTopology {
    /// Cycles, orphans and single points of failure that are listed: more than a person goes through. Who needs all of them
    /// has the dependencies.
    pub const MAX_LISTED: usize = 1_000;
}

/// Two services of which one needs the other, whatever the port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDependency {
    /// Who needs.
    pub source: ServiceId,
    /// Who is needed.
    pub destination: ServiceId,
    /// Both have namespaces, and they differ.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cross_namespace: bool,
    /// Both are in environments, and they differ.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cross_environment: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if wants a reference")]
const fn is_false(b: &bool) -> bool {
    !*b
}

/// How many entries the lists of a topology do not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopologyLeftOut {
    /// Strongly connected components.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cycles: u64,
    /// Members for which no shortest cycle was looked for, because there were enough.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shortest_cycles: u64,
    /// Orphans.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub orphans: u64,
    /// Single points of failure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub single_points_of_failure: u64,
}

impl TopologyLeftOut {
    /// Whether every list is whole.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if wants a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A path through the graph of dependencies, from a service that nobody needs to one that needs nobody. Services that all
/// need each other are one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Ids of the services of each step, sorted; who needs comes before who is needed.
    pub steps: Vec<Vec<String>>,
    /// TCP connections that were opened over the least used dependency between two steps, as far as the map still shows
    /// them.
    pub connections: u64,
}

/// A service that several others depend on and that nothing stands beside: without it the graph of dependencies falls apart,
/// or everything that some entry points depend on leads to it or through it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinglePointOfFailure {
    /// Its id.
    pub service: String,
    /// Services that depend on it, directly or through others; at least two.
    pub dependents: u64,
    /// Entry points (services that nobody, or somebody outside, needs) that depend on it with everything they do.
    pub entry_points: u64,
    /// Whether the graph of dependencies falls apart without it.
    pub separates: bool,
}

/// A connection (edge) that no network policy allows. It may be seen nevertheless: attempts fail, policies came later than
/// the connection, or the network does not enforce them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DisallowedConnection {
    /// `ns/a->ns/b:port/tcp`.
    pub connection: String,
    /// Where it is not allowed.
    pub denied_by: Vec<PolicySide>,
}

/// The side whose policies do not allow a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicySide {
    /// Those of the source's pods.
    Egress,
    /// Those of the destination's pods.
    Ingress,
}

/// What follows from the graph of dependencies for one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceAnalysis {
    /// Its id.
    pub service: ServiceId,
    /// Ids of those that it needs itself, in the order of the map; never its own, like all lists here.
    pub needs: Vec<String>,
    /// Those that it needs through others alone.
    pub needs_through_others: Vec<String>,
    /// Who needs it: is affected at once when it fails.
    pub needed_by: Vec<String>,
    /// Who needs it through others alone: is affected when those pass the failure on.
    pub needed_through_others: Vec<String>,
    /// Members of the circle of dependencies that it is in, itself among them; empty where it is in none.
    pub cycle: Vec<String>,
    /// A shortest way from it back to it.
    pub shortest_cycle: Vec<String>,
    /// Why it is a single point of failure, if it is one.
    pub single_point_of_failure: Option<SinglePointOfFailure>,
    /// The chain through it with the most steps.
    pub longest_chain: Option<Chain>,
    /// The chain through it whose least used dependency carries the most connections.
    pub busiest_chain: Option<Chain>,
}
