//! Several files become one tree, and `--set a.b.c=value` goes over all of them.

use std::sync::Arc;

use super::yaml;
use crate::settings::reader::Problem;
use crate::settings::tree::{Entry, Key, Node, Origin, Value};

/// Puts `over` over `base`: maps are joined key by key, anything else is replaced. An empty value takes nothing away.
pub(super) fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over) {
        (_, Node { value: Value::Null, .. }) => {}
        (Value::Map(entries), Node { value: Value::Map(more), .. }) => {
            for entry in more {
                match entries.iter_mut().find(|known| known.key.name == entry.key.name) {
                    Some(known) => merge(&mut known.node, entry.node),
                    None => entries.push(entry),
                }
            }
        }
        (_, over) => *base = over,
    }
}

/// The tree that `--set a.b.c=value` stands for; the value is read as YAML.
pub(super) fn tree_of_set(set: &str, order: usize) -> Result<Node, Problem> {
    let file: Arc<str> = "--set".into();
    let origin = Some(Origin { order, file: file.clone(), line: 0 });
    let problem = |message: String| Problem { origin: origin.clone(), path: String::new(), message };
    let keys = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (keys, text) = set
        .split_once('=')
        .map(|(path, text)| (keys(path.trim()), text))
        .filter(|(keys, _)| keys.iter().all(|key| !key.is_empty()))
        .ok_or_else(|| {
            problem(format!("{set:?} is not key=value; write for example exporters.debug.verbosity=normal"))
        })?;
    let mut node = if text.trim().is_empty() {
        Node::bare(Value::Null)
    } else {
        yaml::parse(text, &file, order)
            .map_err(|error| problem(format!("the value of {set:?} is {}", error.message)))?
    };
    without_lines(&mut node);
    for key in keys.into_iter().rev() {
        let key = Key { name: key, origin: origin.clone() };
        node = Node { value: Value::Map(vec![Entry { key, node }]), origin: origin.clone(), untyped: false };
    }
    Ok(node)
}

/// A value of the command line has no lines.
fn without_lines(node: &mut Node) {
    if let Some(origin) = &mut node.origin {
        origin.line = 0;
    }
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(without_lines),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| without_lines(&mut entry.node)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        yaml::parse(text, &"a.yaml".into(), 0).unwrap()
    }

    fn value<'a>(node: &'a Node, path: &str) -> &'a Value {
        let mut node = node;
        for key in path.split('.') {
            node = &node.get(key).unwrap().node;
        }
        &node.value
    }

    #[test]
    fn maps_are_joined_and_other_values_replaced() {
        let mut base = parsed("a: {x: 1, y: [1, 2]}\nb: 1\n");
        merge(&mut base, parsed("a: {y: [3], z: 4}\nb: {c: 5}\n"));
        assert_eq!(*value(&base, "a.x"), Value::Integer(1));
        assert!(matches!(value(&base, "a.y"), Value::List(items) if items.len() == 1));
        assert_eq!(*value(&base, "a.z"), Value::Integer(4));
        assert_eq!(*value(&base, "b.c"), Value::Integer(5));
    }

    #[test]
    fn empty_value_takes_nothing_away() {
        let mut base = parsed("a: {x: 1}\n");
        merge(&mut base, parsed("a:\nb:\n"));
        assert_eq!(*value(&base, "a.x"), Value::Integer(1));
        assert_eq!(*value(&base, "b"), Value::Null);
    }

    #[test]
    fn set_is_a_tree_with_a_yaml_value() {
        let node = tree_of_set("service.pipelines.logs.exporters=[debug, otlp/2]", 7).unwrap();
        let Value::List(items) = value(&node, "service.pipelines.logs.exporters") else { panic!("no list") };
        assert_eq!(items[1].value, Value::Text("otlp/2".to_owned()));
        assert_eq!(items[1].origin.as_ref().unwrap().to_string(), "--set");
        assert_eq!(*value(&tree_of_set("a.b=1m", 0).unwrap(), "a.b"), Value::Text("1m".to_owned()));
    }

    #[test]
    fn set_without_a_key_is_refused() {
        for set in ["a", "=1", "a..b=1"] {
            assert_eq!(
                tree_of_set(set, 0).unwrap_err().to_string(),
                format!(
                    "--set: {set:?} is not key=value; write for example exporters.debug.verbosity=normal"
                )
            );
        }
    }
}
