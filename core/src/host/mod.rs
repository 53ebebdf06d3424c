//! This machine's cgroups, network namespaces and addresses, as facts.
//!
//! Everything is read from files that any user may read where possible (`/proc/PID/net`, the cgroup tree,
//! `/run/netns`); what cannot be read is left out: flows still carry enough to be named by program and address.

mod addresses;
mod cgroups;
mod homes;
mod namespaces;
mod scope;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use scope::Scope;
use servicemap_map::model::{Fact, FactBody, FlowDelta, Origin, SourceId, Timestamp};

pub use cgroups::cgroup2_root;

/// Addresses and namespaces are read again this often without any other cause.
const RESCAN_INTERVAL: Duration = Duration::from_secs(10);

/// Reads again because of something unknown at most this often: a scan walks all of `/proc`.
const SCAN_MIN_INTERVAL: Duration = Duration::from_millis(250);

/// Reads this machine and tells what changed since the last time.
#[derive(Debug)]
pub struct Host {
    namespaces: namespaces::Namespaces,
    cgroups: Option<cgroups::Cgroups>,
    scope: Scope,
    last_scan: Option<Instant>,
    unknown_netns: HashSet<u32>,
    unknown_cgroups: HashSet<u64>,
}

impl Host {
    /// A reader of this machine's own `/proc`, `/run/netns` and cgroup tree.
    pub fn new() -> Self {
        Self::beneath("/")
    }

    /// Of this machine only what is in or beneath a cgroup; `/` is the whole machine.
    pub fn beneath(cgroup_root: &str) -> Self {
        let (proc, named) = (PathBuf::from("/proc"), PathBuf::from("/run/netns"));
        Self { scope: Scope::new(cgroup_root), ..Self::with_roots(proc, named, cgroup2_root()) }
    }

    fn with_roots(proc: PathBuf, named: PathBuf, cgroups: Option<PathBuf>) -> Self {
        Self {
            scope: Scope::default(),
            namespaces: namespaces::Namespaces::new(proc, named),
            cgroups: cgroups.map(cgroups::Cgroups::new),
            last_scan: None,
            unknown_netns: HashSet::new(),
            unknown_cgroups: HashSet::new(),
        }
    }

    /// Reads everything; `out` gets what is new or gone since the last scan.
    pub fn scan(&mut self, at: Timestamp, out: &mut Vec<Fact>) {
        let mut bodies = Vec::new();
        self.namespaces.scan(&self.scope, &mut bodies);
        if let Some(cgroups) = &mut self.cgroups {
            cgroups.scan(&mut bodies);
        }
        bodies.retain(|body| !matches!(body, FactBody::Cgroup { path, .. } if !self.scope.holds(path)));
        self.last_scan = Some(Instant::now());
        out.extend(bodies.into_iter().map(|body| Fact {
            at,
            origin: Origin { source: SourceId::Host, sequence: 0 },
            body,
        }));
    }

    /// Scans when it is time to, or when one of these flows comes from a namespace or cgroup not known yet.
    pub fn follow(&mut self, flows: &[Fact], at: Timestamp, out: &mut Vec<Fact>) {
        let since = self.last_scan.map_or(Duration::MAX, |last| last.elapsed());
        if since >= RESCAN_INTERVAL || self.namespaces.renamed() {
            // What was unknown may be readable now: ask once more.
            self.unknown_netns.clear();
            self.unknown_cgroups.clear();
            self.scan(at, out);
            return;
        }
        let news = flows.iter().any(|fact| matches!(&fact.body, FactBody::Flow(flow) if self.is_news(flow)));
        if news && since >= SCAN_MIN_INTERVAL {
            self.scan(at, out);
            for fact in flows {
                if let FactBody::Flow(flow) = &fact.body {
                    self.remember_unknown(flow);
                }
            }
        }
    }

    /// The directory of a cgroup was seen being made, with its path below the hierarchy's root.
    pub fn cgroup_made(&mut self, id: u64, path: &str, at: Timestamp, out: &mut Vec<Fact>) {
        if let Some(cgroups) = &mut self.cgroups
            && let Some(body) = cgroups.learn(id, path)
            && self.scope.holds(path)
        {
            out.push(Fact { at, origin: Origin { source: SourceId::Host, sequence: 0 }, body });
        }
    }

    /// Of facts about flows, those of the part of the machine that is observed.
    pub fn admit(&mut self, flows: Vec<Fact>, at: Timestamp) -> Vec<Fact> {
        let cgroups = self.cgroups.as_ref();
        self.scope.admit(flows, at, |id| cgroups.and_then(|cgroups| cgroups.path(id)))
    }

    fn is_news(&self, flow: &FlowDelta) -> bool {
        let key = &flow.key;
        (!self.namespaces.knows(key.netns) && !self.unknown_netns.contains(&key.netns))
            || (key.cgroup > 1
                && !self.knows_cgroup(key.cgroup)
                && !self.unknown_cgroups.contains(&key.cgroup))
    }

    fn knows_cgroup(&self, id: u64) -> bool {
        self.cgroups.as_ref().is_none_or(|cgroups| cgroups.knows(id))
    }

    fn remember_unknown(&mut self, flow: &FlowDelta) {
        if !self.namespaces.knows(flow.key.netns) {
            self.unknown_netns.insert(flow.key.netns);
        }
        if !self.knows_cgroup(flow.key.cgroup) {
            self.unknown_cgroups.insert(flow.key.cgroup);
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_nanos(1)
    }

    #[test]
    fn this_machine_tells_its_own_namespace_and_loopback_address() {
        let mut facts = Vec::new();
        Host::new().scan(at(), &mut facts);
        let own = facts.iter().find_map(|fact| match &fact.body {
            FactBody::NetworkNamespace { netns, name: None } => Some(*netns),
            _ => None,
        });
        let own = own.expect("the machine's own namespace is told");
        let loopback = FactBody::Address { netns: own, address: "127.0.0.1".parse().unwrap(), present: true };
        assert!(facts.iter().any(|fact| fact.body == loopback));
    }

    #[test]
    fn a_second_scan_of_an_unchanged_tree_tells_nothing() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("system.slice/nginx.service")).unwrap();
        let empty = root.path().join("none");
        let mut host = Host::with_roots(empty.clone(), empty, Some(root.path().to_path_buf()));
        let mut facts = Vec::new();
        host.scan(at(), &mut facts);
        assert!(facts.iter().any(|fact| matches!(&fact.body,
            FactBody::Cgroup { path, .. } if &**path == "/system.slice/nginx.service")));
        facts.clear();
        host.scan(at(), &mut facts);
        assert_eq!(facts, []);
    }
}
