//! Recordings: all that was told to a map, as lines of JSON from which the same map comes to be again, with the same events
//! and the same ids, byte for byte.
//!
//! A recording is a [`Header`], which says how the map began, and [`Step`]s, one for each call that changes a
//! [`ServiceMap`]. Machines write them as they run; people write them by hand, as incidents that a map has to understand.
//! What a reader takes for granted is not written, blank lines and lines that begin with `#` mean nothing, and a
//! line that says something unknown is refused with its number: a step that is passed over would make another map.

mod header;
mod reader;
mod step;

pub use header::Header;
pub use reader::{Line, ReadError, Reader, Recording};
pub use step::Step;

use serde::Serialize;

/// One line of a recording, a [`Header`] or a [`Step`], appended to `out` with its end.
///
/// # Errors
/// None that a header or a step can make: all of their keys are text.
pub fn write_line(out: &mut Vec<u8>, line: &impl Serialize) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *out, line)?;
    out.push(b'\n');
    Ok(())
}

#[cfg(doc)]
use crate::ServiceMap;
