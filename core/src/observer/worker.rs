//! The observer's thread: drains the sources into the map, tells the map the time, wakes the doors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, Origin, SourceId};

use super::shared::Shared;
use crate::capture::Capture;
use crate::host::Host;
use crate::kubernetes::Kubernetes;
use crate::settings::{Role, Settings};

/// How long a flow that the kernel announced may wait to be fetched; looking costs no system call.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Worker {
    capture: Option<Capture>,
    /// Tells by itself; kept to be ended.
    kubernetes: Option<Kubernetes>,
    /// This machine; none where only agents observe.
    host: Option<Host>,
    shared: Arc<Shared>,
    drain_interval: Duration,
    last_drain: Instant,
    facts: Vec<Fact>,
    flows: Vec<Fact>,
}

/// Says that no more events will come, also when the thread panics.
struct EndGuard(Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Worker {
    pub(super) fn new(
        settings: &Settings,
        capture: Option<Capture>,
        kubernetes: Option<Kubernetes>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            capture,
            kubernetes,
            host: (settings.role != Role::Cluster).then(|| Host::beneath(&settings.cgroup_root)),
            shared,
            drain_interval: settings.drain_interval,
            last_drain: Instant::now(),
            facts: Vec::new(),
            flows: Vec::new(),
        }
    }

    pub(super) fn run(mut self) {
        let _end = EndGuard(self.shared.clone());
        self.first_round();
        while !self.shared.lock().stopping {
            let announced = self.look();
            if announced || self.last_drain.elapsed() >= self.drain_interval {
                self.drain();
            }
            self.tell();
        }
        drop(self.kubernetes.take());
        self.drain();
        self.tell();
        let at = self.shared.now();
        self.shared.lock().map.finish(at);
    }

    /// What exists at the start: names first, then the sockets that are open already.
    fn first_round(&mut self) {
        if let Some(host) = &mut self.host {
            host.scan(self.shared.now(), &mut self.facts);
            self.ready(SourceId::Host);
        }
        if let Some(capture) = &mut self.capture {
            if let Err(error) = capture.first_pass() {
                tracing::warn!("connections open before the start are not in the map: {error}");
            }
            self.drain();
            self.ready(SourceId::Capture);
        }
        self.tell();
    }

    fn ready(&mut self, source: SourceId) {
        self.facts.push(Fact {
            at: self.shared.now(),
            origin: Origin { source, sequence: 0 },
            body: FactBody::Ready(source),
        });
    }

    /// Waits a little; true when the kernel announced a flow that was never seen.
    fn look(&mut self) -> bool {
        let Some(capture) = &mut self.capture else {
            std::thread::sleep(LOOK_INTERVAL);
            return false;
        };
        let poll = capture.poll(LOOK_INTERVAL);
        if let Some(host) = &mut self.host {
            for made in poll.cgroups {
                host.cgroup_made(made.id, &made.path, self.shared.now(), &mut self.facts);
            }
        }
        poll.new_flow
    }

    fn drain(&mut self) {
        self.last_drain = Instant::now();
        let Some(host) = &mut self.host else { return };
        let Some(capture) = &mut self.capture else {
            host.follow(&[], self.shared.now(), &mut self.facts);
            return;
        };
        let started = Instant::now();
        if let Err(error) = capture.drain(&mut self.flows) {
            tracing::warn!("the kernel's counters could not be read and will be read again: {error}");
        }
        let counters = capture.counters();
        let mut inner = self.shared.lock();
        inner.kernel = counters.events;
        inner.capture = counters.health;
        inner.processing.entry("drain").or_default().observe(started.elapsed());
        drop(inner);
        let now = self.shared.now();
        host.follow(&self.flows, now, &mut self.facts);
        self.facts.append(&mut host.admit(std::mem::take(&mut self.flows), now));
    }

    fn tell(&mut self) {
        self.shared.tell(std::mem::take(&mut self.facts));
    }
}
