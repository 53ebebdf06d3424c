//! Where the watches come together: what each of them learns becomes facts, which are told at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use servicemap_map::model::{
    AddressRange, ClusterScope, Fact, FactBody, KubernetesFact, Origin, SourceId, Timestamp,
};
use tokio::sync::Notify;

use super::decode::{ControllerKind, Key, Object, gone, part_name};
use super::owners::Owners;
use super::resource::Resource;
use crate::sink::FactSink;

/// One thing that a watch learned.
#[derive(Debug)]
pub(super) enum Change {
    /// An object is so.
    Is(Key, Object),
    /// An object is gone.
    Gone(Key),
}

/// See the module.
pub(super) struct Hub {
    sink: Arc<dyn FactSink>,
    inner: Mutex<Inner>,
    /// A pod waits for its owner.
    waits: Notify,
}

#[derive(Debug)]
struct Inner {
    /// Ranges from the settings, and whether all namespaces are watched.
    scope: ClusterScope,
    /// Ranges of Service addresses that the cluster itself tells, by object.
    ranges: BTreeMap<Key, Vec<AddressRange>>,
    owners: Owners,
    /// How many facts an object was told as, where it was not one.
    parts: HashMap<Key, usize>,
    /// Watches that have not told what exists yet.
    unready: usize,
    /// All have, once.
    ready: bool,
}

impl Hub {
    /// Tells at once which addresses are the cluster's, as far as that was set.
    pub(super) fn new(sink: Arc<dyn FactSink>, scope: ClusterScope) -> Self {
        let inner = Inner {
            scope,
            ranges: BTreeMap::new(),
            owners: Owners::default(),
            parts: HashMap::new(),
            unready: 0,
            ready: false,
        };
        let hub = Self { sink, inner: Mutex::new(inner), waits: Notify::new() };
        let scope = hub.lock().scope();
        hub.tell(hub.sink.now(), vec![scope]);
        hub
    }

    /// Announces a watch: the map is not ready before it has [settled](Self::settled) for the first time.
    pub(super) fn expect(&self, resource: Resource) {
        let mut inner = self.lock();
        inner.unready += 1;
        if let Some(kind) = owners(resource) {
            inner.owners.expect(kind);
        }
    }

    /// A watch learned this, all of it at the same instant.
    pub(super) fn learn(&self, resource: Resource, changes: Vec<Change>) {
        let now = self.sink.now();
        let mut facts = Vec::with_capacity(changes.len());
        let mut inner = self.lock();
        for change in changes {
            inner.learn(resource, change, now, &mut facts);
        }
        let somebody_waits = inner.owners.next_overdue().is_some();
        drop(inner);
        self.tell(now, facts);
        if somebody_waits {
            self.waits.notify_one();
        }
    }

    /// A watch has told what existed when it began, or may not watch (`allowed` is false). `first`: it says so for the
    /// first time.
    pub(super) fn settled(&self, resource: Resource, allowed: bool, first: bool) {
        let now = self.sink.now();
        let mut inner = self.lock();
        let pods = match owners(resource) {
            Some(kind) => inner.owners.settled(kind, allowed, first, now),
            None => Vec::new(),
        };
        inner.unready = inner.unready.saturating_sub(usize::from(first));
        let begins = inner.unready == 0 && !inner.ready;
        inner.ready |= begins;
        drop(inner);
        self.tell(now, pods.into_iter().map(KubernetesFact::Pod).collect());
        if begins {
            self.sink.tell(vec![fact(now, FactBody::Ready(SourceId::Kubernetes))]);
        }
        self.waits.notify_one();
    }

    /// Whether all watches have told what existed.
    pub(super) fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// What has not been told by now is not waited for.
    pub(super) fn begin_anyway(&self) {
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.ready, true) {
            return;
        }
        let missing = inner.unready;
        drop(inner);
        tracing::warn!(
            "{missing} lists of the cluster's objects are not in yet: the map begins without them"
        );
        self.sink.tell(vec![fact(self.sink.now(), FactBody::Ready(SourceId::Kubernetes))]);
    }

    /// Tells pods that have waited long enough for their owners, for ever.
    pub(super) async fn tell_overdue(&self) {
        loop {
            let now = self.sink.now();
            let (pods, next) = self.overdue(now);
            self.tell(now, pods);
            match next {
                Some(next) => tokio::time::sleep(next.since(now).max(Duration::from_millis(1))).await,
                None => self.waits.notified().await,
            }
        }
    }

    /// Pods that have waited long enough, and when the next one will have.
    fn overdue(&self, now: Timestamp) -> (Vec<KubernetesFact>, Option<Timestamp>) {
        let mut inner = self.lock();
        let pods = inner.owners.overdue(now).into_iter().map(KubernetesFact::Pod).collect();
        (pods, inner.owners.next_overdue())
    }

    fn tell(&self, at: Timestamp, facts: Vec<KubernetesFact>) {
        if !facts.is_empty() {
            let facts = facts.into_iter().map(|one| fact(at, FactBody::Kubernetes(Box::new(one))));
            self.sink.tell(facts.collect());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn learn(&mut self, resource: Resource, change: Change, now: Timestamp, facts: &mut Vec<KubernetesFact>) {
        match change {
            Change::Is(key, Object::Facts(told)) => self.is(resource, &key, told, facts),
            Change::Is(_, Object::Pod(owned)) => {
                facts.extend(self.owners.pod(*owned, now).map(KubernetesFact::Pod));
            }
            Change::Is(_, Object::Owner(owner)) => {
                facts.extend(self.owners.owner(owner).into_iter().map(KubernetesFact::Pod));
            }
            Change::Is(key, Object::Ranges(ranges)) => {
                self.ranges.insert(key, ranges);
                facts.push(self.scope());
            }
            Change::Gone(key) => self.gone(resource, &key, facts),
        }
    }

    fn is(
        &mut self,
        resource: Resource,
        key: &Key,
        told: Vec<KubernetesFact>,
        facts: &mut Vec<KubernetesFact>,
    ) {
        let parts = told.len();
        let before = if parts == 1 { self.parts.remove(key) } else { self.parts.insert(key.clone(), parts) };
        facts.extend(told);
        // What is an object of fewer parts than before, or of none, has parts that are gone.
        let gone_parts = (parts..before.unwrap_or(1)).filter_map(|part| gone(resource, &part_key(key, part)));
        facts.extend(gone_parts);
    }

    fn gone(&mut self, resource: Resource, key: &Key, facts: &mut Vec<KubernetesFact>) {
        match (resource, key) {
            (Resource::Pods, Key::Uid(uid)) => self.owners.pod_gone(uid),
            (Resource::ReplicaSets | Resource::Jobs, Key::Uid(uid)) => self.owners.owner_gone(uid),
            (Resource::ServiceCidrs, key) => {
                self.ranges.remove(key);
                facts.push(self.scope());
            }
            _ => {}
        }
        let parts = self.parts.remove(key).unwrap_or(1);
        facts.extend((0..parts).filter_map(|part| gone(resource, &part_key(key, part))));
    }

    fn scope(&self) -> KubernetesFact {
        let mut scope = self.scope.clone();
        scope.ranges.extend(self.ranges.values().flatten());
        scope.ranges.sort_unstable();
        scope.ranges.dedup();
        KubernetesFact::Scope(scope)
    }
}

/// The name of a part of an object that is told as several.
fn part_key(key: &Key, part: usize) -> Key {
    match key {
        Key::Name(namespace, name) => Key::Name(namespace.clone(), part_name(name, part)),
        Key::Uid(_) => key.clone(),
    }
}

/// The owners that a resource knows.
const fn owners(resource: Resource) -> Option<ControllerKind> {
    match resource {
        Resource::ReplicaSets => Some(ControllerKind::ReplicaSet),
        Resource::Jobs => Some(ControllerKind::Job),
        _ => None,
    }
}

fn fact(at: Timestamp, body: FactBody) -> Fact {
    Fact { at, origin: Origin { source: SourceId::Kubernetes, sequence: 0 }, body }
}
