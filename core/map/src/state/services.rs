//! Services as the map keeps them.

use std::sync::{Arc, OnceLock};

use super::flows::{Flow, Flows};
use super::health::Tracker;
use super::orphans::Callers;
use super::slots::{Id, Slots};
use super::sums::Arrival;
use crate::collections::HashMap;
use crate::model::{
    Direction, Endpoint, Exposure, Health, HealthReason, HealthStatus, Labels, Service, ServiceId,
    ServiceRef, ServiceType, Timestamp,
};
use crate::resolve::Declared;

/// What consumers were told of a service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) present: bool,
    pub(crate) health: HealthStatus,
}

/// How healthy a service was when it went: it goes on from there if it is back before consumers know.
#[derive(Clone, Debug)]
pub(crate) struct HealthRecord {
    health: Health,
    since: Timestamp,
    tracker: Option<Box<Tracker>>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) reference: ServiceRef,
    /// When it came into the map: with what was seen first, or when that got this name.
    pub(crate) came: Timestamp,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) health: Health,
    /// When the health status became what it is.
    pub(crate) health_since: Timestamp,
    /// Attempts of the last while; none before the first one.
    pub(crate) tracker: Option<Box<Tracker>>,
    /// Flows that are signs of life: list and length.
    pub(crate) presence: Option<Id<Flow>>,
    pub(crate) present: u32,
    /// Edges from and to it; one to itself counts twice.
    pub(crate) edges: u32,
    pub(crate) callers: Callers,
    pub(crate) told: Told,
    /// Which environment it is in.
    pub(crate) environment: Option<Arc<str>>,
    /// What the API server says of it: it is in the map as long as that is so.
    pub(crate) declared: Option<Arc<Declared>>,
    /// A deadline of its own is set.
    pub(crate) queued: bool,
    cache: OnceLock<Arc<Service>>,
}

impl Entry {
    /// Whether something of it is alive in the map.
    pub(crate) fn in_use(&self) -> bool {
        self.present > 0 || self.edges > 0 || self.declared.is_some()
    }

    /// What goes on if it comes back.
    pub(crate) fn health_record(&mut self) -> HealthRecord {
        HealthRecord {
            health: self.health.clone(),
            since: self.health_since,
            tracker: self.tracker.take().map(|tracker| Box::new(tracker.without_endpoints())),
        }
    }

    /// Goes on from what its health was. Attempts that came with its return were in the record already.
    pub(crate) fn resume(&mut self, record: HealthRecord) {
        self.health = record.health;
        self.health_since = record.since;
        self.tracker = self.tracker.take().or(record.tracker);
        self.cache.take();
    }

    /// Something was seen of it.
    pub(crate) fn seen(&mut self, last: Timestamp) {
        if last > self.last_seen {
            self.last_seen = last;
            self.cache.take();
        }
    }

    /// Something that consumers see of it is another one.
    pub(crate) fn changed(&mut self) {
        self.cache.take();
    }

    /// As consumers see it.
    pub(crate) fn view(&self, flows: &Flows) -> Arc<Service> {
        let build = || {
            Arc::new(Service {
                id: self.reference.id(),
                namespace: self.reference.namespace.clone(),
                name: self.reference.name.clone(),
                service_type: self.reference.service_type,
                environment: self.environment.clone(),
                uid: self.declared.as_ref().and_then(|declared| declared.uid.clone()),
                exposed_by: self.exposed_by().to_vec(),
                endpoints: self.endpoints(flows),
                labels: self
                    .declared
                    .as_ref()
                    .map_or_else(Labels::default, |declared| declared.labels.clone()),
                health: self.health.clone(),
                first_seen: self.first_seen,
                last_seen: self.last_seen,
            })
        };
        self.cache.get_or_init(build).clone()
    }

    /// What leads to it from outside the cluster.
    pub(crate) fn exposed_by(&self) -> &[Exposure] {
        self.declared.as_ref().map_or(&[], |declared| &declared.exposed_by)
    }

    fn endpoints(&self, flows: &Flows) -> Arc<[Endpoint]> {
        if let Some(declared) =
            self.declared.as_ref().filter(|_| self.reference.service_type != ServiceType::Node)
        {
            return declared.endpoints.clone();
        }
        let mut endpoints: Vec<_> = flows
            .list(self.presence)
            .map(|(_, flow)| flow)
            .filter(|flow| flow.key.direction == Direction::Listen && flow.sums.counts.active() > 0)
            .map(|flow| Endpoint::new(flow.key.remote, flow.key.port, true))
            .collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        endpoints.into()
    }
}

/// All services, by identity.
#[derive(Debug, Default)]
pub(crate) struct Services {
    slots: Slots<Entry>,
    index: HashMap<ServiceId, Id<Entry>>,
    externals: usize,
    strangers: usize,
}

impl Services {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Services of type External.
    pub(crate) fn externals(&self) -> usize {
        self.externals
    }

    /// Services that stand for addresses inside the cluster that nobody known has.
    pub(crate) fn strangers(&self) -> usize {
        self.strangers
    }

    pub(crate) fn get(&self, id: Id<Entry>) -> Option<&Entry> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Entry>) -> Option<&mut Entry> {
        self.slots.get_mut(id)
    }

    pub(crate) fn find(&self, id: &ServiceId) -> Option<Id<Entry>> {
        self.index.get(id).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<Entry>, &Entry)> {
        self.slots.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slots.values_mut()
    }

    /// A new service; its identity must not be in yet.
    pub(crate) fn insert(&mut self, reference: ServiceRef, arrival: &Arrival<'_>) -> Option<Id<Entry>> {
        let key = reference.id();
        let (external, stranger) = (is_external(&reference), is_stranger(&reference));
        let id = self.slots.insert(Entry {
            reference,
            came: arrival.came,
            first_seen: arrival.sums.first,
            last_seen: arrival.sums.last,
            health: Health { reasons: vec![HealthReason::NoTraffic], ..Health::default() },
            health_since: arrival.came,
            tracker: None,
            presence: None,
            present: 0,
            edges: 0,
            callers: Callers::none_since(arrival.came),
            told: Told::default(),
            environment: None,
            declared: None,
            queued: false,
            cache: OnceLock::new(),
        })?;
        self.index.insert(key, id);
        self.externals += usize::from(external);
        self.strangers += usize::from(stranger);
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: Id<Entry>) -> Option<Entry> {
        let entry = self.slots.remove(id)?;
        self.index.remove(&entry.reference.id());
        self.externals -= usize::from(is_external(&entry.reference));
        self.strangers -= usize::from(is_stranger(&entry.reference));
        Some(entry)
    }
}

fn is_external(service: &ServiceRef) -> bool {
    service.service_type == ServiceType::External
}

/// Every workload of the API server is in a namespace.
fn is_stranger(service: &ServiceRef) -> bool {
    service.service_type == ServiceType::Workload && service.namespace.is_empty()
}
