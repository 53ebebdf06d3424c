//! `metadata` of an object.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use servicemap_map::model::Timestamp;

use super::{Key, nullable};
use crate::kubernetes::names::Names;

/// What is read of `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) uid: String,
    #[serde(deserialize_with = "nullable")]
    resource_version: String,
    creation_timestamp: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) owner_references: Vec<OwnerReference>,
    #[serde(deserialize_with = "nullable")]
    pub(super) annotations: Annotations,
}

/// The annotations that say something to us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    /// The class of an Ingress, before there was a field for it.
    #[serde(rename = "kubernetes.io/ingress.class")]
    pub(super) ingress_class: Option<String>,
    /// Of the object that stands for a static pod, which the kubelet has from a file.
    #[serde(rename = "kubernetes.io/config.mirror")]
    pub(super) mirror: Option<String>,
}

/// One owner.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnerReference {
    #[serde(deserialize_with = "nullable")]
    pub(super) kind: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) uid: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) controller: bool,
}

/// One of the conditions in an object's `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub(super) condition_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) status: String,
}

/// An object of which only `metadata` is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MetaOnly {
    #[serde(deserialize_with = "nullable")]
    pub(super) metadata: Meta,
}

impl Meta {
    /// The owner that manages the object, if there is one.
    pub(super) fn controller(&mut self) -> Option<OwnerReference> {
        let place = self.owner_references.iter().position(|owner| owner.controller)?;
        Some(self.owner_references.swap_remove(place))
    }

    /// `creationTimestamp`, which has whole seconds.
    pub(super) fn created_at(&self) -> Option<Timestamp> {
        self.creation_timestamp.as_deref().and_then(instant)
    }

    /// `resourceVersion`.
    pub(super) fn version(&mut self) -> String {
        std::mem::take(&mut self.resource_version)
    }

    /// Namespace and name.
    pub(super) fn names(&mut self, names: &mut Names) -> (Arc<str>, Arc<str>) {
        (names.text(std::mem::take(&mut self.namespace)), std::mem::take(&mut self.name).into())
    }

    /// The key of an object that is known by its name.
    pub(super) fn key((namespace, name): &(Arc<str>, Arc<str>)) -> Key {
        Key::Name(namespace.clone(), name.clone())
    }
}

/// An instant as the API writes it (RFC 3339).
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(instant.as_nanosecond()).ok().map(Timestamp::from_nanos)
}
