//! Services and their endpoints.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Exposure, Health, Labels, ServiceId, ServiceKind, Timestamp};

/// What sort of thing a service is. Kubernetes names are verbatim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceType {
    /// Kubernetes Service with a cluster address.
    ClusterIP,
    /// Kubernetes Service reachable at each node's port.
    NodePort,
    /// Kubernetes Service with an external load balancer.
    LoadBalancer,
    /// Kubernetes Service that is an alias of a DNS name.
    ExternalName,
    /// Kubernetes Service without a cluster address.
    Headless,
    /// Pods that no Service selects.
    Workload,
    /// A systemd unit, container or program of this machine.
    Process,
    /// A machine of the cluster.
    Node,
    /// Outside: a DNS name, a named CIDR or an address.
    External,
}

impl ServiceType {
    /// The name as it stands in JSON, metrics and OTLP attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
            Self::ExternalName => "ExternalName",
            Self::Headless => "Headless",
            Self::Workload => "Workload",
            Self::Process => "Process",
            Self::Node => "Node",
            Self::External => "External",
        }
    }

    /// The kind class that this type belongs to.
    pub const fn kind(self) -> ServiceKind {
        match self {
            Self::ClusterIP | Self::NodePort | Self::LoadBalancer | Self::ExternalName | Self::Headless => {
                ServiceKind::Service
            }
            Self::Workload => ServiceKind::Workload,
            Self::Process => ServiceKind::Process,
            Self::Node => ServiceKind::Node,
            Self::External => ServiceKind::External,
        }
    }
}

/// One address and port behind a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Endpoint {
    /// Address; the unspecified address for a listener on all of them.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// Whether the endpoint takes connections.
    pub ready: bool,
    /// Name of the pod behind it, where it is one that is known; its namespace is the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Arc<str>>,
    /// Name of the node that it is on, where the cluster says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
    /// Name of the zone that it is in, as its slice has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
}

impl Endpoint {
    /// One that is nobody's in particular.
    pub const fn new(address: IpAddr, port: u16, ready: bool) -> Self {
        Self { address, port, ready, pod: None, node: None, zone: None }
    }
}

/// A service by name, as connections and events refer to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceRef {
    /// Kubernetes namespace, host name for a Process, empty for Node and External.
    pub namespace: Arc<str>,
    /// Name inside the namespace.
    pub name: Arc<str>,
    /// What sort of thing it is.
    #[serde(rename = "type")]
    pub service_type: ServiceType,
}

impl ServiceRef {
    /// The identity of what is referred to.
    pub fn id(&self) -> ServiceId {
        ServiceId {
            kind: self.service_type.kind(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// A named thing that accepts or makes connections, as snapshots and events show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// Identity, `kind:namespace/name` in JSON.
    pub id: ServiceId,
    /// Kubernetes namespace, host name for a Process, empty for Node and External.
    pub namespace: Arc<str>,
    /// Name inside the namespace.
    pub name: Arc<str>,
    /// What sort of thing it is.
    #[serde(rename = "type")]
    pub service_type: ServiceType,
    /// The environment that it is in (production, staging), where the settings say how to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Arc<str>>,
    /// UID of its object in Kubernetes: of a Service or a node of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<Arc<str>>,
    /// What leads to it from outside the cluster, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_by: Vec<Exposure>,
    /// Address:port pairs behind it, sorted.
    pub endpoints: Arc<[Endpoint]>,
    /// Labels, only those on the allow-list where they leave the process.
    pub labels: Labels,
    /// Health with its reasons.
    pub health: Health,
    /// When it was first known.
    pub first_seen: Timestamp,
    /// When something was last seen of it.
    pub last_seen: Timestamp,
}

impl Service {
    /// This service by name.
    pub fn reference(&self) -> ServiceRef {
        ServiceRef {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            service_type: self.service_type,
        }
    }
}
