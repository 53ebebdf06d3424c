//! JSON of the API server → what is kept of it.
//!
//! Objects are decoded straight into types that have only the fields that are used; everything else (managed fields,
//! annotations, volumes, environments) is skipped by the parser and never stored. A field that is absent or `null` has its
//! default, one that makes no sense is left out, and an object that cannot be read at all is skipped and counted: one odd
//! object never hides the others.

#[cfg(test)]
mod hostile;
mod ingress;
mod meta;
mod node;
mod owner;
mod pod;
mod policy;
mod route;
mod service;
mod slice;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use servicemap_map::model::{AddressRange, IngressKind, KubernetesFact};

use super::names::Names;
use super::resource::Resource;
pub(super) use owner::{Controller, ControllerKind, OwnedPod, Owner};

/// By what an object is known to be the same as before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// Pods and their owners: by UID, since another one of the same name may follow.
    Uid(Arc<str>),
    /// All others: by namespace (empty where there is none) and name.
    Name(Arc<str>, Arc<str>),
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Which object.
    pub(super) key: Key,
    /// `resourceVersion`.
    pub(super) version: String,
    /// What it says.
    pub(super) object: Object,
}

/// What an object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Facts to tell: one, or none where the object is not for the map (a slice of no Service), or several (Endpoints).
    Facts(Vec<KubernetesFact>),
    /// A pod, whose top owner is still to be found.
    Pod(Box<OwnedPod>),
    /// An owner of pods.
    Owner(Owner),
    /// Ranges of Service addresses.
    Ranges(Vec<AddressRange>),
}

/// Decodes one object.
pub(super) fn item(resource: Resource, json: &str, names: &mut Names) -> Result<Item, serde_json::Error> {
    Ok(match resource {
        Resource::Services => service::item(serde_json::from_str(json)?, names),
        Resource::EndpointSlices => slice::item(serde_json::from_str(json)?, names),
        Resource::Endpoints => slice::legacy_item(serde_json::from_str(json)?, names),
        Resource::Pods => pod::item(serde_json::from_str(json)?, names),
        Resource::Nodes => node::item(serde_json::from_str(json)?, names),
        Resource::Namespaces => node::namespace_item(serde_json::from_str(json)?, names),
        Resource::ReplicaSets => owner::item(serde_json::from_str(json)?, "ReplicaSet", names),
        Resource::Jobs => owner::item(serde_json::from_str(json)?, "Job", names),
        Resource::NetworkPolicies => policy::item(serde_json::from_str(json)?, names),
        Resource::ServiceCidrs => node::ranges_item(serde_json::from_str(json)?, names),
        Resource::Ingresses(IngressKind::Ingress) => ingress::item(serde_json::from_str(json)?, names),
        Resource::Ingresses(IngressKind::Route) => route::openshift_item(serde_json::from_str(json)?, names),
        Resource::Ingresses(kind) => route::gateway_item(serde_json::from_str(json)?, kind, names),
    })
}

/// The `resourceVersion` of anything.
pub(super) fn resource_version(json: &str) -> Option<String> {
    let mut object: meta::MetaOnly = serde_json::from_str(json).ok()?;
    Some(object.metadata.version()).filter(|version| !version.is_empty())
}

/// The UID of anything.
pub(super) fn uid(json: &str) -> Option<String> {
    let object: meta::MetaOnly = serde_json::from_str(json).ok()?;
    Some(object.metadata.uid).filter(|uid| !uid.is_empty())
}

/// The name of a part of an object that is told as several; the first has the name of the object.
pub(super) fn part_name(name: &str, part: usize) -> Arc<str> {
    if part == 0 { name.into() } else { format!("{name}#{part}").into() }
}

/// What to tell when an object that said something is gone.
pub(super) fn gone(resource: Resource, key: &Key) -> Option<KubernetesFact> {
    match (resource, key) {
        (Resource::Pods, Key::Uid(uid)) => Some(KubernetesFact::PodGone { uid: uid.clone() }),
        (Resource::Services, Key::Name(namespace, name)) => {
            Some(KubernetesFact::ServiceGone { namespace: namespace.clone(), name: name.clone() })
        }
        (Resource::EndpointSlices | Resource::Endpoints, Key::Name(namespace, name)) => {
            Some(KubernetesFact::EndpointSliceGone { namespace: namespace.clone(), name: name.clone() })
        }
        (Resource::Nodes, Key::Name(_, name)) => Some(KubernetesFact::NodeGone { name: name.clone() }),
        (Resource::Namespaces, Key::Name(_, name)) => {
            Some(KubernetesFact::NamespaceGone { name: name.clone() })
        }
        (Resource::NetworkPolicies, Key::Name(namespace, name)) => {
            Some(KubernetesFact::NetworkPolicyGone { namespace: namespace.clone(), name: name.clone() })
        }
        (Resource::Ingresses(kind), Key::Name(namespace, name)) => {
            Some(KubernetesFact::IngressGone { kind, namespace: namespace.clone(), name: name.clone() })
        }
        _ => None,
    }
}

/// A `null` where a list or map belongs is an empty one: Go writes it so.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Collects what is kept, without spare room: neither what a row has at least, nor that of the decoded objects in whose place
/// it is collected.
fn exact<T>(kept: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept: Vec<T> = kept.collect();
    kept.shrink_to_fit();
    kept
}

/// A port number; none where it is out of range.
fn port(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}

/// Whether a port is of TCP: the default where the protocol is left out.
fn is_tcp(protocol: Option<&str>) -> bool {
    protocol.is_none_or(|protocol| protocol.is_empty() || protocol == "TCP")
}

fn is_service(group: Option<&str>, kind: Option<&str>) -> bool {
    group.is_none_or(|group| group.is_empty() || group == "core")
        && kind.is_none_or(|kind| kind.is_empty() || kind == "Service")
}
