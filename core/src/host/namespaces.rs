//! Network namespaces of this machine, their names and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use servicemap_map::model::FactBody;

use super::addresses;

/// What is known of the namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    proc: PathBuf,
    named: PathBuf,
    addresses: BTreeMap<u32, BTreeSet<IpAddr>>,
    names: BTreeMap<u32, Option<Arc<str>>>,
}

impl Namespaces {
    pub(super) fn new(proc: PathBuf, named: PathBuf) -> Self {
        Self { proc, named, addresses: BTreeMap::new(), names: BTreeMap::new() }
    }

    pub(super) fn knows(&self, netns: u32) -> bool {
        self.addresses.contains_key(&netns)
    }

    /// Reads all namespaces and tells names and addresses that came or went.
    pub(super) fn scan(&mut self, out: &mut Vec<FactBody>) {
        self.scan_names(out);
        let mut seen = BTreeMap::new();
        for (netns, process) in self.one_process_each() {
            if let Some(addresses) = addresses::of_process(&process) {
                seen.insert(netns, addresses);
            }
        }
        for (netns, addresses) in &seen {
            let before = self.addresses.get(netns);
            let came = addresses.iter().filter(|address| before.is_none_or(|known| !known.contains(address)));
            out.extend(came.map(|address| FactBody::Address {
                netns: *netns,
                address: *address,
                present: true,
            }));
        }
        for (netns, addresses) in &self.addresses {
            let now = seen.get(netns);
            let went = addresses.iter().filter(|address| now.is_none_or(|known| !known.contains(address)));
            out.extend(went.map(|address| FactBody::Address {
                netns: *netns,
                address: *address,
                present: false,
            }));
        }
        self.addresses = seen;
    }

    fn scan_names(&mut self, out: &mut Vec<FactBody>) {
        let mut names: BTreeMap<u32, Option<Arc<str>>> = BTreeMap::new();
        for entry in fs::read_dir(&self.named).into_iter().flatten().flatten() {
            if let Some(netns) = inode(&entry.path()) {
                names.insert(netns, Some(entry.file_name().to_string_lossy().into()));
            }
        }
        // Process 1 stands for the machine; where it may not be read, this process does.
        let own = inode(&self.proc.join("1/ns/net")).or_else(|| inode(&self.proc.join("self/ns/net")));
        if let Some(own) = own {
            names.insert(own, None);
        }
        for (netns, name) in &names {
            if self.names.get(netns) != Some(name) {
                out.push(FactBody::NetworkNamespace { netns: *netns, name: name.clone() });
            }
        }
        self.names = names;
    }

    /// For each network namespace the `/proc/PID` of one of its processes.
    fn one_process_each(&self) -> BTreeMap<u32, PathBuf> {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir(&self.proc).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            if let Some(netns) = inode(&entry.path().join("ns/net")) {
                processes.entry(netns).or_insert_with(|| entry.path());
            }
        }
        processes
    }
}

/// Inode of a namespace file; namespace inodes fit in 32 bits (`struct ns_common.inum`).
fn inode(path: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(path).ok()?.ino()).ok()
}
