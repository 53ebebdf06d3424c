//! What was told before a restart is not told as new, where the observer has a directory for it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use servicemap_tests::agent::{Agent, START, TOLD};
use servicemap_tests::netns::Family;
use servicemap_tests::peers::{CLIENT, Stage, host_name};
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;

/// Longest time until what was told is written, and far longer than a test should take.
const KEPT: Duration = Duration::from_secs(30);

/// Starts it and waits until it has told what exists: what comes then is news.
fn start(state: &Path) -> Agent {
    let mut agent = Agent::start(&format!(
        "receivers:\n  servicemap: {{enable_k8s_discovery: false, state_dir: '{}'}}\n\
         exporters:\n  debug: {{verbosity: detailed}}\n\
         service:\n  pipelines:\n    logs: {{receivers: [servicemap], exporters: [debug]}}\n",
        state.display()
    ));
    agent.process.wait_for("the snapshot", START, |process| {
        process.stdout().iter().any(|line| line.contains("servicemap.snapshot")).then_some(())
    });
    agent
}

/// Lines of the events that say that a dependency on `server` is new, each with its attributes.
fn detected(agent: &Agent, server: &str) -> Vec<String> {
    let lines = agent.process.stdout();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let detected = pairs.filter(|(line, _)| line.contains("servicemap.dependency.detected"));
    detected
        .map(|(line, attributes)| format!("{line} {attributes}"))
        .filter(|line| line.contains(server))
        .collect()
}

fn wait_for_detection(agent: &mut Agent, client: &str, server: &str) -> String {
    let found = until(TOLD, || detected(agent, server).into_iter().find(|line| line.contains(client)));
    found.unwrap_or_else(|| panic!("no dependency of {client} on {server} was told\n{:?}", agent.process))
}

/// Another program in the client's namespace that holds a connection.
fn hold_by(stage: &Stage, program: &str, server: std::net::SocketAddr) -> Process {
    let path = stage.program(program);
    fs::copy(stage.program(CLIENT), &path).expect("a copy of the client");
    let mut command = stage.pair.client.command(path);
    command.args(["connect", &server.ip().to_string(), &server.port().to_string(), "1", "--hold"]);
    let mut process = Process::spawn(program, &mut command);
    process.wait_for_line("done ", TOLD);
    process
}

#[test]
fn a_dependency_that_was_told_before_a_kill_is_not_told_again_and_a_new_one_is() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let memory = tempfile::tempdir().expect("a temporary directory");
    let (server_name, client_name) = (stage.server_name(), stage.client_name());

    let mut first = start(memory.path());
    let _held = stage.hold(server.address, 1);
    let told = wait_for_detection(&mut first, &client_name, &server_name);
    assert!(told.contains("servicemap.learning=\"true\""), "nothing was known before: {told}");
    let source = format!("process:{}/{client_name}", host_name());
    let kept =
        || fs::read_to_string(memory.path().join("told.json")).is_ok_and(|text| text.contains(&source));
    assert!(until(KEPT, || kept().then_some(())).is_some(), "it was not kept\n{:?}", first.process);
    first.process.kill();

    // One that begins while nobody looks, and one after that.
    let _meanwhile = hold_by(&stage, "meanwhile", server.address);
    let mut second = start(memory.path());
    let meanwhile = wait_for_detection(&mut second, "meanwhile", &server_name);
    let _later = hold_by(&stage, "later", server.address);
    let later = wait_for_detection(&mut second, "later", &server_name);
    for told in [meanwhile, later] {
        assert!(!told.contains("servicemap.learning"), "{told}");
    }
    let all = detected(&second, &server_name);
    assert!(all.iter().all(|line| !line.contains(&client_name)), "told again: {all:#?}");
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(second.process.terminate(TOLD).success());
}

#[test]
fn a_damaged_file_is_said_in_a_sentence_and_gone_on_without() {
    require!(Need::Root, Need::Btf);
    let memory = tempfile::tempdir().expect("a temporary directory");
    fs::write(memory.path().join("told.json"), "{\"version\":1,\"dependencies\":[{").expect("a damaged file");
    let mut agent = start(memory.path());
    let said = agent.process.stderr();
    let sentence = said.iter().find(|line| line.contains("told.json"));
    let sentence = sentence.unwrap_or_else(|| panic!("nothing was said\n{:?}", agent.process));
    assert!(sentence.contains("what exists is learned anew"), "{sentence}");
    assert!(agent.process.terminate(TOLD).success());
}
