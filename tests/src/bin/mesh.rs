//! What observing 100 services with 1,000 connections costs: `make bench`. The services are real programs on loopback, each
//! of which listens, holds a connection to each of ten others and makes a short one a second besides. `servicemap run`
//! observes them for a minute; its CPU time and the run time of its BPF programs, taken in the same minute, are given as a
//! share of one core.
//!
//! `mesh [SECONDS]`: how long it is observed (60). Ends with an error where the map has not all of the services, or not
//! exactly the connections between them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use servicemap_tests::cost::{BpfStatistics, cpu_seconds, start_agent};
use servicemap_tests::map::MapCommand;
use servicemap_tests::process::Process;
use servicemap_tests::wait::until;
use servicemap_tests::{artifacts, bpf};

const ADDRESS: &str = "127.0.0.1";
const SERVICES: usize = 100;
/// Others to which each service is connected.
const CALLS: usize = 10;
/// Short connections a second of each service.
const RATE: usize = 1;
/// Programs are called by this and a number, so that they are told from everything else on the machine.
const NAME: &str = "mesh-";
/// More than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |word| word.parse())?;
    let programs = tempfile::tempdir()?;
    let services = start_services(programs.path())?;
    let cost = observe(Duration::from_secs(seconds))?;
    let (names, edges) = map()?;
    drop(services);
    println!(
        "\n| {SERVICES} services, {} connections held, {} short ones a second, {seconds} s | share of a core |\n|---|---|",
        SERVICES * CALLS,
        SERVICES * RATE
    );
    println!("| the agent's CPU time | {:.2} % |", cost.agent);
    println!("| run time of its BPF programs | {:.2} % |", cost.kernel);
    println!("| both (aim: below 1 %) | **{:.2} %** |", cost.agent + cost.kernel);
    println!("| in the map | {names} services, {edges} connections between them |");
    ensure!((names, edges) == (SERVICES, SERVICES * CALLS), "the map is not what is there");
    Ok(())
}

/// Starts the services and connects them. Each is a program of its own name.
fn start_services(programs: &std::path::Path) -> Result<Vec<Process>> {
    let mut services = Vec::new();
    for number in 0..SERVICES {
        let program = programs.join(format!("{NAME}{number}"));
        fs::copy(artifacts::peer_binary(), &program).context("no room for the programs")?;
        let mut command = Command::new(program);
        services.push(Process::spawn("a service", command.args(["member", ADDRESS, &RATE.to_string()])));
    }
    let ports: Vec<_> =
        services.iter_mut().map(|service| service.wait_for_line("ready ", PATIENCE)).collect();
    for (number, service) in services.iter_mut().enumerate() {
        let called = ports.iter().cycle().skip(number + 1).take(CALLS);
        service.say(&called.cloned().collect::<Vec<_>>().join(" "));
    }
    for service in &mut services {
        let held = service.wait_for_line("held ", PATIENCE);
        ensure!(held == CALLS.to_string(), "a service holds {held} connections");
    }
    Ok(services)
}

/// Shares of one core in per cent.
struct Cost {
    agent: f64,
    kernel: f64,
}

/// Observes, and says what that took once everything that was there is known.
fn observe(time: Duration) -> Result<Cost> {
    let _on = BpfStatistics::switch_on()?;
    let mut agent = start_agent();
    let all = until(PATIENCE, || (established(&agent) >= SERVICES * CALLS).then_some(()));
    ensure!(all.is_some(), "the agent told {} connections", established(&agent));
    let (begin, cpu, kernel) = (Instant::now(), cpu_seconds(agent.id())?, bpf::run_time_nanos(agent.id()));
    sleep(time);
    let seconds = begin.elapsed().as_secs_f64();
    let (cpu_end, kernel_end) = (cpu_seconds(agent.id())?, bpf::run_time_nanos(agent.id()));
    agent.terminate(PATIENCE);
    Ok(Cost {
        agent: (cpu_end - cpu) / seconds * 100.0,
        kernel: (kernel_end - kernel) as f64 / 1e9 / seconds * 100.0,
    })
}

/// Connections between the services that an agent has told.
fn established(agent: &Process) -> usize {
    let lines = agent.stdout();
    let told = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = told.filter(|event| event["type"] == "connection.established");
    let subjects: BTreeSet<_> =
        told.filter_map(|event| event["subject"].as_str().map(str::to_owned)).collect();
    subjects.iter().filter(|subject| subject.matches(NAME).count() == 2).count()
}

/// How many services, and connections between them, the map has.
fn map() -> Result<(usize, usize)> {
    let mut map = MapCommand::start("1s");
    let edges = until(PATIENCE, || Some(map.edges()).filter(|edges| !edges.is_empty()));
    let is_ours = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(NAME));
    let edges = edges.context("no map")?;
    let ours: Vec<_> =
        edges.iter().filter(|edge| is_ours(&edge.source) && is_ours(&edge.destination)).collect();
    let names: BTreeSet<_> = ours.iter().flat_map(|edge| [&edge.source, &edge.destination]).collect();
    Ok((names.len(), ours.len()))
}
