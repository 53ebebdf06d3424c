//! Records of agents as OTLP log records, there and back (`encode.rs`, `decode.rs`). What each attribute means is in
//! `docs/agents.md`.
//!
//! Every record is complete by itself: whatever stands between agent and cluster instance may batch, split, repeat,
//! reorder and lose records, and may replace resource and scope.

mod decode;
mod encode;
mod names;
#[cfg(test)]
mod tests;

pub use decode::{Refused, RefusedError, decode};
pub use encode::requests;

/// Version of the encoding. A cluster instance takes every record of its own major version: attributes that it does not know
/// are ignored, those that are missing have defaults.
pub const ENCODING: u64 = 1;

/// The scope's name.
pub const SCOPE: &str = "servicemap.agent";
