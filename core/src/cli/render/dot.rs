//! The drawing of the map in the DOT language of Graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::borrow::Cow;
use std::fmt::Write as _;

use servicemap_map::model::{HealthStatus, Snapshot};

use super::View;
use super::drawing::{Drawing, Failing, Group, Limits, Link, Node, Shape, palette};

/// Of the whole graph: from left to right as requests go, on white whatever the page, with air between ranks for the
/// labels of arrows. Helvetica is what every renderer has or replaces by its own sans-serif.
const GRAPH: &str = "\
  graph [rankdir=LR, bgcolor=white, pad=0.3, nodesep=0.35, ranksep=1.1, labelloc=t, labeljust=l, fontname=Helvetica, fontsize=14, fontcolor=\"#1a1a1a\"];
  node [fontname=Helvetica, fontsize=12, fontcolor=\"#1a1a1a\", margin=\"0.16,0.09\"];
  edge [fontname=Helvetica, fontsize=10, fontcolor=\"#1a1a1a\", arrowsize=0.8];
";
const FRAME: &str =
    "style=\"rounded,filled\"; color=\"#9a9a9a\"; fillcolor=\"#fafafa\"; fontsize=13; margin=14;";

/// The map in the DOT language.
pub(crate) fn dot(snapshot: &Snapshot, view: &View) -> String {
    let drawing = Drawing::new(snapshot, view, Limits::PICTURE);
    let mut out = format!("digraph servicemap {{\n{GRAPH}  label={};\n", label(&drawing.title, "\\l"));
    for (index, group) in drawing.groups.iter().enumerate() {
        frame(&mut out, &format!("cluster_{index}"), group);
    }
    for link in &drawing.links {
        line(&mut out, 1, &edge(link));
    }
    if !drawing.legend.is_empty() {
        legend(&mut out, drawing.legend);
    }
    out.push_str("}\n");
    out
}

/// The samples in rows: Graphviz puts what nothing is between in one column, so within a row there are invisible edges.
fn legend(out: &mut String, samples: Vec<Node>) {
    const ROW: usize = 3;
    let ids: Vec<_> = samples.iter().map(|sample| sample.id.clone()).collect();
    frame(out, "cluster_legend", &Group { label: Some("legend".to_owned()), nodes: samples });
    for row in ids.chunks(ROW).filter(|row| row.len() > 1) {
        line(out, 1, &format!("{} [style=invis];", row.join(" -> ")));
    }
}

fn frame(out: &mut String, name: &str, group: &Group) {
    let depth = if let Some(text) = &group.label {
        line(out, 1, &format!("subgraph {name} {{"));
        line(out, 2, &format!("label={}; {FRAME}", label([text], "\\n")));
        2
    } else {
        1
    };
    group.nodes.iter().for_each(|member| line(out, depth, &node(member)));
    if group.label.is_some() {
        line(out, 1, "}");
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn node(node: &Node) -> String {
    if node.shape == Shape::Text {
        return format!("{} [label={}, shape=plaintext, fontsize=10];", node.id, label(&node.lines, "\\l"));
    }
    let (border, fill) = palette::node(node.health);
    let (shape, style) = match (node.health, node.shape) {
        (HealthStatus::Unhealthy, _) => ("octagon", "filled"),
        (HealthStatus::Degraded, _) => ("hexagon", "filled"),
        (_, Shape::Outside) => ("ellipse", "filled"),
        (_, Shape::Machine) => ("box", "filled"),
        (_, Shape::Folded) => ("folder", "filled"),
        (_, Shape::Service | Shape::Text) => ("box", "filled,rounded"),
    };
    let dashed = if node.health == HealthStatus::Unknown { ",dashed" } else { "" };
    let width = if node.health > HealthStatus::Healthy { 2.5 } else { 1.5 };
    let double = if node.critical { ", peripheries=2" } else { "" };
    format!(
        "{} [label={}, shape={shape}, style=\"{style}{dashed}\", color=\"{border}\", fillcolor=\"{fill}\", penwidth={width}{double}];",
        node.id,
        headed(&node.lines),
    )
}

fn edge(link: &Link) -> String {
    let style = match link.failing {
        Failing::No => "",
        Failing::Some => ", style=dashed",
        Failing::All => ", style=dashed, arrowhead=tee",
    };
    format!(
        "{} -> {} [label={}, color=\"{}\", penwidth={:.2}{style}];",
        link.source,
        link.destination,
        label(&link.lines, "\\n"),
        palette::link(link),
        f64::from(link.quarters) / 4.0,
    )
}

/// Lines as an HTML-like label, the first of them bold.
fn headed(lines: &[String]) -> String {
    let mut lines = lines.iter().map(|line| line.chars().map(html).collect::<String>());
    let name = format!("<B>{}</B>", lines.next().unwrap_or_default());
    format!("<{}>", std::iter::once(name).chain(lines).collect::<Vec<_>>().join("<BR/>"))
}

/// A character of an HTML-like label. The backslash too: in these as well Graphviz replaces `\N` by the node's name.
fn html(character: char) -> Cow<'static, str> {
    match character {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&quot;".into(),
        // At the end of a text Graphviz's XML parser waits for the rest of a `]]>` that does not come.
        ']' => "&#93;".into(),
        '\\' => "\\\\".into(),
        other => other.to_string().into(),
    }
}

/// Lines as a quoted label, each ended by `end`: backslash and quote escaped, and `&`, which Graphviz reads as the begin
/// of an entity.
fn label(lines: impl IntoIterator<Item = impl AsRef<str>>, end: &str) -> String {
    let escape = |line: &str| line.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;");
    let lines: Vec<_> = lines.into_iter().map(|line| escape(line.as_ref())).collect();
    // After the last line only an alignment is needed: a line break would be an empty line.
    format!("\"{}{}\"", lines.join(end), if end == "\\n" { "" } else { end })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::text::{shorten, visible};
    use super::super::{pictures, renderers, sample};
    use super::*;

    fn all(snapshot: &Snapshot) -> String {
        dot(snapshot, &View::default())
    }

    #[test]
    fn namespaces_are_clusters_and_externals_stand_outside() {
        insta::assert_snapshot!(all(&sample::shop()));
    }

    #[test]
    fn odd_names_are_quoted() {
        insta::assert_snapshot!(all(&sample::odd()));
    }

    #[test]
    fn an_empty_map_is_a_graph() {
        assert!(all(&sample::empty()).starts_with("digraph servicemap {\n"));
        assert!(all(&sample::empty()).ends_with("}\n"));
    }

    /// Nodes, frames and arrows in what Graphviz drew.
    fn count(svg: &str) -> [usize; 3] {
        ["node", "cluster", "edge"].map(|class| svg.matches(&format!("class=\"{class}\"")).count())
    }

    #[test]
    fn graphviz_draws_each_service_and_namespace() {
        let Some(svg) = renderers::graphviz(&all(&pictures::cluster()), "svg") else { return };
        // Twelve services; the legend: four healths, the single point of failure, words. Four namespaces. Two ports in
        // one arrow.
        assert_eq!(count(&svg), [12 + 6, 4 + 1, 13]);
        for text in [
            "namespace payments",
            ">✖ unhealthy: no endpoints",
            ">↻ in a cycle of 2",
            ">◆ single point of failure for 6",
            ">smtp.mail.example",
            ">✖ 4,113 failed: refused",
        ] {
            assert!(svg.contains(&format!("{text}</text>")), "{text}: {svg}");
        }
    }

    #[test]
    fn graphviz_draws_a_name_that_ends_with_a_bracket() {
        let Some(svg) = renderers::graphviz(&all(&pictures::named_all(&["]".to_owned()])), "svg") else {
            return;
        };
        assert!(svg.contains(">]</text>") || svg.contains(">&#93;</text>"), "{svg}");
    }

    #[test]
    fn graphviz_draws_a_large_map_folded() {
        let Some(svg) = renderers::graphviz(&all(&pictures::large(10_000, 40)), "svg") else { return };
        // Namespaces, outside and the legend of four; each namespace but the first needs one, one talks to the outside.
        assert_eq!(count(&svg), [40 + 1 + 4, 1, 39 + 1]);
        assert!(svg.contains("folded by namespace: 10,001 services in 40 namespaces, outside"), "{svg}");
    }

    #[test]
    fn graphviz_draws_hostile_names_as_they_are() {
        let mut names = pictures::HOSTILE.map(str::to_owned).to_vec();
        names.push("x".repeat(300));
        let Some(json) = renderers::graphviz(&all(&pictures::named_all(&names)), "json") else { return };
        let drawn: serde_json::Value = serde_json::from_str(&json).unwrap();
        let texts: Vec<&str> = drawn["objects"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|object| object["_ldraw_"].as_array())
            .filter_map(|operations| operations.iter().find_map(|operation| operation["text"].as_str()))
            .collect();
        for name in &names {
            let shown = shorten(&visible(name), 48);
            assert_eq!(texts.iter().filter(|text| **text == shown).count(), 1, "{shown:?}: {texts:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

        /// Nothing that a map can hold ends a label or adds a node.
        #[test]
        fn graphviz_takes_any_names(names in proptest::collection::vec(pictures::any_name(), 1..6)) {
            if let Some(svg) = renderers::graphviz(&all(&pictures::named_all(&names)), "svg") {
                let different = names.iter().collect::<BTreeSet<_>>().len();
                proptest::prop_assert_eq!(count(&svg)[1], different + 1, "{}", svg);
            }
        }
    }
}
