//! What the marks of a picture mean: a sample of each that occurs.

use servicemap_map::model::HealthStatus;

use super::words::{CRITICAL, CYCLE, trouble};
use super::{Failing, Group, Link, Node, Shape};

const STATUSES: [HealthStatus; 4] =
    [HealthStatus::Unhealthy, HealthStatus::Degraded, HealthStatus::Healthy, HealthStatus::Unknown];

pub(super) fn nodes(groups: &[Group], links: &[Link]) -> Vec<Node> {
    let drawn = || groups.iter().flat_map(|group| &group.nodes);
    let sample = |text: &str, health, critical| Node {
        id: String::new(),
        lines: vec![text.to_owned()],
        shape: Shape::Service,
        health,
        critical,
    };
    let statuses = STATUSES.into_iter().filter(|status| drawn().any(|node| node.health == *status));
    let mut nodes: Vec<_> =
        statuses.map(|status| sample(trouble(status).unwrap_or(status.as_str()), status, false)).collect();
    if drawn().any(|node| node.critical) {
        nodes.push(sample(&format!("{CRITICAL} single point of failure"), HealthStatus::Healthy, true));
    }
    if !links.is_empty() {
        let mut text = sample("", HealthStatus::Unknown, false);
        text.shape = Shape::Text;
        text.lines = of_links(links);
        nodes.push(text);
    }
    for (index, node) in nodes.iter_mut().enumerate() {
        node.id = format!("k{index}");
    }
    nodes
}

fn of_links(links: &[Link]) -> Vec<String> {
    let mut meanings = vec!["wider: more TCP connections".to_owned()];
    if links.iter().any(|link| link.failing != Failing::No) {
        meanings.push("dashed: some fail".to_owned());
    }
    if links.iter().any(|link| link.failing == Failing::All) {
        meanings.push("dashed to a bar or cross: all fail".to_owned());
    }
    if links.iter().any(|link| link.cyclic) {
        meanings.push(format!("{CYCLE}: a step of a cycle"));
    }
    meanings
}
