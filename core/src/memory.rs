//! What was told, kept from one run to the next: one file in the directory that the setting `state_dir` names.
//!
//! The file is replaced as a whole: written beside, synced, renamed. A thread of its own does that, so that a slow disk
//! holds up nobody. What cannot be read or written is said once and gone on without.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use servicemap_map::model::Known;

/// Form of the file; another one is not read.
const VERSION: u32 = 1;
/// The file.
const FILE: &str = "told.json";
/// What it is called until it is complete.
const UNFINISHED: &str = "told.json.new";
/// What one that cannot be read is kept as.
const DAMAGED: &str = "told.json.damaged";
/// Held as long as an observer uses the directory.
const LOCK: &str = "lock";
/// Longer files are none of ours: 100,000 dependencies of the longest names that Kubernetes has are 80 MB.
const MAX_LEN: u64 = 128 << 20;

/// Why nothing can be kept in a directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemoryError {
    /// It cannot be made or written to.
    #[error("state_dir {path:?} cannot be used: {source}; name a directory that user {uid} may write to", uid = rustix::process::getuid().as_raw())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two would overwrite what the other one has told.
    #[error("state_dir {path:?} is used by another observer; give each its own")]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// Nobody could write.
    #[error(
        "cannot start the thread that writes to state_dir: {0}; raise the limit of processes (ulimit -u)"
    )]
    Thread(io::Error),
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    version: u32,
    #[serde(flatten)]
    known: Known,
}

/// The directory, and the thread that writes to it. Ends with a last writing when it is dropped.
#[derive(Debug)]
pub(crate) struct Memory {
    orders: Option<SyncSender<Known>>,
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    /// Takes the directory, which is made if need be, and reads what earlier runs left there: nothing where there were
    /// none, or where it is damaged.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Option<Known>), MemoryError> {
        let unusable = |source| MemoryError::Directory { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        // That it cannot be written to is found out now rather than when there is something to lose.
        let lock = File::create(directory.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => MemoryError::Taken { path: directory.to_owned() },
            TryLockError::Error(source) => unusable(source),
        })?;
        let known = read_or_put_aside(directory);
        // One order may wait while another one is carried out: the next is the later state anyway.
        let (orders, incoming) = mpsc::sync_channel(1);
        let directory = directory.to_owned();
        let thread = std::thread::Builder::new().name("servicemap-state".to_owned());
        let thread = thread
            .spawn(move || {
                let _lock = lock;
                let mut failed = false;
                while let Ok(known) = incoming.recv() {
                    failed = note(write(&directory, known), &directory, failed);
                }
            })
            .map_err(MemoryError::Thread)?;
        Ok((Self { orders: Some(orders), thread: Some(thread) }, known))
    }

    /// Has it written; false while an earlier order is still being carried out.
    pub(crate) fn keep(&self, known: Known) -> bool {
        match self.orders.as_ref().map(|orders| orders.try_send(known)) {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => false,
        }
    }

    /// Has it written in any case, and waits for that.
    pub(crate) fn keep_last(mut self, known: Known) {
        if let Some(orders) = self.orders.take() {
            // It fails only where the thread has panicked, which it has said itself.
            let _ = orders.send(known);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(thread) = self.thread.take() {
            // What a panic had to say was said by it.
            let _ = thread.join();
        }
    }
}

/// Says what went wrong once, not at each attempt. Returns whether something does.
fn note(outcome: io::Result<()>, directory: &Path, failed: bool) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) => {
            if !failed {
                tracing::warn!(
                    "state_dir {directory:?}: what was told cannot be written and will be told again after a restart: {error}"
                );
            }
            true
        }
    }
}

fn read_or_put_aside(directory: &Path) -> Option<Known> {
    let path = directory.join(FILE);
    match read(&path) {
        Ok(known) => Some(known),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let aside = directory.join(DAMAGED);
            let kept = if fs::rename(&path, &aside).is_ok() { aside } else { path.clone() };
            tracing::warn!(
                "{path:?} cannot be read: {error}; what exists is learned anew, and the file is kept as {kept:?}"
            );
            None
        }
    }
}

fn read(path: &Path) -> io::Result<Known> {
    let damaged = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let len = fs::metadata(path)?.len();
    if len > MAX_LEN {
        return Err(damaged(format!("it has {len} bytes, and at most {MAX_LEN} are read")));
    }
    let content: Content = serde_json::from_slice(&fs::read(path)?)?;
    if content.version != VERSION {
        return Err(damaged(format!("its version is {}, and this program reads {VERSION}", content.version)));
    }
    Ok(content.known)
}

/// Replaces the file. A crash at any instant leaves the former or the new one.
fn write(directory: &Path, known: Known) -> io::Result<()> {
    let unfinished = directory.join(UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(&serde_json::to_vec(&Content { version: VERSION, known })?)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use servicemap_map::model::{KnownDependency, Timestamp};

    fn known(source: &str) -> Known {
        let dependency = KnownDependency {
            source: source.parse().unwrap(),
            destination: "service:shop/db".parse().unwrap(),
            first_seen: Timestamp::from_nanos(1),
            last_seen: Timestamp::from_nanos(2),
            crosses_environments: false,
        };
        Known { dependencies: vec![dependency] }
    }

    /// What a run finds that begins now.
    fn found(directory: &Path) -> Option<Known> {
        Memory::open(directory).unwrap().1
    }

    #[test]
    fn a_directory_is_made_and_holds_nothing_at_first() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        assert_eq!(found(&directory), None);
        assert_eq!(found(&directory), None, "looking leaves nothing to remember");
        assert!(directory.is_dir());
    }

    #[test]
    fn what_was_kept_last_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (memory, _) = Memory::open(directory.path()).unwrap();
        while !memory.keep(known("service:shop/api")) {}
        memory.keep_last(known("service:shop/web"));
        assert_eq!(found(directory.path()), Some(known("service:shop/web")));
        assert!(!directory.path().join(UNFINISHED).exists());
    }

    #[test]
    fn an_unfinished_file_of_a_crash_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        Memory::open(directory.path()).unwrap().0.keep_last(known("service:shop/web"));
        fs::write(directory.path().join(UNFINISHED), b"{\"version\":1,\"dependenc").unwrap();
        assert_eq!(found(directory.path()), Some(known("service:shop/web")));
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_gone_on_without() {
        for damaged in ["", "{\"version\":1,\"dependenc", "{\"version\":2,\"dependencies\":[]}", "[]"] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(FILE), damaged).unwrap();
            assert_eq!(found(directory.path()), None, "{damaged}");
            assert_eq!(fs::read_to_string(directory.path().join(DAMAGED)).unwrap(), damaged);
        }
    }

    #[test]
    fn a_directory_belongs_to_one_observer_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let (first, _) = Memory::open(directory.path()).unwrap();
        let refused = Memory::open(directory.path()).unwrap_err().to_string();
        assert!(refused.ends_with("is used by another observer; give each its own"), "{refused}");
        drop(first);
        Memory::open(directory.path()).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = Memory::open(file.path()).unwrap_err().to_string();
        assert!(refused.contains(file.path().to_str().unwrap()), "{refused}");
        assert!(refused.contains("name a directory that user"), "{refused}");
    }
}
