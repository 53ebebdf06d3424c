//! Sockets from before the start.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use servicemap_map::model::{Direction, Fact};

use super::lab::{Lab, Sums, once, settle, until};
use crate::capture::{Capture, HookChoice, sys};

fn one_from_before(hook: HookChoice, listener: impl Fn() -> TcpListener + Sync) {
    let Some(lab) = Lab::new("one_from_before") else { return };
    let (listener, mut client, server) = lab.inside(|| {
        let listener = listener();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        (listener, client, server)
    });
    client.write_all(&[1; 5_000]).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut capture = lab.capture(hook);
    let mut sums = Sums::default();
    for _ in 0..2 {
        // Twice: a second pass counts nothing again.
        assert!(capture.first_pass().unwrap().walked);
        sums.drain(&mut capture);
        assert_eq!(sums.lives(Direction::Listen, port), (1, 1, 0));
        assert_eq!(sums.lives(Direction::Outbound, port), (1, 1, 0));
        assert_eq!(sums.lives(Direction::Inbound, port), (1, 1, 0));
    }
    for direction in [Direction::Listen, Direction::Outbound, Direction::Inbound] {
        let flow = sums.get(direction, port);
        assert!(!flow.key.program.is_empty(), "{direction:?}");
        assert_eq!(flow.example.as_ref().unwrap().pid, std::process::id());
    }
    client.write_all(&[1; 100]).unwrap();
    settle();
    drop((listener, client, server));
    settle();
    sums.drain(&mut capture);
    assert_eq!(sums.lives(Direction::Listen, port), (1, 1, 1));
    assert_eq!(sums.lives(Direction::Outbound, port), (1, 1, 1));
    assert_eq!(sums.lives(Direction::Inbound, port), (1, 1, 1));
    let sent = sums.get(Direction::Outbound, port).bytes_sent;
    assert!((100..=102).contains(&sent), "bytes from before the start are not counted: {sent}");
}

fn plain() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn an_open_connection_counts_once_and_its_end_too() {
    one_from_before(HookChoice::TpBtf, plain);
}

#[test]
fn also_with_the_raw_hook() {
    one_from_before(HookChoice::RawTp, plain);
}

#[test]
fn also_over_ipv6() {
    one_from_before(HookChoice::Auto, || TcpListener::bind("[::]:0").unwrap());
}

#[test]
fn an_mptcp_descriptor_stands_for_its_first_subflow() {
    if !std::path::Path::new("/proc/sys/net/mptcp/enabled").exists() {
        return;
    }
    one_from_before(HookChoice::Auto, || sys::mptcp_listener(7801).unwrap());
}

#[test]
fn a_connection_in_the_accept_queue_is_counted_when_it_ends() {
    let Some(lab) = Lab::new("accept_queue") else { return };
    let (listener, client) = lab.inside(|| {
        let listener = plain();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener, client)
    });
    let port = listener.local_addr().unwrap().port();
    let mut capture = lab.capture(HookChoice::Auto);
    capture.first_pass().unwrap();
    drop(client);
    settle();
    drop(listener);
    settle();
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    assert_eq!(sums.lives(Direction::Inbound, port), (1, 1, 1));
    assert_eq!(sums.lives(Direction::Outbound, port), (1, 1, 1));
}

#[test]
fn churn_during_the_pass_leaves_what_is_really_open() {
    let Some(lab) = Lab::new("churn") else { return };
    let stop = AtomicBool::new(false);
    let made = AtomicUsize::new(0);
    for _ in 0..3 {
        stop.store(false, Ordering::SeqCst);
        made.store(0, Ordering::SeqCst);
        let listener = lab.inside(plain);
        let to = listener.local_addr().unwrap();
        let (held, held_by_server, started) = std::thread::scope(|scope| {
            // Half of the connections stay, half close at once, all the time.
            let server = scope.spawn(|| {
                let mut held = Vec::new();
                loop {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut byte = [0];
                    std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                    match byte[0] {
                        0 => return held,
                        1 => held.push(stream),
                        _ => {}
                    }
                }
            });
            let client = scope.spawn(|| {
                lab.inside(|| {
                    let mut held = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        let mut stay = TcpStream::connect(to).unwrap();
                        stay.write_all(&[1]).unwrap();
                        if held.len() < 300 {
                            held.push(stay);
                        } else {
                            stay.write_all(&[2]).unwrap();
                            // The first ones stay, however long the start takes.
                            held.remove(10);
                            held.push(stay);
                        }
                        once(to);
                        made.fetch_add(1, Ordering::SeqCst);
                    }
                    held
                })
            });
            let wait_for_more = || {
                let before = made.load(Ordering::SeqCst);
                until("more connections", || made.load(Ordering::SeqCst) >= before + 50);
            };
            wait_for_more();
            // No panic in here: the threads would go on for ever.
            let started = Capture::start(&lab.settings(HookChoice::Auto)).and_then(|mut started| {
                let mut facts = Vec::new();
                started.first_pass()?;
                started.drain(&mut facts)?;
                started.first_pass()?;
                Ok((started, facts))
            });
            wait_for_more();
            stop.store(true, Ordering::SeqCst);
            let held = client.join().unwrap();
            lab.inside(|| TcpStream::connect(to).unwrap().write_all(&[0]).unwrap());
            let server = server.join().unwrap();
            (held, server, started)
        });
        let (mut capture, mut facts) = started.unwrap();
        // The server's ends: those whose client is open, and those whose client closed first and that it holds.
        let is = [held.len(), held_by_server.len()].map(|count| u64::try_from(count).unwrap());
        // Under load the kernel does not run the program for some changes: a refresh pass finds what became of them.
        let mut reaches = |capture: &mut Capture, is| {
            until("what is open is told", || {
                capture.refresh(&mut facts).unwrap();
                open(&facts, to.port()) == Some(is)
            });
        };
        reaches(&mut capture, is);
        drop((held, held_by_server, listener));
        reaches(&mut capture, [0, 0]);
        let mut sums = Sums::default();
        sums.add(facts);
        let out = sums.get(Direction::Outbound, to.port());
        assert!(out.preexisting > 0 && out.preexisting < out.opened, "{out:?} {:?}", capture.counters());
    }
}

/// Clients' and servers' ends that are open, by what was told; `None` where more ended than began.
fn open(facts: &[Fact], port: u16) -> Option<[u64; 2]> {
    let mut sums = Sums::default();
    sums.add(facts.to_vec());
    let open = |direction| {
        let flow = sums.get(direction, port);
        flow.opened.checked_sub(flow.closed)
    };
    Some([open(Direction::Outbound)?, open(Direction::Inbound)?])
}
