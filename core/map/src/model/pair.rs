//! What is behind an edge: pairs of pods, or of programs.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::lean::is_default;
use super::{ConnectionRef, FlowTotals, Side, Timestamp};

/// The pairs behind an edge that have opened the most connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdgePairs {
    /// The edge.
    pub edge: ConnectionRef,
    /// The pairs, those that opened the most first; at most [`EdgePairs::MAX`].
    pub pairs: Vec<Pair>,
    /// How many more there are.
    pub left_out: u64,
}

impl EdgePairs {
    /// Pairs that are shown: what a person can look through. An edge between two services of 100 pods has 10,000.
    pub const MAX: usize = 100;
}

/// What goes from one pod or program to another, as far as its kernel entries are still kept: an edge remembers what its
/// pairs counted that are gone, and so may have counted more than they.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The TCP initiator.
    pub source: PairEnd,
    /// Who accepted.
    pub destination: PairEnd,
    /// The side at which it was counted: at the client's where it was counted at both.
    pub side: Side,
    /// What was counted.
    #[serde(flatten)]
    pub totals: FlowTotals,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
}

/// Who is at one end of a pair, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PairEnd {
    /// Namespace of the pod, where it is one.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: Option<Arc<str>>,
    /// Name of the pod, where it is one.
    #[serde(skip_serializing_if = "is_default")]
    pub pod: Option<Arc<str>>,
    /// Name of the machine: the node of the pod, or where the program runs.
    #[serde(skip_serializing_if = "is_default")]
    pub node: Option<Arc<str>>,
    /// Name of the program.
    #[serde(skip_serializing_if = "is_default")]
    pub program: Option<Arc<str>>,
    /// The address, where connections come from or go to; at the end that counts that of one socket. Unknown where the
    /// kernel put many addresses together.
    #[serde(skip_serializing_if = "is_default")]
    pub address: Option<IpAddr>,
}
