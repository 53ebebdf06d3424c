//! The environment of each service, and of both ends of each dependency.

use std::sync::Arc;

use super::services::Entry;
use super::slots::Id;
use super::{Change, State};
use crate::collections::HashMap;
use crate::model::{Dependency, ServiceKind, ServiceRef, Timestamp};

impl State {
    /// The environment that a service is in by what is known now.
    pub(super) fn environment(&self, service: &ServiceRef) -> Option<Arc<str>> {
        let settings = &self.settings.environments;
        let by_label = || {
            let in_namespace =
                matches!(service.service_type.kind(), ServiceKind::Service | ServiceKind::Workload);
            let label = settings.namespace_label.as_deref().filter(|_| in_namespace)?;
            self.resolver.cluster.namespace_labels(&service.namespace)?.get(label)
        };
        settings.by_rule(service).or_else(by_label).cloned()
    }

    /// Two ends with their environments, as a dependency has them.
    pub(super) fn environments(&self, source: Id<Entry>, destination: Id<Entry>) -> Environments {
        let of = |id| self.services.get(id).and_then(|entry: &Entry| entry.environment.clone());
        Environments { source: of(source), destination: of(destination) }
    }

    /// Namespaces have other labels: what is in them may be in another environment.
    pub(super) fn settle_environments(&mut self) {
        let namespaces = std::mem::take(&mut self.relabelled);
        if namespaces.is_empty() || self.settings.environments.namespace_label.is_none() {
            return;
        }
        let of_namespaces: Vec<_> = self
            .services
            .iter()
            .filter(|(_, entry)| namespaces.contains_key(&entry.reference.namespace))
            .map(|(id, entry)| (id, self.environment(&entry.reference)))
            .collect();
        let mut changed = HashMap::default();
        for (id, environment) in of_namespaces {
            if let Some(entry) = self.services.get_mut(id).filter(|entry| entry.environment != environment) {
                entry.environment = environment;
                entry.changed();
                let at = namespaces.get(&entry.reference.namespace).copied();
                changed.insert(id, at.unwrap_or_default());
            }
        }
        if !changed.is_empty() {
            self.structure.take();
            self.topology.take();
            self.move_dependencies(&changed);
        }
    }

    /// Dependencies of services that are in another environment since some instant.
    fn move_dependencies(&mut self, changed: &HashMap<Id<Entry>, Timestamp>) {
        let since = |(source, destination)| changed.get(&source).max(changed.get(&destination)).copied();
        let keys = self.dependencies.iter().filter_map(|(key, _)| Some((key, since(key)?)));
        for (key, since) in keys.collect::<Vec<_>>() {
            let environments = self.environments(key.0, key.1);
            let Some(needed) = self.dependencies.get_mut(key) else { continue };
            let mut dependency = Dependency::clone(&needed.dependency);
            environments.put_into(&mut dependency);
            if dependency.cross_environment && !needed.dependency.cross_environment {
                needed.crosses_since = Some(since);
                let ends = (dependency.source.id(), dependency.destination.id());
                self.changes.push(Change::DependencyCrosses(ends.0, ends.1));
            }
            needed.dependency = Arc::new(dependency);
        }
    }
}

/// Environments of the two ends of a dependency.
#[derive(Debug)]
pub(super) struct Environments {
    source: Option<Arc<str>>,
    destination: Option<Arc<str>>,
}

impl Environments {
    /// Both are known, and they differ.
    pub(super) fn cross(&self) -> bool {
        self.source.is_some() && self.destination.is_some() && self.source != self.destination
    }

    pub(super) fn put_into(self, dependency: &mut Dependency) {
        dependency.cross_environment = self.cross();
        dependency.source_environment = self.source;
        dependency.destination_environment = self.destination;
    }
}
