//! Names by which things are known, stable over time and over restarts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The kind class of a service: part of its identity, so that a Process and a Kubernetes Service of one name differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// A Kubernetes Service, of whatever type.
    Service,
    /// Pods that no Service selects, by their top owner.
    Workload,
    /// A unit, container or program of a machine without Kubernetes.
    Process,
    /// A machine of the cluster.
    Node,
    /// Something outside.
    External,
}

impl ServiceKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Service, Self::Workload, Self::Process, Self::Node, Self::External];

    /// The lower-case word used in ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Workload => "workload",
            Self::Process => "process",
            Self::Node => "node",
            Self::External => "external",
        }
    }
}

/// Identity of a service: kind class, namespace and name. Never the UID: a recreated Service is the same service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// Kind class.
    pub kind: ServiceKind,
    /// Kubernetes namespace, host name for a Process, empty for Node and External.
    pub namespace: Arc<str>,
    /// Name inside the namespace.
    pub name: Arc<str>,
}

impl ServiceId {
    /// Puts an identity together.
    pub fn new(kind: ServiceKind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// `namespace/name`, as the Go API and the metrics' `service` label have it.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for ServiceId {
    /// `kind:namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

impl Serialize for ServiceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for ServiceId {
    type Err = UnknownServiceId;

    fn from_str(text: &str) -> Result<Self, UnknownServiceId> {
        let parts = text.split_once(':').and_then(|(kind, path)| Some((kind, path.split_once('/')?)));
        let kind = |word: &str| ServiceKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        parts
            .and_then(|(word, (namespace, name))| Some(Self::new(kind(word)?, namespace, name)))
            .ok_or_else(|| UnknownServiceId(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ServiceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no identity of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownServiceId(String);

impl fmt::Display for UnknownServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no service: write KIND:NAMESPACE/NAME, such as \"service:shop/payments\"", self.0)
    }
}

impl std::error::Error for UnknownServiceId {}

/// One life of an observer process: a restart begins a new run. In every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error| {
            serde::de::Error::custom(format_args!("{text:?} is no id of a run, which is a UUID: {error}"))
        })
    }
}

/// Identity of an event: a UUIDv5 (RFC 9562, section 5.5) of cluster, type, subject and the instant of its fact, so
/// that a replay of the same facts gives the same ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(pub Uuid);

impl EventId {
    /// Namespace UUID of Servicemap events, made once at random.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6d0f_5a8e_3b7c_4a52_9e61_c4d2_f08b_71a3);

    /// The id of an event about `subject`.
    pub fn new(cluster: &str, event_type: &str, subject: &str, at: super::Timestamp) -> Self {
        let name = format!("{cluster}\n{event_type}\n{subject}\n{}", at.as_nanos());
        Self(Uuid::new_v5(&Self::NAMESPACE, name.as_bytes()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
