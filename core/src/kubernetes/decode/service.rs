//! Services.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use servicemap_map::model::{KubernetesFact, KubernetesService, ServicePort, ServiceType};

use super::meta::Meta;
use super::{Item, Object, exact, is_tcp, nullable, port};
use crate::kubernetes::names::Names;

/// What is read of a Service.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    service_type: Option<String>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs", deserialize_with = "nullable")]
    cluster_ips: Vec<String>,
    #[serde(rename = "externalIPs", deserialize_with = "nullable")]
    external_ips: Vec<String>,
    external_name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Offered>,
    #[serde(deserialize_with = "nullable")]
    selector: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Offered {
    name: Option<String>,
    protocol: Option<String>,
    port: i64,
    node_port: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "nullable")]
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    #[serde(deserialize_with = "nullable")]
    ingress: Vec<LoadBalancerIngress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancerIngress {
    ip: Option<String>,
}

pub(super) fn item(service: Service, names: &mut Names) -> Item {
    let Service { mut metadata, spec, status } = service;
    let version = metadata.version();
    let key = metadata.names(names);
    // Older API servers know one address only.
    let cluster_ips = if spec.cluster_ips.is_empty() {
        addresses(spec.cluster_ip.as_slice())
    } else {
        addresses(&spec.cluster_ips)
    };
    let ports = spec.ports.iter().filter(|one| is_tcp(one.protocol.as_deref()));
    let ports = ports.filter_map(|one| {
        Some(ServicePort {
            name: names.text(one.name.clone().unwrap_or_default()),
            port: port(one.port)?,
            node_port: one.node_port.and_then(port),
        })
    });
    let created_at = metadata.created_at();
    let object = KubernetesService {
        namespace: key.0.clone(),
        name: key.1.clone(),
        uid: metadata.uid.into(),
        service_type: service_type(spec.service_type.as_deref(), spec.cluster_ip.as_deref()),
        ports: exact(ports),
        cluster_ips,
        external_ips: addresses(&spec.external_ips),
        load_balancer_ips: exact(
            status.load_balancer.ingress.iter().filter_map(|one| one.ip.as_deref()?.parse().ok()),
        ),
        external_name: spec.external_name.filter(|name| !name.is_empty()).map(Into::into),
        selector: names.own_labels(spec.selector),
        labels: names.own_labels(metadata.labels),
        created_at,
    };
    Item { key: Meta::key(&key), version, object: Object::Facts(vec![KubernetesFact::Service(object)]) }
}

fn service_type(name: Option<&str>, cluster_ip: Option<&str>) -> ServiceType {
    match name {
        Some("ExternalName") => ServiceType::ExternalName,
        _ if cluster_ip == Some("None") => ServiceType::Headless,
        Some("NodePort") => ServiceType::NodePort,
        Some("LoadBalancer") => ServiceType::LoadBalancer,
        _ => ServiceType::ClusterIP,
    }
}

fn addresses(texts: &[String]) -> Vec<IpAddr> {
    exact(texts.iter().filter_map(|text| text.parse().ok()))
}
