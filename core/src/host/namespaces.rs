//! Network namespaces of this machine, their names and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use servicemap_map::model::FactBody;

use super::addresses;
use super::homes::Homes;
use super::scope::Scope;

/// File system type of namespace files (`NSFS_MAGIC` in `include/uapi/linux/magic.h`).
const NSFS_MAGIC: rustix::fs::FsWord = 0x6e73_6673;

/// `ip netns add` mounts a namespace over its file within milliseconds, also on a busy machine.
const MOUNTED_WITHIN: Duration = Duration::from_secs(5);

/// What is known of the namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    proc: PathBuf,
    named: PathBuf,
    addresses: BTreeMap<u32, BTreeSet<IpAddr>>,
    names: BTreeMap<u32, Option<Arc<str>>>,
    homes: Homes,
    /// When the directory of names last changed; `None` when it has to be read again.
    named_at: Option<SystemTime>,
}

impl Namespaces {
    pub(super) fn new(proc: PathBuf, named: PathBuf) -> Self {
        Self {
            proc,
            named,
            addresses: BTreeMap::new(),
            names: BTreeMap::new(),
            homes: Homes::default(),
            named_at: None,
        }
    }

    pub(super) fn knows(&self, netns: u32) -> bool {
        self.addresses.contains_key(&netns)
    }

    /// Whether a name came or went since the last scan. The kernel uses the inode of a namespace that is gone for the
    /// next one, so a known inode may be another namespace now.
    pub(super) fn renamed(&self) -> bool {
        let changed = changed_at(&self.named);
        changed.is_some() && changed != self.named_at
    }

    /// Reads all namespaces and tells names, containers and addresses that came or went.
    pub(super) fn scan(&mut self, scope: &Scope, out: &mut Vec<FactBody>) {
        let processes = self.processes(scope);
        self.scan_names(scope, |netns| processes.contains_key(&netns), out);
        let own = self.names.iter().find(|(_, name)| name.is_none()).map(|(netns, _)| *netns);
        self.homes.scan(&processes, own, out);
        let mut seen = BTreeMap::new();
        for (netns, processes) in processes {
            // A process may end while it is looked at; its namespace has its addresses all the same.
            if let Some(addresses) = processes.iter().find_map(|process| addresses::of_process(process)) {
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

    fn scan_names(&mut self, scope: &Scope, is_used: impl Fn(u32) -> bool, out: &mut Vec<FactBody>) {
        let mut names: BTreeMap<u32, Option<Arc<str>>> = BTreeMap::new();
        self.named_at = changed_at(&self.named);
        for entry in fs::read_dir(&self.named).into_iter().flatten().flatten() {
            let path = entry.path();
            // `ip netns add` makes a plain file and mounts the namespace over it a moment later.
            match inode(&path).filter(|_| is_namespace(&path)) {
                // A namespace that never had a process of the part that is observed is not this part's.
                Some(netns)
                    if !scope.is_whole_machine() && !is_used(netns) && !self.names.contains_key(&netns) => {}
                Some(netns) => drop(names.insert(netns, Some(entry.file_name().to_string_lossy().into()))),
                None if is_young(&path) => self.named_at = None,
                None => {}
            }
        }
        // Process 1 stands for the machine; where it may not be read, this process does.
        // So it does for a part of the machine, which may have a network of its own.
        let of_machine = || inode(&self.proc.join("1/ns/net"));
        let own = scope.is_whole_machine().then(of_machine).flatten();
        let own = own.or_else(|| inode(&self.proc.join("self/ns/net")));
        if let Some(own) = own {
            names.insert(own, None);
        }
        for (netns, name) in &names {
            if self.names.get(netns) != Some(name) {
                out.push(FactBody::NetworkNamespace { netns: *netns, name: name.clone() });
            }
        }
        // A name that went must not stick to the next namespace with that inode, which is known by its number again.
        for netns in self.names.keys().filter(|netns| !names.contains_key(netns)) {
            out.push(FactBody::NetworkNamespace { netns: *netns, name: Some(netns.to_string().into()) });
        }
        self.names = names;
    }

    /// For each network namespace the `/proc/PID` of its processes, in the order of their ids, as the kernel lists them.
    fn processes(&self, scope: &Scope) -> BTreeMap<u32, Vec<PathBuf>> {
        let mut processes: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
        for entry in fs::read_dir(&self.proc).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            if let Some(netns) =
                inode(&entry.path().join("ns/net")).filter(|_| scope.holds_process(&entry.path()))
            {
                processes.entry(netns).or_default().push(entry.path());
            }
        }
        processes
    }
}

fn changed_at(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).ok()?.modified().ok()
}

/// Whether a namespace may still be mounted over a file. One that is left over would have everything read again for ever.
fn is_young(path: &Path) -> bool {
    let age = |changed: SystemTime| changed.elapsed().unwrap_or_default();
    changed_at(path).is_some_and(|changed| age(changed) < MOUNTED_WITHIN)
}

fn is_namespace(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|file_system| file_system.f_type == NSFS_MAGIC)
}

/// Inode of a namespace file; namespace inodes fit in 32 bits (`struct ns_common.inum`).
fn inode(path: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(path).ok()?.ino()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(namespaces: &mut Namespaces) -> Vec<FactBody> {
        let mut facts = Vec::new();
        namespaces.scan_names(&Scope::default(), |_| true, &mut facts);
        facts
    }

    #[test]
    fn a_name_is_told_when_it_comes_and_taken_back_when_it_goes() {
        let named = tempfile::tempdir().unwrap();
        let mut namespaces = Namespaces::new(named.path().join("no-proc"), named.path().to_owned());
        std::os::unix::fs::symlink("/proc/self/ns/net", named.path().join("blue")).unwrap();
        assert!(namespaces.renamed());
        let netns = inode(Path::new("/proc/self/ns/net")).unwrap();
        assert_eq!(told(&mut namespaces), [FactBody::NetworkNamespace { netns, name: Some("blue".into()) }]);
        assert!(!namespaces.renamed());
        fs::remove_file(named.path().join("blue")).unwrap();
        let number = Some(netns.to_string().into());
        assert_eq!(told(&mut namespaces), [FactBody::NetworkNamespace { netns, name: number }]);
    }

    #[test]
    fn a_file_over_which_no_namespace_is_mounted_yet_is_no_name_and_is_looked_at_again() {
        let named = tempfile::tempdir().unwrap();
        let mut namespaces = Namespaces::new(named.path().join("no-proc"), named.path().to_owned());
        fs::write(named.path().join("blue"), "").unwrap();
        assert_eq!(told(&mut namespaces), []);
        assert!(namespaces.renamed());
    }

    #[test]
    fn a_file_that_was_left_over_is_looked_at_once() {
        let named = tempfile::tempdir().unwrap();
        let mut namespaces = Namespaces::new(named.path().join("no-proc"), named.path().to_owned());
        let left = fs::File::create(named.path().join("blue")).unwrap();
        left.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
        assert_eq!(told(&mut namespaces), []);
        assert!(!namespaces.renamed());
    }

    #[test]
    fn a_process_that_ends_while_it_is_looked_at_takes_no_address_along() {
        let root = tempfile::tempdir().unwrap();
        for process in ["10", "20"] {
            fs::create_dir_all(root.path().join(process).join("ns")).unwrap();
            std::os::unix::fs::symlink("/proc/self/ns/net", root.path().join(process).join("ns/net"))
                .unwrap();
        }
        // Of the first one nothing can be read any more.
        fs::create_dir_all(root.path().join("20/net")).unwrap();
        fs::write(root.path().join("20/net/fib_trie"), "|-- 10.0.0.7\n/32 host LOCAL\n").unwrap();
        let mut namespaces = Namespaces::new(root.path().to_owned(), root.path().join("none"));
        let mut facts = Vec::new();
        namespaces.scan(&Scope::default(), &mut facts);
        let netns = inode(Path::new("/proc/self/ns/net")).unwrap();
        let address = "10.0.0.7".parse().unwrap();
        assert!(facts.contains(&FactBody::Address { netns, address, present: true }), "{facts:?}");
    }
}
