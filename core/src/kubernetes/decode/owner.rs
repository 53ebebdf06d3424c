//! Who owns pods, of whom only `metadata` is asked for: ReplicaSets and Jobs.

use std::sync::Arc;

use servicemap_map::model::{Pod, PodOwner};

use super::meta::{Meta, MetaOnly, OwnerReference};
use super::{Item, Key, Object};
use crate::kubernetes::names::Names;

/// A pod with whoever owns it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedPod {
    /// The pod. Its `owner` is the best that can be said without knowing the owner itself.
    pub(crate) pod: Pod,
    /// Its owner, where that may be owned itself.
    pub(crate) controller: Option<Controller>,
}

/// The direct owner of a pod, which may be owned itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Controller {
    /// Its UID.
    pub(crate) uid: Arc<str>,
    /// Which resource knows it.
    pub(crate) kind: ControllerKind,
    /// The name of its own owner is certain all the same.
    pub(crate) is_certain: bool,
}

/// Owners that may be owned themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ControllerKind {
    /// A ReplicaSet.
    ReplicaSet,
    /// A Job.
    Job,
}

/// An owner of pods: a ReplicaSet or Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Its UID.
    pub(crate) uid: Arc<str>,
    /// The top of the chain: who owns it, else it itself.
    pub(crate) top: Arc<PodOwner>,
}

pub(super) fn item(object: MetaOnly, kind: &str, names: &mut Names) -> Item {
    let mut metadata = object.metadata;
    let version = metadata.version();
    let uid: Arc<str> = std::mem::take(&mut metadata.uid).into();
    let top = match metadata.controller() {
        Some(owner) => owner_of(owner, names),
        None => PodOwner {
            kind: names.text(kind.to_owned()),
            name: names.text(metadata.name),
            uid: names.text(uid.to_string()),
        },
    };
    let owner = Owner { uid: uid.clone(), top: Arc::new(top) };
    Item { key: Key::Uid(uid), version, object: Object::Owner(owner) }
}

fn owner_of(owner: OwnerReference, names: &mut Names) -> PodOwner {
    PodOwner { kind: names.text(owner.kind), name: names.text(owner.name), uid: names.text(owner.uid) }
}

/// The owner of a pod as far as the pod itself tells, and the object that may tell more.
pub(super) fn of_pod(metadata: &mut Meta, node: &str, names: &mut Names) -> (PodOwner, Option<Controller>) {
    let itself = |metadata: &Meta, name: &str, names: &mut Names| PodOwner {
        kind: names.text("Pod".to_owned()),
        name: names.text(name.to_owned()),
        uid: metadata.uid.as_str().into(),
    };
    let Some(owner) = metadata.controller() else {
        let name = metadata.name.clone();
        return (itself(metadata, &name, names), None);
    };
    let controller = |kind, is_certain| Controller { uid: owner.uid.as_str().into(), kind, is_certain };
    match owner.kind.as_str() {
        // The kubelet names its static pods after the manifest and the node, and says that the node owns them.
        "Node" => {
            let manifest = metadata.name.strip_suffix(node).and_then(|name| name.strip_suffix('-'));
            let name = manifest.unwrap_or(&metadata.name).to_owned();
            (itself(metadata, &name, names), None)
        }
        "ReplicaSet" => {
            let deployment = deployment(&owner.name, metadata).map(|name| PodOwner {
                kind: names.text("Deployment".to_owned()),
                name: names.text(name.to_owned()),
                uid: names.text(String::new()),
            });
            let controller = controller(ControllerKind::ReplicaSet, deployment.is_some());
            (deployment.unwrap_or_else(|| owner_of(owner, names)), Some(controller))
        }
        "Job" => {
            let controller = controller(ControllerKind::Job, false);
            (owner_of(owner, names), Some(controller))
        }
        _ => (owner_of(owner, names), None),
    }
}

/// A Deployment names its ReplicaSets `NAME-HASH` and labels their pods with the hash: what is before it is its own name.
fn deployment<'a>(replica_set: &'a str, metadata: &Meta) -> Option<&'a str> {
    let hash = metadata.labels.get("pod-template-hash")?;
    replica_set.strip_suffix(hash.as_str())?.strip_suffix('-').filter(|name| !name.is_empty())
}
