//! What Servicemap costs on this machine: `make bench`. Figures are ratios of medians over alternating rounds, because a
//! shared machine drifts; each is printed with its spread.
//!
//! `bench [ROUNDS [SECONDS]]`: rounds with and without the agent (7), seconds of each (2).

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use servicemap_tests::cost::{BpfStatistics, cpu_seconds, start_agent};
use servicemap_tests::process::Process;
use servicemap_tests::{artifacts, bpf};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Ports, and so edges, that a load goes over.
const EDGES: u32 = 50;
/// Connections a second at which the agent's CPU time is taken.
const RATES: [u32; 2] = [1_000, 5_000];
/// How long each of them is held.
const RATE_SECONDS: u64 = 10;
/// More than any load here takes.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> Result<()> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let rounds = arguments.first().copied().unwrap_or(7);
    let seconds = arguments.get(1).copied().unwrap_or(2);
    let bench = Bench::set_up()?;
    bench.throughput(rounds, seconds)?;
    for rate in RATES {
        bench.agent_cpu(rate)?;
    }
    bench.kernel_time()
}

/// Two programs, so that there are two services; the server listens all the time.
struct Bench {
    programs: tempfile::TempDir,
    _server: Process,
    ports: Vec<String>,
}

impl Bench {
    fn set_up() -> Result<Self> {
        let programs = tempfile::tempdir()?;
        for name in ["bench-server", "bench-client"] {
            fs::copy(artifacts::peer_binary(), programs.path().join(name))?;
        }
        let mut command = Command::new(programs.path().join("bench-server"));
        let mut server =
            Process::spawn("server", command.args(["serve", &ADDRESS.to_string(), &EDGES.to_string()]));
        let ready = server.wait_for_line("ready ", PATIENCE);
        Ok(Self { programs, _server: server, ports: ready.split(' ').map(str::to_owned).collect() })
    }

    /// Connections made at `rate` (0: as many as possible) in `seconds`.
    fn load(&self, rate: u32, seconds: u64) -> Result<u64> {
        let mut command = Command::new(self.programs.path().join("bench-client"));
        command
            .args(["load", &ADDRESS.to_string(), &rate.to_string(), &seconds.to_string()])
            .args(&self.ports);
        let made = Process::spawn("client", &mut command).wait_for_line("done ", PATIENCE);
        made.parse().with_context(|| format!("no count: {made}"))
    }

    fn throughput(&self, rounds: u64, seconds: u64) -> Result<()> {
        self.load(0, 1)?; // Warm-up: the first connections pay for pages and caches.
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            without.push(self.per_second(seconds)?);
            let mut agent = start_agent();
            with.push(self.per_second(seconds)?);
            agent.terminate(PATIENCE);
        }
        println!(
            "\n| connections/s on loopback ({rounds} rounds of {seconds} s, alternating) | median | min–max |\n|---|---|---|"
        );
        println!("| without Servicemap | {:.0} | {} |", median(&mut without), spread(&without));
        println!("| with Servicemap | {:.0} | {} |", median(&mut with), spread(&with));
        println!("| ratio of medians | **{:.3}** | |", median(&mut with) / median(&mut without));
        Ok(())
    }

    fn per_second(&self, seconds: u64) -> Result<f64> {
        Ok(self.load(0, seconds)? as f64 / seconds as f64)
    }

    fn agent_cpu(&self, rate: u32) -> Result<()> {
        let mut agent = start_agent();
        let before = cpu_seconds(agent.id())?;
        let made = self.load(rate, RATE_SECONDS)?;
        let spent = cpu_seconds(agent.id())? - before;
        agent.terminate(PATIENCE);
        if rate == RATES[0] {
            println!(
                "\n| the agent's CPU time over {EDGES} edges, {RATE_SECONDS} s | connections | CPU s | share of a core | a connection |"
            );
            println!("|---|---|---|---|---|");
        }
        let (share, each) = (spent / RATE_SECONDS as f64 * 100.0, spent / made as f64 * 1e6);
        println!("| {rate} connections/s | {made} | {spent:.2} | {share:.2} % | {each:.2} µs |");
        Ok(())
    }

    /// Run time of the BPF programs; the kernel takes it only while asked to, so no other figure is taken meanwhile.
    fn kernel_time(&self) -> Result<()> {
        let _on = BpfStatistics::switch_on()?;
        let mut agent = start_agent();
        let before = bpf::run_time_nanos(agent.id());
        let made = self.load(RATES[0], RATE_SECONDS)?;
        let spent = bpf::run_time_nanos(agent.id()) - before;
        agent.terminate(PATIENCE);
        let each = spent as f64 / made as f64 / 1e3;
        println!("\n| BPF run time | connections | ms | a connection, both ends |\n|---|---|---|---|");
        println!("| {} connections/s | {made} | {:.1} | {each:.2} µs |", RATES[0], spent as f64 / 1e6);
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(sorted: &[f64]) -> String {
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(most)) => format!("{least:.0}–{most:.0}"),
        _ => String::new(),
    }
}
