//! From the merged tree to a checked configuration. Every mistake is reported, none stops the check.

use super::component::{self, ComponentKind};
use super::{Config, Exporter, LogLevel, Pipeline, Receiver, roles};
use crate::settings::Settings;
use crate::settings::reader::{Problem, Section, join, nearest};
use crate::settings::tree::{Entry, Node, Origin, Value};
use crate::telemetry::otlp_grpc::Signal;
use crate::telemetry::{debug, otlp_grpc, otlp_receiver, prometheus_server};

const SIGNALS: [Signal; 2] = [Signal::Logs, Signal::Metrics];

/// Checks the whole tree. The result is to be used only if no problem was added.
pub(super) fn check(tree: Node, problems: &mut Vec<Problem>) -> Config {
    let mut top = Section::new(&tree, "", problems);
    let receivers = top.node("receivers");
    let processors = top.node("processors");
    let exporters = top.node("exporters");
    let extensions = top.node("extensions");
    let service = top.node("service").map(|node| (node, "service"));
    top.finish();

    let receivers = configured(ComponentKind::Receiver, receivers, problems, receiver);
    let exporters = configured(ComponentKind::Exporter, exporters, problems, exporter);
    configured(ComponentKind::Processor, processors, problems, |_, _, _, _| ());
    configured(ComponentKind::Extension, extensions, problems, |_, _, _, _| ());
    for (section, empty) in [("receiver", receivers.is_empty()), ("exporter", exporters.is_empty())] {
        if empty {
            problems.push(nowhere(
                "",
                format!("no {section} configuration specified in config; add a section {section}s"),
            ));
        }
    }

    let absent = Node::bare(Value::Null);
    let (node, path) = service.unwrap_or((&absent, "service"));
    let mut section = Section::new(node, path, problems);
    let pipelines = section.node("pipelines");
    let used_extensions = section.node("extensions");
    let log_level = section.section("telemetry", |section| section.section("logs", read_log_level));
    section.finish();
    if let Some(node) = used_extensions {
        references(node, ComponentKind::Extension, "service::extensions", &[], problems);
    }

    roles::check_receivers(&receivers, problems);
    let receiver_ids: Vec<_> = receivers.iter().map(|(id, _)| id.as_str()).collect();
    let exporter_ids: Vec<_> = exporters.iter().map(|(id, _)| id.as_str()).collect();
    let pipelines = check_pipelines(pipelines, &receiver_ids, &exporter_ids, problems);
    roles::check_pipelines(&receivers, &pipelines, problems);
    Config { receivers, exporters, pipelines, log_level, tree }
}

fn read_log_level(section: &mut Section<'_, '_>) -> LogLevel {
    let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error]
        .map(|level| (level.as_str(), level));
    section.choice("level", &levels).unwrap_or_default()
}

fn receiver(component: &str, node: &Node, path: &str, problems: &mut Vec<Problem>) -> Receiver {
    if component == "otlp" {
        let mut section = Section::new(node, path, problems);
        let settings = otlp_receiver::Settings::read(&mut section);
        section.finish();
        return Receiver::Otlp(settings);
    }
    Receiver::Servicemap(Box::new(Settings::from_tree(node, path, problems)))
}

fn exporter(component: &str, node: &Node, path: &str, problems: &mut Vec<Problem>) -> Exporter {
    let mut section = Section::new(node, path, problems);
    let exporter = match component {
        "prometheus" => Exporter::Prometheus(prometheus_server::Settings::read(&mut section)),
        "debug" => Exporter::Debug(debug::Settings::read(&mut section)),
        _ => Exporter::OtlpGrpc(Box::new(otlp_grpc::Settings::read(&mut section))),
    };
    section.finish();
    exporter
}

/// The components of one section by id, each read by `read` (which gets the type under its own name).
fn configured<T>(
    kind: ComponentKind,
    section: Option<&Node>,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str, &Node, &str, &mut Vec<Problem>) -> T,
) -> Vec<(String, T)> {
    let mut found = Vec::new();
    for Entry { key, node } in entries(section, kind.section(), problems) {
        let path = join(kind.section(), &key.name);
        let (component_type, name) = match key.name.split_once('/') {
            Some((component_type, name)) => (component_type, Some(name)),
            None => (key.name.as_str(), None),
        };
        let mut problem =
            |message| problems.push(Problem { origin: key.origin.clone(), path: path.clone(), message });
        if name == Some("") {
            problem(format!("in {:?} id: the part after / should not be empty", key.name));
        }
        match component::find(kind, component_type) {
            Some(component) => found.push((key.name.clone(), read(component.name, node, &path, problems))),
            None => problem(unknown_type(kind, component_type)),
        }
    }
    found
}

fn unknown_type(kind: ComponentKind, component_type: &str) -> String {
    let types = component::types(kind);
    let unknown = format!("unknown {} type {component_type:?}", kind.as_str());
    match (types.is_empty(), nearest(component_type, types.iter().copied())) {
        (true, _) if kind == ComponentKind::Processor => {
            format!(
                "{unknown}; there are no processors yet: remove it (events are sent in batches without one)"
            )
        }
        (true, _) => format!("{unknown}; there are no {} yet: remove it", kind.section()),
        (false, Some(near)) => {
            format!("{unknown}; did you mean {near:?}? (valid values: [{}])", types.join(", "))
        }
        (false, None) => format!("{unknown} (valid values: [{}])", types.join(", ")),
    }
}

fn check_pipelines(
    node: Option<&Node>,
    receivers: &[&str],
    exporters: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<Pipeline> {
    const PATH: &str = "service::pipelines";
    let mut pipelines: Vec<Pipeline> = Vec::new();
    let entries = entries(node, PATH, problems);
    if entries.is_empty() {
        problems
            .push(nowhere(PATH, "service must have at least one pipeline; add for example logs".to_owned()));
    }
    for Entry { key, node } in entries {
        let path = join(PATH, &key.name);
        let word = key.name.split('/').next().unwrap_or_default();
        let Some(signal) = SIGNALS.into_iter().find(|signal| signal.as_str() == word) else {
            let message = format!("unknown pipeline signal {word:?}; write logs or metrics");
            problems.push(Problem { origin: key.origin.clone(), path, message });
            continue;
        };
        let mut section = Section::new(node, &path, problems);
        let of_receivers = section.node("receivers");
        let of_processors = section.node("processors");
        let of_exporters = section.node("exporters");
        section.finish();
        if let Some(processors) = of_processors {
            references(processors, ComponentKind::Processor, &path, &[], problems);
        }
        let mut used = |kind: ComponentKind, node: Option<&Node>, known: &[&str]| {
            let used = node.map(|node| references(node, kind, &path, known, problems)).unwrap_or_default();
            if node.is_none_or(|node| matches!(&node.value, Value::List(items) if items.is_empty())) {
                let message = format!("must have at least one {}", kind.as_str());
                problems.push(Problem { origin: key.origin.clone(), path: path.clone(), message });
            }
            used
        };
        let receivers = used(ComponentKind::Receiver, of_receivers, receivers);
        let exporters = used(ComponentKind::Exporter, of_exporters, exporters);
        for exporter in &exporters {
            let refused = refused(exporter, signal, &receivers, &pipelines);
            problems.extend(refused.map(|message| Problem {
                origin: key.origin.clone(),
                path: path.clone(),
                message,
            }));
        }
        pipelines.push(Pipeline { signal, receivers, exporters });
    }
    pipelines
}

/// Why an exporter cannot stand in this pipeline, if it cannot.
fn refused(exporter: &str, signal: Signal, receivers: &[String], before: &[Pipeline]) -> Option<String> {
    let component_type = exporter.split('/').next().unwrap_or_default();
    let component = component::find(ComponentKind::Exporter, component_type)?;
    if !component.signals.contains(&signal) {
        let takes: Vec<_> = component.signals.iter().map(|signal| signal.as_str()).collect();
        return Some(format!(
            "exporter {exporter:?} takes {} only; remove it from this pipeline",
            takes.join(" and ")
        ));
    }
    let already = before.iter().any(|pipeline| pipeline.exporters.iter().any(|other| other == exporter));
    if component.name == "prometheus" && (receivers.len() > 1 || already) {
        return Some(format!(
            "exporter {exporter:?} shows one receiver of one pipeline; configure another one, such as \"prometheus/2\", with a \
             port of its own"
        ));
    }
    None
}

/// The ids of a list, those that are configured and stand there once.
fn references(
    node: &Node,
    kind: ComponentKind,
    path: &str,
    known: &[&str],
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let kind = kind.as_str();
    let mut ids: Vec<String> = Vec::new();
    let problem =
        |origin: &Option<Origin>, message| Problem { origin: origin.clone(), path: path.to_owned(), message };
    let Value::List(items) = &node.value else {
        let message =
            format!("has {} as its {kind}s, but a list of ids belongs there", node.value.describe());
        problems.push(problem(&node.origin, message));
        return ids;
    };
    for item in items {
        let Value::Text(id) = &item.value else {
            let message =
                format!("has {} in its list of {kind}s, but ids belong there", item.value.describe());
            problems.push(problem(&item.origin, message));
            continue;
        };
        if !known.contains(&id.as_str()) {
            let near = nearest(id, known.iter().copied())
                .map(|near| format!("; did you mean {near:?}?"))
                .unwrap_or_default();
            problems.push(problem(
                &item.origin,
                format!("references {kind} {id:?} which is not configured{near}"),
            ));
        } else if ids.contains(id) {
            problems.push(problem(
                &item.origin,
                format!("references {kind} {id:?} multiple times; remove all but one"),
            ));
        } else {
            ids.push(id.clone());
        }
    }
    ids
}

/// The entries of a map; of anything else, none and a problem.
fn entries<'a>(node: Option<&'a Node>, path: &str, problems: &mut Vec<Problem>) -> &'a [Entry] {
    match node.map(|node| (&node.value, &node.origin)) {
        None => &[],
        Some((Value::Map(entries), _)) => entries,
        Some((other, origin)) => {
            let message = format!("is {}, but a map by id belongs here", other.describe());
            problems.push(Problem { origin: origin.clone(), path: path.to_owned(), message });
            &[]
        }
    }
}

/// A problem with what is not there.
fn nowhere(path: &str, message: String) -> Problem {
    Problem { origin: None, path: path.to_owned(), message }
}
