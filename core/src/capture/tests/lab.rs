//! A network namespace with a capture that counts nothing else, and sums of what it told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use servicemap_map::model::{Direction, Fact, FactBody, FlowDelta};

use crate::capture::{Capture, CaptureSettings, HookChoice};

/// A network namespace, gone when this is dropped.
pub(super) struct Lab {
    name: String,
    pub(super) inum: u32,
}

impl Lab {
    /// `None`, loudly, when the test cannot run here.
    pub(super) fn new(test: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("smcap-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        let why = match made {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Some(error.to_string()),
        };
        let why = why.or_else(|| {
            crate::capture::requirements::check_capabilities().err().map(|error| error.to_string())
        });
        if let Some(why) = why {
            assert!(std::env::var_os("SERVICEMAP_REQUIRE_ALL").is_none(), "{test} cannot run here: {why}");
            #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
            {
                eprintln!("SKIPPED {test}: {why}");
            }
            return None;
        }
        let inum = u32::try_from(File::open(format!("/run/netns/{name}")).unwrap().metadata().unwrap().ino())
            .unwrap();
        let lab = Self { name, inum };
        assert!(
            Command::new("ip").args(["-n", &lab.name, "link", "set", "lo", "up"]).status().unwrap().success()
        );
        Some(lab)
    }

    /// Runs something inside, on a thread of its own.
    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
                    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                    work()
                })
                .join()
                .unwrap()
        })
    }

    /// Runs `ip` inside.
    pub(super) fn ip(&self, arguments: &str) {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(arguments.split(' '));
        assert!(command.status().unwrap().success(), "ip {arguments}");
    }

    pub(super) fn settings(&self, hook: HookChoice) -> CaptureSettings {
        CaptureSettings { hook, netns: Some(self.inum), ..CaptureSettings::default() }
    }

    pub(super) fn capture(&self, hook: HookChoice) -> Capture {
        Capture::start(&self.settings(hook)).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Sums by direction and port.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) flows: BTreeMap<(Direction, u16), FlowDelta>,
    pub(super) facts: Vec<Fact>,
}

impl Sums {
    pub(super) fn drain(&mut self, capture: &mut Capture) {
        let mut facts = Vec::new();
        capture.drain(&mut facts).unwrap();
        self.add(facts);
    }

    pub(super) fn add(&mut self, facts: Vec<Fact>) {
        for fact in &facts {
            if let FactBody::Flow(flow) = &fact.body {
                self.flows
                    .entry((flow.key.direction, flow.key.port))
                    .and_modify(|sum| {
                        sum.opened += flow.opened;
                        sum.preexisting += flow.preexisting;
                        sum.closed += flow.closed;
                        sum.abandoned += flow.abandoned;
                        sum.failed.add(&flow.failed);
                        sum.cut += flow.cut;
                        if let Some(connect) = &flow.connect {
                            sum.connect.get_or_insert_default().add(connect);
                        }
                        sum.bytes_sent += flow.bytes_sent;
                        sum.bytes_received += flow.bytes_received;
                        sum.retransmits += flow.retransmits;
                    })
                    .or_insert_with(|| flow.clone());
            }
        }
        self.facts.extend(facts);
    }

    pub(super) fn get(&self, direction: Direction, port: u16) -> &FlowDelta {
        self.flows
            .get(&(direction, port))
            .unwrap_or_else(|| panic!("no {direction:?} flow on port {port}: {:#?}", self.flows))
    }

    /// (opened, preexisting, closed) of a flow.
    pub(super) fn lives(&self, direction: Direction, port: u16) -> (u64, u64, u64) {
        let flow = self.get(direction, port);
        (flow.opened, flow.preexisting, flow.closed)
    }
}

/// A server that reads one byte of each connection and closes.
pub(super) fn serve(listener: TcpListener, connections: usize) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            let _ = stream.read(&mut byte);
            // Wait for the client's end, so that every end is an orderly one.
            let _ = stream.read(&mut byte);
        }
    })
}

/// Connects, sends one byte, closes.
pub(super) fn once(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&[7]).unwrap();
}

/// How long a condition may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for a condition.
pub(super) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Drains until the facts say what they should.
pub(super) fn drain_until(capture: &mut Capture, facts: &mut Vec<Fact>, done: impl Fn(&[Fact]) -> bool) {
    let begin = Instant::now();
    loop {
        capture.drain(facts).unwrap();
        if done(facts) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "in vain, after {:?}: {facts:#?}", capture.counters());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until every socket of short connections has left the kernel's hands (the last ACKs are on their way).
pub(super) fn settle() {
    std::thread::sleep(Duration::from_millis(150));
}
