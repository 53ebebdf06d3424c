//! Takes facts about objects, and says which names may have changed by them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::owners::{GRACE, MAX_TOMBSTONES, Owner};
use super::pods::KnownPod;
use super::{Cluster, Kept, Key, MAX_OBJECTS};
use crate::collections::{HashMap, Row};
use crate::model::{KubernetesFact, KubernetesService, Namespace, Node, ServiceId, ServiceKind, Timestamp};

/// What may be called differently after a fact.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Whoever has these addresses.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// These pods.
    pub(crate) pods: BTreeSet<Arc<str>>,
    /// Anybody.
    pub(crate) everything: bool,
    /// Services that may have come into the map, have changed there, or have gone.
    pub(crate) declared: BTreeSet<ServiceId>,
    /// This namespace has other labels.
    pub(crate) namespace: Option<Arc<str>>,
    /// Network policies.
    pub(crate) policies: bool,
    /// There was no room for the object.
    pub(crate) turned_away: bool,
}

impl Touched {
    /// Whether other pods may be behind a Service, or have other labels.
    pub(crate) fn moves_pods(&self) -> bool {
        !self.pods.is_empty() || self.namespace.is_some() || !self.declared.is_empty()
    }
}

impl Cluster {
    /// Takes a fact that was true at an instant.
    pub(crate) fn learn(&mut self, fact: KubernetesFact, at: Timestamp) -> Touched {
        let mut touched = Touched::default();
        self.forget(at);
        match fact {
            KubernetesFact::Service(service) => self.set_service(service, at, &mut touched),
            KubernetesFact::ServiceGone { namespace, name } => {
                self.end_service(&(namespace, name), at, &mut touched);
            }
            KubernetesFact::EndpointSlice(slice) => self.set_slice(slice, at, &mut touched),
            KubernetesFact::EndpointSliceGone { namespace, name } => {
                self.remove_slice(&(namespace, name), at, &mut touched);
            }
            KubernetesFact::Pod(pod) => self.set_pod(pod, at, &mut touched),
            KubernetesFact::PodGone { uid } => self.end_pod(&uid, at, &mut touched),
            KubernetesFact::Node(node) => self.set_node(node, at, &mut touched),
            KubernetesFact::NodeGone { name } => self.remove_node(&name, at, &mut touched),
            KubernetesFact::Namespace(namespace) => self.set_namespace(namespace, &mut touched),
            KubernetesFact::NamespaceGone { name } => {
                touched.namespace = self.namespaces.remove(&name).map(|_| name);
            }
            KubernetesFact::Ingress(ingress) => self.set_ingress(ingress, &mut touched),
            KubernetesFact::IngressGone { kind, namespace, name } => {
                self.remove_ingress(&(kind, namespace, name), &mut touched);
            }
            KubernetesFact::NetworkPolicy(policy) => self.set_policy(policy, &mut touched),
            KubernetesFact::NetworkPolicyGone { namespace, name } => {
                self.remove_policy(&(namespace, name), &mut touched);
            }
            KubernetesFact::Scope(scope) => {
                touched.everything = self.scope != scope;
                self.scope = scope;
            }
        }
        touched
    }

    pub(super) fn is_full(&self, touched: &mut Touched) -> bool {
        touched.turned_away = self.len() >= MAX_OBJECTS;
        touched.turned_away
    }

    fn set_service(&mut self, service: KubernetesService, at: Timestamp, touched: &mut Touched) {
        let key = (service.namespace.clone(), service.name.clone());
        let mut from = service.created_at.unwrap_or(at).min(at);
        match self.services.get(&key) {
            Some(known) if known.ended.is_none() && known.object == service => return,
            Some(known) => {
                if known.ended.is_none() {
                    from = known.from.min(from);
                }
                let old = known.object.clone();
                self.touch_selected(&old, touched);
                self.withdraw(&key, &old, &addresses(&service), at, touched);
            }
            None if self.is_full(touched) => return,
            None => {}
        }
        let owner = Owner::Service(Box::new(key.clone()));
        for address in addresses(&service) {
            self.owners.begin(address, &owner, from);
            touched.addresses.insert(address);
        }
        for port in service.ports.iter().filter_map(|port| port.node_port) {
            self.node_ports.entry(port).or_default().insert(key.clone());
            touched.everything = true;
        }
        touched.declared.insert(service_id(&key));
        if service.selector.is_empty() {
            remove_from(&mut self.selecting, &key.0, &key.1);
        } else {
            self.selecting.entry(key.0.clone()).or_default().insert(key.1.clone());
        }
        self.touch_selected(&service, touched);
        self.services.insert(&key, Kept { object: service, from, ended: None });
        self.touch_endpoints(&key, touched);
    }

    /// Takes back what a Service had and (but for `kept`) has no longer.
    fn withdraw(
        &mut self,
        key: &Key,
        service: &KubernetesService,
        kept: &BTreeSet<IpAddr>,
        at: Timestamp,
        touched: &mut Touched,
    ) {
        for address in addresses(service).difference(kept) {
            self.owners.end(*address, &Owner::Service(Box::new(key.clone())), at);
            touched.addresses.insert(*address);
        }
        for port in service.ports.iter().filter_map(|port| port.node_port) {
            if let Some(keys) = self.node_ports.get_mut(&port) {
                keys.remove(key);
                if keys.is_empty() {
                    self.node_ports.remove(&port);
                }
            }
            touched.everything = true;
        }
    }

    fn end_service(&mut self, key: &Key, at: Timestamp, touched: &mut Touched) {
        let Some(known) = self.services.get_mut(key).filter(|known| known.ended.is_none()) else { return };
        known.ended = Some(at);
        let service = known.object.clone();
        self.ended_services.push_back((at, key.clone()));
        self.readiness.remove(key);
        self.withdraw(key, &service, &BTreeSet::new(), at, touched);
        self.touch_selected(&service, touched);
        touched.declared.insert(service_id(key));
        self.touch_endpoints(key, touched);
    }

    /// Pods that a Service selects may be called differently.
    fn touch_selected(&self, service: &KubernetesService, touched: &mut Touched) {
        if service.selector.is_empty() {
            return;
        }
        let is_selected = |pod: &&Kept<KnownPod>| service.selects(&pod.object.namespace, &pod.object.labels);
        for pod in self.pods.values().filter(is_selected) {
            self.touch_pod(&pod.object.uid, touched);
        }
    }

    /// Everybody behind a Service may be called differently.
    fn touch_endpoints(&self, key: &Key, touched: &mut Touched) {
        for name in self.slices_of.get(key).into_iter().flatten() {
            if let Some(slice) = self.slices.get(&(key.0.clone(), name.clone())) {
                self.touch_slice(slice, touched);
            }
        }
    }

    fn set_node(&mut self, node: Node, at: Timestamp, touched: &mut Touched) {
        let mut from = at;
        match self.nodes.get(&node.name) {
            Some(known) if known.object == node => return,
            Some(known) => {
                from = known.from.min(at);
                let gone = known.object.addresses.iter().filter(|address| !node.addresses.contains(address));
                for address in gone {
                    self.owners.end(*address, &Owner::Node(node.name.clone()), at);
                }
            }
            None if self.is_full(touched) => return,
            None => {}
        }
        for address in &node.addresses {
            // A machine has its addresses for longer than it has been a node.
            self.owners.begin(*address, &Owner::Node(node.name.clone()), Timestamp::ZERO);
        }
        touched.everything = true;
        touched.declared.insert(Self::node_ref(&node.name).id());
        self.nodes.insert(node.name.clone(), Kept { object: node, from, ended: None });
    }

    fn remove_node(&mut self, name: &Arc<str>, at: Timestamp, touched: &mut Touched) {
        let Some(node) = self.nodes.remove(name) else { return };
        for address in node.object.addresses {
            self.owners.end(address, &Owner::Node(name.clone()), at);
        }
        touched.everything = true;
        touched.declared.insert(Self::node_ref(name).id());
    }

    fn set_namespace(&mut self, namespace: Namespace, touched: &mut Touched) {
        match self.namespaces.get(&namespace.name) {
            Some(known) if *known == namespace.labels => return,
            None if self.is_full(touched) => return,
            Some(_) | None => {}
        }
        touched.namespace = Some(namespace.name.clone());
        self.namespaces.insert(namespace.name, namespace.labels);
    }

    /// Forgets what went too long ago to be named.
    fn forget(&mut self, now: Timestamp) {
        self.owners.forget(now);
        let is_over = |ended: Option<Timestamp>, kept: usize| {
            ended.is_some_and(|at| at + GRACE <= now) || kept > MAX_TOMBSTONES
        };
        while is_over(self.ended_pods.front().map(|(at, _)| *at), self.ended_pods.len())
            && let Some((_, uid)) = self.ended_pods.pop_front()
        {
            self.forget_pod(&uid);
        }
        while is_over(self.ended_services.front().map(|(at, _)| *at), self.ended_services.len())
            && let Some((at, key)) = self.ended_services.pop_front()
        {
            // It may have been made anew since.
            if self.services.get(&key).is_some_and(|service| service.ended == Some(at)) {
                self.services.remove(&key);
                remove_from(&mut self.selecting, &key.0, &key.1);
            }
        }
    }
}

/// All addresses of a Service.
fn addresses(service: &KubernetesService) -> BTreeSet<IpAddr> {
    let all = service.cluster_ips.iter().chain(&service.external_ips).chain(&service.load_balancer_ips);
    all.map(IpAddr::to_canonical).collect()
}

pub(super) fn service_id(key: &Key) -> ServiceId {
    ServiceId::new(ServiceKind::Service, key.0.clone(), key.1.clone())
}

pub(super) fn remove_from<K: std::hash::Hash + Eq>(
    sets: &mut HashMap<K, Row<Arc<str>>>,
    key: &K,
    value: &Arc<str>,
) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
