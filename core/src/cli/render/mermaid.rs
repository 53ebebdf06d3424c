//! The drawing of the map as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use servicemap_map::model::{HealthStatus, Snapshot};

use super::View;
use super::drawing::{Drawing, Failing, Group, Limits, Node, Shape, palette};

/// Mermaid draws nothing of a longer text (its `maxTextSize`, in UTF-16 code units, which a page such as GitHub's cannot
/// raise).
const MAX_TEXT: usize = 50_000;
/// Between ranks there is room for the labels of arrows; lines are broken where we say so.
const CONFIG: &str = "config: {flowchart: {nodeSpacing: 30, rankSpacing: 80, wrappingWidth: 480}}";
const STATUSES: [HealthStatus; 4] =
    [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unhealthy, HealthStatus::Unknown];

/// The map as a flowchart, folded and bounded until Mermaid takes it; as it is where everything was asked for.
pub(crate) fn mermaid(snapshot: &Snapshot, view: &View) -> String {
    let mut limits = Limits::PICTURE;
    loop {
        let text = flowchart(&Drawing::new(snapshot, view, limits));
        if view.unfolded || limits.nodes == 1 || text.encode_utf16().count() <= MAX_TEXT {
            return text;
        }
        limits = limits.halved();
    }
}

fn flowchart(drawing: &Drawing) -> String {
    let heading = drawing.title.first().map_or("", String::as_str);
    let mut out = format!("---\ntitle: {}\n{CONFIG}\n---\nflowchart LR\n", quoted(heading));
    for (index, group) in drawing.groups.iter().enumerate() {
        frame(&mut out, &format!("g{index}"), group);
    }
    for link in &drawing.links {
        let arrow = match link.failing {
            Failing::No => "-->",
            Failing::Some => "-.->",
            Failing::All => "-.-x",
        };
        let text = label(&link.lines);
        line(&mut out, 1, &format!("{} {arrow}|{text}| {}", link.source, link.destination));
    }
    legend(&mut out, drawing);
    styles(&mut out, drawing);
    out
}

/// The rest of the title and the samples of marks, below the map: Mermaid's own title is one line.
fn legend(out: &mut String, drawing: &Drawing) {
    let lines: Vec<_> = drawing.title.iter().skip(1).cloned().collect();
    line(out, 1, "subgraph legend[\"legend\"]");
    // What nothing is between stands in one column.
    line(out, 2, "direction LR");
    line(out, 2, &format!("about[{}]:::text", label(&lines)));
    drawing.legend.iter().for_each(|sample| line(out, 2, &node(sample)));
    line(out, 1, "end");
}

fn frame(out: &mut String, name: &str, group: &Group) {
    let depth = if let Some(text) = &group.label {
        line(out, 1, &format!("subgraph {name}[{}]", label([text])));
        2
    } else {
        1
    };
    group.nodes.iter().for_each(|member| line(out, depth, &node(member)));
    if group.label.is_some() {
        line(out, 1, "end");
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:1$}{text}", "", depth * 2);
}

fn node(node: &Node) -> String {
    let (open, close) = match (node.shape, node.health) {
        (Shape::Text, _) => ("[", "]"),
        (_, HealthStatus::Unhealthy) => ("[/", "\\]"),
        (_, HealthStatus::Degraded) => ("{{", "}}"),
        (Shape::Outside, _) => ("([", "])"),
        (Shape::Machine, _) => ("[", "]"),
        (Shape::Folded, _) => ("[[", "]]"),
        (Shape::Service, _) => ("(", ")"),
    };
    let class = if node.shape == Shape::Text { "text" } else { node.health.as_str() };
    format!("{}{open}{}{close}:::{class}", node.id, label(&node.lines))
}

/// Colours and widths. Mermaid counts links from zero, in the order in which they stand.
fn styles(out: &mut String, drawing: &Drawing) {
    for status in STATUSES {
        let (border, fill) = palette::node(status);
        let width = if status > HealthStatus::Healthy { 3 } else { 2 };
        let dashed = if status == HealthStatus::Unknown { ",stroke-dasharray:5 4" } else { "" };
        let look =
            format!("fill:{fill},stroke:{border},color:{},stroke-width:{width}px{dashed}", palette::INK);
        line(out, 1, &format!("classDef {} {look}", status.as_str()));
    }
    line(out, 1, "classDef text fill:none,stroke:none,text-align:left");
    line(out, 1, "classDef critical stroke-width:7px");
    // Whatever the page's background: it shows through.
    line(out, 1, "classDef frame fill:none,stroke:#8a8a8a");
    let labelled = drawing.groups.iter().enumerate().filter(|(_, group)| group.label.is_some());
    let mut frames: Vec<_> = labelled.map(|(index, _)| format!("g{index}")).collect();
    frames.push("legend".to_owned());
    line(out, 1, &format!("class {} frame", frames.join(",")));
    let nodes = drawing.groups.iter().flat_map(|group| &group.nodes).chain(&drawing.legend);
    let critical: Vec<_> = nodes.filter(|node| node.critical).map(|node| node.id.as_str()).collect();
    if !critical.is_empty() {
        line(out, 1, &format!("class {} critical", critical.join(",")));
    }
    let mut looks: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (index, link) in drawing.links.iter().enumerate() {
        looks.entry((palette::link(link), link.quarters)).or_default().push(index.to_string());
    }
    for ((colour, quarters), links) in looks {
        let width = f64::from(quarters) / 4.0;
        line(out, 1, &format!("linkStyle {} stroke:{colour},stroke-width:{width:.2}px", links.join(",")));
    }
}

/// Lines as a quoted label. Everything that Mermaid, its Markdown or HTML could take for syntax becomes an entity
/// (`#34;`), so that nothing but the text is left.
fn label(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let lines: Vec<_> = lines.into_iter().map(|line| escape(line.as_ref())).collect();
    format!("\"{}\"", lines.join("<br/>"))
}

fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        // Mermaid takes `\n` for the end of a line, however it is written: a word joiner (U+2060) stands between.
        if character == '\\' && characters.peek() == Some(&'n') {
            out.push_str("#92;#8288;");
            continue;
        }
        let plain = match character {
            ' ' | '/' | '@' | ',' => true,
            // Before a space they would begin a list: `1. x`, `- x`.
            '.' | '-' => characters.peek() != Some(&' '),
            other => other.is_alphanumeric(),
        };
        let _ = if plain { write!(out, "{character}") } else { write!(out, "#{};", u32::from(character)) };
    }
    out
}

/// A YAML string. It is shown as it is, so what Mermaid's clean-up or YAML could trip over is replaced, not escaped.
fn quoted(text: &str) -> String {
    let replace = |character| match character {
        '"' | '`' => '\'',
        '\\' | '<' | '>' | '&' | '#' | '%' | '{' | '}' => '_',
        other => other,
    };
    format!("\"{}\"", text.chars().map(replace).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    use super::super::renderers::{self, Picture};
    use super::super::text::{shorten, visible};
    use super::super::{pictures, sample};
    use super::*;

    fn all(snapshot: &Snapshot) -> String {
        mermaid(snapshot, &View::default())
    }

    #[test]
    fn namespaces_are_subgraphs_and_externals_stand_outside() {
        insta::assert_snapshot!(all(&sample::shop()));
    }

    #[test]
    fn the_readme_shows_what_is_drawn() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
        let drawing = format!("```mermaid\n{}```\n", all(&pictures::cluster()));
        assert!(readme.contains(&drawing), "README.md shows something else than\n{drawing}");
    }

    #[test]
    fn odd_names_are_nothing_but_text() {
        insta::assert_snapshot!(all(&sample::odd()));
    }

    #[test]
    fn a_label_has_no_syntax_of_its_own() {
        let odd = all(&sample::odd());
        for label in odd.split('"').skip(3).step_by(2) {
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
    fn what_is_too_long_is_bounded_until_mermaid_takes_it() {
        let mut snapshot = pictures::large(3_000, 100);
        for service in &mut snapshot.services {
            let namespace = format!("{}{}", service.namespace, "%".repeat(200)).into();
            std::sync::Arc::make_mut(service).id.namespace = namespace;
        }
        let text = all(&snapshot);
        assert!(text.len() <= MAX_TEXT && text.len() > MAX_TEXT / 4, "{}", text.len());
        assert!(text.contains("drawn as one"), "{text}");
    }

    /// What Mermaid drew of `documents`, if it is here; it must have drawn something of each.
    fn drawn(documents: &[String]) -> Option<Vec<Picture>> {
        let pictures = renderers::mermaid(documents)?;
        assert_eq!(pictures.len(), documents.len());
        for (picture, document) in pictures.iter().zip(documents) {
            assert_eq!(picture.error, None, "{document}");
            assert_eq!(picture.foreign, 0, "{document}");
        }
        Some(pictures)
    }

    #[test]
    fn mermaid_draws_each_service_namespace_and_mark() {
        let Some(pictures) = drawn(&[all(&pictures::cluster())]) else { return };
        let picture = &pictures[0];
        assert_eq!(picture.title, "Servicemap of cluster shop-eu, 2026-09-21 14:14:20 UTC");
        // Twelve services; the legend: about the map, four healths, the single point of failure, words.
        assert_eq!((picture.nodes.len(), picture.frames.len(), picture.arrows.len()), (12 + 7, 4 + 1, 13));
        for node in [
            "redis\nClusterIP\n✖ unhealthy: no endpoints",
            "orders\nClusterIP\n↻ in a cycle of 2",
            "postgres\nHeadless\n◆ single point of failure for 6",
        ] {
            assert!(picture.nodes.iter().any(|drawn| drawn == node), "{node}: {:?}", picture.nodes);
        }
        for arrow in [
            "8080/tcp · 9,310 opened\n9090/tcp · 60 opened\n8 active",
            "6379/tcp · 0 opened\n✖ 4,113 failed: refused",
        ] {
            assert!(picture.arrows.iter().any(|drawn| drawn == arrow), "{arrow}: {:?}", picture.arrows);
        }
    }

    #[test]
    fn mermaid_draws_large_maps_folded_and_an_empty_one() {
        let documents = [pictures::large(10_000, 40), pictures::large(3_000, 1_000), sample::empty()];
        let Some(pictures) = drawn(&documents.map(|snapshot| all(&snapshot))) else { return };
        let has = |index: usize, text: &str| pictures[index].nodes.iter().any(|node| node.contains(text));
        assert!(
            has(0, "folded by namespace: 10,001 services in 40 namespaces, outside"),
            "{:?}",
            pictures[0]
        );
        assert_eq!(pictures[0].nodes.len(), 41 + 5);
        assert!(has(1, "“the rest”: 882 nodes for 2,644 services"), "{:?}", pictures[1]);
        assert_eq!(pictures[1].nodes.len(), 120 + 4);
        assert_eq!(pictures[2].nodes, ["0 services · 0 connections · 0 external"]);
    }

    #[test]
    fn mermaid_draws_hostile_names_as_they_are() {
        let mut names = pictures::HOSTILE.map(str::to_owned).to_vec();
        names.push("x".repeat(300));
        let Some(pictures) = drawn(&[all(&pictures::named_all(&names))]) else { return };
        for name in &names {
            let shown = shorten(&visible(name), 48).replace("\\n", "\\\u{2060}n");
            let shown = format!("{shown}\nClusterIP");
            // A page shows many spaces as one.
            let found = pictures[0].nodes.iter().filter(|node| **node == shown.trim()).count();
            assert_eq!(found, 1, "{shown:?}: {:?}", pictures[0].nodes);
        }
        assert_eq!(pictures[0].frames.len(), names.len() + 1);
    }

    /// Nothing that a map can hold ends a label or adds a node.
    #[test]
    fn mermaid_takes_any_names() {
        let mut runner = TestRunner::deterministic();
        let names = proptest::collection::vec(pictures::any_name(), 1..6);
        let maps: Vec<_> = (0..64).map(|_| names.new_tree(&mut runner).unwrap().current()).collect();
        let documents: Vec<_> = maps.iter().map(|names| all(&pictures::named_all(names))).collect();
        let Some(pictures) = drawn(&documents) else { return };
        for (picture, names) in pictures.iter().zip(&maps) {
            let different: BTreeSet<_> = names.iter().collect();
            assert_eq!(picture.frames.len(), different.len() + 1, "{names:?}");
        }
    }
}
