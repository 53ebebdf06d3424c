//! The binary as a shell sees it: exit status, standard output, standard error. Nothing here observes, so nothing needs
//! a capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

fn servicemap(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_servicemap"));
    command.args(args).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    servicemap(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_failure_is_one_sentence_and_status_1() {
    let output = output(&["--log-level", "servicemap=loud", "map"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("servicemap: `servicemap=loud` is no log filter"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn a_wrong_command_line_is_status_2_and_says_what_is_right() {
    for (args, hint) in [
        (&["map", "--for", "5"][..], "\"5\" has no unit"),
        (&["map", "-o", "svg"][..], "table, json, dot, mermaid"),
        (&["mapp"][..], "'map'"),
        (&["validate"][..], "--config <FILE>"),
        (&[][..], "Usage: servicemap"),
    ] {
        let output = output(args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr.contains(hint), "{args:?}: {stderr}");
    }
}

#[test]
fn help_has_examples_on_standard_output() {
    for args in
        [&["--help"][..], &["run", "--help"][..], &["map", "--help"][..], &["completion", "--help"][..]]
    {
        let output = output(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(text(&output.stdout).contains("\nExamples:\n"), "{args:?}");
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(text(&output(&["--version"]).stdout), concat!("servicemap ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = output(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("print-config"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = servicemap(&["completion", "bash"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_full_disk_is_one() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = servicemap(&["completion", "bash"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("servicemap: cannot write to standard output"));
}

#[test]
fn a_configuration_is_checked_and_printed_without_running_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("servicemap.yaml");
    let yaml = "receivers: {servicemap: {}}\nexporters: {debug: {}}\n\
                service: {pipelines: {logs: {receivers: [servicemap], exporters: [debug]}}}\n";
    std::fs::write(&path, yaml).unwrap();
    let config = ["--config", path.to_str().unwrap()];

    let valid = output(&[&["validate"], &config[..]].concat());
    assert_eq!((valid.status.code(), text(&valid.stdout), text(&valid.stderr)), (Some(0), "", ""));

    let set = ["--set", "receivers.servicemap.drain_interval=2s"];
    let printed = output(&[&["print-config"], &config[..], &set[..]].concat());
    let tree: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(tree["receivers"]["servicemap"]["drain_interval"], "2s");

    let wrong =
        output(&[&["validate"], &config[..], &["--set", "receivers.servicemap.drain_intervall=2s"]].concat());
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("drain_interval"), "{}", text(&wrong.stderr));
}

#[test]
fn the_pipelines_of_the_repository_load() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../otel-config");
    for name in ["agent.yaml", "node-agent.yaml", "cluster.yaml"] {
        let output = output(&["validate", "--config", directory.join(name).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
    }
}
