//! The map as a graph for Graphviz: namespaces are clusters, health is colour and line.

use std::fmt::Write as _;

use servicemap_map::model::{Connection, HealthStatus, ServiceType, Snapshot};

use super::graph::{Graph, Node, edge_lines};
use super::text::visible;

/// The map in the DOT language (<https://graphviz.org/doc/info/lang.html>).
pub(crate) fn dot(snapshot: &Snapshot) -> String {
    let graph = Graph::new(snapshot);
    let mut out = String::from("digraph servicemap {\n");
    out.push_str(
        "  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
    );
    for (index, (namespace, nodes)) in graph.namespaces().into_iter().enumerate() {
        let statements = nodes.into_iter().map(node);
        if namespace.is_empty() {
            statements.for_each(|node| line(&mut out, 1, &node));
        } else {
            line(&mut out, 1, &format!("subgraph cluster_{index} {{"));
            line(&mut out, 2, &format!("label={};", label([visible(namespace)])));
            statements.for_each(|node| line(&mut out, 2, &node));
            line(&mut out, 1, "}");
        }
    }
    for (source, destination, connection) in graph.edges() {
        line(&mut out, 1, &edge(source, destination, connection));
    }
    out.push_str("}\n");
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn node(node: &Node) -> String {
    let shape = match node.service_type {
        ServiceType::External | ServiceType::ExternalName => "ellipse",
        ServiceType::Node => "box3d",
        _ => "box",
    };
    let look = match node.health {
        HealthStatus::Healthy => "color=\"#2e7d32\"",
        HealthStatus::Degraded => "color=\"#ef6c00\", style=dashed, penwidth=2",
        HealthStatus::Unhealthy => "color=\"#c62828\", style=bold, peripheries=2",
        HealthStatus::Unknown => "color=\"#616161\"",
    };
    format!("n{} [label={}, shape={shape}, {look}];", node.index, label(node.lines()))
}

fn edge(source: usize, destination: usize, connection: &Connection) -> String {
    let totals = &connection.totals;
    let look = match (totals.failed.total(), totals.opened) {
        (0, _) => "",
        (_, 0) => ", color=\"#c62828\", style=dashed",
        _ => ", color=\"#ef6c00\"",
    };
    format!("n{source} -> n{destination} [label={}{look}];", label(edge_lines(connection)))
}

/// Lines as a quoted label: backslash and quote escaped, and `&`, which Graphviz reads as the begin of an entity.
fn label(lines: impl IntoIterator<Item = String>) -> String {
    let escape = |line: String| line.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;");
    format!("\"{}\"", lines.into_iter().map(escape).collect::<Vec<_>>().join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn namespaces_are_clusters_and_externals_stand_outside() {
        insta::assert_snapshot!(dot(&sample::shop()));
    }

    #[test]
    fn odd_names_are_quoted() {
        insta::assert_snapshot!(dot(&sample::odd()));
    }

    #[test]
    fn an_empty_map_is_a_graph() {
        assert!(dot(&sample::empty()).starts_with("digraph servicemap {\n"));
        assert!(dot(&sample::empty()).ends_with("}\n"));
    }
}
