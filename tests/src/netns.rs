//! Two network namespaces joined by a veth pair: the smallest network that is real.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::process::{Command, id};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::output_of;

/// Pairs that this process has made: part of names and addresses, so that pairs of tests that run at the same time
/// differ (an address must lead to one namespace).
static PAIRS: AtomicU32 = AtomicU32::new(0);

/// One network namespace under `/run/netns`, removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// Its IPv4 address on the pair.
    pub v4: IpAddr,
    /// Its IPv6 address on the pair.
    pub v6: IpAddr,
}

impl Namespace {
    fn create(name: String, v4: IpAddr, v6: IpAddr) -> Self {
        ip(&["netns", "add", &name]);
        let namespace = Self { name, v4, v6 };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// Name under `/run/netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of a family.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// A command that will run inside. Not `ip netns exec`: that remounts /sys and hides the cgroups.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg("--").arg(program);
        command
    }

    fn ip(&self, arguments: &[&str]) {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend_from_slice(arguments);
        ip(&all);
    }

    fn bring_up(&self) {
        self.ip(&["address", "add", &format!("{}/24", self.v4), "dev", "eth0"]);
        // Without duplicate address detection: it would keep the address unusable for a second.
        self.ip(&["address", "add", &format!("{}/64", self.v6), "dev", "eth0", "nodad"]);
        self.ip(&["link", "set", "eth0", "up"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not asserted: a panic in drop while a test fails would hide why it failed.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

/// Which Internet protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A namespace for the client and one for the server.
#[derive(Debug)]
pub struct Pair {
    /// Where the client runs.
    pub client: Namespace,
    /// Where the server runs.
    pub server: Namespace,
}

impl Pair {
    /// Makes both and joins them.
    pub fn create() -> Self {
        let process = id();
        let pair = PAIRS.fetch_add(1, Ordering::Relaxed) % 256;
        let name = |end: &str| format!("smt-{end}-{process}-{pair}");
        let v4 =
            |host: u32| format!("10.{}.{pair}.{host}", 64 + process % 128).parse().expect("an IPv4 address");
        let v6 = |host: u32| {
            format!("fd5e:{:x}:{pair:x}::{host}", process % 0x1_0000).parse().expect("an IPv6 address")
        };
        let client = Namespace::create(name("a"), v4(1), v6(1));
        let server = Namespace::create(name("b"), v4(2), v6(2));
        ip(&[
            "link",
            "add",
            "eth0",
            "netns",
            client.name(),
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            server.name(),
        ]);
        client.bring_up();
        server.bring_up();
        Self { client, server }
    }
}

fn ip(arguments: &[&str]) {
    output_of(Command::new("ip").args(arguments));
}

#[cfg(test)]
mod tests {
    use std::fs::{metadata, read_link};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::*;
    use crate::require;
    use crate::skip::Need;

    #[test]
    fn both_ends_reach_each_other_over_both_families() {
        require!(Need::Root);
        let pair = Pair::create();
        for family in [Family::V4, Family::V6] {
            let address = pair.server.address(family).to_string();
            let route = output_of(pair.client.command("ip").args(["route", "get", &address]));
            assert!(route.contains("dev eth0"), "{route}");
        }
    }

    #[test]
    fn a_process_inside_is_in_that_namespace() {
        require!(Need::Root);
        let pair = Pair::create();
        let inside = output_of(pair.client.command("readlink").arg("/proc/self/ns/net"));
        let inode = metadata(Path::new("/run/netns").join(pair.client.name())).unwrap().ino();
        assert_eq!(inside.trim(), format!("net:[{inode}]"));
        assert_ne!(read_link("/proc/self/ns/net").unwrap().to_str().unwrap(), inside.trim());
    }

    #[test]
    fn namespaces_go_with_the_pair() {
        require!(Need::Root);
        let pair = Pair::create();
        let path = Path::new("/run/netns").join(pair.client.name());
        assert!(path.exists());
        drop(pair);
        assert!(!path.exists());
    }
}
