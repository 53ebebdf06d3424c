//! `${env:NAME}` and `${env:NAME:-default}` in texts, as in the Collector; `$$` is a dollar.
//!
//! It happens after the YAML was read, so a value can never become structure. A text that is one reference and nothing
//! else takes whatever type is wanted of it.

use crate::settings::reader::{Problem, join};
use crate::settings::tree::{Node, Value};

/// Replaces every reference under `node`, asking `lookup` for variables.
pub(super) fn substitute(
    node: &mut Node,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    match &mut node.value {
        Value::Text(text) => match expand(text, lookup) {
            Ok(Expanded { text, whole: true }) if text.is_empty() => node.value = Value::Null,
            Ok(Expanded { text, whole }) => {
                node.value = Value::Text(text);
                node.untyped |= whole;
            }
            Err(message) => {
                problems.push(Problem { origin: node.origin.clone(), path: path.to_owned(), message });
            }
        },
        Value::List(items) => {
            for item in items {
                substitute(item, path, lookup, problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let path = join(path, &entry.key.name);
                substitute(&mut entry.node, &path, lookup, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
    }
}

#[derive(Debug, PartialEq)]
struct Expanded {
    text: String,
    /// It was one reference and nothing else.
    whole: bool,
}

fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut whole = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let Some((reference, after)) = after.split_once('}') else {
                return Err(format!("{text:?} has \"${{\" without \"}}\"; write \"$$\" for a dollar"));
            };
            expanded.push_str(&resolve(reference, lookup)?);
            whole = rest.len() == text.len() && before.is_empty() && after.is_empty();
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    Ok(Expanded { text: expanded, whole })
}

/// The value of `env:NAME`, `env:NAME:-default` or the same without `env:`.
fn resolve(reference: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let reference = reference.strip_prefix("env:").unwrap_or(reference);
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if let Some((scheme, _)) = name.split_once(':') {
        return Err(format!(
            "source {scheme:?} of \"${{{reference}}}\" is unknown; only ${{env:NAME}} can be read"
        ));
    }
    if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
        return Err(format!(
            "{name:?} is no name of an environment variable; write letters, digits and underscores"
        ));
    }
    let value = lookup(name).filter(|value| !value.is_empty() || default.is_none());
    value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        format!("environment variable {name} is not set; set it, or write ${{env:{name}:-default}}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("h".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn expanded(text: &str) -> String {
        expand(text, &lookup).unwrap().text
    }

    #[test]
    fn variables_are_put_in() {
        assert_eq!(expanded("${env:HOST}:4317"), "h:4317");
        assert_eq!(expanded("${HOST}-${env:HOST}"), "h-h");
    }

    #[test]
    fn default_stands_for_unset_and_empty_variables() {
        assert_eq!(expanded("${env:NONE:-d:1}"), "d:1");
        assert_eq!(expanded("${env:EMPTY:-d}"), "d");
        assert_eq!(expanded("${env:HOST:-d}"), "h");
        assert_eq!(expanded("${env:NONE:-}"), "");
        assert_eq!(expanded("${env:EMPTY}"), "");
    }

    #[test]
    fn doubled_dollar_is_a_dollar() {
        assert_eq!(expanded("$${env:HOST} $5 $$"), "${env:HOST} $5 $");
    }

    #[test]
    fn mistakes_are_told_with_the_mend() {
        let message = |text| expand(text, &lookup).unwrap_err();
        assert_eq!(
            message("${env:NONE}"),
            "environment variable NONE is not set; set it, or write ${env:NONE:-default}"
        );
        assert_eq!(
            message("${file:/x}"),
            "source \"file\" of \"${file:/x}\" is unknown; only ${env:NAME} can be read"
        );
        assert_eq!(
            message("${env:HOST"),
            "\"${env:HOST\" has \"${\" without \"}\"; write \"$$\" for a dollar"
        );
        assert!(message("${env:A-B}").starts_with("\"A-B\" is no name"));
    }

    #[test]
    fn only_a_lone_reference_is_untyped() {
        for (text, whole) in
            [("${env:HOST}", true), ("${env:HOST}${env:HOST}", false), ("a${env:HOST}", false), ("$$", false)]
        {
            assert_eq!(expand(text, &lookup).unwrap().whole, whole, "{text}");
        }
    }
}
