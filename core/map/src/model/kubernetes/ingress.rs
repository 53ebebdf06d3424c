//! What lets connections in from outside the cluster, whichever API it is written in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An Ingress, a Route of OpenShift or a route of the Gateway API: which Services it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// Which API it is of.
    pub kind: IngressKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Who serves it: the class of an Ingress (`spec.ingressClassName`, else the annotation that it had before), the first
    /// parent of a route of the Gateway API as `namespace/name`, the first router that admitted a Route.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub class: Option<Arc<str>>,
    /// Host names that it answers to; empty where it answers to all.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub hosts: Vec<Arc<str>>,
    /// Services that it leads to, the default backend included, each once. Backends that are no Services are left out.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub backends: Vec<IngressBackend>,
}

/// The kinds of objects that let connections in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IngressKind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `gateway.networking.k8s.io` `HTTPRoute`.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// `gateway.networking.k8s.io` `GRPCRoute`.
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// `gateway.networking.k8s.io` `TLSRoute`.
    #[serde(rename = "TLSRoute")]
    TlsRoute,
    /// `gateway.networking.k8s.io` `TCPRoute`.
    #[serde(rename = "TCPRoute")]
    TcpRoute,
    /// `route.openshift.io/v1` Route.
    Route,
}

impl IngressKind {
    /// The `kind` as its API has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
            Self::TcpRoute => "TCPRoute",
            Self::Route => "Route",
        }
    }
}

/// A Service to which an ingress leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressBackend {
    /// Namespace of the Service.
    pub namespace: Arc<str>,
    /// Name of the Service.
    pub service: Arc<str>,
    /// Port of the Service; `None` where all of them are meant.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub port: Option<BackendPort>,
}

/// A port of a Service, as an ingress refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendPort {
    /// By number.
    Number(u16),
    /// By name.
    Name(Arc<str>),
}
