//! Objects outside namespaces: nodes, the namespaces themselves, and ranges of Service addresses.

use std::net::IpAddr;

use serde::Deserialize;
use servicemap_map::model::{AddressRange, KubernetesFact, Namespace, Node as NodeFact};

use super::meta::{Meta, MetaOnly};
use super::{Item, Object, nullable};
use crate::kubernetes::names::Names;

/// What is read of a node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs", deserialize_with = "nullable")]
    pod_cidrs: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    addresses: Vec<Address>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type", deserialize_with = "nullable")]
    address_type: String,
    #[serde(deserialize_with = "nullable")]
    address: String,
}

/// What is read of a ServiceCIDR.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceCidr {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: ServiceCidrSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceCidrSpec {
    #[serde(deserialize_with = "nullable")]
    cidrs: Vec<String>,
}

pub(super) fn item(node: Node, names: &mut Names) -> Item {
    let Node { mut metadata, spec, status } = node;
    let version = metadata.version();
    let key = metadata.names(names);
    let is_address = |one: &&Address| matches!(one.address_type.as_str(), "InternalIP" | "ExternalIP");
    let mut addresses: Vec<IpAddr> =
        status.addresses.iter().filter(is_address).filter_map(|one| one.address.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let pod_ranges =
        if spec.pod_cidrs.is_empty() { ranges(spec.pod_cidr.as_slice()) } else { ranges(&spec.pod_cidrs) };
    let fact = NodeFact {
        name: names.text(key.1.to_string()),
        uid: metadata.uid.into(),
        addresses,
        pod_ranges,
        labels: names.own_labels(metadata.labels),
    };
    Item { key: Meta::key(&key), version, object: Object::Facts(vec![KubernetesFact::Node(fact)]) }
}

pub(super) fn namespace_item(object: MetaOnly, names: &mut Names) -> Item {
    let mut metadata = object.metadata;
    let version = metadata.version();
    let key = metadata.names(names);
    let fact = Namespace { name: names.text(key.1.to_string()), labels: names.labels(metadata.labels) };
    Item { key: Meta::key(&key), version, object: Object::Facts(vec![KubernetesFact::Namespace(fact)]) }
}

pub(super) fn ranges_item(object: ServiceCidr, names: &mut Names) -> Item {
    let ServiceCidr { mut metadata, spec } = object;
    let version = metadata.version();
    let key = metadata.names(names);
    Item { key: Meta::key(&key), version, object: Object::Ranges(ranges(&spec.cidrs)) }
}

fn ranges(texts: &[String]) -> Vec<AddressRange> {
    texts.iter().filter_map(|text| AddressRange::parse(text)).collect()
}
