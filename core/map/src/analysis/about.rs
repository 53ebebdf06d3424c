//! What follows from the graph for one service: what a person on call asks when it fails.

use super::chains::{Chains, Kind};
use super::{Analysis, Graph, cycles, dependents};
use crate::collections::HashMap;
use crate::model::{Chain, ServiceAnalysis, ServiceId, ServiceType, Snapshot};

/// What follows for one service of a map. `services` are all of them in their order, each with whether it is outside or
/// something leads to it from there; `dependencies` say who needs whom, and over how many connections. `None` where the
/// service is none of them.
pub fn about(
    services: &[(ServiceId, bool)],
    dependencies: &[(ServiceId, ServiceId, u64)],
    service: &ServiceId,
) -> Option<ServiceAnalysis> {
    let places: HashMap<&ServiceId, u32> = services.iter().map(|(id, _)| id).zip(0..).collect();
    let node = *places.get(service)?;
    let mut between: Vec<(u32, u32, u64)> = dependencies
        .iter()
        .filter_map(|(from, to, connections)| Some((*places.get(from)?, *places.get(to)?, *connections)))
        .collect();
    between.sort_unstable();
    between.dedup_by_key(|(from, to, _)| (*from, *to));
    let connections: Vec<u64> = between.iter().map(|(_, _, connections)| *connections).collect();
    let nodes = services.iter().map(|(id, open)| (id.to_string(), *open)).collect();
    let graph = Graph::new(nodes, between.iter().map(|(from, to, _)| (*from, *to)));
    Some(Analysis::new(graph).about(service, node, &connections))
}

impl Analysis {
    fn about(&self, service: &ServiceId, node: u32, connections: &[u64]) -> ServiceAnalysis {
        let graph = &self.graph;
        let needed_by = dependents::needed_by(graph);
        let by = |node: u32| needed_by.get(node as usize).into_iter().flatten().copied();
        let others = |nodes: &mut dyn Iterator<Item = u32>| nodes.filter(|other| *other != node).collect();
        let needs: Vec<u32> = others(&mut graph.needs(node));
        let callers: Vec<u32> = others(&mut by(node));
        let through_others = |all: Vec<u32>, direct: &[u32]| {
            let rest: Vec<u32> = all.into_iter().filter(|one| direct.binary_search(one).is_err()).collect();
            self.names(&rest)
        };
        let size = graph.nodes.len();
        let all_needed = dependents::reached(size, node, |node| graph.needs(node));
        let all_callers = dependents::reached(size, node, by);
        let members = self.components.members(self.components.of(node));
        let is_cycle = members.len() > 1;
        let name = service.to_string();
        ServiceAnalysis {
            service: service.clone(),
            needs_through_others: through_others(all_needed, &needs),
            needs: self.names(&needs),
            needed_through_others: through_others(all_callers, &callers),
            needed_by: self.names(&callers),
            cycle: if is_cycle { self.names(members) } else { Vec::new() },
            shortest_cycle: cycles::shortest_through(node, graph, &self.components)
                .map(|cycle| self.names(&cycle))
                .unwrap_or_default(),
            single_point_of_failure: self.single_points.iter().find(|one| one.service == name).cloned(),
            longest_chain: self.chain_through(Kind::Longest, node, connections),
            busiest_chain: self.chain_through(Kind::Busiest, node, connections),
        }
    }

    /// The best chain through a node; none where it neither needs others nor is needed by any.
    fn chain_through(&self, kind: Kind, node: u32, connections: &[u64]) -> Option<Chain> {
        let chains = Chains::new(kind, &self.steps, self.components.len(), connections);
        let chain = self.chain(&chains, self.components.of(node), connections);
        (chain.steps.len() > 1).then_some(chain)
    }
}

impl Snapshot {
    /// What follows from the graph of dependencies for one service: whom it needs, who is affected when it fails, the
    /// chains through it, the circle that it is in, and whether it is a single point of failure. `None` where it is not in
    /// the map. Takes a full analysis of the graph, some tens of milliseconds where that has 100,000 dependencies.
    pub fn about(&self, service: &ServiceId) -> Option<ServiceAnalysis> {
        let is_open = |one: &crate::model::Service| {
            one.service_type == ServiceType::External || !one.exposed_by.is_empty()
        };
        let services: Vec<_> = self.services.iter().map(|one| (one.id.clone(), is_open(one))).collect();
        let mut opened: HashMap<(ServiceId, ServiceId), u64> = HashMap::default();
        for connection in &self.connections {
            let ends = (connection.edge.source.id(), connection.edge.destination.id());
            let sum = opened.entry(ends).or_default();
            *sum = sum.saturating_add(connection.totals.opened);
        }
        let ends = self.topology.dependencies.iter().map(|one| (one.source.clone(), one.destination.clone()));
        let dependencies: Vec<_> = ends
            .map(|ends| {
                let connections = opened.get(&ends).copied().unwrap_or_default();
                (ends.0, ends.1, connections)
            })
            .collect();
        about(&services, &dependencies, service)
    }
}
