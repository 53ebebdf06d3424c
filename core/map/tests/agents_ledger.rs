//! Records of agents, whatever carries them, become the counts that the agents have.

mod lab;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lab::{Delta, HOST, START, at, client};
use proptest::prelude::*;
use servicemap_map::agents::{Book, Ledger, Record, RecordBody, StateRecord};
use servicemap_map::model::{
    ContainerCgroup, Fact, FactBody, FlowDelta, Gap, GapReason, MachineId, Origin, RunId, SourceId, Timestamp,
};
use uuid::Uuid;

const CALL: &str = "192.0.2.9";

/// One agent and its clock.
struct Agent {
    book: Book,
    now: Timestamp,
}

impl Agent {
    fn of(machine: &str, run: u128, second: f64) -> Self {
        let interval = Duration::from_secs(5);
        let run = RunId(Uuid::from_u128(run));
        let mut agent = Self {
            book: Book::new(machine.into(), run, at(second), "0.1.0".into(), interval, 1_000),
            now: at(second),
        };
        agent.note(FactBody::NetworkNamespace { netns: HOST, name: None });
        agent
    }

    /// The first run of machine `one`, at second 0, which has found everything that was open.
    fn ready() -> Self {
        let mut agent = Self::of("one", 1, 0.0);
        agent.found_all();
        agent
    }

    fn found_all(&mut self) {
        self.note(FactBody::Ready(SourceId::Capture));
    }

    fn note(&mut self, body: FactBody) {
        let origin = Origin { source: SourceId::Host, sequence: 0 };
        self.book.note(&Fact { at: self.now, origin, body });
    }

    fn count(&mut self, delta: Delta) {
        let delta = FlowDelta { first: self.now, last: self.now, ..delta.into() };
        self.note(FactBody::Flow(delta));
    }

    fn changes(&mut self) -> Vec<Record> {
        self.book.report(self.now, false)
    }

    fn everything(&mut self) -> Vec<Record> {
        self.book.report(self.now, true)
    }
}

/// A ledger, and the sums of all that it told.
struct Cluster {
    ledger: Ledger,
    facts: Vec<Fact>,
}

/// Opened, closed, preexisting, bytes sent.
type Sum = (u64, u64, u64, u64);

impl Cluster {
    fn new() -> Self {
        Self { ledger: Ledger::new(1_000), facts: Vec::new() }
    }

    fn take(&mut self, records: impl IntoIterator<Item = Record>, second: f64) {
        for record in records {
            self.ledger.take(record, at(second));
        }
        self.ledger.advance(at(second));
        self.facts.append(&mut self.ledger.take_facts());
    }

    fn bodies(&self) -> Vec<&FactBody> {
        self.facts.iter().map(|fact| &fact.body).collect()
    }

    fn sums(&self) -> BTreeMap<(Arc<str>, u16), Sum> {
        let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
        for body in self.bodies() {
            let FactBody::Flow(flow) = body else { continue };
            let sum = sums.entry((flow.key.program.clone(), flow.key.port)).or_default();
            sum.0 += flow.opened;
            sum.1 += flow.closed;
            sum.2 += flow.preexisting;
            sum.3 += flow.bytes_sent;
        }
        sums
    }

    fn sum(&self) -> Sum {
        self.sums().get(&("curl".into(), 80)).copied().unwrap_or_default()
    }
}

fn call() -> Delta {
    client("curl", CALL, 80)
}

#[test]
fn what_changed_is_told_once() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(3).bytes(10, 0));
    cluster.take(agent.changes(), 1.0);
    agent.count(call().opened(1).closed(2).bytes(5, 0));
    cluster.take(agent.changes(), 2.0);
    cluster.take(agent.changes(), 3.0);
    cluster.take(agent.everything(), 4.0);
    assert_eq!(cluster.sum(), (4, 2, 0, 15));
    let flows = cluster.bodies().iter().filter(|body| matches!(body, FactBody::Flow(_))).count();
    assert_eq!(flows, 2);
}

#[test]
fn a_repeated_record_changes_nothing() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(3));
    let records = agent.changes();
    cluster.take(records.clone(), 1.0);
    let facts = cluster.facts.len();
    cluster.take(records, 2.0);
    assert_eq!(cluster.facts.len(), facts);
    assert_eq!(cluster.ledger.statistics().repeated, 2);
}

#[test]
fn an_older_record_that_comes_late_changes_nothing() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(3));
    let early = agent.changes();
    agent.count(call().opened(2));
    let later = agent.changes();
    cluster.take(later, 1.0);
    cluster.take(early, 2.0);
    assert_eq!(cluster.sum().0, 5);
}

#[test]
fn what_a_lost_record_said_comes_with_the_next_and_the_loss_is_counted() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(3));
    cluster.take(agent.changes(), 1.0);
    agent.count(call().opened(2));
    drop(agent.changes());
    agent.count(call().opened(1));
    cluster.take(agent.changes(), 2.0);
    assert_eq!(cluster.sum().0, 6);
    assert_eq!(cluster.ledger.statistics().missing, 2, "a flow and a state");
}

#[test]
fn a_cluster_instance_that_begins_later_gets_everything_with_the_next_full_report() {
    let mut agent = Agent::ready();
    agent.count(call().opened(3).closed(2).bytes(7, 0));
    drop(agent.changes());
    let mut cluster = Cluster::new();
    cluster.take(agent.changes(), 1.0);
    assert_eq!(cluster.sum(), (0, 0, 0, 0));
    assert!(!cluster.ledger.is_complete("one"));
    cluster.take(agent.everything(), 2.0);
    assert_eq!(cluster.sum(), (3, 2, 0, 7));
    assert!(cluster.ledger.is_complete("one"));
}

#[test]
fn connections_that_outlive_their_agent_are_not_counted_twice_and_those_that_do_not_end() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(5).closed(1));
    cluster.take(agent.changes(), 1.0);
    let mut agent = Agent::of("one", 2, 3.0);
    agent.count(call().preexisting(3));
    cluster.take(agent.everything(), 4.0);
    assert_eq!(cluster.sum(), (5, 1, 0, 0), "more may still be found");
    agent.found_all();
    cluster.take(agent.everything(), 5.0);
    assert_eq!(cluster.sum(), (5, 2, 0, 0));
    agent.count(call().closed(3));
    cluster.take(agent.changes(), 6.0);
    assert_eq!(cluster.sum(), (5, 5, 0, 0));
}

#[test]
fn connections_opened_while_an_agent_was_away_are_new() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(2));
    cluster.take(agent.changes(), 1.0);
    let mut agent = Agent::of("one", 2, 3.0);
    agent.count(call().preexisting(3));
    agent.found_all();
    cluster.take(agent.everything(), 4.0);
    assert_eq!(cluster.sum(), (3, 0, 1, 0));
}

#[test]
fn what_was_open_does_not_end_by_a_report_of_which_something_is_missing() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().opened(2));
    agent.count(client("wget", CALL, 80).opened(1));
    cluster.take(agent.changes(), 1.0);
    let mut agent = Agent::of("one", 2, 3.0);
    agent.count(client("wget", CALL, 80).preexisting(1));
    cluster.take(agent.changes(), 4.0);
    agent.count(call().preexisting(2));
    agent.found_all();
    let mut report = agent.everything();
    report.retain(
        |record| !matches!(&record.body, RecordBody::Flow(flow) if &*flow.totals.key.program == "curl"),
    );
    cluster.take(report, 5.0);
    assert_eq!(cluster.sum(), (2, 0, 0, 0));
    cluster.take(agent.everything(), 6.0);
    assert_eq!(cluster.sum(), (2, 0, 0, 0));
}

#[test]
fn a_record_of_a_run_that_is_over_changes_nothing() {
    let (mut before, mut cluster) = (Agent::ready(), Cluster::new());
    before.count(call().opened(2));
    let late = before.changes();
    let mut agent = Agent::of("one", 2, 3.0);
    agent.found_all();
    cluster.take(agent.everything(), 4.0);
    cluster.take(late, 5.0);
    assert_eq!(cluster.sum().0, 0);
    assert_eq!(cluster.ledger.statistics().stale, 2);
}

#[test]
fn a_flow_that_was_forgotten_while_idle_begins_anew() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().short(4));
    cluster.take(agent.changes(), 1.0);
    agent.now = at(200.0);
    cluster.take(agent.everything(), 200.0);
    agent.count(call().short(1));
    cluster.take(agent.changes(), 201.0);
    assert_eq!(cluster.sum(), (5, 5, 0, 0));
}

#[test]
fn a_name_that_is_learned_late_is_told_with_its_flow() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.count(call().in_cgroup(7).opened(1));
    cluster.take(agent.changes(), 1.0);
    agent.note(FactBody::Cgroup { id: 7, path: "/system.slice/a.service".into() });
    cluster.take(agent.changes(), 2.0);
    let path = FactBody::Cgroup { id: 7, path: "/system.slice/a.service".into() };
    assert_eq!(cluster.bodies().iter().filter(|body| ***body == path).count(), 1);
    assert_eq!(cluster.sum().0, 1);
}

#[test]
fn addresses_come_and_go_with_reports() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    let address = |present| FactBody::Address { netns: 9, address: lab::ip("10.1.0.1"), present };
    agent.note(address(true));
    cluster.take(agent.changes(), 1.0);
    cluster.take(agent.changes(), 2.0);
    agent.note(address(false));
    cluster.take(agent.changes(), 3.0);
    let told: Vec<_> =
        cluster.bodies().into_iter().filter(|body| matches!(body, FactBody::Address { .. })).collect();
    assert_eq!(told, [&address(true), &address(false)]);
}

#[test]
fn an_agent_that_is_not_heard_for_three_intervals_is_lost_and_told() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    cluster.take(agent.changes(), 1.0);
    cluster.take([], 15.9);
    let observed = |since| FactBody::Machine { name: "one".into(), observed_since: since };
    assert_eq!(cluster.bodies().iter().filter(|body| matches!(body, FactBody::Machine { .. })).count(), 1);
    cluster.take([], 16.0);
    let gap = FactBody::Gap(Gap { reason: GapReason::AgentLost, count: 1, healed: false, at: at(16.0) });
    assert!(cluster.bodies().ends_with(&[&observed(None), &gap]));
    assert_eq!((cluster.ledger.statistics().observed, cluster.ledger.statistics().lost), (0, 1));
    cluster.take(agent.changes(), 20.0);
    assert!(cluster.bodies().contains(&&observed(Some(START))), "it had counted all along");
}

#[test]
fn a_machine_that_is_not_heard_for_ten_minutes_is_gone() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    cluster.take(agent.changes(), 1.0);
    cluster.take([], 600.9);
    assert!(!cluster.bodies().contains(&&FactBody::MachineGone));
    cluster.take([], 601.0);
    assert_eq!(cluster.bodies().last(), Some(&&FactBody::MachineGone));
}

#[test]
fn a_gap_on_the_machine_is_told_once() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    let gap = Gap { reason: GapReason::FlowMapFull, count: 9, healed: false, at: START };
    agent.note(FactBody::Gap(gap.clone()));
    let records = agent.changes();
    cluster.take(records.clone(), 1.0);
    cluster.take(records, 2.0);
    let told = FactBody::Gap(gap);
    assert_eq!(cluster.bodies().iter().filter(|body| ***body == told).count(), 1);
}

#[test]
fn flows_beyond_the_bound_of_an_agent_or_of_the_ledger_are_turned_away_and_told() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    cluster.ledger = Ledger::new(900);
    for port in 1..=1_001 {
        agent.count(client("curl", CALL, port).opened(1));
    }
    cluster.take(agent.changes(), 1.0);
    assert_eq!(cluster.sums().len(), 900);
    let counts: Vec<_> = cluster
        .bodies()
        .iter()
        .filter_map(|body| match body {
            FactBody::Gap(gap) => Some((gap.reason, gap.count)),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [(GapReason::MapBound, 1), (GapReason::MapBound, 100)]);
    assert_eq!(cluster.ledger.statistics().turned_away, 100);
}

#[test]
fn machines_beyond_the_bound_are_turned_away() {
    let mut cluster = Cluster::new();
    for machine in 0..=5_000 {
        for record in Agent::of(&format!("machine-{machine}"), 1, 0.0).changes() {
            cluster.ledger.take(record, at(1.0));
        }
    }
    assert_eq!(cluster.ledger.statistics().observed, 5_000);
    assert_eq!(cluster.ledger.statistics().turned_away, 1);
}

#[test]
fn instants_in_the_future_are_taken_as_now() {
    let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
    agent.now = at(1e6);
    agent.count(call().opened(1));
    cluster.take(agent.changes(), 1.0);
    let flow = cluster.bodies().into_iter().find_map(|body| match body {
        FactBody::Flow(flow) => Some((flow.first, flow.last)),
        _ => None,
    });
    assert_eq!(flow, Some((at(1.0), at(1.0))));
    assert!(cluster.facts.iter().all(|fact| fact.at <= at(1.0)));
}

#[test]
fn facts_of_a_machine_carry_its_number() {
    let mut cluster = Cluster::new();
    for machine in ["one", "two"] {
        let mut agent = Agent::of(machine, 1, 0.0);
        agent.count(call().opened(1));
        cluster.take(agent.changes(), 1.0);
    }
    for (fact, machine) in cluster.facts.iter().filter(|fact| matches!(fact.body, FactBody::Flow(_))).zip(1..)
    {
        assert_eq!(fact.origin.source, SourceId::Agent(MachineId(machine)));
        assert!(matches!(&fact.body, FactBody::Flow(flow) if flow.key.machine == MachineId(machine)));
    }
}

/// What happens at an agent, and to what it sends.
#[derive(Clone, Debug)]
enum Step {
    Open(u16, u64),
    Close(u16),
    Report { full: bool, fate: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u16..4, 1_u64..5).prop_map(|(port, count)| Step::Open(port, count)),
        3 => (1_u16..4).prop_map(Step::Close),
        4 => (any::<bool>(), 0_u8..8).prop_map(|(full, fate)| Step::Report { full, fate }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// Whatever is lost, repeated or reordered: once a full report has come, the sums are the machine's own, also across
    /// restarts of its agent, of what the agents have told before they ended.
    #[test]
    fn sums_are_the_machines_own(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut agent, mut cluster) = (Agent::ready(), Cluster::new());
        let mut truth: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        let mut held_back: Vec<Record> = Vec::new();
        let (mut run, mut second) = (1, 0.0);
        for step in steps {
            second += 1.0;
            agent.now = at(second);
            match step {
                Step::Open(port, count) => {
                    truth.entry(port).or_default().0 += count;
                    agent.count(client("curl", CALL, port).opened(count));
                }
                Step::Close(port) => {
                    let sum = truth.entry(port).or_default();
                    if sum.0 > sum.1 {
                        sum.1 += 1;
                        agent.count(client("curl", CALL, port).closed(1));
                    }
                }
                Step::Report { full, fate } => {
                    let mut records = agent.book.report(agent.now, full);
                    match fate {
                        0 => records.clear(),
                        1 => records.extend(records.clone()),
                        2 => records.reverse(),
                        3 => held_back.append(&mut records),
                        4 => records.truncate(records.len() / 2),
                        5 => records.append(&mut held_back),
                        _ => {}
                    }
                    cluster.take(records, second);
                }
                Step::Restart => {
                    cluster.take(agent.everything(), second);
                    run += 1;
                    agent = Agent::of("one", run, second);
                    for (port, (opened, closed)) in &truth {
                        if opened > closed {
                            agent.count(client("curl", CALL, *port).preexisting(opened - closed));
                        }
                    }
                    agent.found_all();
                }
            }
        }
        cluster.take(held_back, second);
        cluster.take(agent.everything(), second);
        cluster.take(agent.everything(), second);
        let sums: BTreeMap<u16, (u64, u64)> =
            cluster.sums().into_iter().map(|((_, port), sum)| (port, (sum.0, sum.1))).collect();
        truth.retain(|_, sum| *sum != (0, 0));
        prop_assert_eq!(sums, truth);
    }

    /// Records may hold anything.
    #[test]
    fn no_record_makes_it_panic_or_go_back(
        sequences in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>()), 1..40),
    ) {
        let mut cluster = Cluster::new();
        let mut agent = Agent::ready();
        agent.count(call().opened(1));
        let mut records = agent.everything();
        for (sequence, since, opened, state) in sequences {
            let Some(mut record) = (if state { records.last().cloned() } else { records.first().cloned() }) else { continue };
            record.head.sequence = sequence;
            record.at = Timestamp::from_nanos(opened);
            match &mut record.body {
                RecordBody::Flow(flow) => {
                    flow.since = since;
                    flow.totals.opened = opened;
                    flow.totals.closed = since;
                    flow.totals.first = Timestamp::from_nanos(since);
                }
                RecordBody::State(StateRecord { interval, full_from, .. }) => {
                    *interval = Duration::from_nanos(since);
                    *full_from = Some(opened);
                }
                RecordBody::Gap(_) => {}
            }
            records.push(record.clone());
            cluster.take([record], 1.0);
            records.swap_remove(records.len() - 1);
        }
        prop_assert!(cluster.facts.iter().all(|fact| fact.at <= at(1.0)));
    }
}

#[test]
fn the_container_of_a_namespace_is_told_with_its_flows_until_it_is_none_any_more() {
    let mut agent = Agent::ready();
    let mut cluster = Cluster::new();
    let home = |path: Option<&str>| FactBody::NamespaceCgroup {
        netns: HOST,
        cgroup: path.map(|path| ContainerCgroup { path: path.into(), unified: false }),
    };
    for path in [Some("/docker/a"), Some("/docker/b"), None] {
        agent.note(home(path));
        agent.count(call().opened(1));
        let before = cluster.facts.len();
        cluster.take(agent.changes(), 1.0);
        assert!(cluster.facts[before..].iter().any(|fact| fact.body == home(path)), "{path:?}");
    }
}
