//! What takes long: `make test-all`.

use std::time::Duration;

use servicemap_tests::agent::{Agent, TOLD, free_address, pipeline};
use servicemap_tests::http;
use servicemap_tests::map::MapCommand;
use servicemap_tests::netns::Family;
use servicemap_tests::peers::Stage;
use servicemap_tests::require;
use servicemap_tests::skip::{Need, figure};
use servicemap_tests::wait::until;

/// Samples of `metric` in an exposition whose labels contain all of `labels`.
fn samples(exposition: &str, metric: &str, labels: &[&str]) -> Vec<u64> {
    let of_metric = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{'));
    exposition
        .lines()
        .filter(of_metric)
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .map(|value| format!("{value:.0}").parse().expect("a count"))
        .collect()
}

#[test]
#[ignore = "takes a minute: make test-all"]
fn every_connection_counts_at_every_rate_over_fifty_edges() {
    const EDGES: u32 = 50;
    const SECONDS: u64 = 10;
    require!(Need::Root, Need::Btf);
    let metrics = free_address();
    let mut agent =
        Agent::start(&pipeline("prometheus", &format!("{{endpoint: '{metrics}'}}"), &["metrics"]));
    for rate in [100, 1_000, 5_000] {
        let stage = Stage::set();
        let (_server, targets) = stage.serve_ports(EDGES);
        let made = stage.load(&targets, rate, Duration::from_secs(SECONDS));
        assert_eq!(made, u64::from(rate) * SECONDS);
        let client = format!("source_name=\"{}\"", stage.client_name());
        let opened = || {
            let (_, text) = http::get(metrics, "/metrics").expect("the metrics");
            samples(&text, "servicemap_edge_connections_opened_total", &[&client])
        };
        let exact = until(TOLD, || (opened().iter().sum::<u64>() == made).then_some(()));
        assert!(exact.is_some(), "{rate}/s: {made} made, {:?} counted\n{:?}", opened(), agent.process);
        assert_eq!(opened(), vec![made / u64::from(EDGES); EDGES as usize], "{rate}/s");
        figure(&format!("{made} of {made} connections counted at {rate}/s over {EDGES} edges"));
    }
    assert!(agent.process.terminate(TOLD).success());
}

#[test]
#[ignore = "takes a minute: make test-all"]
fn a_thousand_silent_connections_opened_before_the_start_are_all_in_the_map() {
    require!(Need::Root, Need::Btf);
    let stage = Stage::set();
    let server = stage.serve(Family::V4);
    let _open = stage.hold(server.address, 1_000);
    let mut map = MapCommand::start("2s");
    map.process.wait_for_end(TOLD);
    let client = stage.client_name();
    let edges: Vec<_> = map
        .connections()
        .into_iter()
        .filter(|connection| connection["source"]["name"] == client.as_str())
        .collect();
    let [edge] = &edges[..] else { panic!("not one edge: {edges:#?}") };
    assert_eq!(
        (&edge["opened"], &edge["preexisting"], &edge["active"]),
        (&1_000.into(), &1_000.into(), &1_000.into())
    );
    figure("1000 of 1000 silent connections found");
}

#[test]
#[ignore = "takes a minute: make test-all"]
fn starting_and_stopping_leaves_nothing_in_the_kernel() {
    const TIMES: u32 = 10;
    require!(Need::Root, Need::Btf);
    for _ in 0..TIMES {
        let mut agent = Agent::start(&pipeline("debug", "{}", &["logs"]));
        assert!(agent.process.terminate(TOLD).success(), "{:?}", agent.process);
        assert!(!servicemap_tests::bpf::is_attached(agent.process.id()));
    }
    figure(&format!("{TIMES} starts and stops, each with status 0"));
}
