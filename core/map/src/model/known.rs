//! What was told in earlier runs: what is new is new to people, not to the process.

use serde::{Deserialize, Serialize};

use super::{ServiceId, Timestamp};

/// Everything of earlier runs that is no news any more. A value to be kept between two runs, or beside recorded facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Dependencies that were told and not told as removed since, at most [`Known::MAX_DEPENDENCIES`], sorted.
    pub dependencies: Vec<KnownDependency>,
}

impl Known {
    /// Dependencies that are kept: as many as a cluster of 10,000 services has edges, some 20 MB of text. Beyond, those
    /// that were not seen for the longest time are left out, and counted.
    pub const MAX_DEPENDENCIES: usize = 100_000;
}

/// A dependency that people were told of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownDependency {
    /// Who needs.
    pub source: ServiceId,
    /// Who is needed.
    pub destination: ServiceId,
    /// When it was first seen, in whichever run that was.
    pub first_seen: Timestamp,
    /// When it was last seen: it is forgotten `dependency_retention` after that.
    pub last_seen: Timestamp,
    /// That it crosses environments was told, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crosses_environments: bool,
}
