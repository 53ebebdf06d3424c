//! Draining: flip the two flow maps, wait until nobody writes to the old one, take everything out of it. No update can
//! fall between a read and a delete, and only flows that changed are touched.

use std::collections::HashSet;
use std::hash::{Hash as _, Hasher as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, Gap, Origin, SourceId};

use super::decode::{self, KEY, VALUE};
use super::sys::Batching;
use super::{Capture, CaptureError, Losses, layout, sys};

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Flows that changed.
    pub flows: usize,
    /// Time spent waiting for the grace period (the CPU is free meanwhile).
    pub waited: Duration,
    /// Time spent altogether.
    pub took: Duration,
}

/// Where a batch of entries is read into.
#[derive(Debug)]
pub(super) struct Buffer {
    keys: Vec<u8>,
    values: Vec<u8>,
    entries: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), entries: 256 }
    }
}

/// More fingerprints than flows that a node has; past it they are forgotten, and known flows look new once.
const MOST_KNOWN: usize = 65_536;

impl Capture {
    /// Takes out what was counted since the last drain, as facts; nothing happened, nothing is done. A gap is told for
    /// what could not be counted.
    pub fn drain(&mut self, out: &mut Vec<Fact>) -> Result<DrainReport, CaptureError> {
        let begin = Instant::now();
        let mut report = DrainReport::default();
        let full = self.active;
        let slot = if full == 0 { layout::CONTROL_KEYS_A } else { layout::CONTROL_KEYS_B };
        if self.control.get(&slot, 0).map_err(CaptureError::map("CONTROL"))? != 0 {
            let next = full ^ 1;
            self.set(layout::CONTROL_ACTIVE, next as u64)?;
            self.active = next;
            let waiting = Instant::now();
            sys::grace_period();
            report.waited = waiting.elapsed();
            // Should this fail half-way, what is left stays in the map and comes with the drain after next.
            report.flows = self.empty(full, out)?;
            self.set(slot, 0)?;
        }
        self.tell_losses(out);
        report.took = begin.elapsed();
        Ok(report)
    }

    /// Whether so many flows changed since the last drain that the next ones may find no room before a drain is due.
    pub(super) fn is_filling(&self) -> bool {
        let slot = if self.active == 0 { layout::CONTROL_KEYS_A } else { layout::CONTROL_KEYS_B };
        let keys = self.control.get(&slot, 0).unwrap_or(0);
        keys >= self.flow_entries as u64 / 2
    }

    pub(super) fn set(&mut self, slot: u32, value: u64) -> Result<(), CaptureError> {
        self.control.set(slot, value, 0).map_err(CaptureError::map("CONTROL"))
    }

    fn empty(&mut self, which: usize, out: &mut Vec<Fact>) -> Result<usize, CaptureError> {
        let wall = self.clock.ahead();
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut flows = 0;
        let result = (|| {
            let mut place = None;
            loop {
                buffer.keys.resize(buffer.entries * KEY, 0);
                buffer.values.resize(buffer.entries * VALUE, 0);
                let Some(map) = self.flows.get(which) else { return Ok(()) };
                let taken = sys::batch(
                    map.fd().as_fd(),
                    Batching::Take,
                    place,
                    (&mut buffer.keys, KEY),
                    (&mut buffer.values, VALUE),
                );
                let batch = match taken {
                    Ok(batch) => batch,
                    Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                        buffer.entries *= 2;
                        continue;
                    }
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                        flows += self.empty_singly(which, wall, out)?;
                        return Ok(());
                    }
                    Err(source) => return Err(CaptureError::Kernel { doing: "drain the flow map", source }),
                };
                let keys = buffer.keys.chunks_exact(KEY);
                let values = buffer.values.chunks_exact(VALUE);
                for (key, value) in keys.zip(values).take(batch.entries) {
                    self.tell(key, value, wall, out);
                }
                flows += batch.entries;
                place = batch.next;
                if place.is_none() {
                    return Ok(());
                }
            }
        })();
        self.buffer = buffer;
        result.map(|()| flows)
    }

    /// Where the kernel has no batches.
    fn empty_singly(&mut self, which: usize, wall: u64, out: &mut Vec<Fact>) -> Result<usize, CaptureError> {
        let failed = |source| CaptureError::Kernel { doing: "drain the flow map", source };
        let (mut key, mut value) = ([0; KEY], [0; VALUE]);
        let mut flows = 0;
        while let Some(map) = self.flows.get(which)
            && sys::first_key(map.fd().as_fd(), &mut key).map_err(failed)?
        {
            sys::take(map.fd().as_fd(), &key, &mut value).map_err(failed)?;
            self.tell(&key, &value, wall, out);
            flows += 1;
        }
        Ok(flows)
    }

    fn tell(&mut self, key: &[u8], value: &[u8], wall: u64, out: &mut Vec<Fact>) {
        self.remember(key);
        let (Some(key), Some(value)) = (decode::key(key), decode::value(value)) else { return };
        if let Some(seen) = &mut self.seen {
            seen.drained(&key, &value);
        }
        self.ledger.told(&key, value.opened, value.closed);
        if decode::happened(&value) {
            self.tell_flow(&key, &value, wall, out);
        }
    }

    /// Tells what happened on a flow.
    pub(super) fn tell_flow(
        &mut self,
        key: &layout::FlowKey,
        value: &layout::FlowValue,
        wall: u64,
        out: &mut Vec<Fact>,
    ) {
        let Some(flow) = decode::flow(key, value, wall, &mut self.names) else { return };
        self.sequence += 1;
        out.push(Fact {
            at: flow.last,
            origin: Origin { source: SourceId::Capture, sequence: self.sequence },
            body: FactBody::Flow(flow),
        });
    }

    fn remember(&mut self, key: &[u8]) {
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(fingerprint(key));
    }

    fn tell_losses(&mut self, out: &mut Vec<Fact>) {
        let now: Losses = self.losses();
        let at = self.clock.now();
        for ((reason, count), (_, before)) in now.by_reason().into_iter().zip(self.told.by_reason()) {
            if count > before {
                self.sequence += 1;
                out.push(Fact {
                    at,
                    origin: Origin { source: SourceId::Capture, sequence: self.sequence },
                    body: FactBody::Gap(Gap { reason, count: count - before, healed: false, at }),
                });
            }
        }
        self.told = now;
    }
}

/// Has a drain brought this flow?
pub(super) fn is_known(known: &HashSet<u64>, key: &[u8]) -> bool {
    known.contains(&fingerprint(key))
}

/// Eight bytes that stand for a key; two keys that share them cost one first edge a drain's time.
fn fingerprint(key: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
