//! The observer's thread: drains the sources into the map, tells the map the time, wakes the doors.

use std::sync::Arc;
use std::time::Instant;

use servicemap_map::model::{Fact, FactBody, Origin, SourceId};

use super::keeping::Keeping;
use super::schedule::{Due, Schedule};
use super::shared::Shared;
use crate::capture::Capture;
use crate::host::Host;
use crate::kubernetes::Kubernetes;
use crate::settings::{Role, Settings};

/// See the module.
pub(super) struct Worker {
    capture: Option<Capture>,
    /// Tells by itself; kept to be ended.
    kubernetes: Option<Kubernetes>,
    /// This machine; none where only agents observe.
    host: Option<Host>,
    shared: Arc<Shared>,
    schedule: Schedule,
    facts: Vec<Fact>,
    flows: Vec<Fact>,
    /// Of what was told, where it is kept.
    keeping: Option<Keeping>,
}

/// What an observer has of sources beside this machine itself.
pub(super) struct Sources {
    pub(super) capture: Option<Capture>,
    pub(super) kubernetes: Option<Kubernetes>,
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
        Sources { capture, kubernetes }: Sources,
        keeping: Option<Keeping>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            capture,
            kubernetes,
            host: (settings.role != Role::Cluster).then(|| Host::beneath(&settings.cgroup_root)),
            shared,
            schedule: Schedule::new(settings.drain_interval, settings.refresh_interval, Instant::now()),
            facts: Vec::new(),
            flows: Vec::new(),
            keeping,
        }
    }

    pub(super) fn run(mut self) {
        let _end = EndGuard(self.shared.clone());
        self.first_round();
        while !self.shared.lock().stopping {
            self.look();
            let needs_mending = self.capture.as_ref().is_some_and(Capture::needs_mending);
            match self.schedule.due(Instant::now(), needs_mending) {
                Due::Refresh => self.refresh(),
                Due::Drain => self.drain(),
                Due::Nothing => {}
            }
            self.tell();
            if let Some(keeping) = &mut self.keeping {
                keeping.look(&self.shared);
            }
        }
        drop(self.kubernetes.take());
        self.drain();
        self.tell();
        let at = self.shared.now();
        self.shared.lock().map.finish(at);
        if let Some(keeping) = self.keeping.take() {
            keeping.finish(&self.shared, at);
        }
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

    /// Waits a little, less when the kernel announces a flow that was never seen.
    fn look(&mut self) {
        let wait = self.schedule.rest(Instant::now());
        let Some(capture) = &mut self.capture else {
            std::thread::sleep(wait);
            return;
        };
        let poll = if self.schedule.knows_of_new_flow() { capture.rest(wait) } else { capture.poll(wait) };
        if let Some(host) = &mut self.host {
            for made in poll.cgroups {
                host.cgroup_made(made.id, &made.path, self.shared.now(), &mut self.facts);
            }
        }
        self.schedule.note(poll.new_flow, poll.filling);
    }

    fn drain(&mut self) {
        self.schedule.drained(Instant::now());
        self.take("drain", |capture, flows| {
            if let Err(error) = capture.drain(flows) {
                tracing::warn!("the kernel's counters could not be read and will be read again: {error}");
            }
        });
    }

    /// A drain that also brings open connections up to date and mends what was lost.
    fn refresh(&mut self) {
        self.take("refresh", |capture, flows| match capture.refresh(flows) {
            Ok(report) if report.residual > 0 => {
                tracing::info!(
                    connections = report.residual,
                    "the map was made exact again by comparing it with the open sockets"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    "the map could not be compared with the open sockets, which is tried again: {error}"
                );
            }
        });
        let needs_mending = self.capture.as_ref().is_some_and(Capture::needs_mending);
        self.schedule.refreshed(Instant::now(), needs_mending);
    }

    /// Takes facts from the kernel side, and what follows from them about processes.
    fn take(&mut self, operation: &'static str, from: impl FnOnce(&mut Capture, &mut Vec<Fact>)) {
        let Some(host) = &mut self.host else { return };
        let Some(capture) = &mut self.capture else {
            host.follow(&[], self.shared.now(), &mut self.facts);
            return;
        };
        let started = Instant::now();
        from(capture, &mut self.flows);
        let counters = capture.counters();
        let mut inner = self.shared.lock();
        inner.kernel = counters.events;
        inner.capture = counters.health;
        inner.processing.entry(operation).or_default().observe(started.elapsed());
        drop(inner);
        let now = self.shared.now();
        host.follow(&self.flows, now, &mut self.facts);
        self.facts.append(&mut host.admit(std::mem::take(&mut self.flows), now));
    }

    fn tell(&mut self) {
        self.shared.tell(std::mem::take(&mut self.facts));
        self.separate_owners();
    }

    /// Connections to an address that changed hands are counted apart from those that its former owner has open.
    fn separate_owners(&mut self) {
        let reused = self.shared.lock().map.take_reused();
        for (address, generation) in reused {
            if let Some(capture) = &mut self.capture
                && let Err(error) = capture.raise(address, generation)
            {
                tracing::warn!(
                    "connections to {address} count for its former owner until they are all closed: {error}"
                );
            }
        }
    }
}
