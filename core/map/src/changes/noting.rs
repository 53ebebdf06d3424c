//! What becomes of each change of the map: it is told at once, or waits for the window, and what returns goes on from what
//! consumers were told of it before it went.

use std::sync::Arc;

use super::pace::Subject;
use super::teller::{GoneDependency, GoneEdge, GoneService, Teller};
use crate::model::{Connection, ConnectionRef, HealthStatus, ServiceId, Timestamp};
use crate::state::{Change, EdgeTold, MovedDependency, State};

impl Teller {
    pub(super) fn note(&mut self, change: Change, state: &mut State, now: Timestamp) {
        match change {
            Change::ServiceAdded(id) => {
                self.window(now).service(id.clone(), true);
                if let Some(gone) = self.gone_services.remove(&id) {
                    state.resume_health(&id, gone.health, now);
                    if let Some(view) = state.service_view(&id) {
                        *view.told_present = true;
                        *view.told_health = gone.told_health;
                    }
                }
                self.now_or_later(Subject::Service(id), state, now);
            }
            Change::ServiceRemoved { service, told, health, at } => {
                let id = service.id.clone();
                self.window(now).service(id.clone(), false);
                if let Some(told_health) = told {
                    let gone = GoneService { service, told_health, health, at };
                    self.gone_services.insert(id.clone(), gone);
                }
                self.now_or_later(Subject::Service(id), state, now);
            }
            Change::HealthChanged(id) => {
                let unhealthy = state
                    .service_view(&id)
                    .is_some_and(|view| view.service.health.status == HealthStatus::Unhealthy);
                if unhealthy {
                    self.now_or_later(Subject::Service(id), state, now);
                } else {
                    self.window(now).health.insert(id);
                }
            }
            Change::EdgeAdded(edge) => self.edge_came(edge, state, now),
            Change::EdgeTurned(edge) => {
                self.window(now).turned.insert(edge);
            }
            Change::EdgeRemoved { connection, told, at } => {
                let edge = connection.edge.clone();
                self.window(now).edge(edge.clone(), false);
                if told.anything() {
                    self.gone_edges.insert(edge, GoneEdge { connection, told, at });
                }
            }
            Change::DependencyAdded(source, destination) => {
                self.dependency_came(source, destination, state, now);
            }
            Change::DependencyRemoved { dependency, told, asleep, first_seen, at } => {
                let key = (dependency.source.id(), dependency.destination.id());
                self.window(now).dependencies.insert(key.clone());
                if told.present {
                    self.gone_dependencies
                        .insert(key, GoneDependency { dependency, told, asleep, first_seen, at });
                }
            }
            Change::DependencyCrosses(source, destination) => {
                self.now_or_later(Subject::Dependency(source, destination), state, now);
            }
            Change::Renamed { from, to, told, edges, dependencies } => {
                let window = self.window(now);
                window.rename(from.id(), to.id(), told);
                for edge in &edges {
                    window.move_edge(edge);
                }
                for moved in dependencies {
                    self.dependency_moved(moved, state, now);
                }
            }
            Change::OrphanTurned(id) => {
                self.window(now).orphans.insert(id);
            }
            Change::PoliciesTouched | Change::ExposureTurned => {
                self.window(now);
            }
            Change::Lost(gap) => {
                let reason = gap.reason;
                match self.gaps.get_mut(&reason) {
                    Some(waiting) if waiting.healed == gap.healed => {
                        waiting.count = waiting.count.saturating_add(gap.count);
                    }
                    // The healing is of everything before it, what waits included.
                    Some(waiting) if gap.healed => {
                        waiting.count = waiting.count.max(gap.count);
                        waiting.healed = true;
                    }
                    _ => {
                        self.gaps.insert(reason, gap);
                    }
                }
                self.now_or_later(Subject::Gap(reason), state, now);
            }
        }
    }

    /// An edge of which consumers were not told that it went, because it was asleep or it is not yet time, is the same one.
    fn edge_came(&mut self, edge: ConnectionRef, state: &mut State, now: Timestamp) {
        let key = (edge.source.id(), edge.destination.id());
        let gone = self.gone_edges.remove(&edge).map(|gone| gone.told);
        let living = state.dependency_view(&key.0, &key.1).and_then(|view| view.asleep.remove(&edge));
        let dead = self.gone_dependencies.get_mut(&key).and_then(|gone| gone.asleep.remove(&edge));
        let asleep = living.or(dead).map(|_| EdgeTold { established: true, failing: false });
        if let Some(told) = gone.or(asleep)
            && let Some(view) = state.edge_view(&edge)
        {
            *view.told = told;
        }
        self.window(now).edge(edge, true);
    }

    /// A dependency that came goes on from what earlier runs told of it.
    pub(super) fn recall(&mut self, key: &(ServiceId, ServiceId), state: &mut State, now: Timestamp) {
        let retention = self.settings.dependency_retention;
        let Some((first_seen, told)) = self.memory.meet(key, retention, now) else { return };
        let Some(view) = state.dependency_view(&key.0, &key.1) else { return };
        if view.dependency.cross_environment && !told.crossing {
            // That is what is new of it, and since this run.
            view.crosses_since.get_or_insert(*view.first_seen);
        }
        *view.first_seen = first_seen.min(*view.first_seen);
        *view.told = told;
    }

    fn dependency_came(
        &mut self,
        source: ServiceId,
        destination: ServiceId,
        state: &mut State,
        now: Timestamp,
    ) {
        let key = (source, destination);
        let gone = self.gone_dependencies.remove(&key);
        self.recall(&key, state, now);
        let Some(view) = state.dependency_view(&key.0, &key.1) else { return };
        if let Some(gone) = gone {
            *view.told = gone.told;
            view.asleep.extend(gone.asleep);
        }
        if view.dependency.cross_namespace || view.dependency.cross_environment {
            self.now_or_later(Subject::Dependency(key.0, key.1), state, now);
        } else {
            self.window(now).dependencies.insert(key);
        }
    }

    /// A dependency is between others. What has not been told of it yet is told of these.
    fn dependency_moved(&mut self, moved: MovedDependency, state: &mut State, now: Timestamp) {
        let MovedDependency { from, to } = moved;
        let is_between = |edge: &ConnectionRef| edge.source.id() == from.0 && edge.destination.id() == from.1;
        let gone = self.gone_edges.extract_if(.., |edge, _| is_between(edge));
        let gone: Vec<_> = gone.collect();
        let Some(view) = state.dependency_view(&to.0, &to.1) else { return };
        for (mut edge, mut gone) in gone {
            (edge.source, edge.destination) =
                (view.dependency.source.clone(), view.dependency.destination.clone());
            gone.connection =
                Arc::new(Connection { edge: edge.clone(), ..Connection::clone(&gone.connection) });
            self.gone_edges.insert(edge, gone);
        }
        self.memory.revision += 1;
        let crosses = view.dependency.cross_environment;
        if !view.told.present || (crosses && !view.told.crossing) {
            self.dependency_came(to.0, to.1, state, now);
        }
    }
}
