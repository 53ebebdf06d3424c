//! Ways into a service from outside the cluster.

use std::sync::Arc;

use serde::Serialize;

/// An object that leads from outside the cluster to a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Exposure {
    /// The `kind` of an ingress as its API has it (`Ingress`, `HTTPRoute`, `Route` …); `LoadBalancer`, `NodePort` or
    /// `ExternalIP` where the Service lets connections in by itself.
    pub kind: &'static str,
    /// Namespace of the object.
    pub namespace: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
    /// Who serves it, where that is known: an ingress class, `namespace/name` of a gateway, a router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Arc<str>>,
    /// Host names, or addresses, at which it is reached, sorted; empty where it answers to all names.
    pub hosts: Vec<Arc<str>>,
    /// Ports of the service to which it leads, sorted; of `NodePort` those at the nodes.
    pub ports: Vec<u16>,
}
