//! Which labels of the cluster's objects may leave the process.

use std::borrow::Cow;
use std::sync::Arc;

use servicemap_map::model::{Event, EventData, HealthChange, Service, Snapshot};

/// The allow-list of labels. Labels may hold anything that somebody wrote into them, so what is not on it stays inside:
/// exporters, files and the terminal show it to nobody. In-process views (the typed ones of C and Go) have all labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelFilter {
    patterns: Vec<String>,
}

impl LabelFilter {
    /// Allows labels whose names match one of these patterns, in which `*` stands for any text.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Self { patterns: patterns.into_iter().collect() }
    }

    /// Whether a label of this name may leave.
    pub fn allows(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, name))
    }

    /// A snapshot with allowed labels only.
    pub fn snapshot<'a>(&self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        if snapshot.services.iter().all(|service| self.allows_all(service)) {
            return Cow::Borrowed(snapshot);
        }
        let services = snapshot.services.iter().map(|service| self.service(service)).collect();
        Cow::Owned(Snapshot { services, ..snapshot.clone() })
    }

    /// An event with allowed labels only.
    pub fn event<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        let data = match &event.data {
            EventData::Service(service) if !self.allows_all(service) => {
                EventData::Service(self.service(service))
            }
            EventData::Health(change) if !self.allows_all(&change.service) => {
                let service = self.service(&change.service);
                EventData::Health(Arc::new(HealthChange { service, ..HealthChange::clone(change) }))
            }
            _ => return Cow::Borrowed(event),
        };
        Cow::Owned(Event { data, ..event.clone() })
    }

    fn allows_all(&self, service: &Service) -> bool {
        service.labels.iter().all(|(name, _)| self.allows(name))
    }

    fn service(&self, service: &Arc<Service>) -> Arc<Service> {
        if self.allows_all(service) {
            return service.clone();
        }
        let mut service = Service::clone(service);
        let allowed = service.labels.iter().filter(|(name, _)| self.allows(name));
        service.labels = allowed.map(|(name, value)| (name.clone(), value.clone())).collect();
        Arc::new(service)
    }
}

/// Whether a name is as a pattern says. Looks at each byte of the name once a `*` at most.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.split_at(at + part.len()).1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::fixtures;
    use servicemap_map::model::{EventType, HealthReason, HealthStatus, ServiceType, Severity};

    fn filter(patterns: &[&str]) -> LabelFilter {
        LabelFilter::new(patterns.iter().map(|pattern| (*pattern).to_owned()))
    }

    fn labelled() -> Arc<Service> {
        let service = fixtures::service("shop", "web", ServiceType::ClusterIP, HealthStatus::Healthy);
        let labels = [("app", "web"), ("secret", "s3cr3t")];
        let labels = labels.into_iter().collect();
        Arc::new(Service { labels, ..Service::clone(&service) })
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_named() {
        assert!(!filter(&[]).allows("app"));
        assert!(filter(&["team", "app"]).allows("app"));
        assert!(!filter(&["app"]).allows("app2") && !filter(&["app"]).allows("my-app"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let patterns = filter(&["app.kubernetes.io/*", "*-team", "a*b*c"]);
        for name in ["app.kubernetes.io/name", "app.kubernetes.io/", "web-team", "abc", "a-b-b-c", "aXbYbc"] {
            assert!(patterns.allows(name), "{name}");
        }
        for name in ["app.kubernetes.ioname", "web-teams", "ab", "acb", "ac"] {
            assert!(!patterns.allows(name), "{name}");
        }
        assert!(filter(&["*"]).allows("anything/at-all"));
        assert!(!filter(&["aa*aa"]).allows("aaa"), "the two ends may not overlap");
    }

    #[test]
    fn a_snapshot_loses_what_is_not_allowed_and_nothing_else() {
        let mut snapshot = fixtures::snapshot();
        snapshot.services.push(labelled());
        let shown = filter(&["app"]).snapshot(&snapshot).into_owned();
        let labels = &shown.services.last().unwrap().labels;
        assert_eq!(labels.iter().collect::<Vec<_>>(), [(&"app".into(), &"web".into())]);
        let (first, all) = (shown.services.len(), snapshot.services.len());
        assert_eq!((first, &shown.services[0]), (all, &snapshot.services[0]));
        assert!(matches!(filter(&["*"]).snapshot(&snapshot), Cow::Borrowed(_)));
    }

    #[test]
    fn events_lose_what_is_not_allowed() {
        let event = |data| fixtures::event(EventType::ServiceDiscovered, Severity::Info, data);
        let change = HealthChange {
            service: labelled(),
            from: HealthStatus::Unknown,
            to: HealthStatus::Healthy,
            reasons: vec![HealthReason::ConnectionsFail],
        };
        for data in [EventData::Service(labelled()), EventData::Health(Arc::new(change))] {
            let shown = filter(&[]).event(&event(data)).into_owned();
            let text = serde_json::to_string(&shown).unwrap();
            assert!(!text.contains("s3cr3t") && text.contains("web"), "{text}");
        }
    }
}
