//! What became different in the map: for `changes` to judge whether it is worth telling. Changes name things by identity,
//! since by the time they are looked at the thing may be gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dependencies::Told as DependencyTold;
use super::edges::Told;
use super::renaming::{MovedDependency, MovedEdge};
use super::services::HealthRecord;
use crate::model::{
    Connection, ConnectionRef, Dependency, Gap, HealthStatus, Service, ServiceId, ServiceRef, Timestamp,
};

/// One difference.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A service is in the map.
    ServiceAdded(ServiceId),
    /// A service is gone.
    ServiceRemoved {
        /// As it was last.
        service: Arc<Service>,
        /// The health that consumers know, if they know the service.
        told: Option<HealthStatus>,
        /// What its health was judged by.
        health: HealthRecord,
        /// When it went.
        at: Timestamp,
    },
    /// A service has another health status.
    HealthChanged(ServiceId),
    /// An edge is in the map.
    EdgeAdded(ConnectionRef),
    /// An edge carries its first established connection, or its attempts start or stop to fail.
    EdgeTurned(ConnectionRef),
    /// An edge is gone.
    EdgeRemoved {
        /// As it was last.
        connection: Arc<Connection>,
        /// What consumers know of it.
        told: Told,
        /// When it went.
        at: Timestamp,
    },
    /// A dependency is in the map.
    DependencyAdded(ServiceId, ServiceId),
    /// A dependency is gone.
    DependencyRemoved {
        /// As it was last.
        dependency: Arc<Dependency>,
        /// Whether consumers know it.
        told: DependencyTold,
        /// Its edges that went before it and were not told as expired.
        asleep: BTreeMap<ConnectionRef, Arc<Connection>>,
        /// When it was first seen.
        first_seen: Timestamp,
        /// When it went.
        at: Timestamp,
    },
    /// A dependency that was there crosses environments since lately.
    DependencyCrosses(ServiceId, ServiceId),
    /// The pods of a service have another name, and what was counted of them is the other's.
    Renamed {
        /// The former name.
        from: ServiceRef,
        /// The name from now on.
        to: ServiceRef,
        /// Whether consumers know the former one.
        told: bool,
        /// Edges that moved.
        edges: Vec<MovedEdge>,
        /// Dependencies that moved, by the services between which they were and are.
        dependencies: Vec<MovedDependency>,
    },
    /// Nobody has connected to a service for long, or somebody does again.
    OrphanTurned(ServiceId),
    /// A service is exposed to the outside, or is no longer: work may begin elsewhere.
    ExposureTurned,
    /// What network policies allow may be something else.
    PoliciesTouched,
    /// Something was lost.
    Lost(Gap),
}
