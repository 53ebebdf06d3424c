//! cgroup v2 ids and the paths that they stand for. A cgroup's id is the inode of its directory
//! (`kernfs_node.id`, see `include/linux/kernfs.h`).

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use servicemap_map::model::FactBody;

/// Paths kept of cgroups that are gone: short-lived containers must still be nameable when their flows arrive.
const MAX_CGROUPS: usize = 65_536;

/// Where the cgroup v2 hierarchy is mounted: alone, or beside v1 on a hybrid machine. `None` without one.
pub fn cgroup2_root() -> Option<PathBuf> {
    // `cgroup.controllers` exists in the root of every v2 hierarchy and in no v1 one.
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .map(PathBuf::from)
        .find(|root| root.join("cgroup.controllers").exists())
}

/// What is known of the cgroup tree.
#[derive(Debug)]
pub(super) struct Cgroups {
    root: PathBuf,
    paths: HashMap<u64, Arc<str>>,
}

impl Cgroups {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, paths: HashMap::new() }
    }

    pub(super) fn knows(&self, id: u64) -> bool {
        self.paths.contains_key(&id)
    }

    pub(super) fn path(&self, id: u64) -> Option<&str> {
        self.paths.get(&id).map(|path| &**path)
    }

    /// Notes a path; the fact to tell if it is news.
    pub(super) fn learn(&mut self, id: u64, path: &str) -> Option<FactBody> {
        if self.paths.get(&id).is_some_and(|known| **known == *path) {
            return None;
        }
        if self.paths.len() >= MAX_CGROUPS {
            // Everything that still exists comes back with the next scan.
            self.paths.clear();
        }
        let path: Arc<str> = path.into();
        self.paths.insert(id, path.clone());
        Some(FactBody::Cgroup { id, path })
    }

    /// Walks the tree and tells what is new.
    pub(super) fn scan(&mut self, out: &mut Vec<FactBody>) {
        let mut pending = vec![(self.root.clone(), String::new())];
        while let Some((directory, path)) = pending.pop() {
            let Ok(metadata) = fs::metadata(&directory) else { continue };
            let shown = if path.is_empty() { "/" } else { &path };
            out.extend(self.learn(metadata.ino(), shown));
            pending.extend(children(&directory, &path));
        }
    }
}

fn children(directory: &Path, path: &str) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| (entry.path(), format!("{path}/{}", entry.file_name().to_string_lossy())))
        .collect()
}
