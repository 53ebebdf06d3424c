//! Routes of the Gateway API and of OpenShift.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use servicemap_map::model::{BackendPort, Ingress, IngressBackend, IngressKind, KubernetesFact};

use super::meta::{Condition, Meta};
use super::{Item, Object, is_service, nullable, port};
use crate::kubernetes::names::Names;

/// What is read of a route of the Gateway API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GatewayRoute {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: GatewaySpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GatewaySpec {
    #[serde(deserialize_with = "nullable")]
    parent_refs: Vec<Reference>,
    #[serde(deserialize_with = "nullable")]
    hostnames: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    rules: Vec<GatewayRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GatewayRule {
    #[serde(deserialize_with = "nullable")]
    backend_refs: Vec<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    group: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    #[serde(deserialize_with = "nullable")]
    name: String,
    port: Option<i64>,
}

/// What is read of a Route of OpenShift.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenshiftRoute {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: OpenshiftSpec,
    #[serde(deserialize_with = "nullable")]
    status: OpenshiftStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OpenshiftSpec {
    #[serde(deserialize_with = "nullable")]
    host: String,
    #[serde(deserialize_with = "nullable")]
    to: Target,
    #[serde(deserialize_with = "nullable")]
    alternate_backends: Vec<Target>,
    port: Option<TargetPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    kind: Option<String>,
    #[serde(deserialize_with = "nullable")]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TargetPort {
    target_port: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenshiftStatus {
    #[serde(deserialize_with = "nullable")]
    ingress: Vec<Admission>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Admission {
    router_name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
}

pub(super) fn gateway_item(route: GatewayRoute, kind: IngressKind, names: &mut Names) -> Item {
    let GatewayRoute { mut metadata, spec } = route;
    let version = metadata.version();
    let key = metadata.names(names);
    let class = spec.parent_refs.into_iter().next().map(|parent| {
        let namespace = parent.namespace.unwrap_or_else(|| key.0.to_string());
        names.text(format!("{namespace}/{}", parent.name))
    });
    let mut backends = BTreeSet::new();
    for backend in spec.rules.into_iter().flat_map(|rule| rule.backend_refs) {
        if !is_service(backend.group.as_deref(), backend.kind.as_deref()) || backend.name.is_empty() {
            continue;
        }
        let port = backend.port.and_then(port).map(BackendPort::Number);
        let namespace = backend.namespace.map_or_else(|| key.0.clone(), |namespace| names.text(namespace));
        backends.insert(IngressBackend { namespace, service: names.text(backend.name), port });
    }
    let hosts: BTreeSet<Arc<str>> = spec.hostnames.into_iter().map(Into::into).collect();
    ingress(version, &key, kind, class, hosts.into_iter().collect(), backends)
}

pub(super) fn openshift_item(route: OpenshiftRoute, names: &mut Names) -> Item {
    let OpenshiftRoute { mut metadata, spec, status } = route;
    let version = metadata.version();
    let key = metadata.names(names);
    let admitted = |one: &&Admission| {
        one.conditions.iter().any(|it| it.condition_type == "Admitted" && it.status == "True")
    };
    let router = status.ingress.iter().find(admitted).and_then(|one| one.router_name.clone());
    // A number is a port of the pods, which is not that of the Service; a name is the Service's.
    let port = match spec.port.and_then(|port| port.target_port) {
        Some(serde_json::Value::String(name)) => Some(BackendPort::Name(names.text(name))),
        _ => None,
    };
    let mut backends = BTreeSet::new();
    for target in std::iter::once(spec.to).chain(spec.alternate_backends) {
        if is_service(None, target.kind.as_deref()) && !target.name.is_empty() {
            let service = names.text(target.name);
            backends.insert(IngressBackend { namespace: key.0.clone(), service, port: port.clone() });
        }
    }
    let hosts = Some(spec.host).filter(|host| !host.is_empty()).map(Into::into).into_iter().collect();
    let class = router.map(|router| names.text(router));
    ingress(version, &key, IngressKind::Route, class, hosts, backends)
}

fn ingress(
    version: String,
    key: &(Arc<str>, Arc<str>),
    kind: IngressKind,
    class: Option<Arc<str>>,
    hosts: Vec<Arc<str>>,
    backends: BTreeSet<IngressBackend>,
) -> Item {
    let fact = Ingress {
        kind,
        namespace: key.0.clone(),
        name: key.1.clone(),
        class,
        hosts,
        backends: backends.into_iter().collect(),
    };
    Item { key: Meta::key(key), version, object: Object::Facts(vec![KubernetesFact::Ingress(fact)]) }
}
