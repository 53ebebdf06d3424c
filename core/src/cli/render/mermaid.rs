//! The map as a Mermaid flowchart: namespaces are subgraphs, health is a class.

use std::fmt::Write as _;

use servicemap_map::model::{ServiceType, Snapshot};

use super::graph::{Graph, Node, edge_lines};
use super::text::visible;

const CLASSES: [&str; 4] = [
    "classDef healthy stroke:#2e7d32",
    "classDef degraded stroke:#ef6c00,stroke-width:2px,stroke-dasharray:5",
    "classDef unhealthy stroke:#c62828,stroke-width:4px",
    "classDef unknown stroke:#616161",
];

/// The map as a flowchart (<https://mermaid.js.org/syntax/flowchart.html>).
pub(crate) fn mermaid(snapshot: &Snapshot) -> String {
    let graph = Graph::new(snapshot);
    let mut out = String::from("flowchart LR\n");
    for (index, (namespace, nodes)) in graph.namespaces().into_iter().enumerate() {
        let statements = nodes.into_iter().map(node);
        if namespace.is_empty() {
            statements.for_each(|node| line(&mut out, 1, &node));
        } else {
            line(&mut out, 1, &format!("subgraph ns{index}[{}]", label([visible(namespace)])));
            statements.for_each(|node| line(&mut out, 2, &node));
            line(&mut out, 1, "end");
        }
    }
    for (source, destination, connection) in graph.edges() {
        let arrow = if connection.totals.opened > 0 { "-->" } else { "-.->" };
        line(&mut out, 1, &format!("n{source} {arrow}|{}| n{destination}", label(edge_lines(connection))));
    }
    for class in CLASSES {
        line(&mut out, 1, class);
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn node(node: &Node) -> String {
    let (open, close) = match node.service_type {
        ServiceType::External | ServiceType::ExternalName => ("([", "])"),
        ServiceType::Node => ("[[", "]]"),
        _ => ("[", "]"),
    };
    format!("n{}{open}{}{close}:::{}", node.index, label(node.lines()), node.health.as_str())
}

/// Lines as a quoted label. Everything that Mermaid, its Markdown or HTML could take for syntax becomes an entity
/// (`#34;`), so that nothing but the text is left.
fn label(lines: impl IntoIterator<Item = String>) -> String {
    format!("\"{}\"", lines.into_iter().map(|line| escape(&line)).collect::<Vec<_>>().join("<br/>"))
}

fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let plain = match character {
            ' ' | '/' | ':' | '@' | ',' => true,
            // Before a space they would begin a list: `1. x`, `- x`.
            '.' | '-' => characters.peek() != Some(&' '),
            other => other.is_alphanumeric(),
        };
        let _ = if plain { write!(out, "{character}") } else { write!(out, "#{};", u32::from(character)) };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn namespaces_are_subgraphs_and_externals_stand_outside() {
        insta::assert_snapshot!(mermaid(&sample::shop()));
    }

    #[test]
    fn odd_names_are_nothing_but_text() {
        insta::assert_snapshot!(mermaid(&sample::odd()));
    }

    #[test]
    fn a_label_has_no_syntax_of_its_own() {
        let odd = mermaid(&sample::odd());
        for label in odd.split('"').skip(1).step_by(2) {
            let text = label.replace("<br/>", "");
            assert!(!text.contains(['<', '>', '`', '|', '[', ']', '&', '\\', '\n']), "{label}");
        }
        assert_eq!(odd.matches('"').count() % 2, 0);
    }

    #[test]
    fn a_name_that_looks_like_a_list_is_none() {
        assert_eq!(escape("1. x"), "1#46; x");
        assert_eq!(escape("- x"), "#45; x");
        assert_eq!(escape("a.b-c"), "a.b-c");
    }

    #[test]
    fn an_empty_map_is_a_flowchart() {
        let lines: Vec<_> = CLASSES.iter().map(|class| format!("  {class}\n")).collect();
        assert_eq!(mermaid(&sample::empty()), format!("flowchart LR\n{}", lines.concat()));
    }
}
