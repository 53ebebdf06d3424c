//! What DOT and Mermaid have in common: the nodes by namespace, and what stands on a node and on an edge.

use std::collections::BTreeMap;

use servicemap_map::model::{Connection, HealthStatus, ServiceId, ServiceRef, ServiceType, Snapshot};

use super::text::visible;

/// A node of a drawn graph.
pub(super) struct Node<'a> {
    /// Number of the node, in the order of ids.
    pub(super) index: usize,
    pub(super) name: &'a str,
    pub(super) service_type: ServiceType,
    pub(super) health: HealthStatus,
}

impl Node<'_> {
    /// What stands on the node: name and type, and the health where somebody should look.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![visible(self.name), self.service_type.as_str().to_owned()];
        if matches!(self.health, HealthStatus::Degraded | HealthStatus::Unhealthy) {
            lines.push(self.health.as_str().to_owned());
        }
        lines
    }
}

/// The map as a graph to draw.
pub(super) struct Graph<'a> {
    nodes: BTreeMap<ServiceId, Node<'a>>,
    connections: Vec<&'a Connection>,
}

impl<'a> Graph<'a> {
    /// Every service, every end of a connection (also of a service that the list does not have), every connection.
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let mut nodes = BTreeMap::new();
        for service in &snapshot.services {
            let node = Node {
                index: 0,
                name: &service.name,
                service_type: service.service_type,
                health: service.health.status,
            };
            nodes.insert(service.id.clone(), node);
        }
        for edge in snapshot.connections.iter().map(|connection| &connection.edge) {
            for end in [&edge.source, &edge.destination] {
                let unknown = || Node {
                    index: 0,
                    name: &end.name,
                    service_type: end.service_type,
                    health: HealthStatus::Unknown,
                };
                nodes.entry(end.id()).or_insert_with(unknown);
            }
        }
        nodes.values_mut().enumerate().for_each(|(index, node)| node.index = index);
        let mut connections: Vec<_> = snapshot.connections.iter().map(AsRef::as_ref).collect();
        connections.sort_by(|a, b| a.edge.cmp(&b.edge));
        Self { nodes, connections }
    }

    /// Nodes by namespace; those without one come first, under the empty name.
    pub(super) fn namespaces(&self) -> BTreeMap<&str, Vec<&Node<'a>>> {
        let mut namespaces: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (id, node) in &self.nodes {
            namespaces.entry(&*id.namespace).or_default().push(node);
        }
        namespaces
    }

    /// Connections by source, destination and port, with the numbers of their ends.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize, &'a Connection)> {
        let index = |end: &ServiceRef| self.nodes.get(&end.id()).map(|node| node.index);
        self.connections.iter().filter_map(move |connection| {
            Some((index(&connection.edge.source)?, index(&connection.edge.destination)?, *connection))
        })
    }
}

/// What stands on an edge: the port and how many connections were opened, and how many failed where some did.
pub(super) fn edge_lines(connection: &Connection) -> Vec<String> {
    let mut lines = vec![
        format!("{}/{}", connection.edge.port_text(), connection.edge.protocol),
        format!("{} opened", connection.totals.opened),
    ];
    let failed = connection.totals.failed.total();
    if failed > 0 {
        lines.push(format!("{failed} failed"));
    }
    lines
}
