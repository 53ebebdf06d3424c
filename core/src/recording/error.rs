//! What can go wrong with a recording.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use servicemap_map::model::Timestamp;
use servicemap_map::record::ReadError;

use super::Span;

/// What can go wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is such a file already.
    #[error("{} is there already: give another name, or --force to write over it", .0.display())]
    Exists(PathBuf),
    /// The file could not be made.
    #[error("cannot make the recording {}: {source}", .path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread that writes could not be made.
    #[error(
        "cannot start the thread that writes the recording: {0}: raise the limit of processes (ulimit -u)"
    )]
    Thread(io::Error),
    /// The file could not be written to its end.
    #[error("the recording {} ends early: {source}; what was told until then is in it", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// More was told than could be written.
    #[error(
        "the recording {} ends early: the disk did not follow what was told; what was told until then is in it: record \
         to a faster disk", .0.display()
    )]
    TooSlow(PathBuf),
    /// The observer ended without an orderly end.
    #[error("the recording {} ends early: the observer stopped by itself; its log says why", .0.display())]
    Stopped(PathBuf),
    /// What was told last is not written yet.
    #[error("the recording {} was not written within {after:?}: it may end early", .path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// The file could not be read.
    #[error("cannot read the recording {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The recording says nothing of an instant.
    #[error("{at} is not in the recording {}, which is from {span}", .path.display())]
    Outside {
        /// The file.
        path: PathBuf,
        /// The instant.
        at: Timestamp,
        /// From when to when the recording is.
        span: Span,
    },
    /// The file is no recording, or a wrong one.
    #[error("{}: {source}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ReadError,
    },
}
