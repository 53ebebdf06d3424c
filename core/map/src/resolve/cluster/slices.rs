//! EndpointSlices: which pods and addresses are behind which Service. Several slices of one may hold the same endpoint, and
//! the one of a pod may come before the pod or go after it.

use std::net::IpAddr;

use super::learn::{Touched, remove_from, service_id};
use super::{Cluster, Key};
use crate::model::{EndpointSlice, Timestamp};

impl Cluster {
    pub(super) fn set_slice(&mut self, slice: EndpointSlice, at: Timestamp, touched: &mut Touched) {
        let key = (slice.namespace.clone(), slice.name.clone());
        match self.slices.get(&key) {
            Some(known) if *known == slice => return,
            None if self.is_full(touched) => return,
            Some(_) | None => {}
        }
        let before = self.take_slice(&key, at, touched).filter(|before| before.service == slice.service);
        self.note_readiness(before.as_ref(), Some(&slice), at);
        let service = (slice.namespace.clone(), slice.service.clone());
        self.slices_of.entry(service.clone()).or_default().insert(slice.name.clone());
        self.members.join(&slice, at);
        self.add_by_hand(&service, &slice);
        self.touch_slice(&slice, touched);
        touched.declared.insert(service_id(&service));
        self.slices.insert(&key, slice);
    }

    pub(super) fn remove_slice(&mut self, key: &Key, at: Timestamp, touched: &mut Touched) {
        if let Some(slice) = self.take_slice(key, at, touched) {
            self.note_readiness(Some(&slice), None, at);
            let service = (slice.namespace, slice.service);
            if !self.services.contains_key(&service) && !self.slices_of.contains_key(&service) {
                self.readiness.remove(&service);
            }
        }
    }

    fn take_slice(&mut self, key: &Key, at: Timestamp, touched: &mut Touched) -> Option<EndpointSlice> {
        let slice = self.slices.remove(key)?;
        let service = (slice.namespace.clone(), slice.service.clone());
        self.members.leave(&slice, at);
        for uid in slice.endpoints.iter().filter_map(|endpoint| endpoint.pod.as_ref()) {
            if !self.pods.contains_key(uid) {
                self.members.forget(uid);
            }
        }
        for address_port in by_hand(&slice) {
            if let Some(services) = self.by_hand.get_mut(&address_port) {
                services.retain(|(other, _)| *other != service);
                if services.is_empty() {
                    self.by_hand.remove(&address_port);
                }
            }
        }
        remove_from(&mut self.slices_of, &service, &slice.name);
        // Several slices may hold the same endpoint.
        let others: Vec<_> = self.slices_behind(&service).cloned().collect();
        for other in others {
            self.members.join(&other, at);
            self.add_by_hand(&service, &other);
        }
        self.touch_slice(&slice, touched);
        touched.declared.insert(service_id(&service));
        Some(slice)
    }

    fn add_by_hand(&mut self, service: &Key, slice: &EndpointSlice) {
        for address_port in by_hand(slice) {
            let ports = slice.ports.iter().filter(|port| port.port == address_port.1);
            let named = ports.map(|port| (service.clone(), port.name.clone()));
            self.by_hand.entry(address_port).or_default().extend(named);
        }
    }

    pub(super) fn touch_slice(&self, slice: &EndpointSlice, touched: &mut Touched) {
        for endpoint in &slice.endpoints {
            touched.addresses.extend(endpoint.addresses.iter().map(IpAddr::to_canonical));
            if let Some(uid) = &endpoint.pod {
                self.touch_pod(uid, touched);
            }
        }
    }
}

/// Address and port of the endpoints of a slice that are no pods.
fn by_hand(slice: &EndpointSlice) -> Vec<(IpAddr, u16)> {
    let addresses = slice.endpoints.iter().filter(|endpoint| endpoint.pod.is_none());
    let addresses = addresses.flat_map(|endpoint| endpoint.addresses.iter().map(IpAddr::to_canonical));
    addresses.flat_map(|address| slice.ports.iter().map(move |port| (address, port.port))).collect()
}
