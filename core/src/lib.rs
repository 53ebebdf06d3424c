//! Servicemap: who talks to whom on this machine, without touching the applications.
//!
//! [`Observer`] is the composition root: sources ([`capture`], [`host`]) turn the world into facts, the pure
//! `servicemap-map` crate turns facts into a map and events, doors (`telemetry`, `cli`, the C ABI) carry them out.

pub mod capture;
mod clock;
pub mod host;
mod kubernetes;
mod memory;
mod observer;
pub mod recording;
pub mod settings;
mod sink;
pub mod telemetry;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod pipeline;

pub use kubernetes::{ConnectError, KubernetesError};
#[cfg(feature = "cli")]
pub(crate) use observer::kubernetes_options;
pub use observer::{Consumer, Initial, Next, Observer, ObserverError, Reporter};
pub use servicemap_map as map;
pub use settings::Settings;
