//! The refresh pass: brings the figures of open connections up to date and compares the map with the sockets.
//!
//! It is the check on everything else. What the drains told is open is kept in a ledger; the pass counts, in the kernel,
//! the sockets that are, and what differs is mended by a delta like any other. So an end that was lost (the flow map was
//! full, the kernel did not run the program) does not leave a connection open for ever.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, Gap, Origin, SourceId};

use super::ledger::{Difference, Seen};
use super::sys::Batching;
use super::{Capture, CaptureError, Hook, Losses, decode, layout, sys};

/// What a refresh pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    /// Whether the kernel has the walk; without it open connections are up to date only when they end.
    pub walked: bool,
    /// Whether all sockets were compared; otherwise a flow map had no room, and the next pass does the rest.
    pub complete: bool,
    /// Connections and listeners that were mended.
    pub residual: u64,
    /// How long it took.
    pub took: Duration,
}

/// One flow in so many entries of a flow map may be refreshed in one part of a pass: what happens meanwhile has the rest.
const SHARE: usize = 8;

const SOCKET: usize = size_of::<u64>();
const STATE: usize = size_of::<layout::SocketState>();

impl Capture {
    /// Brings the bytes of open connections up to date and mends what the map knows wrongly; includes a drain. Needs no
    /// capability.
    pub fn refresh(&mut self, out: &mut Vec<Fact>) -> Result<Refresh, CaptureError> {
        let begin = Instant::now();
        let mut report = Refresh::default();
        let losses = self.losses();
        if losses.storage_refused != self.healed.storage_refused || losses.recursion != self.healed.recursion
        {
            // Sockets without a state: only the walk over descriptors meets them.
            self.first_pass()?;
        }
        self.drain(out)?;
        if self.refresh.is_none() && self.hook == Hook::TpBtf {
            return Ok(report);
        }
        report.walked = true;
        report.complete = true;
        // What was lost later may be of a part that is done already.
        let lost = self.told;
        let parts = self.parts();
        self.set(layout::CONTROL_PARTS, parts.into())?;
        for part in 0..parts {
            match self.refresh_part(part, parts, out)? {
                Some(mended) => report.residual = report.residual.saturating_add(mended),
                None => report.complete = false,
            }
        }
        self.mended = self.mended.saturating_add(report.residual);
        if report.complete {
            self.residual = report.residual;
            self.tell_healed(lost, out);
        }
        report.took = begin.elapsed();
        Ok(report)
    }

    /// Whether something was lost that a refresh pass can mend.
    #[must_use]
    pub fn needs_mending(&self) -> bool {
        let lasting = |losses: &Losses| losses.total().saturating_sub(losses.listeners_full);
        lasting(&self.told) > lasting(&self.healed)
    }

    fn parts(&self) -> u32 {
        let in_one = (self.flow_entries / SHARE).max(1);
        u32::try_from(self.ledger.len().div_ceil(in_one).next_power_of_two()).unwrap_or(1)
    }

    /// One part of all flows; how much was mended, or `None` when not all of its sockets could be counted.
    fn refresh_part(
        &mut self,
        part: u32,
        parts: u32,
        out: &mut Vec<Fact>,
    ) -> Result<Option<u64>, CaptureError> {
        let is_part = |key: &layout::FlowKey| key.part(parts) == part;
        let late = self.counter(layout::LOST_REFRESH_FULL);
        self.set(layout::CONTROL_PART, part.into())?;
        let mut seen = Seen::default();
        let in_one_go = self.walk_storage()?;
        self.look_at_states(&mut seen, is_part)?;
        // A socket's phase is changed a moment before its change is counted. After this, what the walk saw of a change
        // that was under way is counted in the map that is emptied next.
        sys::grace_period();
        self.seen = Some(seen);
        let drained = self.drain(out);
        let seen = self.seen.take().unwrap_or_default();
        drained?;
        if !in_one_go || self.counter(layout::LOST_REFRESH_FULL) != late {
            return Ok(None);
        }
        let mut mended = 0_u64;
        for (key, difference) in self.ledger.differences(&seen, is_part) {
            mended = mended.saturating_add(self.mend(&key, difference, out).into());
        }
        Ok(Some(mended))
    }

    fn mend(&mut self, key: &layout::FlowKey, difference: Difference, out: &mut Vec<Fact>) -> u32 {
        let wall = self.clock.ahead();
        let now = self.clock.now().as_nanos().wrapping_sub(wall);
        let (opened, closed) = match difference {
            Difference::Opened(count) => (count, 0),
            Difference::Closed(count) => (0, count),
        };
        let value = layout::FlowValue {
            opened,
            preexisting: opened,
            closed,
            first_ns: now,
            last_ns: now,
            ..layout::FlowValue::ZERO
        };
        self.ledger.told(key, opened, closed);
        self.tell_flow(key, &value, wall, out);
        opened + closed
    }

    /// Walks over the storage of all sockets; false when the kernel could not do it in one go, so that a socket may have
    /// been met twice or not at all.
    fn walk_storage(&self) -> Result<bool, CaptureError> {
        let failed = |source| CaptureError::Kernel { doing: "walk over the sockets' storage", source };
        let Some(link) = &self.refresh else { return Ok(true) };
        let mut walk = File::from(sys::iterator(link.as_fd()).map_err(failed)?);
        // The program writes nothing: the first read is the whole walk, unless there are more than a million sockets.
        let mut nothing = [0; 64];
        let mut in_one_go = true;
        loop {
            match walk.read(&mut nothing) {
                Ok(0) => return Ok(in_one_go),
                Ok(_) => in_one_go = false,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    in_one_go = false;
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Counts the open sockets whose state is in the map instead of in the socket.
    fn look_at_states(
        &self,
        seen: &mut Seen,
        is_part: impl Fn(&layout::FlowKey) -> bool,
    ) -> Result<(), CaptureError> {
        let failed = |source| CaptureError::Kernel { doing: "read the sockets' states", source };
        let mut room = 256;
        let mut place = None;
        loop {
            let (mut keys, mut values) = (vec![0; room * SOCKET], vec![0; room * STATE]);
            let read = sys::batch(
                self.states.fd().as_fd(),
                Batching::Look,
                place,
                (&mut keys, SOCKET),
                (&mut values, STATE),
            );
            let batch = match read {
                Ok(batch) => batch,
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    room *= 2;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            let states = values.chunks_exact(STATE).take(batch.entries).filter_map(decode::state);
            for (key, phase) in states {
                if matches!(phase, layout::PHASE_OPEN | layout::PHASE_LISTENING) && is_part(&key) {
                    seen.open(&key);
                }
            }
            place = batch.next;
            if place.is_none() {
                return Ok(());
            }
        }
    }

    /// What was lost before a complete pass is made good.
    fn tell_healed(&mut self, lost: Losses, out: &mut Vec<Fact>) {
        let at = self.clock.now();
        let before = self.healed;
        // Programs of accepted connections stay unknown.
        self.healed = Losses { listeners_full: before.listeners_full, ..lost };
        for ((reason, count), (_, before)) in self.healed.by_reason().into_iter().zip(before.by_reason()) {
            if count > before {
                self.sequence += 1;
                out.push(Fact {
                    at,
                    origin: Origin { source: SourceId::Capture, sequence: self.sequence },
                    body: FactBody::Gap(Gap { reason, count: count - before, healed: true, at }),
                });
            }
        }
    }
}
