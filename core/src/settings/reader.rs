//! Takes typed values out of a configuration tree and collects every problem, not only the first.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use super::tree::{Entry, Key, Node, Origin, Value};

/// How alike an unknown key and a known one must be (Jaro-Winkler, 0 to 1) for the known one to be proposed.
const ALIKE: f64 = 0.75;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, if the text has lines.
    pub origin: Option<Origin>,
    /// Which setting, `receivers::servicemap::buffer_size`.
    pub path: String,
    /// What is wrong, with the value and the mend.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Problems as text, one a line.
pub fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// The known word that is most like this one, if any is like it at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `parent::key`, or `key` at the top.
pub fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}::{key}") }
}

/// A map of settings being read. Every key that is asked for is known; [`finish`](Self::finish) reports the others.
#[derive(Debug)]
pub struct Section<'t, 'p> {
    entries: &'t [Entry],
    origin: Option<&'t Origin>,
    path: String,
    asked: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'t, 'p> Section<'t, 'p> {
    /// Begins to read a map; an empty value is an empty map, as in the Collector.
    pub fn new(node: &'t Node, path: &str, problems: &'p mut Vec<Problem>) -> Self {
        let entries: &[Entry] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            other => {
                let message = format!("is {}, but a map of settings belongs here", other.describe());
                problems.push(Problem { origin: node.origin.clone(), path: path.to_owned(), message });
                &[]
            }
        };
        Self { entries, origin: node.origin.as_ref(), path: path.to_owned(), asked: Vec::new(), problems }
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        for Entry { key, .. } in self.entries {
            if self.asked.contains(&key.name.as_str()) {
                continue;
            }
            let mend = match nearest(&key.name, self.asked.iter().copied()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => format!("known keys are {}", self.asked.join(", ")),
            };
            let message = format!("unknown key {:?}; {mend}", key.name);
            self.problems.push(Problem { origin: key.origin.clone(), path: self.path.clone(), message });
        }
    }

    /// Path of this section.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Reports a problem with a key of this section.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let origin =
            self.find(key).and_then(|entry| entry.node.origin.clone().or_else(|| entry.key.origin.clone()));
        let origin = origin.or_else(|| self.origin.cloned());
        self.problems.push(Problem { origin, path: join(&self.path, key), message: message.into() });
    }

    /// The node under a key, unless it is absent or empty.
    pub fn node(&mut self, key: &'static str) -> Option<&'t Node> {
        self.asked.push(key);
        self.find(key).map(|entry| &entry.node).filter(|node| node.value != Value::Null)
    }

    /// Whether the key stands in the text, even without a value.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Reads a section under this one with `read`; an absent one is read as empty.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        const ABSENT: Node = Node::bare(Value::Null);
        let absent = ABSENT;
        let path = join(&self.path, key);
        let mut section = Section::new(self.node(key).unwrap_or(&absent), &path, self.problems);
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            other => self.wrong(key, other, "text"),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if node.untyped && text == "true" => Some(true),
            Value::Text(text) if node.untyped && text == "false" => Some(false),
            other => self.wrong(key, other, "true or false"),
        }
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let node = self.node(key)?;
        let number = match &node.value {
            Value::Integer(value) => *value,
            Value::Text(text) if node.untyped && text.parse::<i128>().is_ok() => {
                text.parse().unwrap_or_default()
            }
            other => return self.wrong(key, other, "a whole number"),
        };
        match u64::try_from(number).ok().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                self.outside(key, &number.to_string(), &range.start().to_string(), &range.end().to_string())
            }
        }
    }

    /// A count within bounds, as a size of something in memory.
    pub fn count(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<usize> {
        self.integer(key, range).and_then(|number| usize::try_from(number).ok())
    }

    /// A number within bounds.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let node = self.node(key)?;
        let number = match &node.value {
            #[expect(clippy::cast_precision_loss, reason = "anything large is out of range anyway")]
            Value::Integer(value) => *value as f64,
            Value::Float(value) => *value,
            Value::Text(text) if node.untyped && text.parse::<f64>().is_ok() => {
                text.parse().unwrap_or_default()
            }
            other => return self.wrong(key, other, "a number"),
        };
        if range.contains(&number) {
            return Some(number);
        }
        self.outside(key, &number.to_string(), &range.start().to_string(), &range.end().to_string())
    }

    /// A length of time within bounds.
    pub fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let node = self.node(key)?;
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            other => return self.wrong(key, other, "a duration such as \"30s\""),
        };
        match duration::parse(&text) {
            Ok(value) if range.contains(&value) => Some(value),
            Ok(_) => self.outside(key, &text, &duration::text(*range.start()), &duration::text(*range.end())),
            Err(message) => {
                self.problem(key, message);
                None
            }
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.problem(key, format!("unknown value {text:?}; write one of {}", words.join(", ")));
        None
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        let Value::List(items) = &node.value else {
            return self.wrong(key, &node.value, "a list");
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push(text.clone()),
                other => {
                    self.problem(
                        key,
                        format!("has {} in its list, but texts belong there", other.describe()),
                    );
                }
            }
        }
        Some(texts)
    }

    /// Lists of texts under names of the user's own choice, in the order of the text.
    pub fn named_texts(&mut self, key: &'static str) -> Option<Vec<(String, Vec<String>)>> {
        let node = self.node(key)?;
        let Value::Map(entries) = &node.value else {
            return self.wrong(key, &node.value, "a map of names to lists");
        };
        let mut named = Vec::with_capacity(entries.len());
        for Entry { key: Key { name, .. }, node } in entries {
            match &node.value {
                Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Text(_))) => {
                    let texts = items.iter().filter_map(|item| match &item.value {
                        Value::Text(text) => Some(text.clone()),
                        _ => None,
                    });
                    named.push((name.clone(), texts.collect()));
                }
                other => {
                    let message = format!("is {}, but a list of texts belongs here", other.describe());
                    self.problem(&join(key, name), message);
                }
            }
        }
        Some(named)
    }

    fn find(&self, key: &str) -> Option<&'t Entry> {
        self.entries.iter().find(|entry| entry.key.name == key)
    }

    fn wrong<T>(&mut self, key: &str, value: &Value, wanted: &str) -> Option<T> {
        self.problem(key, format!("is {}, but {wanted} belongs here", value.describe()));
        None
    }

    fn outside<T>(&mut self, key: &str, value: &str, lowest: &str, highest: &str) -> Option<T> {
        self.problem(key, format!("{value} is out of range; write a value from {lowest} to {highest}"));
        None
    }
}
