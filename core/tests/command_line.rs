//! The binary as a shell sees it: exit status, standard output, standard error. Nothing here observes, so nothing needs
//! a capability.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
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

/// A map that was saved: two entry points, a gateway, a database, two services in a circle.
const SAVED_MAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/map.json");

#[test]
fn a_saved_map_is_analyzed() {
    let output = output(&["analyze", "--map", SAVED_MAP]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn who_a_failure_affects_is_said_of_a_service_of_a_saved_map() {
    let output = output(&["analyze", "--map", SAVED_MAP, "--service", "shop/left"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn an_analysis_of_one_service_has_all_of_it_as_json() {
    let output = output(&["analyze", "--map", SAVED_MAP, "--service", "service:shop/db", "-o", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["needed_by"], serde_json::json!(["service:shop/gateway"]));
    let through_others = serde_json::json!(["service:shop/app", "service:shop/site"]);
    assert_eq!(found["needed_through_others"], through_others);
    assert_eq!(found["busiest_chain"]["connections"], 5);
}

#[test]
fn what_is_no_saved_map_is_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("map.json");
    for (content, why) in [
        ("hello", "expected value"),
        (r#"{"at":""}"#, "missing field `version`"),
        (r#"{"version":99}"#, "its version is 99, and this servicemap reads 1"),
        (r#"{"version":1,"services":[]}"#, "missing field `connections`"),
        (r#"{"version":1,"services":[{"id":"x"}],"connections":[],"topology":{}}"#, "\"x\" is no service"),
    ] {
        std::fs::write(&path, content).unwrap();
        let output = output(&["analyze", "--map", path.to_str().unwrap()]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{content}");
        assert!(stderr.contains(why) && stderr.contains("map.json"), "{content}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_service_that_is_not_in_the_map_is_said_to_be_none() {
    let output = output(&["analyze", "--map", SAVED_MAP, "--service", "shop/cart"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("servicemap: `shop/cart` is no service of the map"));
}

#[test]
fn a_simulated_cluster_is_replayed_from_standard_input_and_seeds_make_it_the_same() {
    let arguments = ["simulate", "--services", "10", "--edges", "20", "--for", "20s", "--seed", "7"];
    let recording = output(&arguments).stdout;
    assert_eq!(output(&arguments).stdout, recording);
    let mut replay = servicemap(&["replay", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    replay.stdin.take().unwrap().write_all(&recording).unwrap();
    let map = replay.wait_with_output().unwrap().stdout;
    let map: serde_json::Value = serde_json::from_slice(&map).unwrap();
    assert_eq!(map["connections"].as_array().map(Vec::len), Some(20));
}

/// A recorded incident of the repository.
fn incident(name: &str) -> String {
    format!("{}/../tests/incidents/{name}.jsonl", env!("CARGO_MANIFEST_DIR"))
}

/// The health of the incident's database in the map at an instant.
fn database_at(at: &str) -> String {
    let recording = incident("cascading_failure");
    let output = output(&["map", "--recording", &recording, "--at", at, "-o", "json"]);
    let map: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = map.pointer("/services").and_then(|services| services.as_array()).unwrap();
    let database = services.iter().find(|service| service.get("name").is_some_and(|name| name == "db"));
    database.and_then(|database| database.pointer("/health/status")?.as_str()).unwrap().to_owned()
}

#[test]
fn the_map_of_a_recording_is_shown_as_it_was_at_an_instant() {
    assert_eq!(database_at("+59s"), "healthy");
    assert_eq!(database_at("+63s"), "unhealthy");
    assert_eq!(database_at("2027-01-15T08:00:59Z"), "healthy");
}

#[test]
fn two_instants_of_a_recording_are_compared() {
    let recording = incident("wrong_database");
    let output = output(&["diff", &format!("{recording}@+59s"), &format!("{recording}@+80s")]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout.contains("prod/checkout->staging/postgres:5432/tcp"), "{stdout}");
    assert!(!stdout.contains("prod/checkout->prod/postgres:5432/tcp opened"), "{stdout}");
}

#[test]
fn an_instant_outside_a_recording_and_what_is_no_recording_are_refused_in_one_sentence() {
    let recording = incident("wrong_database");
    for args in [
        &["map", "--recording", &recording, "--at", "yesterday"][..],
        &["replay", "/proc/self/cmdline"],
        &["diff", "/nowhere/a.json", "/nowhere/b.json"],
    ] {
        let output = output(args);
        let stderr = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {stderr}");
        assert!(stderr.trim_end().lines().count() <= 5 && !stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}
