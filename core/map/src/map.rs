//! The one state machine: facts and the time in, services, edges and events out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::changes::{EventLog, Teller};
use crate::model::{
    EdgePairs, Event, Fact, FactBody, Known, KubernetesFact, ObserverInfo, RunId, Snapshot, SourceId,
    Statistics, Timestamp,
};
use crate::settings::MapSettings;
use crate::state::State;

/// The service map of one observer.
#[derive(Debug)]
pub struct ServiceMap {
    settings: MapSettings,
    run: RunId,
    /// Empty where it is not known.
    cluster_uid: Arc<str>,
    started_at: Timestamp,
    /// The latest instant that was told.
    now: Timestamp,
    state: State,
    teller: Teller,
    /// Sources that were announced or have told something, and whether they have told what existed at the start.
    sources: BTreeMap<SourceId, bool>,
    /// Sequence number of the last counter fact of each source.
    counted: BTreeMap<SourceId, u64>,
    ready: bool,
}

impl ServiceMap {
    /// An empty map that starts at `now`.
    pub fn new(settings: MapSettings, run: RunId, now: Timestamp) -> Self {
        Self {
            state: State::new(settings.clone()),
            teller: Teller::new(settings.clone(), run, now),
            settings,
            run,
            cluster_uid: "".into(),
            started_at: now,
            now,
            sources: BTreeMap::new(),
            counted: BTreeMap::new(),
            ready: false,
        }
    }

    /// Takes what was told in earlier runs, before the first fact: those dependencies are no news, every other one is, also
    /// one that exists when the map begins, and nothing is marked `learning`.
    pub fn remember(&mut self, known: Known) {
        self.teller.remember(known);
    }

    /// What was told so far and is to be remembered by the next run.
    pub fn known(&mut self, now: Timestamp) -> Known {
        self.teller.known(&mut self.state, now)
    }

    /// Counts up whenever what [`known`](Self::known) gives becomes another, but for its instants. 0 before the map is
    /// ready: then nothing was told.
    pub fn known_revision(&self) -> u64 {
        self.teller.known_revision()
    }

    /// Announces a source: the map is not ready before it has told what existed when it began.
    pub fn expect(&mut self, source: SourceId) {
        self.sources.entry(source).or_insert(false);
    }

    /// Gives up on a source that cannot be had: the map is ready without it.
    pub fn give_up(&mut self, source: SourceId) {
        self.sources.remove(&source);
    }

    /// Takes one fact. Cheap: names are settled and events told by the next [`advance`](Self::advance). A counter fact
    /// whose sequence number is not higher than the last one of its source came before, and changes nothing.
    pub fn apply(&mut self, fact: Fact) {
        let Fact { at, origin, body } = fact;
        // Agents come and go; the door through which they come says when it has heard those that were there.
        if !matches!(origin.source, SourceId::Agent(_)) {
            self.expect(origin.source);
        }
        if origin.sequence != 0 {
            let counted = self.counted.entry(origin.source).or_default();
            if origin.sequence <= *counted {
                self.state.statistics.facts_repeated += 1;
                return;
            }
            *counted = origin.sequence;
        }
        self.state.statistics.facts += 1;
        let machine = origin.source.machine();
        match body {
            FactBody::Flow(delta) => self.state.count(delta, at),
            FactBody::Address { netns, address, present } => {
                self.state.set_address(machine, netns, address, present);
            }
            FactBody::NetworkNamespace { netns, name } => self.state.set_namespace(machine, netns, name),
            FactBody::Cgroup { id, path } => self.state.set_cgroup(machine, id, &path),
            FactBody::NamespaceCgroup { netns, cgroup } => {
                self.state.set_home(machine, netns, cgroup.as_ref());
            }
            FactBody::Machine { name, observed_since } => {
                self.state.set_machine(machine, &name, observed_since);
            }
            FactBody::MachineGone => self.state.forget_machine(machine, at),
            FactBody::Kubernetes(object) => {
                if let KubernetesFact::Scope(scope) = &*object {
                    self.know_cluster(&scope.uid);
                }
                self.state.learn_object(*object, at);
            }
            FactBody::Gap(gap) => self.state.lose(gap),
            FactBody::Ready(source) => {
                self.sources.insert(source, true);
            }
        }
    }

    /// A cluster without a name is known by its UID. It stays the same one for the whole run.
    fn know_cluster(&mut self, uid: &Arc<str>) {
        if self.cluster_uid.is_empty() && !uid.is_empty() {
            self.cluster_uid = uid.clone();
            if self.settings.cluster.is_empty() {
                self.teller.name_cluster(uid);
            }
        }
    }

    /// Tells the map what time it is: settles names, expires what is gone, tells what is due. Does nothing when nothing is
    /// due, and never goes back in time.
    ///
    /// Deadlines that lie between the last call and this one are met one after the other, in the order of time; so a late
    /// call makes the same events as punctual ones would have, only noticed later.
    pub fn advance(&mut self, now: Timestamp) {
        let now = now.max(self.now);
        if let Some(since) = self.state.unsettled_since() {
            self.meet_deadlines(since.min(now));
        }
        self.now = now;
        if !self.state.is_settled() {
            self.state.settle(now);
            self.tell(now);
        }
        self.meet_deadlines(now);
        if !self.ready && !self.sources.is_empty() && self.sources.values().all(|ready| *ready) {
            self.ready = true;
            self.teller.begin(&mut self.state, now);
        }
    }

    /// The last call: settles what came, and tells at once what waits for the debounce window to close or for an interval
    /// to end.
    pub fn finish(&mut self, now: Timestamp) {
        self.advance(now);
        if self.ready {
            self.teller.finish(&mut self.state, self.now);
        }
    }

    /// Closes the debounce window before its time, if one is open, and tells what waits for it: so that a
    /// [`snapshot`](Self::snapshot) taken now, and the events after it, are any later one. The first window of a run that
    /// [remembers](Self::remember) stays open: it holds what began between two runs, for all consumers that begin with it.
    pub fn flush(&mut self, now: Timestamp) {
        self.advance(now);
        if self.can_flush() {
            self.teller.close_window(&mut self.state, self.now);
        }
    }

    /// Whether there is something for [`flush`](Self::flush) to do.
    pub fn can_flush(&self) -> bool {
        self.ready && self.teller.may_close_window()
    }

    fn meet_deadlines(&mut self, until: Timestamp) {
        while let Some(due) = self.first_deadline().filter(|due| *due <= until) {
            self.state.expire(due);
            self.tell(due);
        }
    }

    fn tell(&mut self, now: Timestamp) {
        if self.ready {
            self.teller.tell(&mut self.state, now);
        } else {
            self.state.take_changes();
        }
    }

    fn first_deadline(&self) -> Option<Timestamp> {
        [self.state.next_deadline(), self.teller.next_deadline()].into_iter().flatten().min()
    }

    /// When [`advance`](Self::advance) has something to do even if no fact comes. Facts that wait to be settled are due at
    /// once. It may turn out at that instant that there is nothing to do yet.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.state.is_settled() { self.first_deadline() } else { Some(self.now) }
    }

    /// Whether every source that was announced or has told something had told what existed when it began, at the last
    /// [`advance`](Self::advance). Stays true; events are written from then on.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// UID of the cluster that is watched; empty where it is not known.
    pub const fn cluster_uid(&self) -> &Arc<str> {
        &self.cluster_uid
    }

    /// The whole map, as it was settled by the last [`advance`](Self::advance).
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            version: Snapshot::VERSION,
            at: now,
            sequence: self.log().next_sequence() - 1,
            observer: ObserverInfo {
                version: self.settings.version.clone(),
                host: self.settings.host.clone(),
                cluster: self.settings.cluster.clone(),
                cluster_uid: self.cluster_uid.clone(),
                run_id: self.run,
                started_at: self.started_at,
            },
            services: self.state.services(),
            connections: self.state.connections(),
            topology: self.state.topology(),
            totals: self.state.structure().totals,
            excluded: self.state.excluded(),
            unnamed: self.state.unnamed(),
            gaps: self.state.gaps(),
        }
    }

    /// Who is behind the edge that has this key ([`ConnectionRef::key`](crate::model::ConnectionRef::key), as
    /// `ns/a->ns/b:port/tcp`): the pairs of pods, or of programs where there are no pods, that opened the most connections.
    /// `None` where there is no such edge. As it was settled by the last [`advance`](Self::advance).
    pub fn pairs(&self, key: &str) -> Option<EdgePairs> {
        self.state.pairs(key)
    }

    /// The map as events marked `initial`, for a consumer that starts now: services, connections, those that fail,
    /// dependencies, gaps. They carry the sequence number of the log's last event and take no number of their own. What the log
    /// has not told yet is not among them: it follows there.
    pub fn initial_events(&self, now: Timestamp) -> Vec<Arc<Event>> {
        self.teller.initial(&self.state, now)
    }

    /// Addresses that changed hands since this was last asked, with the generation that began: connections from and to such
    /// an address that are opened from now on are to carry it in their [`FlowKey`](crate::model::FlowKey). Generations only
    /// ever rise. Nearly always empty; ask after each [`apply`](Self::apply) of the cluster's objects.
    pub fn take_reused(&mut self) -> Vec<(IpAddr, u32)> {
        self.state.take_reused()
    }

    /// Names of the cluster's nodes, as far as they were told.
    pub fn node_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.state.node_names()
    }

    /// The log of events.
    pub fn log(&self) -> &EventLog {
        self.teller.log()
    }

    /// The map's counters.
    pub fn statistics(&self) -> &Statistics {
        &self.state.statistics
    }
}
