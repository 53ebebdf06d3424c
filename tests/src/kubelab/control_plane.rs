//! The control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler in one process.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{END, START};
use crate::artifacts;
use crate::process::{Process, output_of};

/// A running control plane; its state is in a directory, so that it can be killed and go on.
#[derive(Debug)]
pub struct ControlPlane {
    process: Option<Process>,
    directory: TempDir,
    lab: Option<String>,
}

impl ControlPlane {
    /// A control plane without nodes: its objects are all there is.
    pub fn start() -> Self {
        Self::with_lab(None)
    }

    /// One that nodes of this lab can join.
    pub(super) fn with_lab(lab: Option<String>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut plane = Self { process: None, directory, lab };
        plane.run(&[]);
        plane
    }

    /// Starts the process on the same state, at the same ports, and waits until the API is ready.
    pub fn run(&mut self, more: &[&str]) {
        let mut command = Command::new(artifacts::kubelab());
        command.args(["up", "--while-stdin", "--dir"]).arg(self.directory()).args(more);
        if let Some(lab) = &self.lab {
            command.args(["--lab", lab]);
        }
        let mut process = Process::spawn("kubelab up", &mut command);
        process.wait_for_line("ready ", START);
        self.process = Some(process);
    }

    /// Kills the process: no goodbye to anybody.
    pub fn kill(&mut self) {
        // Its handle kills it and waits.
        self.process = None;
    }

    /// Where its state and its kubeconfigs are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The kubeconfig of one who may do everything.
    pub fn admin(&self) -> PathBuf {
        self.directory().join("admin.kubeconfig")
    }

    /// A kubeconfig with the token of a service account (`namespace/name`): what its pods could do, no more.
    pub fn account(&self, account: &str) -> PathBuf {
        let file = self.directory().join(format!("{}.kubeconfig", account.replace('/', "-")));
        output_of(
            Command::new(artifacts::kubelab())
                .args(["kubeconfig", "--service-account", account, "--dir"])
                .arg(self.directory())
                .arg("--out")
                .arg(&file),
        );
        file
    }

    /// A `kubectl` command as the administrator.
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(artifacts::kubelab());
        command.arg("kubectl").args(arguments).env("KUBECONFIG", self.admin());
        command
    }

    /// Runs `kubectl` as the administrator; returns what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        output_of(&mut self.kubectl_command(arguments))
    }

    /// Objects as the API shows them.
    pub fn get(&self, arguments: &[&str]) -> Value {
        let all = [&["get", "-o", "json"], arguments].concat();
        serde_json::from_str(&self.kubectl(&all)).expect("JSON of kubectl")
    }

    /// Applies a file of the repository.
    pub fn apply(&self, path: &str) {
        let file = artifacts::repository().join(path);
        self.kubectl(&["apply", "-f", file.to_str().expect("a UTF-8 path")]);
    }

    /// Applies objects that a test writes out.
    pub fn apply_text(&self, yaml: &str) {
        let file = self.directory().join("applied.yaml");
        std::fs::write(&file, yaml).expect("a written file");
        self.kubectl(&["apply", "-f", file.to_str().expect("a UTF-8 path")]);
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It takes its network down when it is told to end, not when it is killed.
            process.close_stdin();
            let _ = crate::wait::until(END, || process.ended());
        }
    }
}
