//! The pure half of Servicemap: **facts in, events out**.
//!
//! [`ServiceMap::apply`] takes one [`Fact`](model::Fact), [`ServiceMap::advance`] tells it what time it is; they are
//! the only ways in. There is no I/O here, no clock, no async and no thread, so every rule is tested with a list of
//! facts and a list of expected events, and a recorded list of facts replays to the same events.
//!
//! Folders, each knowing only those above it: [`model`] (what is talked about), [`resolve`] (who was at an address,
//! cgroup or port), [`state`] (services, flows, edges, health), [`analysis`] (what follows from the graph),
//! [`changes`] (what is worth telling, and the log that consumers read). Beside them stands [`agents`]: what is counted on
//! other machines, as records, and how these become facts;
//! and [`record`]: all that was told to a map, as text that makes the same map again.

pub mod agents;
pub mod analysis;
pub mod changes;
pub mod model;
pub mod record;
pub mod resolve;
#[cfg(feature = "simulate")]
pub mod simulate;
pub mod state;

mod collections;
mod duration_text;
mod environments;
mod map;
mod ranges;
mod settings;

pub use environments::{EnvironmentRule, EnvironmentSettings};
pub use map::ServiceMap;
pub use ranges::NamedRanges;
pub use settings::{EmissionMode, HealthSettings, MapSettings};
