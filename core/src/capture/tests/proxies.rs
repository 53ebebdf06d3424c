//! Connections that are not what they look like: later subflows of MPTCP, sockets of transparent proxies.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use servicemap_map::model::{Direction, FactBody};

use super::lab::{Lab, Sums, drain_until, until};
use crate::capture::{HookChoice, sys};

/// Connections of all flows: an MPTCP connection with two subflows counts once at each end.
fn subflows_count_once(hook: HookChoice) {
    let Some(lab) = Lab::new("subflows") else { return };
    if !std::path::Path::new("/proc/sys/net/mptcp/enabled").exists() {
        return;
    }
    for arguments in [
        "address add 10.99.0.1/24 dev lo",
        "address add 10.99.0.2/24 dev lo",
        "mptcp limits set subflow 2 add_addr_accepted 2",
        "mptcp endpoint add 10.99.0.2 dev lo subflow",
    ] {
        lab.ip(arguments);
    }
    let mut capture = lab.capture(hook);
    let listener = lab.inside(|| sys::mptcp_listener(7803).unwrap());
    let mut client = lab.inside(|| sys::mptcp_connect([127, 0, 0, 1], 7803).unwrap());
    let mut server = listener.accept().unwrap().0;
    // The second subflow is made once data has been acknowledged.
    client.write_all(&[1; 100]).unwrap();
    server.read_exact(&mut [0; 100]).unwrap();
    server.write_all(&[2; 100]).unwrap();
    client.read_exact(&mut [0; 100]).unwrap();
    until("a second subflow", || lab.inside(|| established_on(7803)) >= 4);
    let mut facts = Vec::new();
    capture.drain(&mut facts).unwrap();
    drop((client, server, listener));
    until("all subflows are closed", || lab.inside(|| established_on(7803)) == 0);
    let mut sums = Sums::default();
    until("the ends are told", || {
        capture.drain(&mut facts).unwrap();
        sums = Sums::default();
        sums.add(facts.clone());
        sums.flows.values().all(|flow| flow.opened == flow.closed)
    });
    for direction in [Direction::Outbound, Direction::Inbound] {
        let flows: Vec<_> = sums.flows.iter().filter(|((found, _), _)| *found == direction).collect();
        assert_eq!(flows.iter().map(|(_, flow)| flow.opened).sum::<u64>(), 1, "{flows:#?}");
    }
    assert_eq!(capture.counters().events.connect, 1);
}

/// How many TCP sockets of this namespace are established from or to a port.
fn established_on(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let port = format!(":{port:04X}");
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|line| line[3] == "01" && (line[1].ends_with(&port) || line[2].ends_with(&port))).count()
}

#[test]
fn an_mptcp_connection_counts_once_whatever_subflows_it_gets() {
    subflows_count_once(HookChoice::TpBtf);
}

#[test]
fn also_with_the_raw_hook() {
    subflows_count_once(HookChoice::RawTp);
}

fn transparent(hook: HookChoice) {
    let Some(lab) = Lab::new("transparent") else { return };
    let mut capture = lab.capture(hook);
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    // As a proxy does that keeps its client's address.
    lab.ip("route add local 10.98.0.0/24 dev lo");
    let client = lab.inside(|| sys::transparent_connect([10, 98, 0, 7], to.port()).unwrap());
    let server = listener.accept().unwrap().0;
    let plain = lab.inside(|| TcpStream::connect(to).unwrap());
    let mut facts = Vec::new();
    drain_until(&mut capture, &mut facts, |facts| {
        facts
            .iter()
            .filter_map(|fact| match &fact.body {
                FactBody::Flow(flow) if flow.key.direction == Direction::Outbound => Some(flow.opened),
                _ => None,
            })
            .sum::<u64>()
            == 2
    });
    let mut seen = Vec::new();
    for fact in &facts {
        let FactBody::Flow(flow) = &fact.body else { continue };
        if flow.key.direction != Direction::Listen {
            let local = flow.example.as_ref().unwrap().local_address.to_string();
            seen.push((flow.key.direction, local, flow.foreign_local));
        }
    }
    assert!(seen.contains(&(Direction::Outbound, "10.98.0.7".to_owned(), true)), "{seen:?}");
    assert!(seen.contains(&(Direction::Inbound, "127.0.0.1".to_owned(), false)), "{seen:?}");
    drop((client, server, plain));
}

#[test]
fn a_transparent_sockets_address_is_said_to_be_anothers() {
    transparent(HookChoice::TpBtf);
}

#[test]
fn a_transparent_sockets_address_is_said_to_be_anothers_with_the_raw_hook() {
    transparent(HookChoice::RawTp);
}
