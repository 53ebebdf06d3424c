//! Ingresses of `networking.k8s.io/v1`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use servicemap_map::model::{
    BackendPort, Ingress as IngressFact, IngressBackend, IngressKind, KubernetesFact,
};

use super::meta::Meta;
use super::{Item, Object, nullable, port};
use crate::kubernetes::names::Names;

/// What is read of an Ingress.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ingress {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    ingress_class_name: Option<String>,
    default_backend: Option<Backend>,
    #[serde(deserialize_with = "nullable")]
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    #[serde(deserialize_with = "nullable")]
    host: String,
    #[serde(deserialize_with = "nullable")]
    http: Http,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    #[serde(deserialize_with = "nullable")]
    paths: Vec<Path>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Path {
    #[serde(deserialize_with = "nullable")]
    backend: Backend,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Backend {
    service: Option<ServiceBackend>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceBackend {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    port: Port,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    name: Option<String>,
    number: Option<i64>,
}

pub(super) fn item(ingress: Ingress, names: &mut Names) -> Item {
    let Ingress { metadata: mut meta, spec } = ingress;
    let version = meta.version();
    let key = meta.names(names);
    let mut backends = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    let mut answers_to_all = spec.rules.is_empty();
    let defaults = spec.default_backend.into_iter();
    let mut lead_to = |backend: Backend, names: &mut Names| {
        let Some(service) = backend.service.filter(|service| !service.name.is_empty()) else { return };
        let number = service.port.number.and_then(port).map(BackendPort::Number);
        let name = service.port.name.filter(|name| !name.is_empty());
        let port = number.or_else(|| name.map(|name| BackendPort::Name(names.text(name))));
        let service = names.text(service.name);
        backends.insert(IngressBackend { namespace: key.0.clone(), service, port });
    };
    for backend in defaults {
        answers_to_all = true;
        lead_to(backend, names);
    }
    for rule in spec.rules {
        if rule.host.is_empty() {
            answers_to_all = true;
        } else {
            hosts.insert(Arc::from(rule.host));
        }
        for path in rule.http.paths {
            lead_to(path.backend, names);
        }
    }
    if answers_to_all {
        hosts.clear();
    }
    let fact = IngressFact {
        kind: IngressKind::Ingress,
        namespace: key.0.clone(),
        name: key.1.clone(),
        class: spec.ingress_class_name.or(meta.annotations.ingress_class).map(|class| names.text(class)),
        hosts: hosts.into_iter().collect(),
        backends: backends.into_iter().collect(),
    };
    Item { key: Meta::key(&key), version, object: Object::Facts(vec![KubernetesFact::Ingress(fact)]) }
}
