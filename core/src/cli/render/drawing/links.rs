//! What is told about an arrow: sums over the connections that it stands for.

use servicemap_map::model::{Connection, Failures};

use super::Failing;
use super::words::{CYCLE, many, thousands};

/// Ports that are told one by one; more would make the arrow's label a table.
const MAX_PORTS: usize = 3;
/// Width of the thinnest line, in quarters of a point.
const THIN: u32 = 4;
/// Of the widest one: it must not hide its arrowhead.
const WIDE: u32 = 24;

/// All connections from one node of a picture to another.
#[derive(Clone, Default)]
pub(super) struct Sum<'a> {
    connections: Vec<&'a Connection>,
    pub(super) cyclic: bool,
}

impl<'a> Sum<'a> {
    pub(super) fn add(&mut self, connection: &'a Connection, cyclic: bool) {
        self.connections.push(connection);
        self.cyclic |= cyclic;
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.connections.extend(other.connections);
        self.cyclic |= other.cyclic;
    }

    /// Connections as the map counts them: pairs of services by port.
    pub(super) fn len(&self) -> u64 {
        self.connections.len() as u64
    }

    fn sum(&self, figure: fn(&Connection) -> u64) -> u64 {
        self.connections.iter().fold(0, |sum, connection| sum.saturating_add(figure(connection)))
    }

    pub(super) fn opened(&self) -> u64 {
        self.sum(|connection| connection.totals.opened)
    }

    fn active(&self) -> u64 {
        self.sum(|connection| connection.totals.active)
    }

    fn failed(&self) -> u64 {
        self.sum(|connection| connection.totals.failed.total())
    }

    pub(super) fn failing(&self) -> Failing {
        match (self.failed(), self.opened()) {
            (0, _) => Failing::No,
            (_, 0) => Failing::All,
            _ => Failing::Some,
        }
    }

    /// One quarter more each time that the connections double, those that failed included.
    pub(super) fn quarters(&self) -> u32 {
        let attempts = self.opened().max(self.active()).saturating_add(self.failed());
        (THIN + attempts.saturating_add(1).ilog2()).min(WIDE)
    }

    /// Between two services: port by port.
    pub(super) fn by_port(&self) -> Vec<String> {
        let mut connections = self.connections.clone();
        connections.sort_by(|a, b| a.edge.cmp(&b.edge));
        let port = |c: &&Connection| {
            format!("{}/{} · {} opened", c.edge.port_text(), c.edge.protocol, thousands(c.totals.opened))
        };
        let mut lines: Vec<String> = connections.iter().take(MAX_PORTS).map(port).collect();
        if let Some(more @ [_, ..]) = connections.get(MAX_PORTS..) {
            let opened = more.iter().fold(0, |sum: u64, c| sum.saturating_add(c.totals.opened));
            let ports = many(more.len() as u64, "more port", "more ports");
            lines.push(format!("{ports} · {} opened", thousands(opened)));
        }
        self.finished(lines)
    }

    /// Between nodes of which one stands for several services.
    pub(super) fn in_one(&self) -> Vec<String> {
        let connections = many(self.len(), "connection", "connections");
        self.finished(vec![connections, format!("{} opened", thousands(self.opened()))])
    }

    /// What is told once, however many ports there are, and only where there is something to tell.
    fn finished(&self, mut lines: Vec<String>) -> Vec<String> {
        let active = self.active();
        if active > 0 {
            lines.push(format!("{} active", thousands(active)));
        }
        let failed = self.failed();
        if failed > 0 {
            lines.push(format!("✖ {} failed: {}", thousands(failed), self.reasons()));
        }
        if self.cyclic {
            lines.push(format!("{CYCLE} in a cycle"));
        }
        lines
    }

    /// Why attempts failed, the most frequent reason first.
    fn reasons(&self) -> String {
        let mut failures = Failures::default();
        self.connections.iter().for_each(|connection| failures.add(&connection.totals.failed));
        let mut reasons: Vec<_> = failures.by_reason().into_iter().filter(|(_, count)| *count > 0).collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        reasons.into_iter().map(|(reason, _)| reason).collect::<Vec<_>>().join(", ")
    }
}
