//! How large a simulated cluster is, and how much happens in it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::node_name;
use crate::model::Timestamp;

/// Most services that are simulated: ten times the map's default bound.
pub const MAX_SERVICES: u32 = 200_000;
/// Most pods that are simulated: almost seven times as many as Kubernetes supports in one cluster (150,000).
pub const MAX_PODS: u32 = 1_000_000;
/// Most edges that are simulated.
pub const MAX_EDGES: u32 = 2_000_000;
/// Most nodes: as many as Kubernetes supports in one cluster.
pub const MAX_NODES: u32 = 5_000;
/// Pods that a node has, unless the plan says how many nodes there are. The kubelet's own limit is 110.
const PODS_A_NODE: u32 = 30;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Services, each a Kubernetes Service before a Deployment (100).
    pub services: u32,
    /// Dependencies between them (1,000).
    pub edges: u32,
    /// Pods of each service (2).
    pub pods: u32,
    /// Nodes; one for every 30 pods where it is `None`. Where there is but one, the observer is on it; else it is told by
    /// the agents of all of them.
    pub nodes: Option<u32>,
    /// How often something changes: one time in two a pod is replaced, else a dependency goes or comes back (never).
    pub churn: Rate,
    /// Flows whose counters change (500 a second). Each is counted at the client's node and at the server's.
    pub counters: Rate,
    /// How long it goes on after the start (10 min).
    pub duration: Duration,
    /// Everything that is left to chance follows from it (0).
    pub seed: u64,
    /// When it begins (2027-01-15T08:00:00Z): simulated time has nothing to do with a clock.
    pub start: Timestamp,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            services: 100,
            edges: 1_000,
            pods: 2,
            nodes: None,
            churn: Rate::NEVER,
            counters: Rate { count: 500, per: Duration::from_secs(1) },
            duration: Duration::from_mins(10),
            seed: 0,
            start: Timestamp::from_nanos(1_800_000_000_000_000_000),
        }
    }
}

impl Plan {
    /// How many nodes there are.
    pub fn node_count(&self) -> u32 {
        let pods = self.services.saturating_mul(self.pods);
        self.nodes.unwrap_or_else(|| pods.div_ceil(PODS_A_NODE).clamp(1, MAX_NODES))
    }

    /// Name of the machine that observes: a node, where it is the only one.
    pub fn host(&self) -> Arc<str> {
        if self.node_count() == 1 { node_name(0) } else { "observer".into() }
    }

    /// Whether it can be simulated.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        let within = |what, value, least, most| {
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { Err(PlanError::Bound { what, value, least, most }) }
        };
        within("services", self.services, 1, MAX_SERVICES)?;
        within("pods a service", self.pods, 1, MAX_PODS / self.services)?;
        within("nodes", self.node_count(), 1, MAX_NODES)?;
        let pairs = self.services.saturating_mul(self.services - 1);
        within("edges", self.edges, 0, pairs.min(MAX_EDGES))
    }
}

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A number is too small or too large.
    #[error("{value} {what} cannot be simulated; give {least} to {most}")]
    Bound {
        /// What there should be so many of.
        what: &'static str,
        /// How many were asked for.
        value: u32,
        /// The fewest.
        least: u32,
        /// The most; of edges, also one for each pair of services and direction.
        most: u32,
    },
    /// A script names a service that is not there.
    #[error(
        "line {line} of the script: there is no service {name} among the {services}; the first are {first}"
    )]
    NoService {
        /// The line, from 1.
        line: usize,
        /// The name.
        name: String,
        /// How many there are.
        services: usize,
        /// Some that there are.
        first: String,
    },
    /// A script names a node that is not there.
    #[error("line {line} of the script: there is no node {name}; there are node-1 to node-{nodes}")]
    NoNode {
        /// The line, from 1.
        line: usize,
        /// The name.
        name: String,
        /// How many there are.
        nodes: usize,
    },
    /// A script loses the node on which the observer is.
    #[error(
        "line {line} of the script: the only node cannot be lost, since the observer is on it; give more nodes"
    )]
    OnlyNode {
        /// The line, from 1.
        line: usize,
    },
}

/// How often something happens: `2/s`, `30/m`, `5/h`, or `0` for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many …
    pub count: u32,
    /// … in this time.
    pub per: Duration,
}

impl Rate {
    /// Never.
    pub const NEVER: Self = Self { count: 0, per: Duration::from_secs(1) };

    /// Time between two; `None` where it never happens.
    pub fn interval(self) -> Option<Duration> {
        self.per.checked_div(self.count)
    }

    /// How many in a time, rounded down.
    pub(super) fn within(self, time: Duration) -> usize {
        let count = u128::from(self.count) * time.as_nanos() / self.per.as_nanos().max(1);
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.count, self.per)
    }
}

/// A text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate; write a whole number and the time for it: 2/s, 30/m, 5/h, or 0 for never")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.to_owned());
        if text == "0" {
            return Ok(Self::NEVER);
        }
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(wrong()),
        };
        Ok(Self { count: count.parse().map_err(|_| wrong())?, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        assert_eq!("2/s".parse(), Ok(Rate { count: 2, per: Duration::from_secs(1) }));
        let Ok(rate) = "30/m".parse::<Rate>() else { panic!("no rate") };
        assert_eq!(rate.interval(), Some(Duration::from_secs(2)));
        assert_eq!(rate.within(Duration::from_secs(5)), 2);
        assert_eq!("0".parse::<Rate>().map(Rate::interval), Ok(None));
    }

    #[test]
    fn what_is_no_rate_says_how_to_write_one() {
        for text in ["", "2", "2/d", "x/s", "-1/s", "1.5/s"] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no rate; write")), "{error}");
        }
    }

    #[test]
    fn a_plan_beyond_a_bound_is_refused_with_the_bound() {
        let error = Plan { services: 3, edges: 7, ..Plan::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "7 edges cannot be simulated; give 0 to 6");
        assert!(Plan { services: 0, ..Plan::default() }.check().is_err());
        assert!(Plan { pods: 20_000, ..Plan::default() }.check().is_err());
    }
}
