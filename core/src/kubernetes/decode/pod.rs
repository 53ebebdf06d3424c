//! Pods.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use servicemap_map::model::{ContainerPort, Pod as PodFact, PodPhase};

use super::meta::{Condition, Meta, instant};
use super::owner::{self, OwnedPod};
use super::{Item, Key, Object, exact, is_tcp, nullable, port};
use crate::kubernetes::names::Names;

/// What is read of a pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
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
    #[serde(deserialize_with = "nullable")]
    node_name: String,
    #[serde(deserialize_with = "nullable")]
    host_network: bool,
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    init_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Declared>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Declared {
    name: Option<String>,
    protocol: Option<String>,
    container_port: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "podIPs", deserialize_with = "nullable")]
    pod_ips: Vec<PodIp>,
    start_time: Option<String>,
    #[serde(deserialize_with = "nullable")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "nullable")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "nullable")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodIp {
    #[serde(deserialize_with = "nullable")]
    ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

pub(super) fn item(pod: Pod, names: &mut Names) -> Item {
    let Pod { mut metadata, spec, status } = pod;
    let version = metadata.version();
    // The path of any other pod's cgroup has its UID.
    let is_static = metadata.annotations.mirror.is_some();
    let (owner, controller) = owner::of_pod(&mut metadata, &spec.node_name, names);
    let (namespace, name) = metadata.names(names);
    let uid = names.text(metadata.uid);
    let declared = spec.containers.into_iter().chain(spec.init_containers).flat_map(|one| one.ports);
    let declared = declared.filter(|one| is_tcp(one.protocol.as_deref()));
    let mut container_ports: Vec<ContainerPort> = declared
        .filter_map(|one| {
            let port = port(one.container_port)?;
            Some(ContainerPort { name: names.text(one.name.unwrap_or_default()), port })
        })
        .collect();
    container_ports.sort_by(|a, b| (a.port, &a.name).cmp(&(b.port, &b.name)));
    container_ports.dedup();
    let pod = PodFact {
        namespace,
        name,
        uid: uid.clone(),
        ips: ips(&status),
        host_network: spec.host_network,
        node: names.text(spec.node_name),
        owner: owner.into(),
        labels: names.labels(metadata.labels),
        container_ids: if is_static { container_ids(&status) } else { Vec::new() },
        container_ports: names.ports(container_ports),
        phase: phase(status.phase.as_deref()),
        ready: status.conditions.iter().any(|one| one.condition_type == "Ready" && one.status == "True"),
        started_at: status.start_time.as_deref().and_then(instant),
    };
    let object = Object::Pod(Box::new(OwnedPod { pod, controller }));
    Item { key: Key::Uid(uid), version, object }
}

fn ips(status: &Status) -> Vec<IpAddr> {
    let several = status.pod_ips.iter().map(|one| one.ip.as_str());
    let one = status.pod_ip.as_deref();
    let mut ips: Vec<IpAddr> = several.chain(one).filter_map(|text| text.parse().ok()).collect();
    ips.dedup();
    // `podIP` is the first of `podIPs`.
    if let Some((last, others)) = ips.split_last()
        && others.contains(last)
    {
        ips.pop();
    }
    ips.shrink_to_fit();
    ips
}

/// Ids without the runtime before them: `containerd://ID`.
fn container_ids(status: &Status) -> Vec<Arc<str>> {
    let all = status.container_statuses.iter();
    let all = all.chain(&status.init_container_statuses).chain(&status.ephemeral_container_statuses);
    let ids = all.filter_map(|one| one.container_id.as_deref());
    let ids = ids.map(|id| id.split_once("://").map_or(id, |(_, id)| id));
    exact(ids.filter(|id| !id.is_empty()).map(Into::into))
}

/// `Unknown` (its node does not answer) leaves the pod its addresses.
fn phase(name: Option<&str>) -> PodPhase {
    match name {
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Running" | "Unknown") => PodPhase::Running,
        _ => PodPhase::Pending,
    }
}
