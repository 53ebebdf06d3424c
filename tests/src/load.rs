//! A load of short connections on loopback (connect, one byte, close), at a rate or as fast as it goes, over several
//! ports. An edge of the map has one port, so a load over 50 ports is one over 50 edges.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::{JoinHandle, scope, sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Threads that connect: enough to keep two cores busy together with the servers.
const CLIENTS: u32 = 2;

/// Listens on `count` free ports and answers each connection on the thread of its port.
pub fn serve(address: IpAddr, count: u32) -> Result<Vec<(u16, JoinHandle<()>)>> {
    (0..count)
        .map(|_| {
            let listener =
                TcpListener::bind((address, 0)).with_context(|| format!("cannot listen at {address}"))?;
            let port = listener.local_addr()?.port();
            Ok((port, spawn(move || listener.incoming().flatten().for_each(read_to_end))))
        })
        .collect()
}

fn read_to_end(mut stream: TcpStream) {
    let mut byte = [0; 16];
    while matches!(stream.read(&mut byte), Ok(1..)) {}
}

/// What a load was.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections a second over all ports; as many as possible when `None`.
    pub rate: Option<u32>,
    /// How long.
    pub duration: Duration,
}

impl Load {
    /// Makes the connections and says how many there were. A connection that fails is an error: it would falsify both
    /// the rate and the count.
    pub fn run(self, targets: &[SocketAddr]) -> Result<u64> {
        let begin = Instant::now();
        scope(|scope| {
            let clients: Vec<_> =
                (0..CLIENTS).map(|client| scope.spawn(move || self.client(client, targets, begin))).collect();
            clients.into_iter().map(|client| client.join().expect("a client thread")).sum()
        })
    }

    fn client(self, client: u32, targets: &[SocketAddr], begin: Instant) -> Result<u64> {
        let mut made = 0_u64;
        let mine = targets.iter().cycle().skip(client as usize).step_by(CLIENTS as usize);
        for target in mine {
            if !self.wait_for_turn(client, made, begin) {
                break;
            }
            let mut stream = TcpStream::connect(target).with_context(|| format!("{target} after {made}"))?;
            stream.write_all(b"x")?;
            made += 1;
        }
        Ok(made)
    }

    /// Sleeps until the next connection is due; false at the end. Turns come from the beginning, not from the last one,
    /// so a delay is made up for and the rate holds.
    fn wait_for_turn(self, client: u32, made: u64, begin: Instant) -> bool {
        if let Some(rate) = self.rate {
            let turn = made * u64::from(CLIENTS) + u64::from(client);
            if turn >= u64::from(rate) * self.duration.as_secs() {
                return false;
            }
            let due = begin + Duration::from_secs_f64(turn as f64 / f64::from(rate));
            sleep(due.saturating_duration_since(Instant::now()));
            return true;
        }
        begin.elapsed() < self.duration
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn targets(count: u32) -> Vec<SocketAddr> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        serve(address, count).unwrap().into_iter().map(|(port, _)| SocketAddr::new(address, port)).collect()
    }

    #[test]
    fn a_rate_gives_exactly_that_many_connections() {
        let load = Load { rate: Some(100), duration: Duration::from_secs(1) };
        assert_eq!(load.run(&targets(3)).unwrap(), 100);
    }

    #[test]
    fn a_refused_connection_is_an_error() {
        let load = Load { rate: Some(10), duration: Duration::from_secs(1) };
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        assert!(load.run(&[gone]).unwrap_err().to_string().contains("after 0"));
    }
}
