//! Network policies, and the pods of a service as far as policies tell them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::learn::Touched;
use super::pods::KnownPod;
use super::{Cluster, Key};
use crate::collections::HashMap;
use crate::model::{
    ContainerPort, LabelSelector, Labels, NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule, ServiceId,
    ServiceKind,
};

/// The label that the API server gives each namespace: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// All network policies.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// By namespace, then by name.
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, NetworkPolicy>>,
    count: usize,
}

impl Policies {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that select these pods.
    pub(crate) fn of(&self, group: &PodGroup) -> impl Iterator<Item = &NetworkPolicy> {
        let policies = self.by_namespace.get(&group.namespace).into_iter().flat_map(BTreeMap::values);
        policies.filter(|policy| policy.pod_selector.matches(&group.labels))
    }

    /// What policies ask of pods.
    pub(crate) fn asked(&self) -> Asked {
        let mut asked = Asked::default();
        for policy in self.by_namespace.values().flat_map(BTreeMap::values) {
            asked.labels_of(&policy.pod_selector);
            policy.ingress.iter().chain(&policy.egress).flatten().for_each(|rule| asked.rule(rule));
        }
        asked
    }

    fn get(&self, key: &Key) -> Option<&NetworkPolicy> {
        self.by_namespace.get(&key.0)?.get(&key.1)
    }

    fn insert(&mut self, policy: NetworkPolicy) {
        let policies = self.by_namespace.entry(policy.namespace.clone()).or_default();
        self.count += usize::from(policies.insert(policy.name.clone(), policy).is_none());
    }

    fn remove(&mut self, key: &Key) -> bool {
        let Some(policies) = self.by_namespace.get_mut(&key.0) else { return false };
        let removed = policies.remove(&key.1).is_some();
        if policies.is_empty() {
            self.by_namespace.remove(&key.0);
        }
        self.count -= usize::from(removed);
        removed
    }
}

/// Names of labels and ports by which policies tell pods apart. All others make no difference.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    labels: BTreeSet<String>,
    ports: BTreeSet<Arc<str>>,
}

impl Asked {
    fn labels_of(&mut self, selector: &LabelSelector) {
        let expressions = selector.match_expressions.iter().map(|one| &one.key);
        self.labels.extend(selector.match_labels.keys().chain(expressions).cloned());
    }

    fn rule(&mut self, rule: &PolicyRule) {
        for peer in &rule.peers {
            if let PolicyPeer::Pods { pods: Some(selector), .. } = peer {
                self.labels_of(selector);
            }
        }
        self.ports.extend(rule.ports.iter().filter_map(|port| match port {
            PolicyPort::Named(name) => Some(name.clone()),
            PolicyPort::Range { .. } => None,
        }));
    }
}

/// Pods of one namespace that no policy tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodGroup {
    pub(crate) namespace: Arc<str>,
    pub(crate) namespace_labels: Labels,
    /// Only those that policies ask for.
    pub(crate) labels: Labels,
    /// Ports with names that policies ask for.
    pub(crate) ports: Vec<ContainerPort>,
    /// Of all of them.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Cluster {
    /// All network policies.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    pub(super) fn set_policy(&mut self, policy: NetworkPolicy, touched: &mut Touched) {
        match self.policies.get(&(policy.namespace.clone(), policy.name.clone())) {
            Some(known) if *known == policy => return,
            None if self.is_full(touched) => return,
            Some(_) | None => {}
        }
        touched.policies = true;
        self.policies.insert(policy);
    }

    pub(super) fn remove_policy(&mut self, key: &Key, touched: &mut Touched) {
        touched.policies = self.policies.remove(key);
    }

    /// The pods behind a Service, or of a workload, in groups that policies can tell apart. Those in their node's network are
    /// left out: policies do not apply to them.
    pub(crate) fn groups(&self, id: &ServiceId, asked: &Asked) -> Vec<PodGroup> {
        let mut groups: BTreeMap<(Labels, Vec<ContainerPort>), Vec<IpAddr>> = BTreeMap::new();
        for pod in self.pods_of(id).into_iter().filter(|pod| !pod.host_network) {
            let labels = pod.labels.iter().filter(|(name, _)| asked.labels.contains(&***name));
            let labels = labels.map(|(name, value)| (name.clone(), value.clone())).collect();
            let ports = pod.container_ports.iter().filter(|port| asked.ports.contains(&port.name));
            groups.entry((labels, ports.cloned().collect())).or_default().extend(pod.ips.iter());
        }
        let namespace_labels = self
            .namespaces
            .get(&id.namespace)
            .cloned()
            .unwrap_or_else(|| [(NAMESPACE_NAME, id.namespace.clone())].into_iter().collect());
        let group = |((labels, ports), addresses)| PodGroup {
            namespace: id.namespace.clone(),
            namespace_labels: namespace_labels.clone(),
            labels,
            ports,
            addresses,
        };
        groups.into_iter().map(group).collect()
    }

    fn pods_of(&self, id: &ServiceId) -> Vec<&KnownPod> {
        let key = (id.namespace.clone(), id.name.clone());
        match id.kind {
            ServiceKind::Service => {
                let endpoints = self.slices_behind(&key).flat_map(|slice| &slice.endpoints);
                let uids: BTreeSet<_> = endpoints.filter_map(|endpoint| endpoint.pod.as_ref()).collect();
                let pods = uids.into_iter().filter_map(|uid| self.pods.get(uid));
                pods.filter(|pod| pod.ended.is_none()).map(|pod| &pod.object).collect()
            }
            ServiceKind::Workload => self.own_pods(&key).map(|pod| &pod.object).collect(),
            ServiceKind::Process | ServiceKind::Node | ServiceKind::External => Vec::new(),
        }
    }

    /// The ports at which the pods behind a service listen for who asks for one of its ports.
    pub(crate) fn target_ports(&self, id: &ServiceId, port: u16) -> Vec<u16> {
        let key = (id.namespace.clone(), id.name.clone());
        let service = self.services.get(&key).filter(|_| id.kind == ServiceKind::Service);
        let offered = service.and_then(|kept| kept.object.ports.iter().find(|one| one.port == port));
        let Some(offered) = offered else { return vec![port] };
        let ports = self.slices_behind(&key).flat_map(|slice| &slice.ports);
        let targets: BTreeSet<u16> =
            ports.filter(|port| port.name == offered.name).map(|port| port.port).collect();
        targets.into_iter().collect()
    }
}
