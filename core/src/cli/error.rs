//! What can go wrong on the command line, each in one sentence with its mend.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use servicemap_map::simulate::{PlanError, ScriptError};

use crate::ObserverError;
use crate::pipeline::{ConfigErrors, RunError};
use crate::recording::RecordingError;

/// What can go wrong on the command line.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Observer(#[from] ObserverError),
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Pipeline(#[from] RunError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(
        "the configuration has {0} receivers that observe, and a recording is of one; leave the others out"
    )]
    Observers(usize),
    #[error("`{text}` is no moment of a recording: {reason}")]
    Moment { text: String, reason: String },
    #[error("there is no connection `{key}` in the map; {known}")]
    NoEdge { key: String, known: String },
    #[error("`{0}` shows the whole map; what is behind one connection is shown by `-o table` and `-o json`")]
    EdgeForm(&'static str),
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "`{value}` is no log filter ({source}); use error, warn, info, debug or trace, or `target=level`"
    )]
    LogFilter { value: String, source: tracing_subscriber::filter::ParseError },
    #[error("`{0}` is no log level; use error, warn, info, debug or trace, or `target=level`")]
    LogLevel(String),
    #[error("the connections that exist were not all read within {} s; try again when the machine is less busy", .0.as_secs())]
    NotReady(Duration),
    #[error("the observer stopped by itself; its log says why: run again with --log-level info")]
    Stopped,
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("cannot draw on the terminal: {0}; `-o json` needs none")]
    Terminal(io::Error),
    #[error("cannot start threads for signals and I/O: {0}; raise the limit on processes (ulimit -u)")]
    Runtime(io::Error),
    #[error("cannot read the script {}: {source}", .file.display())]
    Script { file: PathBuf, source: io::Error },
    #[error(transparent)]
    ScriptLine(#[from] ScriptError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("{} is no map that can be read: {why}; give a file that `servicemap map -o json` wrote", .path.display())]
    SavedMap { path: PathBuf, why: String },
    #[error("`{0}` is no service of the map; `servicemap map` shows them, each as NAMESPACE/NAME")]
    NoService(String),
    #[error("`{name}` may be any of {ids}; name one of these")]
    SeveralServices { name: String, ids: String },
    #[error(
        "nothing of the map is in the namespace or on the machine `{0}`; without --namespace the drawing shows all that there are"
    )]
    NoNamespace(String),
    #[error("--namespace and --unfold say what is drawn; they go with `-o dot` and `-o mermaid`")]
    NotDrawn,
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// Whether the reader of standard output went away: the end that `| head` means, no failure.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
