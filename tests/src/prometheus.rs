//! A real Prometheus (Debian's package) that scrapes one target, and `promtool`.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::agent::free_address;
use crate::http;
use crate::otlp::Attributes;
use crate::process::Process;

/// Longest time until Prometheus answers, on a busy machine.
const START: Duration = Duration::from_mins(1);

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    /// Its process.
    pub process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

/// One series of an instant query.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels, `__name__` included.
    pub labels: Attributes,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts one that scrapes `target` twice a second, and waits until it answers.
    pub fn start(target: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = directory.path().join("prometheus.yml");
        let yaml = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n- job_name: servicemap\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(&config, yaml).expect("a written configuration");
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        let mut process = Process::spawn("prometheus", &mut command);
        process.wait_for("its readiness", START, |_| {
            matches!(http::get(address, "/-/ready"), Ok((200, _))).then_some(())
        });
        Self { process, address, _directory: directory }
    }

    /// The series that a PromQL expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Series> {
        let path = format!("/api/v1/query?query={}", http::percent_encode(expression));
        let (status, body) = http::get(self.address, &path).expect("an answer of Prometheus");
        assert_eq!(status, 200, "{expression}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON of Prometheus");
        let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        results.iter().map(series).collect()
    }
}

fn series(result: &Value) -> Series {
    let labels = result["metric"].as_object().expect("labels");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Series {
        labels: labels.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        value: result["value"][1].as_str().and_then(|value| value.parse().ok()).expect("a number"),
    }
}

/// What `promtool check metrics` finds in an exposition, one line each. Panics when it is no exposition at all.
pub fn promtool_findings(exposition: &str) -> Vec<String> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool: run `make tools`");
    // promtool reads everything before it says anything, so this cannot block on a full pipe.
    child.stdin.take().expect("a pipe").write_all(exposition.as_bytes()).expect("a written exposition");
    let output = child.wait_with_output().expect("the end of promtool");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    // 0: nothing found, 3: lint findings, anything else: not parsed.
    assert!(matches!(output.status.code(), Some(0 | 3)), "promtool cannot parse the metrics: {said}");
    said.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;
    use crate::skip::Need;
    use crate::wait::until;

    #[test]
    fn a_real_prometheus_scrapes_and_answers() {
        require!(Need::Program("prometheus"));
        let target = free_address();
        let prometheus = Prometheus::start(target);
        // Nobody listens there: `up` is scraped as 0, which shows that scraping and querying work.
        let up = until(Duration::from_secs(30), || prometheus.query("up{job=\"servicemap\"}").pop())
            .expect("`up`");
        assert_eq!(up.labels["instance"], target.to_string());
        assert!(up.value < 0.5);
    }

    #[test]
    fn promtool_names_what_it_finds() {
        require!(Need::Program("promtool"));
        assert_eq!(promtool_findings("# HELP a_total A.\n# TYPE a_total counter\na_total 1\n"), [""; 0]);
        let findings = promtool_findings("# HELP a A.\n# TYPE a counter\na 1\n");
        assert!(findings[0].contains("_total"), "{findings:?}");
    }
}
