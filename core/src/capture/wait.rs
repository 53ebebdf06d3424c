//! Waiting for something new. Looking costs no system call: the rings are shared memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::drain::is_known;
use super::{Capture, decode, layout};

/// A cgroup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMade {
    /// Its id.
    pub id: u64,
    /// Its path below the hierarchy's root.
    pub path: Arc<str>,
}

/// What a look at the rings brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// A flow was announced that no drain has brought yet: drain now.
    pub new_flow: bool,
    /// Cgroups that were made.
    pub cgroups: Vec<CgroupMade>,
}

impl Capture {
    /// Waits for a flow that no drain has brought yet, at most `max_wait`; zero just looks, without a system call.
    pub fn poll(&mut self, max_wait: Duration) -> Poll {
        let begin = Instant::now();
        let mut found = Poll::default();
        self.look(&mut found);
        if found.new_flow || max_wait.is_zero() {
            return found;
        }
        // Ask to be woken, then look again: a flow may have come in between.
        let asked = self.set(layout::CONTROL_WAKE, 1).is_ok();
        self.look(&mut found);
        if asked && !found.new_flow {
            let timeout = Timespec::try_from(max_wait).ok();
            // An error is a short wait, and the look that follows is right after any wait.
            let _ = poll(&mut [PollFd::new(&self.announce, PollFlags::IN)], timeout.as_ref());
            let _ = self.set(layout::CONTROL_WAKE, 0);
            self.look(&mut found);
        }
        // Woken by a flow that is known already (each is announced anew after a drain): once is enough.
        if !found.new_flow {
            std::thread::sleep(max_wait.saturating_sub(begin.elapsed()));
            self.look(&mut found);
        }
        found
    }

    fn look(&mut self, found: &mut Poll) {
        while let Some(record) = self.announce.next() {
            let key: Option<[u8; decode::KEY]> = record.first_chunk().copied();
            drop(record);
            if let Some(key) = key {
                found.new_flow |= !is_known(&self.known, &key);
            }
        }
        let Some(cgroups) = &mut self.cgroups else { return };
        while let Some(record) = cgroups.next() {
            if let Some((id, path)) = decode::cgroup(&record) {
                found.cgroups.push(CgroupMade { id, path });
            }
        }
    }
}
