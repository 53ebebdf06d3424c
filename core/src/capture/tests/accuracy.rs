//! Counts are exact.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use servicemap_map::model::{AddressClass, Direction, FactBody, Failures};

use super::lab::{Lab, Sums, once, serve, settle};
use crate::capture::{Capture, HookChoice};

fn short_connections(hook: HookChoice, bind: &str, connect: &str) {
    let Some(lab) = Lab::new("short_connections") else { return };
    let mut capture = lab.capture(hook);
    let port = lab.inside(|| {
        let listener = TcpListener::bind((bind, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = serve(listener, 1_000);
        let to = SocketAddr::new(connect.parse().unwrap(), port);
        (0..1_000).for_each(|_| once(to));
        server.join().unwrap();
        settle();
        port
    });
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    for direction in [Direction::Outbound, Direction::Inbound] {
        assert_eq!(sums.lives(direction, port), (1_000, 0, 1_000), "{direction:?}");
        let flow = sums.get(direction, port);
        assert_eq!(flow.failed, Failures::default());
        assert_eq!(flow.key.netns, lab.inum);
        assert_eq!(flow.key.local_class, AddressClass::Loopback);
        let remote = connect.parse::<IpAddr>().unwrap().to_canonical();
        assert_eq!(flow.key.remote, remote, "IPv4-mapped is IPv4");
        assert!(!flow.key.program.is_empty(), "{direction:?} has its program");
        let example = flow.example.as_ref().unwrap();
        assert_eq!(example.pid, std::process::id());
        assert_eq!(example.local_address, remote);
        if direction == Direction::Outbound {
            assert!(flow.bytes_sent >= 1_000 && flow.rtt_us.is_some());
            let connect = flow.connect.as_ref().unwrap();
            assert_eq!(connect.count(), 1_000);
            // Wall-clock bounds would be a timed test: a handshake takes some time, and all of them took less than these.
            assert!(connect.sum_us > 0 && connect.sum_us < 1_000 * 60_000_000);
            assert_ne!(example.local_port, port);
        } else {
            assert!(flow.bytes_received >= 1_000);
            assert_eq!(flow.connect, None, "only the client waits");
            assert_eq!(example.local_port, port);
        }
        assert!(flow.first <= flow.last);
    }
    // The listener came and went.
    assert_eq!(sums.lives(Direction::Listen, port), (1, 0, 1));
    let counters = capture.counters();
    assert_eq!((counters.events.connect, counters.events.accept), (1_000, 1_000));
    assert_eq!((counters.events.close, counters.events.fail, counters.events.listen), (2_000, 0, 1));
    assert_eq!(counters.lost.total(), 0);
    // Nothing is told twice.
    let mut again = Sums::default();
    again.drain(&mut capture);
    assert!(again.facts.is_empty());
}

#[test]
fn a_thousand_short_connections_are_a_thousand() {
    short_connections(HookChoice::TpBtf, "127.0.0.1", "127.0.0.1");
}

#[test]
fn also_with_the_raw_hook() {
    short_connections(HookChoice::RawTp, "127.0.0.1", "127.0.0.1");
}

#[test]
fn also_over_ipv6() {
    short_connections(HookChoice::Auto, "::", "::1");
}

#[test]
fn an_ipv4_client_of_a_dual_stack_server_is_ipv4_at_both_ends() {
    short_connections(HookChoice::Auto, "::", "127.0.0.1");
}

#[test]
fn an_ipv6_socket_that_connects_to_a_mapped_address_is_ipv4() {
    short_connections(HookChoice::Auto, "0.0.0.0", "::ffff:127.0.0.1");
}

fn refused(hook: HookChoice) {
    let Some(lab) = Lab::new("refused") else { return };
    let mut capture = lab.capture(hook);
    lab.inside(|| {
        for _ in 0..100 {
            assert!(TcpStream::connect("127.0.0.1:9").is_err());
        }
    });
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    let flow = sums.get(Direction::Outbound, 9);
    assert_eq!(flow.failed, Failures { refused: 100, ..Failures::default() });
    assert_eq!((flow.opened, flow.closed, flow.abandoned), (0, 0, 0));
    assert_eq!(capture.counters().events.fail, 100);
}

#[test]
fn a_hundred_refused_are_a_hundred() {
    refused(HookChoice::TpBtf);
}

#[test]
fn also_refused_with_the_raw_hook() {
    refused(HookChoice::RawTp);
}

#[test]
fn a_reset_in_mid_life_is_a_failure_and_a_close() {
    let Some(lab) = Lab::new("reset") else { return };
    let mut capture = lab.capture(HookChoice::Auto);
    let port = lab.inside(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(to).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(&[1; 10]).unwrap();
        settle();
        // Closing with unread data resets the connection.
        drop(server);
        settle();
        assert!(client.read(&mut [0]).is_err());
        to.port()
    });
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    assert_eq!(sums.lives(Direction::Outbound, port), (1, 0, 1));
    let client = sums.get(Direction::Outbound, port);
    assert_eq!(client.failed, Failures { reset: 1, ..Failures::default() });
    assert_eq!(client.cut, 1, "it was no failed attempt");
    assert_eq!(sums.lives(Direction::Inbound, port), (1, 0, 1));
    assert_eq!(sums.get(Direction::Inbound, port).failed, Failures::default());
}

#[test]
fn concurrent_drains_lose_nothing() {
    const EACH: usize = 2_000;
    let Some(lab) = Lab::new("concurrent_drains") else { return };
    let mut capture = lab.capture(HookChoice::Auto);
    let mut sums = Sums::default();
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut drains = 0;
    let ports = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let ports = lab.inside(|| {
                let clients: Vec<_> = (0..3)
                    .map(|_| {
                        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                        let to = listener.local_addr().unwrap();
                        let server = serve(listener, EACH);
                        (to.port(), server, std::thread::spawn(move || (0..EACH).for_each(|_| once(to))))
                    })
                    .collect();
                let ports: Vec<u16> = clients
                    .into_iter()
                    .map(|(port, server, client)| {
                        client.join().unwrap();
                        server.join().unwrap();
                        port
                    })
                    .collect();
                settle();
                ports
            });
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            ports
        });
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            sums.drain(&mut capture);
            drains += 1;
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        work.join().unwrap()
    });
    sums.drain(&mut capture);
    assert!(drains > 5, "{drains} drains");
    let each = EACH as u64;
    for port in ports {
        assert_eq!(sums.lives(Direction::Outbound, port), (each, 0, each), "after {drains} drains");
        assert_eq!(sums.lives(Direction::Inbound, port), (each, 0, each), "after {drains} drains");
    }
    // Sequence numbers count up without a hole.
    let sequences: Vec<u64> = sums.facts.iter().map(|fact| fact.origin.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
}

#[test]
fn more_flows_than_fit_are_folded_and_what_does_not_fit_is_told() {
    let Some(lab) = Lab::new("fold") else { return };
    let mut settings = lab.settings(HookChoice::Auto);
    settings.flow_entries = 64;
    let mut capture = Capture::start(&settings).unwrap();
    lab.inside(|| {
        let listener = TcpListener::bind("0.0.0.0:7700").unwrap();
        let server = serve(listener, 200);
        for host in 1..=200_u8 {
            once(SocketAddr::from(([127, 0, 1, host], 7700)));
        }
        server.join().unwrap();
        settle();
    });
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    assert_eq!(sums.lives(Direction::Outbound, 7700), (200, 0, 200), "folded, but exact");
    let folded = sums
        .facts
        .iter()
        .filter(|fact| matches!(&fact.body, FactBody::Flow(flow) if flow.key.folded))
        .count();
    assert_eq!(folded, 1);
    assert!(capture.counters().health.folded >= 100);
    // A scan of ports cannot be folded by address: it fills the map, and that is told.
    lab.inside(|| (1..200_u16).for_each(|port| drop(TcpStream::connect(("127.0.0.1", port)))));
    let mut scan = Sums::default();
    scan.drain(&mut capture);
    let failed: u64 = scan.flows.values().map(|flow| flow.failed.refused).sum();
    let lost = capture.counters().lost.flow_map_full;
    assert_eq!(failed + lost, 199);
    assert!(lost > 0);
    assert!(scan.facts.iter().any(|fact| matches!(&fact.body, FactBody::Gap(gap) if gap.count == lost)));
}
