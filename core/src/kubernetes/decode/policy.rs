//! Network policies of `networking.k8s.io/v1`.

use std::collections::BTreeMap;

use serde::Deserialize;
use servicemap_map::model::{
    AddressRange, KubernetesFact, LabelExpression, LabelOperator, LabelSelector, NetworkPolicy, PolicyPeer,
    PolicyPort, PolicyRule,
};

use super::meta::Meta;
use super::{Item, Object, is_tcp, nullable};
use crate::kubernetes::names::Names;

/// What is read of a policy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    #[serde(deserialize_with = "nullable")]
    metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "nullable")]
    pod_selector: Selector,
    #[serde(deserialize_with = "nullable")]
    policy_types: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    ingress: Vec<Rule>,
    #[serde(deserialize_with = "nullable")]
    egress: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    #[serde(deserialize_with = "nullable")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    match_expressions: Vec<Expression>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expression {
    #[serde(deserialize_with = "nullable")]
    key: String,
    #[serde(deserialize_with = "nullable")]
    operator: String,
    #[serde(deserialize_with = "nullable")]
    values: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    #[serde(deserialize_with = "nullable")]
    from: Vec<Peer>,
    #[serde(deserialize_with = "nullable")]
    to: Vec<Peer>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Allowed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Peer {
    pod_selector: Option<Selector>,
    namespace_selector: Option<Selector>,
    ip_block: Option<Block>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    #[serde(deserialize_with = "nullable")]
    cidr: String,
    #[serde(deserialize_with = "nullable")]
    except: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Allowed {
    protocol: Option<String>,
    port: Option<NumberOrName>,
    end_port: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(i64),
    Name(String),
}

pub(super) fn item(policy: Policy, names: &mut Names) -> Item {
    let Policy { mut metadata, spec } = policy;
    let version = metadata.version();
    let key = metadata.names(names);
    // The API server fills in `policyTypes`; without it every policy is about ingress.
    let has = |one: &str| spec.policy_types.iter().any(|known| known == one);
    let about_ingress = has("Ingress") || spec.policy_types.is_empty();
    let about_egress = has("Egress") || (spec.policy_types.is_empty() && !spec.egress.is_empty());
    let mut rules = |rules: Vec<Rule>| rules.into_iter().filter_map(|one| rule(one, names)).collect();
    let (ingress, egress) = (rules(spec.ingress), rules(spec.egress));
    let fact = NetworkPolicy {
        namespace: key.0.clone(),
        name: key.1.clone(),
        pod_selector: selector(spec.pod_selector),
        ingress: about_ingress.then_some(ingress),
        egress: about_egress.then_some(egress),
    };
    Item { key: Meta::key(&key), version, object: Object::Facts(vec![KubernetesFact::NetworkPolicy(fact)]) }
}

/// None where it says nothing about TCP, or where nothing that it says can be read: what is left open would mean all.
fn rule(rule: Rule, names: &mut Names) -> Option<PolicyRule> {
    let Rule { from, to, ports } = rule;
    let (says_ports, says_peers) = (!ports.is_empty(), !from.is_empty() || !to.is_empty());
    let ports: Vec<_> = ports
        .into_iter()
        .filter(|one| is_tcp(one.protocol.as_deref()))
        .filter_map(|one| policy_port(one, names))
        .collect();
    let peers: Vec<_> = from.into_iter().chain(to).filter_map(peer).collect();
    let is_left_open = (says_ports && ports.is_empty()) || (says_peers && peers.is_empty());
    (!is_left_open).then_some(PolicyRule { peers, ports })
}

fn policy_port(port: Allowed, names: &mut Names) -> Option<PolicyPort> {
    match port.port {
        None => Some(PolicyPort::Range { first: 0, last: u16::MAX }),
        Some(NumberOrName::Name(name)) => Some(PolicyPort::Named(names.text(name))),
        Some(NumberOrName::Number(first)) => {
            let last = port.end_port.unwrap_or(first);
            Some(PolicyPort::Range { first: u16::try_from(first).ok()?, last: u16::try_from(last).ok()? })
        }
    }
}

fn peer(peer: Peer) -> Option<PolicyPeer> {
    match peer {
        Peer { ip_block: Some(block), .. } => Some(PolicyPeer::Block {
            range: AddressRange::parse(&block.cidr)?,
            except: block.except.iter().filter_map(|one| AddressRange::parse(one)).collect(),
        }),
        Peer { pod_selector: None, namespace_selector: None, .. } => None,
        Peer { pod_selector, namespace_selector, .. } => Some(PolicyPeer::Pods {
            pods: pod_selector.map(selector),
            namespaces: namespace_selector.map(selector),
        }),
    }
}

fn selector(selector: Selector) -> LabelSelector {
    let expressions = selector.match_expressions.into_iter().map(|one| LabelExpression {
        operator: operator(&one.operator),
        key: one.key,
        values: one.values,
    });
    LabelSelector { match_labels: selector.match_labels, match_expressions: expressions.collect() }
}

/// An operator that is not known selects nothing: `In` without values.
fn operator(name: &str) -> LabelOperator {
    match name {
        "NotIn" => LabelOperator::NotIn,
        "Exists" => LabelOperator::Exists,
        "DoesNotExist" => LabelOperator::DoesNotExist,
        _ => LabelOperator::In,
    }
}
