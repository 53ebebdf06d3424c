//! A client and a server that are really two programs: the `peer` binary under two names, because a process without
//! unit or container is named by its program.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::artifacts::peer_binary;
use crate::netns::{Family, Namespace, Pair};
use crate::process::Process;

/// Program name of the client.
pub const CLIENT: &str = "sm-client";
/// Program name of the server.
pub const SERVER: &str = "sm-server";

/// Longest time that a peer may take to start or to make its connections, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The two programs in a directory of their own, and a pair of namespaces to run them in.
#[derive(Debug)]
pub struct Stage {
    /// The namespaces.
    pub pair: Pair,
    programs: TempDir,
}

impl Stage {
    /// Makes the namespaces and the programs.
    pub fn set() -> Self {
        let programs = tempfile::tempdir().expect("a temporary directory");
        for name in [CLIENT, SERVER] {
            fs::copy(peer_binary(), programs.path().join(name)).expect("a copy of the peer program");
        }
        Self { pair: Pair::create(), programs }
    }

    /// Path of one of the programs, for those who start it in their own way.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.path().join(name)
    }

    /// Starts the server on any free port.
    pub fn serve(&self, family: Family) -> Server {
        let address = self.pair.server.address(family);
        let mut command = self.pair.server.command(self.program(SERVER));
        let mut process = Process::spawn(SERVER, command.args(["listen", &address.to_string(), "0"]));
        let port = process.wait_for_line("ready ", DEADLINE).parse().expect("a port number");
        Server { process, address: SocketAddr::new(address, port) }
    }

    /// Makes `count` connections to `address`, writes one byte on each and keeps them open.
    pub fn hold(&self, address: SocketAddr, count: u32) -> Process {
        self.connect(address, count, &["--hold"]).0
    }

    /// The same, and says on each that nothing more will come from this side.
    pub fn hold_half(&self, address: SocketAddr, count: u32) -> Process {
        self.connect(address, count, &["--half"]).0
    }

    /// Makes `count` connections, each closed at once, and says how they went.
    pub fn connect_and_close(&self, address: SocketAddr, count: u32) -> Outcome {
        self.connect(address, count, &[]).1
    }

    /// Starts the server on `count` free ports.
    pub fn serve_ports(&self, count: u32) -> (Process, Vec<SocketAddr>) {
        let address = self.pair.server.v4;
        let mut command = self.pair.server.command(self.program(SERVER));
        let mut process =
            Process::spawn(SERVER, command.args(["serve", &address.to_string(), &count.to_string()]));
        let ports = process.wait_for_line("ready ", DEADLINE);
        let target = |port: &str| SocketAddr::new(address, port.parse().expect("a port number"));
        (process, ports.split(' ').map(target).collect())
    }

    /// Makes `rate` short connections a second over these targets for a time, and says how many they were.
    pub fn load(&self, targets: &[SocketAddr], rate: u32, duration: Duration) -> u64 {
        let address = targets.first().expect("a target").ip().to_string();
        let mut command = self.pair.client.command(self.program(CLIENT));
        command.args(["load", &address, &rate.to_string(), &duration.as_secs().to_string()]);
        command.args(targets.iter().map(|target| target.port().to_string()));
        let made = Process::spawn(CLIENT, &mut command).wait_for_line("done ", DEADLINE + 2 * duration);
        made.parse().expect("a number of connections")
    }

    fn connect(&self, address: SocketAddr, count: u32, options: &[&str]) -> (Process, Outcome) {
        let mut command = self.pair.client.command(self.program(CLIENT));
        command.args(["connect", &address.ip().to_string(), &address.port().to_string(), &count.to_string()]);
        let mut process = Process::spawn(CLIENT, command.args(options));
        let outcome = Outcome::parse(&process.wait_for_line("done ", DEADLINE));
        (process, outcome)
    }

    /// The client as the map names it.
    pub fn client_name(&self) -> String {
        service_name(CLIENT, &self.pair.client)
    }

    /// The server as the map names it.
    pub fn server_name(&self) -> String {
        service_name(SERVER, &self.pair.server)
    }
}

/// A program outside the machine's own network namespace is named together with that namespace.
fn service_name(program: &str, namespace: &Namespace) -> String {
    format!("{program}@{}", namespace.name())
}

/// The namespace of this machine's processes: its name.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").expect("the host's name").trim().to_owned()
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// How the connections of a client went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Became established.
    pub opened: u32,
    /// Were refused.
    pub refused: u32,
    /// Failed in another way.
    pub other: u32,
}

impl Outcome {
    fn parse(line: &str) -> Self {
        let numbers: Vec<u32> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [opened, refused, other] = numbers[..] else { panic!("not three numbers: {line:?}") };
        Self { opened, refused, other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require;
    use crate::skip::Need;

    #[test]
    fn a_client_reaches_the_server_over_both_families() {
        require!(Need::Root);
        let stage = Stage::set();
        for family in [Family::V4, Family::V6] {
            let server = stage.serve(family);
            let outcome = stage.connect_and_close(server.address, 3);
            assert_eq!(outcome, Outcome { opened: 3, refused: 0, other: 0 });
        }
    }

    #[test]
    fn a_port_without_listener_refuses() {
        require!(Need::Root);
        let stage = Stage::set();
        let address = stage.serve(Family::V4).address; // The server is gone by the next line.
        let outcome = stage.connect_and_close(address, 4);
        assert_eq!(outcome, Outcome { opened: 0, refused: 4, other: 0 });
    }

    #[test]
    fn a_load_makes_every_connection_that_it_says() {
        require!(Need::Root);
        let stage = Stage::set();
        let (_server, targets) = stage.serve_ports(4);
        assert_eq!(targets.len(), 4);
        assert_eq!(stage.load(&targets, 200, Duration::from_secs(1)), 200);
    }

    #[test]
    fn programs_have_the_names_that_the_map_will_show() {
        require!(Need::Root);
        let stage = Stage::set();
        let server = stage.serve(Family::V4);
        let name = fs::read_to_string(format!("/proc/{}/comm", server.process.id())).unwrap();
        assert_eq!(name.trim(), SERVER);
    }
}
