//! Which edges no network policy allows, and which services nothing restricts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::State;
use super::services::Entry;
use super::slots::Id;
use crate::analysis::policy::{End, denied_by};
use crate::collections::HashMap;
use crate::model::{DisallowedConnection, ServiceId, ServiceKind};

/// What follows from network policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Sorted by the key of the connection.
    pub(crate) disallowed: Vec<DisallowedConnection>,
    /// Ids of services.
    pub(crate) unrestricted: BTreeSet<String>,
}

impl Findings {
    /// Keys of the connections that no policy allows.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.disallowed.iter().map(|one| one.connection.clone()).collect()
    }
}

impl State {
    /// What follows from network policies; nothing as long as there is none.
    pub(crate) fn findings(&self) -> &Arc<Findings> {
        self.findings.get_or_init(|| Arc::new(self.judge_policies()))
    }

    fn judge_policies(&self) -> Findings {
        let policies = self.resolver.cluster.policies();
        if policies.is_empty() {
            return Findings::default();
        }
        let asked = policies.asked();
        let end = |id: &ServiceId| match id.kind {
            ServiceKind::Service | ServiceKind::Workload => {
                End::pods(self.resolver.cluster.groups(id, &asked), policies)
            }
            ServiceKind::External => id.name.parse().map_or(End::Unknown, End::Address),
            ServiceKind::Node | ServiceKind::Process => End::Unknown,
        };
        let services = || self.services.iter().map(|(id, entry)| (id, entry.reference.id()));
        let ends: HashMap<Id<Entry>, End<'_>> = services().map(|(id, name)| (id, end(&name))).collect();
        let mut disallowed = Vec::new();
        // What a scan would be allowed depends on ports that are not kept.
        for (_, edge) in self.edges.iter().filter(|(_, edge)| !edge.reference.is_scan()) {
            let (Some(source), Some(destination)) = (ends.get(&edge.key.0), ends.get(&edge.key.1)) else {
                continue;
            };
            if source.lets_out() && destination.lets_in() {
                continue;
            }
            let ports =
                self.resolver.cluster.target_ports(&edge.reference.destination.id(), edge.reference.port);
            let denied_by = denied_by(source, destination, &ports);
            if !denied_by.is_empty() {
                disallowed.push(DisallowedConnection { connection: edge.reference.key(), denied_by });
            }
        }
        disallowed.sort_unstable();
        let open = services().filter(|(id, _)| ends.get(id).is_some_and(End::is_open));
        Findings { disallowed, unrestricted: open.map(|(_, name)| name.to_string()).collect() }
    }
}
