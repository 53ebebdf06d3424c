//! The `servicemap` binary as users start it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::artifacts;
use crate::bpf;
use crate::process::Process;

/// Longest time to load and attach, on a busy machine (measured there: 1 s).
pub const START: Duration = Duration::from_secs(30);
/// Longest time until something seen is told, through any door: debounce, intervals and a busy machine.
pub const TOLD: Duration = Duration::from_secs(30);

/// A command that runs the release binary with these arguments, as plain as a user's shell would.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(artifacts::servicemap());
    command.args(arguments);
    command
}

/// A running agent and the directory of its configuration.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub process: Process,
    _directory: TempDir,
}

impl Agent {
    /// Starts `servicemap run` with this configuration and waits until it counts.
    pub fn start(yaml: &str) -> Self {
        let (directory, path) = config_file(yaml);
        let path = path.to_str().expect("a UTF-8 path");
        let process = Process::spawn("servicemap run", &mut command(&["run", "--config", path]));
        let mut agent = Self { process, _directory: directory };
        wait_until_attached(&mut agent.process);
        agent
    }
}

/// Waits until the process counts connections; then nothing that happens is missed.
pub fn wait_until_attached(process: &mut Process) {
    process
        .wait_for("the attached BPF program", START, |process| bpf::is_attached(process.id()).then_some(()));
}

/// A configuration in a file of its own.
pub fn config_file(yaml: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("servicemap.yaml");
    fs::write(&path, yaml).expect("a written configuration");
    (directory, path)
}

/// A pipeline with one exporter for what it takes.
pub fn pipeline(exporter: &str, settings: &str, signals: &[&str]) -> String {
    let pipelines = signals.iter().fold(String::new(), |text, signal| {
        text + &format!("    {signal}: {{receivers: [servicemap], exporters: [{exporter}]}}\n")
    });
    // Metrics as often as they can be had: a test waits for them.
    format!(
        "receivers:\n  servicemap:\n    collection_interval: 1s\nexporters:\n  {exporter}: {settings}\nservice:\n  pipelines:\n{pipelines}"
    )
}

/// An address on loopback that was free a moment ago, for programs that cannot be given port 0.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
