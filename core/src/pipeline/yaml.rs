//! YAML text as a tree whose values know their lines.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde_saphyr::{Error, Location, Spanned, UserMessageFormatter};

use crate::settings::reader::Problem;
use crate::settings::tree::{Key, Node, Origin, Value, ValueVisitor};

/// Reads one document. `order` is its place among those that are merged.
pub(super) fn parse(text: &str, file: &Arc<str>, order: usize) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        // `on` and `no` are texts, as in YAML 1.2 and in the Collector.
        strict_booleans: true,
        // A message of ours is one line.
        with_snippet: false,
    };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node::bare(Value::Map(Vec::new())));
    }
    match serde_saphyr::from_str_with_options::<Located>(text, options) {
        Ok(Located(mut node)) => {
            place(&mut node, file, order);
            Ok(node)
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            let origin = Some(Origin { order, file: file.clone(), line });
            Err(Problem {
                origin,
                path: String::new(),
                message: format!("not valid YAML: {}", sentence(&error)),
            })
        }
    }
}

/// What is wrong, in one line. Where the library's words name its programming interface, ours say the mend.
fn sentence(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key {key:?} stands twice; remove one of them")
        }
        Error::MultipleDocuments { .. } => {
            "there is more than one document; write each into a file of its own and name them all".to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an anchor refers to itself; write its value out".to_owned()
        }
        Error::AliasError { .. } => {
            "what an alias stands for is too large or does not belong there; write its value out".to_owned()
        }
        Error::Budget { .. } => {
            "it unfolds to more than a configuration can be; use fewer aliases".to_owned()
        }
        other => {
            let text = other.render_with_formatter(&UserMessageFormatter);
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

struct Located(Node);

struct LocatedKey(Key);

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<LocatedKey, Located>::new()).map(Self)
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Plain(value), referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self(Node { value, origin: origin(referenced), untyped: false }))
    }
}

impl<'de> Deserialize<'de> for LocatedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: name, referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self(Key { name, origin: origin(referenced) }))
    }
}

impl From<Located> for Node {
    fn from(located: Located) -> Self {
        located.0
    }
}

impl From<LocatedKey> for Key {
    fn from(located: LocatedKey) -> Self {
        located.0
    }
}

/// The line, of a file that is not known yet: see [`place`].
fn origin(location: Location) -> Option<Origin> {
    (location != Location::UNKNOWN).then(|| Origin { order: 0, file: "".into(), line: location.line() })
}

/// Tells every value which file it stands in.
fn place(node: &mut Node, file: &Arc<str>, order: usize) {
    let tell = |origin: &mut Option<Origin>| {
        if let Some(origin) = origin {
            (origin.file, origin.order) = (file.clone(), order);
        }
    };
    tell(&mut node.origin);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| place(item, file, order)),
        Value::Map(entries) => {
            for entry in entries {
                tell(&mut entry.key.origin);
                place(&mut entry.node, file, order);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        parse(text, &"a.yaml".into(), 3).unwrap()
    }

    #[test]
    fn values_and_keys_know_their_lines() {
        let node = parsed("a:\n  b: 1\n  c:\n    - x\n    - y\n");
        let a = node.get("a").unwrap();
        let c = a.node.get("c").unwrap();
        assert_eq!(c.key.origin.as_ref().unwrap().to_string(), "a.yaml:3");
        let Value::List(items) = &c.node.value else { panic!("no list") };
        assert_eq!(items[1].origin, Some(Origin { order: 3, file: "a.yaml".into(), line: 5 }));
    }

    #[test]
    fn scalars_have_their_types() {
        let node = parsed("{a: 1, b: 1.5, c: true, d: yes, e: '1', f: , g: ~, h: 1m30s}");
        let value = |key: &str| node.get(key).unwrap().node.value.clone();
        assert_eq!(value("a"), Value::Integer(1));
        assert_eq!(value("b"), Value::Float(1.5));
        assert_eq!(value("c"), Value::Bool(true));
        assert_eq!(value("d"), Value::Text("yes".to_owned()));
        assert_eq!(value("e"), Value::Text("1".to_owned()));
        assert_eq!(value("f"), Value::Null);
        assert_eq!(value("g"), Value::Null);
        assert_eq!(value("h"), Value::Text("1m30s".to_owned()));
    }

    #[test]
    fn empty_document_is_an_empty_map() {
        assert_eq!(parsed("# nothing\n\n").value, Value::Map(Vec::new()));
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let node = parsed("x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n");
        let y = &node.get("y").unwrap().node;
        assert_eq!(y.get("a").unwrap().node.value, Value::Integer(1));
        assert_eq!(y.get("b").unwrap().node.value, Value::Integer(2));
    }

    #[test]
    fn broken_yaml_is_told_in_one_line_with_its_place() {
        let problem = parse("a:\n  - b\n c: d\n", &"a.yaml".into(), 0).unwrap_err().to_string();
        assert!(problem.starts_with("a.yaml:3: not valid YAML: "), "{problem}");
        assert_eq!(problem.lines().count(), 1);
    }

    #[test]
    fn key_that_stands_twice_is_refused() {
        let problem = parse("a: 1\na: 2\n", &"a.yaml".into(), 0).unwrap_err().to_string();
        assert_eq!(problem, "a.yaml:2: not valid YAML: key \"a\" stands twice; remove one of them");
    }

    #[test]
    fn messages_are_for_people_who_write_files() {
        let tenfold = |name: &str, of: &str| format!("{name}: &{name} [{}]\n", [of; 10].join(", "));
        let bomb: String = ["*a", "*b", "*c", "*d", "*e"]
            .iter()
            .zip(["b", "c", "d", "e", "f"])
            .fold(tenfold("a", "x"), |text, (of, name)| text + &tenfold(name, of));
        for (text, wanted) in [
            ("a: 1\n---\nb: 2\n", "more than one document"),
            ("a: &a [*a]\n", "an anchor refers to itself"),
            (bomb.as_str(), "what an alias stands for is too large"),
            ("a: .nan\n", "`.nan` is not a finite number"),
        ] {
            let problem = parse(text, &"a.yaml".into(), 0).unwrap_err().to_string();
            assert!(problem.contains(wanted), "{problem}");
        }
    }
}
