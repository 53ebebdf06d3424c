//! Who was at this address, cgroup or port: turns a flow's key into the two services at its ends.
//!
//! Each table here is filled by facts alone and answers the same whatever the order in which they came. Nothing here
//! knows services as they are kept in the map; it only says what they are called.

mod addresses;
mod candidates;
mod cgroup;
mod cluster;
mod ends;
mod homes;
mod listeners;
mod machines;
mod names;
mod pairs;
mod party;
mod pod_path;

pub(crate) use candidates::Candidates;
pub(crate) use cluster::{Declared, PodGroup, Policies};
pub(crate) use ends::{Ends, Instant, Resolver, VIA_NODE, is_offered};
pub use homes::is_container_cgroup;
pub(crate) use listeners::Standing;
pub(crate) use machines::MAX_MACHINES;
pub(crate) use party::{OTHER, Party};
