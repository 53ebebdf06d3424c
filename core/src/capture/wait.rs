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
    /// The map of flows is half full: drain now, or some that change next may find no room.
    pub filling: bool,
    /// Cgroups that were made.
    pub cgroups: Vec<CgroupMade>,
}

/// How often a flow map that is being written to is looked at: filling what is left of half of it within this would take
/// 400,000 new flows a second.
const FILL_LOOK: Duration = Duration::from_millis(20);

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
        self.rest_until(begin + max_wait, &mut found);
        found
    }

    /// Waits without being woken by new flows, at most `wait`: for when the next drain is a little later anyway.
    pub fn rest(&mut self, wait: Duration) -> Poll {
        let (until, mut found) = (Instant::now() + wait, Poll::default());
        let mut new_flow = false;
        while !found.filling && Instant::now() < until {
            found.new_flow = false;
            self.rest_until(until, &mut found);
            new_flow |= found.new_flow;
        }
        Poll { new_flow, ..found }
    }

    fn rest_until(&mut self, until: Instant, found: &mut Poll) {
        while !found.new_flow && !found.filling {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(FILL_LOOK));
            self.look(found);
            found.filling = self.is_filling();
        }
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
