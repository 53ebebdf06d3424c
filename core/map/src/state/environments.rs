//! The environment of each service, and of both ends of each dependency.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use super::services::Entry;
use super::slots::Id;
use crate::collections::HashSet;
use crate::model::{Dependency, ServiceKind, ServiceRef};

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
        let namespaces: BTreeSet<Arc<str>> = std::mem::take(&mut self.relabelled);
        if namespaces.is_empty() || self.settings.environments.namespace_label.is_none() {
            return;
        }
        let of_namespaces: Vec<_> = self
            .services
            .iter()
            .filter(|(_, entry)| namespaces.contains(&entry.reference.namespace))
            .map(|(id, entry)| (id, self.environment(&entry.reference)))
            .collect();
        let mut changed = HashSet::default();
        for (id, environment) in of_namespaces {
            if let Some(entry) = self.services.get_mut(id).filter(|entry| entry.environment != environment) {
                entry.environment = environment;
                entry.changed();
                changed.insert(id);
            }
        }
        if !changed.is_empty() {
            self.structure.take();
            self.move_dependencies(&changed);
        }
    }

    fn move_dependencies(&mut self, changed: &HashSet<Id<Entry>>) {
        let touched = |(source, destination)| changed.contains(&source) || changed.contains(&destination);
        let keys: Vec<_> = self.dependencies.iter().map(|(key, _)| key).filter(|key| touched(*key)).collect();
        for key in keys {
            let environments = self.environments(key.0, key.1);
            if let Some(needed) = self.dependencies.get_mut(key) {
                let mut dependency = Dependency::clone(&needed.dependency);
                environments.put_into(&mut dependency);
                needed.dependency = Arc::new(dependency);
            }
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
