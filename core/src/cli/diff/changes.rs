//! What is different between two maps.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::super::render::visible;
use super::read::{Connection, Map, Service};

/// What is different between two maps.
#[derive(Debug, Serialize)]
pub(super) struct Changes {
    /// Instants of the two maps.
    at: Change<String>,
    services: Differences<ServiceChange>,
    connections: Differences<ConnectionChange>,
}

/// A value before and after.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change<T> {
    from: T,
    to: T,
}

impl<T: PartialEq> Change<T> {
    /// `None` where nothing changed.
    fn between(from: T, to: T) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}

/// What came, what went and what became another; each sorted.
#[derive(Debug, Serialize)]
struct Differences<T> {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<T>,
}

#[derive(Debug, Serialize)]
struct ServiceChange {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Change<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<Change<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_endpoints: Option<Change<u64>>,
}

#[derive(Debug, Serialize)]
struct ConnectionChange {
    connection: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened: Option<Change<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<Change<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Change<u64>>,
}

impl Changes {
    pub(super) fn between(from: &Map, to: &Map) -> Self {
        Self {
            at: Change { from: from.at.clone(), to: to.at.clone() },
            services: differences(
                &by(&from.services, |one| one.id.clone()),
                &by(&to.services, |one| one.id.clone()),
                service,
            ),
            connections: differences(
                &by(&from.connections, Connection::key),
                &by(&to.connections, Connection::key),
                connection,
            ),
        }
    }

    /// As text: `+` came, `-` went, `~` changed.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{} → {}\n", self.at.from, self.at.to);
        let mut section = |title: &str, added: &[String], removed: &[String], changed: Vec<String>| {
            let _ = writeln!(
                text,
                "\n{title}: {} came, {} went, {} changed",
                added.len(),
                removed.len(),
                changed.len()
            );
            let signed = |sign: char| move |name: &String| format!("  {sign} {}\n", visible(name));
            text.extend(added.iter().map(signed('+')));
            text.extend(removed.iter().map(signed('-')));
            text.extend(changed.iter().map(|line| format!("  ~ {line}\n")));
        };
        let services = &self.services;
        let changed = services.changed.iter().map(ServiceChange::line).collect();
        section("services", &services.added, &services.removed, changed);
        let connections = &self.connections;
        let changed = connections.changed.iter().map(ConnectionChange::line).collect();
        section("connections", &connections.added, &connections.removed, changed);
        text
    }
}

fn by<T>(all: &[T], key: impl Fn(&T) -> String) -> BTreeMap<String, &T> {
    all.iter().map(|one| (key(one), one)).collect()
}

fn differences<T, C>(
    from: &BTreeMap<String, &T>,
    to: &BTreeMap<String, &T>,
    compare: impl Fn(&str, &T, &T) -> Option<C>,
) -> Differences<C> {
    let only = |in_one: &BTreeMap<String, &T>, other: &BTreeMap<String, &T>| {
        in_one.keys().filter(|key| !other.contains_key(*key)).cloned().collect()
    };
    let both = to.iter().filter_map(|(key, after)| compare(key, from.get(key)?, after));
    Differences { added: only(to, from), removed: only(from, to), changed: both.collect() }
}

fn service(id: &str, from: &Service, to: &Service) -> Option<ServiceChange> {
    let all = |one: &Service| one.endpoints.len() as u64;
    let ready = |one: &Service| one.endpoints.iter().filter(|endpoint| endpoint.ready).count() as u64;
    let change = ServiceChange {
        service: id.to_owned(),
        health: Change::between(from.health.status.clone(), to.health.status.clone()),
        endpoints: Change::between(all(from), all(to)),
        ready_endpoints: Change::between(ready(from), ready(to)),
    };
    let is_one = change.health.is_some() || change.endpoints.is_some() || change.ready_endpoints.is_some();
    is_one.then_some(change)
}

fn connection(key: &str, from: &Connection, to: &Connection) -> Option<ConnectionChange> {
    let failed = |one: &Connection| one.failed.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let change = ConnectionChange {
        connection: key.to_owned(),
        opened: Change::between(from.opened, to.opened),
        active: Change::between(from.active, to.active),
        failed: Change::between(failed(from), failed(to)),
    };
    let is_one = change.opened.is_some() || change.active.is_some() || change.failed.is_some();
    is_one.then_some(change)
}

fn line(name: &str, parts: [Option<String>; 3]) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}: {}", visible(name), parts.join(", "))
}

fn part<T: std::fmt::Display>(name: &str, change: Option<&Change<T>>) -> Option<String> {
    change.map(|Change { from, to }| format!("{name} {from} → {to}"))
}

impl ServiceChange {
    fn line(&self) -> String {
        let Self { service, health, endpoints, ready_endpoints } = self;
        let parts = [
            part("health", health.as_ref()),
            part("endpoints", endpoints.as_ref()),
            part("ready", ready_endpoints.as_ref()),
        ];
        line(service, parts)
    }
}

impl ConnectionChange {
    fn line(&self) -> String {
        let Self { connection, opened, active, failed } = self;
        let parts = [
            part("opened", opened.as_ref()),
            part("active", active.as_ref()),
            part("failed", failed.as_ref()),
        ];
        line(connection, parts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: serde_json::Value) -> Map {
        serde_json::from_value(value).unwrap()
    }

    fn edge(to: &str, opened: u64, failed: u64) -> serde_json::Value {
        json!({
            "source": {"namespace": "shop", "name": "web", "type": "ClusterIP"},
            "destination": {"namespace": "shop", "name": to, "type": "ClusterIP"},
            "protocol": "tcp", "port": 80, "opened": opened, "active": 1,
            "failed": {"refused": failed},
        })
    }

    fn service(name: &str, status: &str, ready: &[bool]) -> serde_json::Value {
        let endpoints: Vec<_> =
            ready.iter().map(|ready| json!({"address": "10.0.0.1", "port": 1, "ready": ready})).collect();
        json!({"id": format!("service:shop/{name}"), "endpoints": endpoints, "health": {"status": status}})
    }

    fn two() -> (Map, Map) {
        let before = map(json!({
            "version": 1, "at": "2027-01-15T08:00:00Z",
            "services": [service("web", "healthy", &[true]), service("db", "healthy", &[true, true]), service("old", "healthy", &[])],
            "connections": [edge("db", 10, 0), edge("old", 1, 0)],
        }));
        let after = map(json!({
            "version": 1, "at": "2027-01-15T08:05:00Z",
            "services": [service("web", "healthy", &[true]), service("db", "unhealthy", &[false, true]), service("new\u{1b}", "unknown", &[])],
            "connections": [edge("db", 25, 7), edge("new\u{1b}", 1, 0)],
        }));
        (before, after)
    }

    #[test]
    fn what_came_went_and_changed_is_told() {
        let (before, after) = two();
        insta::assert_snapshot!(Changes::between(&before, &after).to_text());
    }

    #[test]
    fn the_same_as_json() {
        let (before, after) = two();
        insta::assert_json_snapshot!(Changes::between(&before, &after));
    }

    #[test]
    fn a_map_is_no_different_from_itself() {
        let (before, _) = two();
        let changes = Changes::between(&before, &before);
        assert!(changes.services.added.is_empty() && changes.services.removed.is_empty());
        assert!(changes.services.changed.is_empty() && changes.connections.changed.is_empty());
        assert!(changes.to_text().ends_with("connections: 0 came, 0 went, 0 changed\n"));
    }
}
