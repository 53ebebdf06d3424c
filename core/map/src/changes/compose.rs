//! Puts events together.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Connection, ConnectionRef, Dependency, Event, EventData, EventId, EventType, Gap, HealthChange, RunId,
    Service, Severity, Timestamp, TopologyChange,
};

/// What all events of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Composer {
    pub(crate) cluster: Arc<str>,
    pub(crate) run: RunId,
    pub(crate) started_at: Timestamp,
    /// The share of edges of which `connection.*` events are told, where that is not all.
    pub(crate) sampling_ratio: Option<f64>,
    /// How long after the start; nothing where earlier runs have learned.
    pub(crate) learning_period: Duration,
}

/// When something happened and when it was noticed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    pub(crate) at: Timestamp,
    pub(crate) now: Timestamp,
}

impl Composer {
    pub(crate) fn service(&self, event_type: EventType, service: Arc<Service>, when: When) -> Event {
        let subject = service.id.to_string();
        self.event(event_type, subject, Severity::Info, EventData::Service(service), when)
    }

    pub(crate) fn connection(&self, event_type: EventType, connection: Arc<Connection>, when: When) -> Event {
        let severity =
            if event_type == EventType::ConnectionFailed { Severity::Warn } else { Severity::Debug };
        let subject = connection.edge.key();
        let event = self.event(event_type, subject, severity, EventData::Connection(connection), when);
        Event { sampling_ratio: self.sampling_ratio, ..event }
    }

    pub(crate) fn dependency(&self, event_type: EventType, dependency: Arc<Dependency>, when: When) -> Event {
        let subject = dependency_key(&dependency);
        let warns = dependency.cross_environment && event_type == EventType::DependencyDetected;
        let severity = if warns { Severity::Warn } else { Severity::Info };
        self.event(event_type, subject, severity, EventData::Dependency(dependency), when)
    }

    pub(crate) fn health(&self, change: HealthChange, when: When) -> Event {
        let severity = if change.to > change.from { worse(&change) } else { Severity::Info };
        let subject = change.service.id.to_string();
        self.event(EventType::HealthChanged, subject, severity, EventData::Health(Arc::new(change)), when)
    }

    pub(crate) fn topology(&self, change: TopologyChange, when: When) -> Event {
        let data = EventData::Topology(Arc::new(change));
        self.event(EventType::TopologyChanged, "topology".to_owned(), Severity::Info, data, when)
    }

    pub(crate) fn gap(&self, gap: Gap, when: When) -> Event {
        let subject = format!("gap:{}", gap.reason.as_str());
        let severity = if gap.healed { Severity::Info } else { Severity::Warn };
        self.event(EventType::CaptureGap, subject, severity, EventData::Gap(gap), when)
    }

    fn event(
        &self,
        event_type: EventType,
        subject: String,
        severity: Severity,
        data: EventData,
        when: When,
    ) -> Event {
        let detects = matches!(event_type, EventType::ServiceDiscovered | EventType::DependencyDetected);
        Event {
            id: EventId::new(&self.cluster, event_type.as_str(), &subject, when.at),
            event_type,
            sequence: 0,
            run_id: self.run,
            at: when.at,
            observed_at: when.now,
            severity,
            initial: false,
            learning: detects && when.now < self.started_at + self.learning_period,
            sampling_ratio: None,
            subject: subject.into(),
            data,
        }
    }
}

/// Getting to be healthy from not being known is no warning.
fn worse(change: &HealthChange) -> Severity {
    use crate::model::HealthStatus::{Degraded, Unhealthy};
    if matches!(change.to, Degraded | Unhealthy) { Severity::Warn } else { Severity::Info }
}

/// `ns/a->ns/b`: what an event about a dependency is about.
fn dependency_key(dependency: &Dependency) -> String {
    let Dependency { source, destination, .. } = dependency;
    format!("{}/{}->{}/{}", source.namespace, source.name, destination.namespace, destination.name)
}

/// `ns/a->ns/b:port/tcp` of edges, as `topology.changed` lists them.
pub(crate) fn keys<'a>(edges: impl Iterator<Item = &'a ConnectionRef>) -> Vec<String> {
    let mut keys: Vec<_> = edges.map(ConnectionRef::key).collect();
    keys.sort_unstable();
    keys
}
