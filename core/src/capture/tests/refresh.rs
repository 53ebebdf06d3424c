//! Refresh passes: open connections are up to date, and what was lost is made good.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use servicemap_map::model::{Direction, Fact, FactBody, GapReason};

use super::lab::{Lab, Sums, drain_until, until};
use crate::capture::{Capture, CaptureSettings, HookChoice, sys};

/// Connections to an address each, with their servers' ends.
struct Connections {
    clients: Vec<TcpStream>,
    servers: Vec<TcpStream>,
}

impl Connections {
    fn open(lab: &Lab, listener: &TcpListener, hosts: std::ops::Range<u8>) -> Self {
        let port = listener.local_addr().unwrap().port();
        lab.inside(|| {
            let (clients, servers) = hosts
                .map(|host| {
                    let to = SocketAddr::from(([127, 0, 1, host], port));
                    (TcpStream::connect(to).unwrap(), listener.accept().unwrap().0)
                })
                .unzip();
            Self { clients, servers }
        })
    }

    fn close(self) {
        drop(self.clients);
        // The clients' ends are orderly ones once their servers have closed, too.
        for mut server in self.servers {
            assert_eq!(server.read(&mut [0]).unwrap(), 0);
        }
    }
}

fn small(lab: &Lab) -> CaptureSettings {
    CaptureSettings { flow_entries: 64, ..lab.settings(HookChoice::Auto) }
}

/// (open, lost) over all connections that were told.
fn open(facts: &[Fact]) -> i64 {
    facts
        .iter()
        .map(|fact| match &fact.body {
            FactBody::Flow(flow) if flow.key.direction != Direction::Listen => {
                i64::try_from(flow.opened).unwrap() - i64::try_from(flow.closed).unwrap()
            }
            _ => 0,
        })
        .sum()
}

/// (told, healed) for a reason.
fn gaps(facts: &[Fact], reason: GapReason) -> (u64, u64) {
    facts
        .iter()
        .filter_map(|fact| match &fact.body {
            FactBody::Gap(gap) if gap.reason == reason => Some(gap),
            _ => None,
        })
        .fold(
            (0, 0),
            |(told, healed), gap| {
                if gap.healed { (told, healed + gap.count) } else { (told + gap.count, healed) }
            },
        )
}

#[test]
fn ends_for_which_the_flow_map_had_no_room_are_made_good() {
    let Some(lab) = Lab::new("lost_ends") else { return };
    let mut capture = Capture::start(&small(&lab)).unwrap();
    let listener = lab.inside(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let mut facts = Vec::new();
    // In steps that fit, so that each of the 100 servers' addresses is a flow of its own for the client.
    let all: Vec<_> = (0..10_u8)
        .map(|step| {
            let some = Connections::open(&lab, &listener, 1 + step * 10..11 + step * 10);
            drain_until(&mut capture, &mut facts, |facts| open(facts) == 20 * i64::from(step + 1));
            some
        })
        .collect();
    assert_eq!(capture.counters().health.folded, 0);
    // All at once do not: 101 flows, and room for 64.
    all.into_iter().for_each(Connections::close);
    until("all ends", || {
        let counters = capture.counters();
        counters.events.close + counters.lost.flow_map_full == 200
    });
    capture.drain(&mut facts).unwrap();
    let lost = capture.counters().lost.flow_map_full;
    assert_eq!(lost, 101 - 64);
    assert_eq!(open(&facts), i64::try_from(lost).unwrap(), "they look open");
    assert_eq!(gaps(&facts, GapReason::FlowMapFull), (lost, 0));
    assert!(capture.needs_mending());
    let report = capture.refresh(&mut facts).unwrap();
    assert!(report.walked && report.complete, "{report:?}");
    assert_eq!(report.residual, lost);
    assert_eq!(open(&facts), 0, "and are not");
    assert_eq!(gaps(&facts, GapReason::FlowMapFull), (lost, lost));
    assert!(!capture.needs_mending());
    let again = capture.refresh(&mut facts).unwrap();
    assert_eq!((again.complete, again.residual), (true, 0), "the map is exact");
    let health = capture.counters().health;
    assert_eq!((health.mended, health.residual), (lost, 0));
}

#[test]
fn connections_for_which_the_flow_map_had_no_room_are_counted_later_or_with_their_end() {
    let Some(lab) = Lab::new("lost_begins") else { return };
    let mut capture = Capture::start(&small(&lab)).unwrap();
    // Ports, unlike addresses, do not fold: 100 listeners fill the map.
    let listeners: Vec<_> =
        lab.inside(|| (0..100).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect());
    let last = listeners.last().unwrap().local_addr().unwrap();
    let connect = || {
        let client = lab.inside(|| TcpStream::connect(last).unwrap());
        (client, listeners.last().unwrap().accept().unwrap().0)
    };
    let (first, second) = (connect(), connect());
    let mut facts = Vec::new();
    capture.drain(&mut facts).unwrap();
    assert_eq!(open(&facts), 0, "there was no room for either");
    assert_eq!(capture.counters().lost.flow_map_full, 36 + 4);
    drop(first);
    drain_until(&mut capture, &mut facts, |_| true);
    until("the end", || {
        capture.drain(&mut facts).unwrap();
        capture.counters().events.close == 2
    });
    let mut sums = Sums::default();
    sums.add(facts.clone());
    for direction in [Direction::Outbound, Direction::Inbound] {
        assert_eq!(sums.lives(direction, last.port()), (1, 0, 1), "its end counted its whole life");
    }
    let report = capture.refresh(&mut facts).unwrap();
    assert!(report.complete);
    assert_eq!(open(&facts), 2, "the pass counted both ends of the other one");
    let mut sums = Sums::default();
    sums.add(facts.clone());
    let listening = sums.flows.iter().filter(|((direction, _), _)| *direction == Direction::Listen);
    assert_eq!(listening.map(|(_, flow)| flow.opened - flow.closed).sum::<u64>(), 100, "and the listeners");
    drop((second, listeners));
    until("nothing is open", || {
        capture.refresh(&mut facts).unwrap();
        open(&facts) == 0
    });
}

#[test]
fn bytes_of_open_connections_are_told_once_each() {
    let Some(lab) = Lab::new("refresh_bytes") else { return };
    let mut capture = lab.capture(HookChoice::TpBtf);
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    let mut client = lab.inside(|| TcpStream::connect(to).unwrap());
    let mut server = listener.accept().unwrap().0;
    let mut facts = Vec::new();
    let sent = |facts: &[Fact], direction| {
        let mut sums = Sums::default();
        sums.add(facts.to_vec());
        let flow = sums.get(direction, to.port());
        (flow.bytes_sent, flow.bytes_received)
    };
    capture.drain(&mut facts).unwrap();
    for round in 1..=3 {
        client.write_all(&[1; 1_000]).unwrap();
        server.read_exact(&mut [0; 1_000]).unwrap();
        // The client's figure grows with the server's acknowledgement; its SYN counts as one byte.
        until("the bytes are told", || {
            let report = capture.refresh(&mut facts).unwrap();
            assert_eq!((report.complete, report.residual), (true, 0));
            sent(&facts, Direction::Outbound) == (round * 1_000 + 1, 0)
        });
        assert_eq!(sent(&facts, Direction::Inbound), (0, round * 1_000));
    }
    let before = facts.len();
    capture.refresh(&mut facts).unwrap();
    assert_eq!(facts.len(), before, "nothing happened, nothing is told");
    client.write_all(&[1; 10]).unwrap();
    server.read_exact(&mut [0; 10]).unwrap();
    drop((client, server));
    drain_until(&mut capture, &mut facts, |facts| open(facts) == 0);
    let (sent, _) = sent(&facts, Direction::Outbound);
    // Its FIN may count as one more.
    assert!((3_011..=3_012).contains(&sent), "{sent}");
}

#[test]
fn passes_amid_churn_mend_nothing_that_is_right_and_lose_no_byte() {
    const EACH: usize = 3_000;
    let Some(lab) = Lab::new("refresh_churn") else { return };
    let mut capture = lab.capture(HookChoice::TpBtf);
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    let mut facts = Vec::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut passes = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..EACH {
                let mut stream = listener.accept().unwrap().0;
                let mut buffer = Vec::new();
                stream.read_to_end(&mut buffer).unwrap();
                assert_eq!(buffer.len(), 500);
            }
        });
        scope.spawn(|| {
            lab.inside(|| {
                for _ in 0..EACH {
                    let mut stream = TcpStream::connect(to).unwrap();
                    (0..5).for_each(|_| stream.write_all(&[1; 100]).unwrap());
                }
            });
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            capture.refresh(&mut facts).unwrap();
            passes += 1;
        }
    });
    until("everything is closed", || capture.refresh(&mut facts).unwrap().residual == 0 && open(&facts) == 0);
    assert!(passes > 5, "{passes}");
    let mut sums = Sums::default();
    sums.add(facts);
    // A correction that was not due would be one more than there were: what it anticipated has come by now.
    for direction in [Direction::Outbound, Direction::Inbound] {
        let flow = sums.get(direction, to.port());
        assert_eq!(flow.opened, flow.closed, "{flow:?}");
    }
    let counters = capture.counters();
    if counters.lost.total() == 0 && counters.health.mended == 0 {
        let inbound = sums.get(Direction::Inbound, to.port());
        assert_eq!(inbound.opened, EACH as u64);
        // A FIN may count as one byte more.
        let least = EACH as u64 * 500;
        assert!((least..=least + EACH as u64).contains(&inbound.bytes_received), "{inbound:?}");
    }
}

#[test]
fn more_open_flows_than_the_map_has_room_for_are_compared_in_parts() {
    let Some(lab) = Lab::new("refresh_parts") else { return };
    let mut capture = Capture::start(&small(&lab)).unwrap();
    let listener = lab.inside(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let mut facts = Vec::new();
    let mut all = Vec::new();
    for step in 0..20_u8 {
        all.push(Connections::open(&lab, &listener, 1 + step * 10..11 + step * 10));
        drain_until(&mut capture, &mut facts, |facts| open(facts) == 20 * i64::from(step + 1));
    }
    let before = facts.len();
    let report = capture.refresh(&mut facts).unwrap();
    assert_eq!((report.complete, report.residual), (true, 0), "201 open flows, 64 entries");
    assert_eq!(open(&facts[before..]), 0);
}

#[test]
fn open_mptcp_connections_are_in_the_comparison() {
    if !std::path::Path::new("/proc/sys/net/mptcp/enabled").exists() {
        return;
    }
    let Some(lab) = Lab::new("refresh_mptcp") else { return };
    let mut capture = lab.capture(HookChoice::TpBtf);
    let listener = lab.inside(|| sys::mptcp_listener(7802).unwrap());
    let client = lab.inside(|| sys::mptcp_connect([127, 0, 0, 1], 7802).unwrap());
    let server = listener.accept().unwrap().0;
    let mut facts = Vec::new();
    drain_until(&mut capture, &mut facts, |facts| open(facts) == 2);
    let report = capture.refresh(&mut facts).unwrap();
    assert_eq!((report.complete, report.residual), (true, 0));
    drop((client, server));
    drain_until(&mut capture, &mut facts, |facts| open(facts) == 0);
}

#[test]
fn with_the_raw_hook_lost_ends_are_made_good_too() {
    let Some(lab) = Lab::new("lost_ends_raw") else { return };
    let settings = CaptureSettings { hook: HookChoice::RawTp, ..small(&lab) };
    let mut capture = Capture::start(&settings).unwrap();
    let listener = lab.inside(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let mut facts = Vec::new();
    let mut all = Vec::new();
    for step in 0..10_u8 {
        all.push(Connections::open(&lab, &listener, 1 + step * 10..11 + step * 10));
        drain_until(&mut capture, &mut facts, |facts| open(facts) == 20 * i64::from(step + 1));
    }
    let stay = all.pop().unwrap();
    all.into_iter().for_each(Connections::close);
    until("all ends", || {
        let counters = capture.counters();
        counters.events.close + counters.lost.flow_map_full == 180
    });
    let report = capture.refresh(&mut facts).unwrap();
    assert!(report.residual > 0 && report.complete, "{report:?}");
    assert_eq!(open(&facts), 20);
    drop(stay);
}
