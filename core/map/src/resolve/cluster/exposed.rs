//! Which Ingress, route or load balancer leads to which Service.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::learn::{Touched, service_id};
use super::{Cluster, Key};
use crate::model::{BackendPort, Exposure, Ingress, IngressKind, KubernetesService, ServiceType};

/// Kind, namespace and name.
pub(super) type IngressKey = (IngressKind, Arc<str>, Arc<str>);

impl Cluster {
    pub(super) fn set_ingress(&mut self, ingress: Ingress, touched: &mut Touched) {
        let key = (ingress.kind, ingress.namespace.clone(), ingress.name.clone());
        match self.ingresses.get(&key) {
            Some(known) if *known == ingress => return,
            None if self.is_full(touched) => return,
            Some(_) | None => {}
        }
        self.remove_ingress(&key, touched);
        for service in backends(&ingress) {
            touched.declared.insert(service_id(&service));
            self.exposed.entry(service).or_default().insert(key.clone());
        }
        self.ingresses.insert(key, ingress);
    }

    pub(super) fn remove_ingress(&mut self, key: &IngressKey, touched: &mut Touched) {
        let Some(ingress) = self.ingresses.remove(key) else { return };
        for service in backends(&ingress) {
            touched.declared.insert(service_id(&service));
            if let Some(keys) = self.exposed.get_mut(&service) {
                keys.remove(key);
                if keys.is_empty() {
                    self.exposed.remove(&service);
                }
            }
        }
    }

    /// All ways into a Service, sorted.
    pub(super) fn exposures(&self, key: &Key, service: &KubernetesService) -> Vec<Exposure> {
        let keys = self.exposed.get(key).into_iter().flatten();
        let ingresses = keys.filter_map(|key| self.ingresses.get(key));
        let mut exposures: Vec<_> = ingresses.map(|ingress| by_ingress(ingress, service)).collect();
        exposures.extend(by_itself(service));
        exposures.sort_unstable();
        exposures
    }
}

fn backends(ingress: &Ingress) -> BTreeSet<Key> {
    ingress.backends.iter().map(|backend| (backend.namespace.clone(), backend.service.clone())).collect()
}

fn by_ingress(ingress: &Ingress, service: &KubernetesService) -> Exposure {
    let to_service = ingress
        .backends
        .iter()
        .filter(|backend| backend.namespace == service.namespace && backend.service == service.name);
    let mut ports = BTreeSet::new();
    for backend in to_service {
        // A port that the Service does not offer leads nowhere.
        let meant = service.ports.iter().filter(|offered| match &backend.port {
            None => true,
            Some(BackendPort::Number(number)) => offered.port == *number,
            Some(BackendPort::Name(name)) => offered.name == *name,
        });
        ports.extend(meant.map(|offered| offered.port));
    }
    let hosts: BTreeSet<Arc<str>> = ingress.hosts.iter().cloned().collect();
    Exposure {
        kind: ingress.kind.as_str(),
        namespace: ingress.namespace.clone(),
        name: ingress.name.clone(),
        class: ingress.class.clone(),
        hosts: hosts.into_iter().collect(),
        ports: ports.into_iter().collect(),
    }
}

/// What a Service says of itself: its load balancer, node ports, external addresses.
fn by_itself(service: &KubernetesService) -> impl Iterator<Item = Exposure> {
    let own = |kind, addresses: &[IpAddr], ports: BTreeSet<u16>| Exposure {
        kind,
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        class: None,
        hosts: sorted(addresses).into_iter().map(|address| address.to_string().into()).collect(),
        ports: ports.into_iter().collect(),
    };
    let offered = || service.ports.iter().map(|port| port.port).collect();
    let by_type = match service.service_type {
        ServiceType::LoadBalancer => Some(own("LoadBalancer", &service.load_balancer_ips, offered())),
        ServiceType::NodePort => {
            Some(own("NodePort", &[], service.ports.iter().filter_map(|port| port.node_port).collect()))
        }
        _ => None,
    };
    let by_address =
        (!service.external_ips.is_empty()).then(|| own("ExternalIP", &service.external_ips, offered()));
    by_type.into_iter().chain(by_address)
}

fn sorted(addresses: &[IpAddr]) -> BTreeSet<IpAddr> {
    addresses.iter().map(IpAddr::to_canonical).collect()
}
