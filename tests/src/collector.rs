//! A real OpenTelemetry Collector: the distribution of `otel-config/`.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::agent::{config_file, free_address};
use crate::artifacts;
use crate::edge::Edge;
use crate::otlp::{self, Record};
use crate::process::Process;

/// Longest time until it listens, on a busy machine.
const START: Duration = Duration::from_mins(1);

/// A running Collector that writes what it gets into files.
#[derive(Debug)]
pub struct Collector {
    /// Its process.
    pub process: Process,
    directory: TempDir,
}

impl Collector {
    /// One that receives OTLP over gRPC; with the address to send to.
    pub fn receiving() -> (Self, SocketAddr) {
        let address = free_address();
        let receiver = format!("otlp: {{protocols: {{grpc: {{endpoint: '{address}'}}}}}}");
        let mut collector = Self::start("otlp", &receiver);
        collector.process.wait_for("its OTLP port", START, |_| TcpStream::connect(address).ok());
        (collector, address)
    }

    /// One whose own `servicemap` receiver observes.
    pub fn observing() -> Self {
        Self::start("servicemap", "servicemap: {collection_interval: 1s}")
    }

    fn start(receiver: &str, settings: &str) -> Self {
        // The files lie beside the configuration, and the Collector is started there.
        let yaml = format!(
            "receivers:
  {settings}
exporters:
  file/logs: {{path: logs.jsonl}}
  file/metrics: {{path: metrics.jsonl}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines:
    logs: {{receivers: [{receiver}], exporters: [file/logs]}}
    metrics: {{receivers: [{receiver}], exporters: [file/metrics]}}
"
        );
        let (directory, path) = config_file(&yaml);
        let mut command = Command::new(artifacts::collector());
        command.current_dir(directory.path()).arg("--config").arg(path);
        Self { process: Process::spawn("collector", &mut command), directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Log records so far.
    pub fn records(&self) -> Vec<Record> {
        otlp::records(&self.file("logs.jsonl"))
    }

    /// Edges as the metrics so far show them.
    pub fn edges(&self) -> Vec<Edge> {
        otlp::edges(&self.file("metrics.jsonl"))
    }
}
