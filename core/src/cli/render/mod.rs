//! Forms of the map: pure functions from a [`Snapshot`] to text.
//!
//! Names come from processes, DNS and clusters and are nobody's friends: each form escapes them in its own way, so that
//! no name moves the cursor, ends a string or adds an edge.

mod analysis;
mod dot;
mod drawing;
mod grid;
mod json;
mod layout;
mod mermaid;
mod pairs;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod renderers;
#[cfg(test)]
pub(super) mod sample;
mod table;
mod text;

pub(super) use analysis::{service_analysis, topology};
pub(super) use dot::dot;
pub(super) use drawing::View;
pub(super) use json::{document, json};
pub(super) use mermaid::mermaid;
pub(super) use pairs::pairs;
pub(super) use table::{Style, table};
pub(super) use text::{clip, visible};

#[cfg(doc)]
use servicemap_map::model::Snapshot;
