//! What cannot work says so in one sentence with the mend, and ends with status 1: no panic, no stack trace.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use servicemap_tests::agent::{command, config_file, free_address, pipeline};
use servicemap_tests::artifacts;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

/// Longest time until it gives up; an endpoint may be tried for a while.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a command that must fail, and checks the form of what it says. Returns the sentence.
fn failure(command: &mut Command) -> String {
    // As users have it who debug: must not turn a message into a trace.
    let mut process = Process::spawn("servicemap", command.env("RUST_BACKTRACE", "1"));
    let status = process.wait_for_end(DEADLINE);
    let said = process.stderr();
    assert_eq!(status.code(), Some(1), "{process:?}");
    for trace in ["panicked at", "stack backtrace", "thread '", "Os {", "Error {"] {
        assert!(!said.iter().any(|line| line.contains(trace)), "{trace:?} in {said:#?}");
    }
    let [sentence] = &said[..] else { panic!("not one line: {said:#?}") };
    sentence.clone()
}

fn failure_with(yaml: &str) -> String {
    let (_directory, path) = config_file(yaml);
    failure(&mut command(&["run", "--config", path.to_str().expect("a UTF-8 path")]))
}

fn assert_says(sentence: &str, words: &[&str]) {
    let missing: Vec<_> = words.iter().filter(|word| !sentence.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} not in: {sentence}");
}

#[test]
fn a_missing_capability_is_named_with_the_way_to_give_it() {
    require!(Need::Root, Need::Btf);
    // Somebody else must be able to reach the binary, wherever the repository lies.
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a directory for all");
    let binary = directory.path().join("servicemap");
    fs::copy(artifacts::servicemap(), &binary).expect("a copy of the binary");

    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    setpriv.args(["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]);
    let sentence = failure(setpriv.arg(&binary).arg("run"));
    assert_says(&sentence, &["CAP_BPF", "CAP_PERFMON", "setcap"]);
}

#[test]
fn a_kernel_without_type_information_is_named() {
    require!(Need::Root, Need::Btf);
    let empty = tempfile::tempdir().expect("a temporary directory");
    let script = format!(
        "mount --bind '{}' /sys/kernel/btf && exec '{}' run",
        empty.path().display(),
        artifacts::servicemap().display()
    );
    let sentence = failure(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    assert_says(&sentence, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let yaml = pipeline("debug", "{}", &["logs"]).replace("collection_interval", "colection_interval");
    assert_says(
        &failure_with(&yaml),
        &["colection_interval", "collection_interval", "receivers", "servicemap"],
    );
}

#[test]
fn an_unreachable_endpoint_is_named() {
    require!(Need::Root, Need::Btf);
    let nobody = free_address().to_string();
    let yaml =
        pipeline("otlp_grpc", &format!("{{endpoint: '{nobody}', tls: {{insecure: true}}}}"), &["logs"]);
    assert_says(&failure_with(&yaml), &[&nobody, "exporters::otlp_grpc"]);
}

#[test]
fn a_busy_port_is_named() {
    require!(Need::Root, Need::Btf);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let yaml = pipeline("prometheus", &format!("{{endpoint: '{address}'}}"), &["metrics"]);
    assert_says(&failure_with(&yaml), &[&address, "another program has this port", "exporters::prometheus"]);
}

#[test]
fn a_missing_configuration_file_is_named() {
    assert_says(
        &failure(&mut command(&["run", "--config", "/nowhere/servicemap.yaml"])),
        &["/nowhere/servicemap.yaml"],
    );
}
