//! What lets connections in from outside the cluster, whichever API it is written in.

use std::sync::Arc;

/// An Ingress, a Route of OpenShift or a route of the Gateway API: which Services it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Which API it is of.
    pub kind: IngressKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Who serves it: the class of an Ingress (`spec.ingressClassName`, else the annotation that it had before), the first
    /// parent of a route of the Gateway API as `namespace/name`, the first router that admitted a Route.
    pub class: Option<Arc<str>>,
    /// Host names that it answers to; empty where it answers to all.
    pub hosts: Vec<Arc<str>>,
    /// Services that it leads to, the default backend included, each once. Backends that are no Services are left out.
    pub backends: Vec<IngressBackend>,
}

/// The kinds of objects that let connections in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IngressKind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `gateway.networking.k8s.io` `HTTPRoute`.
    HttpRoute,
    /// `gateway.networking.k8s.io` `GRPCRoute`.
    GrpcRoute,
    /// `gateway.networking.k8s.io` `TLSRoute`.
    TlsRoute,
    /// `gateway.networking.k8s.io` `TCPRoute`.
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IngressBackend {
    /// Namespace of the Service.
    pub namespace: Arc<str>,
    /// Name of the Service.
    pub service: Arc<str>,
    /// Port of the Service; `None` where all of them are meant.
    pub port: Option<BackendPort>,
}

/// A port of a Service, as an ingress refers to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendPort {
    /// By number.
    Number(u16),
    /// By name.
    Name(Arc<str>),
}
