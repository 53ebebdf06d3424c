//! The map as consumers see it. Each service and edge is built once and handed out again until it changes; their order is
//! kept until something comes or goes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::flows::Place;
use super::services::Entry;
use super::slots::Id;
use super::{DependencyTold, Edge, EdgeTold, State};
use crate::collections::{HashMap, HashSet};
use crate::model::{
    Connection, ConnectionRef, Dependency, Direction, Gap, HealthStatus, KnownDependency, Service, ServiceId,
    SnapshotTotals, Timestamp,
};
use crate::resolve::{Ends, Instant, Party};

/// What follows from which services and edges there are, and from nothing else.
#[derive(Debug)]
pub(crate) struct Structure {
    pub(super) services: Vec<Id<Entry>>,
    edges: Vec<Id<Edge>>,
    pub(crate) totals: SnapshotTotals,
}

/// An edge with what `changes` needs of it.
pub(crate) struct EdgeView<'a> {
    pub(crate) connection: Arc<Connection>,
    pub(crate) established: Option<Timestamp>,
    pub(crate) failing: Option<Timestamp>,
    pub(crate) told: &'a mut EdgeTold,
}

/// A service with what `changes` needs of it.
pub(crate) struct ServiceView<'a> {
    pub(crate) service: Arc<Service>,
    pub(crate) came: Timestamp,
    pub(crate) health_since: Timestamp,
    pub(crate) told_present: &'a mut bool,
    pub(crate) told_health: &'a mut HealthStatus,
}

/// A dependency with what `changes` needs of it.
pub(crate) struct DependencyView<'a> {
    pub(crate) dependency: Arc<Dependency>,
    pub(crate) first_seen: &'a mut Timestamp,
    /// Since when it crosses environments, where it does so since later than it is there.
    pub(crate) crosses_since: &'a mut Option<Timestamp>,
    pub(crate) told: &'a mut DependencyTold,
    pub(crate) asleep: &'a mut BTreeMap<ConnectionRef, Arc<Connection>>,
}

impl State {
    pub(crate) fn structure(&self) -> &Structure {
        self.structure.get_or_init(|| self.build_structure())
    }

    /// All services, sorted by identity.
    pub(crate) fn services(&self) -> Vec<Arc<Service>> {
        let entries = self.structure().services.iter().filter_map(|id| self.services.get(*id));
        entries.map(|entry| self.with_causes(entry.view(&self.flows))).collect()
    }

    /// A service that is not well, with the causes of that; any other as it is.
    fn with_causes(&self, service: Arc<Service>) -> Arc<Service> {
        if service.health.status < HealthStatus::Degraded {
            return service;
        }
        let causes = self.ailing().causes_of(&service.id);
        if causes.listed.is_empty() {
            return service;
        }
        let mut service = Service::clone(&service);
        service.health.causes = causes;
        Arc::new(service)
    }

    /// All edges, sorted by the identities of source and destination, then port.
    pub(crate) fn connections(&self) -> Vec<Arc<Connection>> {
        self.structure()
            .edges
            .iter()
            .filter_map(|id| self.edges.get(*id))
            .map(|edge| edge.view(&self.flows))
            .collect()
    }

    /// Gaps of this run, oldest first.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.gaps.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.services.len() as u64, self.edges.len() as u64)
    }

    pub(crate) fn service_view(&mut self, id: &ServiceId) -> Option<ServiceView<'_>> {
        let place = self.services.find(id)?;
        let service = self.with_causes(self.services.get(place)?.view(&self.flows));
        let entry = self.services.get_mut(place)?;
        Some(ServiceView {
            service,
            came: entry.came,
            health_since: entry.health_since,
            told_present: &mut entry.told.present,
            told_health: &mut entry.told.health,
        })
    }

    pub(crate) fn has_service(&self, id: &ServiceId) -> bool {
        self.services.find(id).is_some()
    }

    pub(crate) fn has_edge(&self, source: &ServiceId, destination: &ServiceId, port: u16) -> bool {
        self.find_edge(source, destination, port).is_some()
    }

    fn find_edge(&self, source: &ServiceId, destination: &ServiceId, port: u16) -> Option<Id<Edge>> {
        self.edges.find((self.services.find(source)?, self.services.find(destination)?, port))
    }

    pub(crate) fn edge_view(&mut self, edge: &ConnectionRef) -> Option<EdgeView<'_>> {
        let edge =
            self.edges.get_mut(self.find_edge(&edge.source.id(), &edge.destination.id(), edge.port)?)?;
        Some(EdgeView {
            connection: edge.view(&self.flows),
            established: edge.established,
            failing: edge.failing,
            told: &mut edge.told,
        })
    }

    pub(crate) fn dependency_view(
        &mut self,
        source: &ServiceId,
        destination: &ServiceId,
    ) -> Option<DependencyView<'_>> {
        let key = (self.services.find(source)?, self.services.find(destination)?);
        let needed = self.dependencies.get_mut(key)?;
        Some(DependencyView {
            dependency: needed.dependency.clone(),
            first_seen: &mut needed.first_seen,
            crosses_since: &mut needed.crosses_since,
            told: &mut needed.told,
            asleep: &mut needed.asleep,
        })
    }

    /// Services that consumers know, with the instant at which they came, sorted.
    pub(crate) fn told_services(&self) -> impl Iterator<Item = (Timestamp, Arc<Service>)> {
        let entries = self.structure().services.iter().filter_map(|id| self.services.get(*id));
        entries
            .filter(|entry| entry.told.present)
            .map(|entry| (entry.came, self.with_causes(entry.view(&self.flows))))
    }

    /// Open connections that are kept off the map, by the rule that says why.
    pub(crate) fn excluded(&self) -> BTreeMap<&'static str, u64> {
        let mut excluded = BTreeMap::new();
        for (_, flow) in self.flows.iter() {
            let open = flow.sums.counts.active();
            let is_off =
                matches!(flow.place, Place::Presence(_)) && flow.key.direction == Direction::Outbound;
            if open == 0 || !is_off {
                continue;
            }
            let when = Instant { at: flow.sums.first, generation: flow.key.generation, patient: false };
            if let Ends::Presence(party) = self.resolver.ends(&flow.key, when) {
                *excluded.entry(party.rule).or_default() += open;
            }
        }
        excluded
    }

    /// How many addresses are behind each of the services that stand for many.
    pub(crate) fn unnamed(&self) -> BTreeMap<Arc<str>, u64> {
        let mut unnamed = BTreeMap::new();
        for rest in Party::rests() {
            let Some(service) = self.services.find(&rest.id()) else { continue };
            let edges = self.edges.iter().filter(|(_, edge)| edge.touches(service));
            let flows = edges.flat_map(|(_, edge)| self.flows.list(edge.head));
            let addresses: HashSet<IpAddr> =
                flows.filter(|(_, flow)| !flow.key.folded).map(|(_, flow)| flow.key.remote).collect();
            if !addresses.is_empty() {
                unnamed.insert(rest.service.name, addresses.len() as u64);
            }
        }
        unnamed
    }

    /// Edges that consumers know as established, with the instant of that, sorted.
    pub(crate) fn told_connections(&self) -> impl Iterator<Item = (Timestamp, Arc<Connection>)> {
        let edges = self.structure().edges.iter().filter_map(|id| self.edges.get(*id));
        edges
            .filter(|edge| edge.told.established)
            .filter_map(|edge| Some((edge.established?, edge.view(&self.flows))))
    }

    /// Edges that consumers know as failing, with the instant since when, sorted.
    pub(crate) fn told_failing(&self) -> impl Iterator<Item = (Timestamp, Arc<Connection>)> {
        let edges = self.structure().edges.iter().filter_map(|id| self.edges.get(*id));
        edges
            .filter(|edge| edge.told.failing)
            .filter_map(|edge| Some((edge.failing?, edge.view(&self.flows))))
    }

    /// Dependencies that consumers know, with the instant of their first sight, sorted.
    pub(crate) fn told_dependencies(&self) -> Vec<(Timestamp, Arc<Dependency>)> {
        let told = self.dependencies.iter().filter(|(_, needed)| needed.told.present);
        let mut told: Vec<_> =
            told.map(|(_, needed)| (needed.first_seen, needed.dependency.clone())).collect();
        told.sort_by(|(_, a), (_, b)| (&a.source, &a.destination).cmp(&(&b.source, &b.destination)));
        told
    }

    /// Dependencies that consumers know, for the next run. One that an edge shows is seen now.
    pub(crate) fn known_dependencies(&self, now: Timestamp) -> Vec<KnownDependency> {
        let told = self.dependencies.iter().filter(|(_, needed)| needed.told.present);
        told.map(|(_, needed)| KnownDependency {
            source: needed.dependency.source.id(),
            destination: needed.dependency.destination.id(),
            first_seen: needed.first_seen,
            last_seen: if needed.edges > 0 { now } else { needed.last_seen },
            crosses_environments: needed.told.crossing,
        })
        .collect()
    }

    fn build_structure(&self) -> Structure {
        let mut services: Vec<_> =
            self.services.iter().map(|(id, entry)| (entry.reference.id(), id)).collect();
        services.sort_unstable();
        let rank: HashMap<Id<Entry>, u32> = services.iter().map(|(_, id)| *id).zip(0..).collect();
        let place = |id: Id<Entry>| rank.get(&id).copied().unwrap_or(u32::MAX);
        let mut edges: Vec<_> = self.edges.iter().collect();
        edges.sort_by_cached_key(|(_, edge)| (place(edge.key.0), place(edge.key.1), edge.key.2));
        let crossing = edges.iter().filter(|(_, edge)| super::lifecycle::crosses(&edge.reference)).count();
        let environments = |edge: &Edge| self.environments(edge.key.0, edge.key.1);
        let crossing_environments = edges.iter().filter(|(_, edge)| environments(edge).cross()).count();
        let totals = SnapshotTotals {
            services: services.len() as u64,
            connections: edges.len() as u64,
            cross_namespace: crossing as u64,
            cross_environment: crossing_environments as u64,
            external_services: self.services.externals() as u64,
        };
        Structure {
            services: services.into_iter().map(|(_, id)| id).collect(),
            edges: edges.into_iter().map(|(id, _)| id).collect(),
            totals,
        }
    }
}
