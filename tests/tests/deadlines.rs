//! What `make run` shows on a terminal, and how soon: within 2 seconds on a quiet machine. A test machine is not quiet,
//! so the tests allow ten times that, and print the median.

use std::process::Command;
use std::time::{Duration, Instant};

use servicemap_tests::artifacts;
use servicemap_tests::netns::Family;
use servicemap_tests::peers::{CLIENT, SERVER, Stage};
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::{Need, figure};

/// Ten times what is promised.
const ALLOWED: Duration = Duration::from_secs(20);
const RUNS: usize = 3;

/// `servicemap run` on a terminal that is wide and high enough for every name.
fn run_on_a_terminal() -> Process {
    let run = format!("stty rows 400 cols 250; exec '{}' run", artifacts::servicemap().display());
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--flush", "--return", "--command", &run, "/dev/null"])
        .env("TERM", "xterm-256color");
    Process::spawn("servicemap run on a terminal", &mut command)
}

/// The agent below `script` and its shell.
fn agent_of(terminal: &mut Process) -> u32 {
    terminal.wait_for("the agent", ALLOWED, |script| {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", script.id())).ok()?;
        let child = children.split_whitespace().next()?;
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name.trim() == "servicemap").then(|| child.parse().expect("a process id"))
    })
}

/// The stage's client and its server stand on one line of the screen. Names may be cut at the end, programs are not.
fn wait_until_shown(terminal: &mut Process, port: u16) {
    let port = port.to_string();
    terminal.wait_for("the connection on the screen", ALLOWED, |terminal| {
        let screen = terminal.screen();
        let shows = |line: &str| line.contains(CLIENT) && line.contains(SERVER) && line.contains(&port);
        screen.split(['\n', '\r']).any(shows).then_some(())
    });
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    figure(&format!("{what}: median {:.2?} of {times:.2?}", times[times.len() / 2]));
}

#[test]
fn an_existing_connection_is_on_the_screen_soon_after_the_start() {
    require!(Need::Root, Need::Btf, Need::Program("script"));
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let _open = stage.hold(server.address, 1);
    let times = (0..RUNS).map(|_| {
        let begin = Instant::now();
        wait_until_shown(&mut run_on_a_terminal(), server.address.port());
        begin.elapsed()
    });
    report("from the start to an existing connection on the screen", times.collect());
}

#[test]
fn a_new_connection_is_on_the_screen_soon_after_it_was_made() {
    require!(Need::Root, Need::Btf, Need::Program("script"));
    let mut terminal = run_on_a_terminal();
    let agent = agent_of(&mut terminal);
    terminal.wait_for("the attached BPF program", ALLOWED, |_| {
        servicemap_tests::bpf::is_attached(agent).then_some(())
    });
    let times = (0..RUNS).map(|_| {
        let stage = Stage::set();
        let server = stage.serve(Family::V4);
        let begin = Instant::now();
        stage.connect_and_close(server.address, 1);
        wait_until_shown(&mut terminal, server.address.port());
        begin.elapsed()
    });
    report("from a short connection to its line on the screen", times.collect());
}
