//! Which pods are behind which Service, and since when.

use std::sync::Arc;

use crate::collections::HashMap;
use crate::model::{EndpointSlice, Timestamp};

/// Places of one pod that are kept, those that it has left included: four Services of eight ports.
const MAX_PLACES: usize = 32;

/// A pod's place behind one port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name of the Service; its namespace is the pod's.
    pub(crate) service: Arc<str>,
    /// Name of the Service's port, and the port at which the pod listens; `None` of a Service without ports.
    pub(crate) port: Option<(Arc<str>, u16)>,
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
        for (uid, port) in held(slice) {
            let places = self.places.entry(uid.clone()).or_default();
            let known = places.iter_mut().find(|place| place.service == slice.service && place.port == port);
            if let Some(known) = known {
                known.until = None;
                continue;
            }
            if places.len() >= MAX_PLACES {
                places.remove(0);
            }
            places.push(Place { service: slice.service.clone(), port, since: at, until: None });
        }
    }

    /// A slice does not hold its pods any more.
    pub(crate) fn leave(&mut self, slice: &EndpointSlice, at: Timestamp) {
        for (uid, port) in held(slice) {
            let places = self.places.get_mut(uid).into_iter().flatten();
            for place in places.filter(|place| place.service == slice.service && place.port == port) {
                place.until.get_or_insert(at);
            }
        }
    }

    /// Forgets a pod.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.places.remove(uid);
    }
}

/// Pods of a slice, with each port.
fn held(slice: &EndpointSlice) -> impl Iterator<Item = (&Arc<str>, Option<(Arc<str>, u16)>)> {
    let ports: Vec<_> = match slice.ports.as_slice() {
        [] => vec![None],
        ports => ports.iter().map(|port| Some((port.name.clone(), port.port))).collect(),
    };
    let pods = slice.endpoints.iter().filter_map(|endpoint| endpoint.pod.as_ref());
    pods.flat_map(move |uid| ports.clone().into_iter().map(move |port| (uid, port)))
}
