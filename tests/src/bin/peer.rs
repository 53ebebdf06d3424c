//! One end of a TCP connection, as plain as can be.
//!
//! - `peer listen ADDRESS PORT`: prints `ready PORT`, then accepts, reads to the end and closes, until it is killed.
//! - `peer connect ADDRESS PORT COUNT [--hold|--half]`: makes COUNT connections one after the other, writes one byte on each
//!   and closes it (or keeps all of them until standard input ends, open or with this half shut down), and prints
//!   `done OPENED REFUSED OTHER`.
//! - `peer serve ADDRESS COUNT`: listens on COUNT free ports and prints `ready PORT …`, until it is killed.
//! - `peer member ADDRESS RATE`: is a service of many. Listens on a free port, prints `ready PORT`, reads a line of ports,
//!   opens a connection to each of them and keeps it, prints `held COUNT`, and then makes RATE short connections a second
//!   over them by turns, until standard input ends.
//! - `peer load ADDRESS RATE SECONDS PORT …`: makes RATE short connections a second (0: as many as it can) over these
//!   ports and prints `done MADE`.

use std::io::{ErrorKind, Read, Write, stdin, stdout};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::spawn;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use servicemap_tests::load::{self, Load};

fn main() -> Result<()> {
    leave_the_unit();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["listen", address, port] => listen(socket_address(address, port)?),
        ["connect", address, port, count, ref options @ ..] => {
            let then = match options {
                [] => Then::Close,
                ["--hold"] => Then::Hold,
                ["--half"] => Then::ShutDown,
                _ => bail!("connect knows --hold and --half"),
            };
            connect(socket_address(address, port)?, count.parse()?, then)
        }
        ["serve", address, count] => serve(address.parse()?, count.parse()?),
        ["member", address, rate] => member(address.parse()?, rate.parse()?),
        ["load", address, rate, seconds, ref ports @ ..] => {
            run_load(address, rate.parse()?, seconds.parse()?, ports)
        }
        _ => {
            bail!("use: peer listen | connect | serve | member | load, with the arguments that peer.rs names")
        }
    }
}

fn socket_address(address: &str, port: &str) -> Result<SocketAddr> {
    let address: IpAddr = address.parse().with_context(|| format!("no address: {address}"))?;
    Ok(SocketAddr::new(address, port.parse().with_context(|| format!("no port: {port}"))?))
}

/// A process in a unit or a container is named by it; tests run in either and want the program's name. The root cgroup
/// is neither. Where it is not writable (no root, or a container's own view) the process stays where it is. PEER_CGROUP names
/// the directory of another cgroup to be in.
fn leave_the_unit() {
    if let Ok(directory) = std::env::var("PEER_CGROUP") {
        let written = std::fs::write(format!("{directory}/cgroup.procs"), "0");
        written.unwrap_or_else(|error| panic!("cannot join {directory}: {error}"));
        return;
    }
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let _ = std::fs::write(format!("{root}/cgroup.procs"), "0");
    }
}

fn listen(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
    println!("ready {}", listener.local_addr()?.port());
    answer(&listener)
}

/// Accepts and reads each connection to its end, all at a time.
fn answer(listener: &TcpListener) -> Result<()> {
    for stream in listener.incoming() {
        let mut stream = stream?;
        spawn(move || {
            let mut byte = [0; 16];
            // An error is an end, too: the peer was killed.
            while matches!(stream.read(&mut byte), Ok(1..)) {}
        });
    }
    Ok(())
}

fn member(address: IpAddr, rate: u32) -> Result<()> {
    let listener = TcpListener::bind((address, 0)).with_context(|| format!("cannot listen at {address}"))?;
    println!("ready {}", listener.local_addr()?.port());
    spawn(move || answer(&listener));
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let ports = line.split_whitespace().map(|port| socket_address(&address.to_string(), port));
    let targets = ports.collect::<Result<Vec<_>>>()?;
    let held = targets.iter().map(TcpStream::connect).collect::<Result<Vec<_>, _>>()?;
    println!("held {}", held.len());
    // Whoever started this ends it; a load without an end is one that is longer than anybody waits.
    spawn(move || Load { rate: Some(rate), duration: Duration::from_hours(1) }.run(&targets));
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// What becomes of a connection after its byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    Hold,
    ShutDown,
}

fn connect(address: SocketAddr, count: u32, then: Then) -> Result<()> {
    let (mut opened, mut refused, mut other) = (0, 0, 0);
    let mut kept = Vec::new();
    for _ in 0..count {
        match TcpStream::connect(address) {
            Ok(mut stream) => {
                stream.write_all(b"x")?;
                opened += 1;
                if then == Then::ShutDown {
                    stream.shutdown(Shutdown::Write)?;
                }
                if then != Then::Close {
                    kept.push(stream);
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
            Err(error) => {
                eprintln!("{address}: {error}");
                other += 1;
            }
        }
    }
    println!("done {opened} {refused} {other}");
    stdout().flush()?;
    if then != Then::Close {
        stdin().read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

fn serve(address: IpAddr, count: u32) -> Result<()> {
    let servers = load::serve(address, count)?;
    let ports: Vec<String> = servers.iter().map(|(port, _)| port.to_string()).collect();
    println!("ready {}", ports.join(" "));
    for (_, server) in servers {
        server.join().expect("a server thread");
    }
    Ok(())
}

fn run_load(address: &str, rate: u32, seconds: u64, ports: &[&str]) -> Result<()> {
    let targets = ports.iter().map(|port| socket_address(address, port)).collect::<Result<Vec<_>>>()?;
    let load = Load { rate: (rate > 0).then_some(rate), duration: Duration::from_secs(seconds) };
    println!("done {}", load.run(&targets)?);
    Ok(())
}
