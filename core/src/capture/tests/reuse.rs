//! Addresses that change hands.

use std::net::{IpAddr, TcpListener, TcpStream};

use servicemap_map::model::{Direction, FactBody};

use super::lab::{Lab, drain_until};
use crate::capture::{Capture, HookChoice};

/// (opened, closed) of the flows of one direction and generation.
fn lives(facts: &[servicemap_map::model::Fact], direction: Direction, generation: u32) -> (u64, u64) {
    facts
        .iter()
        .filter_map(|fact| match &fact.body {
            FactBody::Flow(flow) => Some(flow),
            _ => None,
        })
        .filter(|flow| flow.key.direction == direction && flow.key.generation == generation)
        .fold((0, 0), |(opened, closed), flow| (opened + flow.opened, closed + flow.closed))
}

fn both_lives(facts: &[servicemap_map::model::Fact], generation: u32) -> [(u64, u64); 2] {
    [Direction::Outbound, Direction::Inbound].map(|direction| lives(facts, direction, generation))
}

fn a_late_close_is_counted_where_its_open_was(hook: HookChoice) {
    let Some(lab) = Lab::new("reuse") else { return };
    let mut capture = lab.capture(hook);
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    let connect = || {
        let client = lab.inside(|| TcpStream::connect(to).unwrap());
        (client, listener.accept().unwrap().0)
    };
    let address: IpAddr = to.ip();
    let mut facts = Vec::new();
    let of_first = connect();
    drain_until(&mut capture, &mut facts, |facts| both_lives(facts, 0) == [(1, 0); 2]);
    capture.raise(address, 1).unwrap();
    capture.raise(address, 1).unwrap();
    let of_second = connect();
    drain_until(&mut capture, &mut facts, |facts| both_lives(facts, 1) == [(1, 0); 2]);
    // The first owner's connection ends when the address is the second one's.
    drop(of_first);
    drain_until(&mut capture, &mut facts, |facts| both_lives(facts, 0) == [(1, 1); 2]);
    assert_eq!(both_lives(&facts, 1), [(1, 0); 2]);
    capture.raise(address, 2).unwrap();
    drop(of_second);
    drain_until(&mut capture, &mut facts, |facts| both_lives(facts, 1) == [(1, 1); 2]);
    assert_eq!(both_lives(&facts, 0), [(1, 1); 2]);
    assert_eq!(both_lives(&facts, 2), [(0, 0); 2]);
    assert_eq!(capture.counters().lost.total(), 0);
}

#[test]
fn a_close_after_its_address_changed_hands_is_counted_where_its_open_was() {
    a_late_close_is_counted_where_its_open_was(HookChoice::TpBtf);
}

#[test]
fn also_with_the_raw_hook() {
    a_late_close_is_counted_where_its_open_was(HookChoice::RawTp);
}

#[test]
fn a_connection_from_before_the_start_belongs_to_the_owner_of_that_moment() {
    let Some(lab) = Lab::new("reuse_before") else { return };
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    let client = lab.inside(|| TcpStream::connect(to).unwrap());
    let server = listener.accept().unwrap().0;
    let mut capture = lab.capture(HookChoice::Auto);
    capture.raise(to.ip(), 7).unwrap();
    capture.first_pass().unwrap();
    capture.raise(to.ip(), 8).unwrap();
    drop((client, server));
    let mut facts = Vec::new();
    drain_until(&mut capture, &mut facts, |facts| both_lives(facts, 7) == [(1, 1); 2]);
}

#[test]
fn addresses_beyond_the_bound_make_room_and_are_counted() {
    let Some(lab) = Lab::new("reuse_bound") else { return };
    let mut settings = lab.settings(HookChoice::Auto);
    settings.generation_entries = 2;
    let mut capture = Capture::start(&settings).unwrap();
    for last in 1..=4_u8 {
        capture.raise(IpAddr::from([127, 0, 1, last]), 5).unwrap();
    }
    assert_eq!(capture.counters().health.generations_forgotten, 2);
    let listener = lab.inside(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    for last in [1, 4_u8] {
        drop(lab.inside(|| TcpStream::connect((IpAddr::from([127, 0, 1, last]), port)).unwrap()));
    }
    let mut facts = Vec::new();
    drain_until(&mut capture, &mut facts, |facts| {
        [0, 5].map(|generation| lives(facts, Direction::Outbound, generation).0) == [1, 1]
    });
}
