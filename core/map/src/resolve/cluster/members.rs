//! Which pods are behind which Service, and since when.

use std::sync::Arc;

use crate::collections::HashMap;
use crate::model::{EndpointSlice, Timestamp};

/// Places of one pod that are kept, those that it has left included: four Services of eight ports.
const MAX_PLACES: usize = 32;

/// One port of a Service, as a slice has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Name of the Service; its namespace is the pod's.
    pub(crate) service: Arc<str>,
    /// Name of the Service's port, and the port at which the pod listens; `None` of a Service without ports.
    pub(crate) port: Option<(Arc<str>, u16)>,
}

impl Offer {
    /// All of a slice.
    fn all(slice: &EndpointSlice) -> Vec<Arc<Self>> {
        let offer = |port| Arc::new(Self { service: slice.service.clone(), port });
        if slice.ports.is_empty() {
            return vec![offer(None)];
        }
        slice.ports.iter().map(|port| offer(Some((port.name.clone(), port.port)))).collect()
    }

    /// Whether pods listen at that port for it.
    pub(crate) fn leads_to(&self, port: u16) -> bool {
        self.port.as_ref().is_some_and(|(_, target)| *target == port)
    }
}

/// A pod's place behind one port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Behind which: all pods of a slice share it.
    pub(crate) offer: Arc<Offer>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Until when, once it is over.
    pub(crate) until: Option<Timestamp>,
}

/// Places by the pod's UID.
#[derive(Debug, Default)]
pub(crate) struct Members {
    places: HashMap<Arc<str>, Vec<Place>>,
}

impl Members {
    /// All places of a pod, those that it has left included.
    pub(crate) fn of(&self, uid: &str) -> &[Place] {
        self.places.get(uid).map_or(&[], Vec::as_slice)
    }

    /// A slice holds pods.
    pub(crate) fn join(&mut self, slice: &EndpointSlice, at: Timestamp) {
        let offers = Offer::all(slice);
        for uid in pods(slice) {
            let places = self.places.entry(uid.clone()).or_default();
            // Few pods ever have other places than these.
            places.reserve_exact(offers.len().saturating_sub(places.len()));
            for offer in &offers {
                if let Some(known) = places.iter_mut().find(|place| place.offer == *offer) {
                    known.until = None;
                    continue;
                }
                if places.len() >= MAX_PLACES {
                    places.remove(0);
                }
                places.push(Place { offer: offer.clone(), since: at, until: None });
            }
        }
    }

    /// A slice does not hold its pods any more.
    pub(crate) fn leave(&mut self, slice: &EndpointSlice, at: Timestamp) {
        let offers = Offer::all(slice);
        for uid in pods(slice) {
            let places = self.places.get_mut(uid).into_iter().flatten();
            for place in places.filter(|place| offers.contains(&place.offer)) {
                place.until.get_or_insert(at);
            }
        }
    }

    /// Forgets a pod.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.places.remove(uid);
    }
}

/// Pods of a slice.
fn pods(slice: &EndpointSlice) -> impl Iterator<Item = &Arc<str>> {
    slice.endpoints.iter().filter_map(|endpoint| endpoint.pod.as_ref())
}
