//! What Servicemap may take of a machine. Ratios against the same work without it are benchmarks: `make bench`.

use std::fs;

use servicemap_tests::agent::{Agent, TOLD, free_address, pipeline};
use servicemap_tests::netns::Family;
use servicemap_tests::peers::Stage;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;
use servicemap_tests::{artifacts, bpf, http, require};

const MIB: u64 = 1024 * 1024;

#[test]
fn the_binary_is_at_most_25_mib() {
    let size = fs::metadata(artifacts::servicemap()).expect("the binary").len();
    assert!(size <= 25 * MIB, "{:.1} MiB", size as f64 / MIB as f64);
}

/// An agent that has seen traffic and has been scraped: everything that it allocates at first use is allocated.
fn busy_agent(stage: &Stage) -> Agent {
    let metrics = free_address();
    let agent = Agent::start(&pipeline("prometheus", &format!("{{endpoint: '{metrics}'}}"), &["metrics"]));
    let server = stage.serve(Family::V4);
    stage.connect_and_close(server.address, 1_000);
    let seen = until(TOLD, || {
        let (_, text) = http::get(metrics, "/metrics").ok()?;
        text.contains(&stage.client_name()).then_some(())
    });
    assert!(seen.is_some(), "the traffic is not in the metrics\n{:?}", agent.process);
    agent
}

#[test]
fn resident_memory_is_at_most_20_mib_while_observing() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let agent = busy_agent(&stage);
    let status = fs::read_to_string(format!("/proc/{}/status", agent.process.id())).expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let resident = line.trim().trim_end_matches(" kB").parse::<u64>().expect("kibibytes") * 1024;
    assert!(resident <= 20 * MIB, "{:.1} MiB", resident as f64 / MIB as f64);
}

#[test]
fn kernel_maps_are_at_most_16_mib_while_observing() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let agent = busy_agent(&stage);
    let maps = bpf::map_memory(agent.process.id());
    assert!(maps > 0, "no maps are visible in /proc/{}/fdinfo", agent.process.id());
    assert!(maps <= 16 * MIB, "{:.1} MiB", maps as f64 / MIB as f64);
}
