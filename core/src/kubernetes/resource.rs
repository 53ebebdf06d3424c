//! What is watched: each kind of object with its place in the API.

use servicemap_map::model::IngressKind;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Resource {
    /// Services.
    Services,
    /// What is behind Services.
    EndpointSlices,
    /// The same where the API server has no EndpointSlices.
    Endpoints,
    /// Pods.
    Pods,
    /// Nodes.
    Nodes,
    /// Namespaces.
    Namespaces,
    /// Owners of pods, which a Deployment may own.
    ReplicaSets,
    /// Owners of pods, which a CronJob may own.
    Jobs,
    /// Network policies.
    NetworkPolicies,
    /// Ranges of Service addresses.
    ServiceCidrs,
    /// Ingresses and routes.
    Ingresses(IngressKind),
}

impl Resource {
    /// Those that every API server has.
    pub(super) const ALWAYS: [Self; 8] = [
        Self::Services,
        Self::Pods,
        Self::Nodes,
        Self::Namespaces,
        Self::ReplicaSets,
        Self::Jobs,
        Self::NetworkPolicies,
        Self::Ingresses(IngressKind::Ingress),
    ];

    /// Those that are watched where the API server has them.
    pub(super) const OPTIONAL: [Self; 7] = [
        Self::EndpointSlices,
        Self::ServiceCidrs,
        Self::Ingresses(IngressKind::HttpRoute),
        Self::Ingresses(IngressKind::GrpcRoute),
        Self::Ingresses(IngressKind::TlsRoute),
        Self::Ingresses(IngressKind::TcpRoute),
        Self::Ingresses(IngressKind::Route),
    ];

    /// Its name in paths and metrics.
    pub(super) fn plural(self) -> &'static str {
        self.qualified().split_once('.').map_or(self.qualified(), |(plural, _)| plural)
    }

    /// Its name as a role has it: `services`, `replicasets.apps`.
    pub(super) const fn qualified(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices.discovery.k8s.io",
            Self::Endpoints => "endpoints",
            Self::Pods => "pods",
            Self::Nodes => "nodes",
            Self::Namespaces => "namespaces",
            Self::ReplicaSets => "replicasets.apps",
            Self::Jobs => "jobs.batch",
            Self::NetworkPolicies => "networkpolicies.networking.k8s.io",
            Self::ServiceCidrs => "servicecidrs.networking.k8s.io",
            Self::Ingresses(IngressKind::Ingress) => "ingresses.networking.k8s.io",
            Self::Ingresses(IngressKind::HttpRoute) => "httproutes.gateway.networking.k8s.io",
            Self::Ingresses(IngressKind::GrpcRoute) => "grpcroutes.gateway.networking.k8s.io",
            Self::Ingresses(IngressKind::TlsRoute) => "tlsroutes.gateway.networking.k8s.io",
            Self::Ingresses(IngressKind::TcpRoute) => "tcproutes.gateway.networking.k8s.io",
            Self::Ingresses(IngressKind::Route) => "routes.route.openshift.io",
        }
    }

    /// Its API group; empty for the core.
    pub(super) fn group(self) -> &'static str {
        self.qualified().split_once('.').map_or("", |(_, group)| group)
    }

    /// Versions in which the fields that are read are the same, the best first.
    pub(super) const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::ServiceCidrs | Self::Ingresses(IngressKind::HttpRoute) => &["v1", "v1beta1"],
            Self::Ingresses(IngressKind::GrpcRoute | IngressKind::TlsRoute | IngressKind::TcpRoute) => {
                &["v1", "v1alpha3", "v1alpha2"]
            }
            _ => &["v1"],
        }
    }

    /// The path of its list, of one namespace or of all.
    pub(super) fn path(self, version: &str, namespace: Option<&str>) -> String {
        let root = if self.group().is_empty() { "api".to_owned() } else { format!("apis/{}", self.group()) };
        let plural = self.plural();
        match namespace {
            Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
            None => format!("/{root}/{version}/{plural}"),
        }
    }

    /// Whether its objects are in namespaces.
    pub(super) const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Nodes | Self::Namespaces | Self::ServiceCidrs)
    }

    /// Only the metadata of its objects are asked for.
    pub(super) const fn is_metadata_only(self) -> bool {
        matches!(self, Self::ReplicaSets | Self::Jobs | Self::Namespaces)
    }

    /// What the map lacks where it may not be watched.
    pub(super) const fn loss(self) -> &'static str {
        match self {
            Self::Services => "Services are not in the map",
            Self::EndpointSlices | Self::Endpoints => "pods are not named by their Services",
            Self::Pods => "pods are not named",
            Self::Nodes => "nodes are not named",
            Self::Namespaces => "namespaces have no labels",
            Self::ReplicaSets => "Deployments are known by the labels of their pods alone",
            Self::Jobs => "pods of CronJobs are named by their Jobs",
            Self::NetworkPolicies => "what network policies allow is not known",
            Self::ServiceCidrs => "ranges of Service addresses are those of cluster_ranges alone",
            Self::Ingresses(_) => "what they let in from outside is not known",
        }
    }
}
