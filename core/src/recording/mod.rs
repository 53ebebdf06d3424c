//! Recordings as files: what an observer's map is told is written while it runs, and read again to be told once more.
//!
//! The form of a recording is [`servicemap_map::record`]'s; `docs/recording.md` describes it. Writing never holds up the
//! map: steps go to a thread of its own, and where the disk cannot follow the recording ends, and says so, instead of
//! leaving something out.

mod error;
mod reader;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

pub use error::RecordingError;
pub use reader::{Ending, Steps, open};
pub use replay::{Moment, Span, map_at};
pub use writer::{Recorder, Writing};
