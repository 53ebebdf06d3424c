//! Connections on their way out: one whose own FIN has left is open no more, and still moves bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use servicemap_map::model::{Direction, FactBody, Failures, FlowDelta};

use super::lab::{Lab, Sums, until};
use crate::capture::{Capture, HookChoice, sys};

/// A connection, and what a capture tells of it.
struct Stage {
    lab: Lab,
    client: TcpStream,
    server: TcpStream,
    to: SocketAddr,
    told: Sums,
}

impl Stage {
    fn set(lab: Lab) -> Self {
        let (client, server, to) = lab.inside(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let to = listener.local_addr().unwrap();
            (TcpStream::connect(to).unwrap(), listener.accept().unwrap().0, to)
        });
        Self { lab, client, server, to, told: Sums::default() }
    }

    /// With a capture that sees the connection from its beginning.
    fn seen(test: &str, hook: HookChoice) -> Option<(Self, Capture)> {
        let lab = Lab::new(test)?;
        let capture = lab.capture(hook);
        Some((Self::set(lab), capture))
    }

    fn flow(&self, direction: Direction) -> &FlowDelta {
        self.told.get(direction, self.to.port())
    }

    /// (opened, preexisting, closed) of the client's side and of the server's; zeros of a side that nothing was told of.
    fn lives(&self) -> [(u64, u64, u64); 2] {
        [Direction::Outbound, Direction::Inbound].map(|direction| {
            let of = self.told.flows.get(&(direction, self.to.port()));
            of.map_or((0, 0, 0), |flow| (flow.opened, flow.preexisting, flow.closed))
        })
    }

    fn wait_for_lives(&mut self, capture: &mut Capture, lives: [(u64, u64, u64); 2]) {
        until("the connection's lives", || {
            self.told.drain(capture);
            self.lives() == lives
        });
    }

    /// The states in which `ss` lists the client's end and the server's; empty when it lists none.
    fn states(&self) -> [String; 2] {
        ["dport", "sport"].map(|port| {
            let filter = format!("{port} = :{}", self.to.port());
            // Several words, as `ss` wants a filter.
            let mut ss = Command::new("ss");
            ss.arg("-Htan").args(filter.split(' '));
            let listed = self.lab.inside(|| ss.output()).unwrap();
            assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
            let listed = String::from_utf8_lossy(&listed.stdout);
            let state = listed.split_whitespace().next().unwrap_or_default();
            if state == "TIME-WAIT" { String::new() } else { state.to_owned() }
        })
    }

    fn wait_for_states(&self, client: &str, server: &str) {
        until("the states", || self.states() == [client, server]);
    }
}

fn a_client_that_shut_down_is_closed_and_its_server_is_not(hook: HookChoice) {
    let Some((mut stage, mut capture)) = Stage::seen("client_shut_down", hook) else { return };
    stage.client.write_all(&[1; 300]).unwrap();
    stage.client.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("FIN-WAIT-2", "CLOSE-WAIT");
    stage.wait_for_lives(&mut capture, [(1, 0, 1), (1, 0, 0)]);
    let mut facts = Vec::new();
    let report = capture.refresh(&mut facts).unwrap();
    assert_eq!((report.complete, report.residual), (true, 0), "a pass finds the same ends open");
    stage.told.add(facts);
    // It has said all it had to say, but not heard everything.
    stage.server.write_all(&[1; 5_000]).unwrap();
    stage.client.read_exact(&mut [0; 5_000]).unwrap();
    assert_eq!(stage.server.read_to_end(&mut Vec::new()).unwrap(), 300);
    stage.server.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("", "");
    stage.wait_for_lives(&mut capture, [(1, 0, 1); 2]);
    // SYN and FIN may count as a byte each.
    let (client, server) = (stage.flow(Direction::Outbound), stage.flow(Direction::Inbound));
    assert!((5_000..=5_001).contains(&client.bytes_received), "{client:?}");
    assert!((5_000..=5_001).contains(&server.bytes_sent), "{server:?}");
    assert!((300..=302).contains(&client.bytes_sent), "{client:?}");
    assert!((300..=301).contains(&server.bytes_received), "{server:?}");
    for flow in [client, server] {
        assert_eq!((flow.failed, flow.cut, flow.abandoned), (Failures::default(), 0, 0));
    }
    assert_eq!(capture.counters().events.close, 2);
    assert_eq!(capture.counters().lost.total(), 0);
}

#[test]
fn a_client_that_shut_down_is_open_no_more_and_its_server_still_is() {
    a_client_that_shut_down_is_closed_and_its_server_is_not(HookChoice::TpBtf);
}

#[test]
fn also_with_the_raw_hook() {
    a_client_that_shut_down_is_closed_and_its_server_is_not(HookChoice::RawTp);
}

#[test]
fn a_server_that_closed_is_open_no_more_and_its_client_still_is() {
    let Some((mut stage, mut capture)) = Stage::seen("server_closed", HookChoice::Auto) else { return };
    stage.server.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("CLOSE-WAIT", "FIN-WAIT-2");
    stage.wait_for_lives(&mut capture, [(1, 0, 0), (1, 0, 1)]);
    stage.client.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_lives(&mut capture, [(1, 0, 1); 2]);
}

#[test]
fn a_fin_that_nobody_answers_is_a_close_and_what_follows_is_counted_in_the_same_flow() {
    let Some((mut stage, mut capture)) = Stage::seen("unanswered", HookChoice::TpBtf) else { return };
    stage.wait_for_lives(&mut capture, [(1, 0, 0); 2]);
    capture.raise(stage.to.ip(), 9).unwrap();
    sys::deafen(&stage.server).unwrap();
    stage.client.write_all(&[1; 700]).unwrap();
    stage.client.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("FIN-WAIT-1", "ESTAB");
    stage.wait_for_lives(&mut capture, [(1, 0, 1), (1, 0, 0)]);
    sys::undeafen(&stage.server).unwrap();
    // The kernel sends again what was not acknowledged.
    assert_eq!(stage.server.read_to_end(&mut Vec::new()).unwrap(), 700);
    stage.server.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("", "");
    until("the bytes", || {
        stage.told.drain(&mut capture);
        stage.flow(Direction::Outbound).bytes_sent >= 700
    });
    assert_eq!(stage.lives(), [(1, 0, 1); 2]);
    let client = stage.flow(Direction::Outbound);
    assert!(client.bytes_sent <= 702, "{client:?}");
    assert!(client.retransmits >= 1, "{client:?}");
    let generations = stage.told.facts.iter().filter_map(|fact| match &fact.body {
        FactBody::Flow(flow) if flow.key.direction == Direction::Outbound => Some(flow.key.generation),
        _ => None,
    });
    assert!(generations.into_iter().all(|generation| generation == 0), "its address had its first owner");
}

#[test]
fn a_reset_after_the_fin_is_a_failure_of_a_connection_that_closed_once() {
    let Some((mut stage, mut capture)) = Stage::seen("reset_after_fin", HookChoice::Auto) else { return };
    stage.client.write_all(&[1; 10]).unwrap();
    stage.client.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("FIN-WAIT-2", "CLOSE-WAIT");
    stage.wait_for_lives(&mut capture, [(1, 0, 1), (1, 0, 0)]);
    let Stage { lab, client, server, to, mut told } = stage;
    // Closing with unread data resets the connection.
    drop(server);
    until("the reset", || {
        told.drain(&mut capture);
        told.get(Direction::Outbound, to.port()).cut == 1
    });
    let flow = told.get(Direction::Outbound, to.port());
    assert_eq!(flow.failed, Failures { reset: 1, ..Failures::default() });
    assert_eq!(told.lives(Direction::Outbound, to.port()), (1, 0, 1));
    assert_eq!(told.lives(Direction::Inbound, to.port()), (1, 0, 1));
    drop((lab, client));
}

#[test]
fn a_refresh_pass_tells_the_bytes_of_a_half_closed_connection_and_finds_it_closed() {
    let Some((mut stage, mut capture)) = Stage::seen("half_closed_refresh", HookChoice::TpBtf) else {
        return;
    };
    stage.client.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_lives(&mut capture, [(1, 0, 1), (1, 0, 0)]);
    for round in 1..=2 {
        stage.server.write_all(&[1; 1_000]).unwrap();
        stage.client.read_exact(&mut [0; 1_000]).unwrap();
        let mut facts = Vec::new();
        let report = capture.refresh(&mut facts).unwrap();
        assert_eq!((report.walked, report.complete, report.residual), (true, true, 0));
        stage.told.add(facts);
        assert_eq!(stage.flow(Direction::Outbound).bytes_received, round * 1_000);
        assert_eq!(stage.lives(), [(1, 0, 1), (1, 0, 0)]);
    }
    stage.server.shutdown(Shutdown::Write).unwrap();
    stage.wait_for_states("", "");
    stage.wait_for_lives(&mut capture, [(1, 0, 1); 2]);
    let received = stage.flow(Direction::Outbound).bytes_received;
    assert!((2_000..=2_001).contains(&received), "{received}");
}

#[test]
fn one_that_was_on_its_way_out_before_the_start_is_not_counted_but_its_open_end_is() {
    for hook in [HookChoice::TpBtf, HookChoice::RawTp] {
        let Some(lab) = Lab::new("out_before") else { return };
        let mut stage = Stage::set(lab);
        stage.client.shutdown(Shutdown::Write).unwrap();
        stage.wait_for_states("FIN-WAIT-2", "CLOSE-WAIT");
        let mut capture = stage.lab.capture(hook);
        assert!(capture.first_pass().unwrap().walked);
        stage.told.drain(&mut capture);
        let open: u64 = stage.told.flows.values().map(|flow| flow.opened - flow.closed).sum();
        assert_eq!(open, 1, "{:#?}", stage.told.flows);
        stage.server.shutdown(Shutdown::Write).unwrap();
        stage.wait_for_states("", "");
        until("the end", || {
            stage.told.drain(&mut capture);
            stage.told.flows.values().all(|flow| flow.opened == flow.closed)
        });
        let counts: Vec<_> =
            stage.told.flows.values().map(|flow| (flow.opened, flow.preexisting, flow.closed)).collect();
        assert_eq!(counts, [(1, 1, 1)], "{:#?}", stage.told.flows);
        assert_eq!(capture.counters().lost.total(), 0);
    }
}

#[test]
fn one_that_the_first_pass_did_not_meet_is_counted_when_its_fin_leaves() {
    let Some(lab) = Lab::new("fin_unmet") else { return };
    let (listener, mut client) = lab.inside(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener, client)
    });
    client.write_all(&[1; 100]).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut capture = lab.capture(HookChoice::Auto);
    // In the accept queue it has no descriptor.
    capture.first_pass().unwrap();
    let mut server = listener.accept().unwrap().0;
    server.shutdown(Shutdown::Write).unwrap();
    let mut told = Sums::default();
    until("its whole life", || {
        told.drain(&mut capture);
        told.flows.get(&(Direction::Inbound, port)).is_some_and(|flow| flow.closed == 1)
    });
    assert_eq!(told.lives(Direction::Inbound, port), (1, 1, 1));
    assert_eq!(told.get(Direction::Inbound, port).bytes_received, 0, "that was before");
    client.write_all(&[1; 50]).unwrap();
    drop(client);
    assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), 150);
    drop(server);
    until("the bytes after its FIN", || {
        told.drain(&mut capture);
        told.get(Direction::Inbound, port).bytes_received >= 50
    });
    let inbound = told.get(Direction::Inbound, port);
    assert!(inbound.bytes_received <= 51, "{inbound:?}");
    assert_eq!(told.lives(Direction::Inbound, port), (1, 1, 1));
}
