//! What is behind Services: EndpointSlices, and the Endpoints that were there before them.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use servicemap_map::model::{EndpointSlice, KubernetesFact, SliceEndpoint, SlicePort};

use super::meta::Meta;
use super::{Item, Object, exact, is_tcp, nullable, part_name, port};
use crate::kubernetes::names::Names;

/// The label that says which Service a slice is of.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is read of an EndpointSlice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slice {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    endpoints: Vec<Endpoint>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Listening>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    #[serde(deserialize_with = "nullable")]
    addresses: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    conditions: Conditions,
    target_ref: Option<TargetRef>,
    node_name: Option<String>,
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: Option<String>,
    uid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listening {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<i64>,
}

/// What is read of Endpoints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoints {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    subsets: Vec<Subset>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Subset {
    #[serde(deserialize_with = "nullable")]
    addresses: Vec<LegacyAddress>,
    #[serde(deserialize_with = "nullable")]
    not_ready_addresses: Vec<LegacyAddress>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Listening>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LegacyAddress {
    #[serde(deserialize_with = "nullable")]
    ip: String,
    node_name: Option<String>,
    target_ref: Option<TargetRef>,
}

pub(super) fn item(slice: Slice, names: &mut Names) -> Item {
    let Slice { mut metadata, endpoints, ports } = slice;
    let version = metadata.version();
    let key = metadata.names(names);
    let facts = metadata.labels.remove(SERVICE_NAME).map(|service| {
        KubernetesFact::EndpointSlice(EndpointSlice {
            namespace: key.0.clone(),
            name: key.1.clone(),
            service: names.text(service),
            endpoints: exact(endpoints.into_iter().filter_map(|one| endpoint(one, names))),
            ports: slice_ports(ports, names),
        })
    });
    Item { key: Meta::key(&key), version, object: Object::Facts(facts.into_iter().collect()) }
}

fn endpoint(endpoint: Endpoint, names: &mut Names) -> Option<SliceEndpoint> {
    // Slices of addressType FQDN have names here.
    let addresses: Vec<IpAddr> = exact(endpoint.addresses.iter().filter_map(|text| text.parse().ok()));
    let Conditions { ready, serving, terminating } = endpoint.conditions;
    // What is left open means ready, and serving as it is ready.
    let ready = ready.unwrap_or(true);
    (!addresses.is_empty()).then(|| SliceEndpoint {
        addresses,
        ready,
        serving: serving.unwrap_or(ready),
        terminating: terminating.unwrap_or(false),
        pod: endpoint.target_ref.and_then(|target| pod(target, names)),
        node: endpoint.node_name.map(|node| names.text(node)),
        zone: endpoint.zone.map(|zone| names.text(zone)),
    })
}

fn pod(target: TargetRef, names: &mut Names) -> Option<Arc<str>> {
    let uid = target.uid.filter(|uid| !uid.is_empty());
    uid.filter(|_| target.kind.as_deref() == Some("Pod")).map(|uid| names.text(uid))
}

fn slice_ports(ports: Vec<Listening>, names: &mut Names) -> Vec<SlicePort> {
    let tcp = ports.into_iter().filter(|one| is_tcp(one.protocol.as_deref()));
    exact(tcp.filter_map(|one| {
        let port = port(one.port?)?;
        Some(SlicePort { name: names.text(one.name.unwrap_or_default()), port })
    }))
}

/// Each subset is a slice of its own, since each has its own ports. The first has the name of the Endpoints.
pub(super) fn legacy_item(endpoints: Endpoints, names: &mut Names) -> Item {
    let Endpoints { mut metadata, subsets } = endpoints;
    let version = metadata.version();
    let key = metadata.names(names);
    let facts = subsets.into_iter().enumerate().map(|(index, subset)| {
        let ready = subset.addresses.into_iter().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.into_iter().map(|address| (address, false));
        let endpoints = ready.chain(not_ready).filter_map(|(address, ready)| {
            Some(SliceEndpoint {
                addresses: vec![address.ip.parse().ok()?],
                ready,
                serving: ready,
                terminating: false,
                pod: address.target_ref.and_then(|target| pod(target, names)),
                node: address.node_name.map(|node| names.text(node)),
                zone: None,
            })
        });
        let endpoints = exact(endpoints);
        KubernetesFact::EndpointSlice(EndpointSlice {
            namespace: key.0.clone(),
            name: part_name(&key.1, index),
            service: key.1.clone(),
            endpoints,
            ports: slice_ports(subset.ports, names),
        })
    });
    Item { key: Meta::key(&key), version, object: Object::Facts(facts.collect()) }
}
