//! Network policies of `networking.k8s.io/v1`, as far as they concern TCP.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AddressRange, LabelSelector};

/// A `NetworkPolicy`: which connections of the pods that it selects are allowed. Policies only add: what one allows, no other
/// one takes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPolicy {
    /// Its namespace, and that of the pods that it selects.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The pods that it is about.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub pod_selector: LabelSelector,
    /// Whom they may accept from; `None` where `policyTypes` does not hold `Ingress`. Without any rule: nobody.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub ingress: Option<Vec<PolicyRule>>,
    /// To whom they may connect; `None` where `policyTypes` does not hold `Egress`. Without any rule: nobody.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub egress: Option<Vec<PolicyRule>>,
}

/// One rule: any of the peers, at any of the ports. A rule all of whose ports are of protocols other than TCP is left out,
/// since one without ports means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRule {
    /// Sources or destinations; empty means all.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub peers: Vec<PolicyPeer>,
    /// TCP ports of the destination's pods; empty means all.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub ports: Vec<PolicyPort>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyPeer {
    /// Pods, by their labels and those of their namespace.
    Pods {
        /// `podSelector`; `None` means all pods of the namespaces.
        #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
        pods: Option<LabelSelector>,
        /// `namespaceSelector`; `None` means the policy's own namespace.
        #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
        namespaces: Option<LabelSelector>,
    },
    /// Addresses.
    Block {
        /// `cidr`.
        range: AddressRange,
        /// `except`.
        #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
        except: Vec<AddressRange>,
    },
}

/// Ports that are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PolicyPort {
    /// From one port up to and including another: the same twice for a single port, 0 and 65535 where `port` is left open.
    Range {
        /// `port`.
        first: u16,
        /// `endPort`.
        last: u16,
    },
    /// A port that the destination's pods declare under this name.
    Named(Arc<str>),
}
