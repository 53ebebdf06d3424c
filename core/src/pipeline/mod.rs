//! The Collector-style YAML: read (`yaml.rs`), substitute (`substitute.rs`), merge (`merge.rs`), check (`config/`), run
//! (`run.rs`).
//!
//! Files say which receivers observe, which exporters take what they say, and which pipelines connect the two. Names,
//! rules and error texts are the OpenTelemetry Collector's, with what it leaves out: file and line, the value, the
//! nearest known name, and every mistake at once.

mod config;
mod merge;
mod pump;
mod run;
mod substitute;
mod yaml;

pub use config::{COMPONENTS, Component, ComponentKind, Config, ConfigErrors, LogLevel, components, load};
pub use run::{RunError, run};
