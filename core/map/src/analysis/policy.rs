//! What network policies allow: judged from both sides, as the network does it. A connection passes if the policies of the
//! source's pods let it out and those of the destination's let it in; pods that no policy selects for a direction are open
//! in it.

use std::net::IpAddr;

use crate::model::{PolicyPeer, PolicyPort, PolicyRule, PolicySide};
use crate::resolve::{PodGroup, Policies};

/// Groups of pods of one service that are compared with each other's. Policies tell the pods of a service apart by a few
/// labels; a service of more kinds of pods is not judged rather than compared a million times.
const MAX_GROUPS: usize = 64;

/// Who is at one end of a connection, as policies see it.
#[derive(Debug)]
pub(crate) enum End<'p> {
    /// Pods.
    Pods(Vec<Guarded<'p>>),
    /// An address outside.
    Address(IpAddr),
    /// Nobody that policies could be held against: whatever can be judged is judged at the other end.
    Unknown,
}

/// Pods with the rules that apply to them.
#[derive(Debug)]
pub(crate) struct Guarded<'p> {
    group: PodGroup,
    /// What they may connect to; `None` where nothing restricts that.
    egress: Option<Vec<&'p PolicyRule>>,
    /// Who may connect to them; `None` where nothing restricts that.
    ingress: Option<Vec<&'p PolicyRule>>,
}

impl<'p> End<'p> {
    /// The pods of a service.
    pub(crate) fn pods(groups: Vec<PodGroup>, policies: &'p Policies) -> Self {
        if groups.is_empty() || groups.len() > MAX_GROUPS {
            return Self::Unknown;
        }
        Self::Pods(groups.into_iter().map(|group| Guarded::new(group, policies)).collect())
    }

    /// Whether there are pods, and nothing restricts who connects to them.
    pub(crate) fn is_open(&self) -> bool {
        // Of a service whose pods differ, some may be open: then something restricts it all the same.
        matches!(self, Self::Pods(_)) && self.lets_in()
    }

    /// Whether nothing restricts who connects to it.
    pub(crate) fn lets_in(&self) -> bool {
        !matches!(self, Self::Pods(pods) if pods.iter().any(|pod| pod.ingress.is_some()))
    }

    /// Whether nothing restricts to what it connects.
    pub(crate) fn lets_out(&self) -> bool {
        !matches!(self, Self::Pods(pods) if pods.iter().any(|pod| pod.egress.is_some()))
    }

    fn members(&self) -> Vec<Member<'_>> {
        match self {
            Self::Pods(pods) => pods.iter().map(Member::Pods).collect(),
            Self::Address(address) => vec![Member::Address(*address)],
            Self::Unknown => vec![Member::Unknown],
        }
    }
}

impl<'p> Guarded<'p> {
    fn new(group: PodGroup, policies: &'p Policies) -> Self {
        let (mut egress, mut ingress) = (None, None);
        for policy in policies.of(&group) {
            for (rules, all) in [(&policy.egress, &mut egress), (&policy.ingress, &mut ingress)] {
                if let Some(rules) = rules {
                    all.get_or_insert_with(Vec::new).extend(rules);
                }
            }
        }
        Self { group, egress, ingress }
    }
}

/// The sides at which policies do not let a connection pass: none where it is allowed. `ports` are those at which the
/// destination's pods listen; where a service has several, one that is allowed is enough, as is one pair of pods.
pub(crate) fn denied_by(source: &End<'_>, destination: &End<'_>, ports: &[u16]) -> Vec<PolicySide> {
    let (mut goes_out, mut comes_in) = (false, false);
    for from in source.members() {
        for to in destination.members() {
            let out = from.guard().is_none_or(|pods| pods.lets(pods.egress.as_deref(), to, to, ports));
            let into = to.guard().is_none_or(|pods| pods.lets(pods.ingress.as_deref(), from, to, ports));
            if out && into {
                return Vec::new();
            }
            goes_out |= out;
            comes_in |= into;
        }
    }
    match (goes_out, comes_in) {
        (true, false) => vec![PolicySide::Ingress],
        (false, true) => vec![PolicySide::Egress],
        // Also where each side lets some pass, but never the same ones.
        (false, false) | (true, true) => vec![PolicySide::Egress, PolicySide::Ingress],
    }
}

#[derive(Clone, Copy)]
enum Member<'a> {
    Pods(&'a Guarded<'a>),
    Address(IpAddr),
    Unknown,
}

impl<'a> Member<'a> {
    fn guard(self) -> Option<&'a Guarded<'a>> {
        match self {
            Self::Pods(pods) => Some(pods),
            Self::Address(_) | Self::Unknown => None,
        }
    }
}

impl Guarded<'_> {
    /// Whether one of the rules lets connections to or from a peer pass, at one of the ports at which `listener` listens.
    fn lets(
        &self,
        rules: Option<&[&PolicyRule]>,
        peer: Member<'_>,
        listener: Member<'_>,
        ports: &[u16],
    ) -> bool {
        let Some(rules) = rules else { return true };
        let peers = |rule: &PolicyRule| {
            rule.peers.is_empty() || rule.peers.iter().any(|one| is_meant(one, &self.group, peer))
        };
        let ports = |rule: &PolicyRule| {
            let meant = |port: &u16| rule.ports.iter().any(|one| is_port(one, *port, listener));
            rule.ports.is_empty() || ports.iter().any(meant)
        };
        matches!(peer, Member::Unknown) || rules.iter().any(|rule| peers(rule) && ports(rule))
    }
}

fn is_meant(rule: &PolicyPeer, own: &PodGroup, peer: Member<'_>) -> bool {
    match (rule, peer) {
        (PolicyPeer::Pods { pods, namespaces }, Member::Pods(Guarded { group, .. })) => {
            let namespace = match namespaces {
                Some(selector) => selector.matches(&group.namespace_labels),
                None => group.namespace == own.namespace,
            };
            namespace && pods.as_ref().is_none_or(|selector| selector.matches(&group.labels))
        }
        // Whether a block that holds a pod's address means the pod is left to the network plugin: it may.
        (PolicyPeer::Block { range, except }, Member::Pods(Guarded { group, .. })) => {
            let is_in = |address: &IpAddr| {
                range.contains(*address) && !except.iter().any(|range| range.contains(*address))
            };
            group.addresses.iter().any(is_in)
        }
        (PolicyPeer::Block { range, except }, Member::Address(address)) => {
            range.contains(address) && !except.iter().any(|range| range.contains(address))
        }
        (PolicyPeer::Pods { .. }, Member::Address(_)) => false,
        (_, Member::Unknown) => true,
    }
}

fn is_port(rule: &PolicyPort, port: u16, listener: Member<'_>) -> bool {
    match rule {
        PolicyPort::Range { first, last } => (*first..=*last).contains(&port),
        PolicyPort::Named(name) => listener.guard().is_some_and(|pods| {
            pods.group.ports.iter().any(|declared| declared.port == port && declared.name == *name)
        }),
    }
}
