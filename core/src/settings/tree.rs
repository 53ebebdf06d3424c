//! Configuration text as a tree, whatever it was written in, with the place of every value.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Position of the file among those that were given.
    pub order: usize,
    /// Name of the file, or of what else it came from (`--set`).
    pub file: Arc<str>,
    /// Line from 1; 0 where there are no lines.
    pub line: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands, if the text has lines.
    pub origin: Option<Origin>,
    /// The text came from an environment variable: it has no type of its own and becomes whatever is wanted.
    pub untyped: bool,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: the default.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text, without duplicate keys.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// What stands under it.
    pub node: Node,
}

/// The key of an entry and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Where it stands, if the text has lines.
    pub origin: Option<Origin>,
}

impl Node {
    /// A value from nowhere.
    pub const fn bare(value: Value) -> Self {
        Self { value, origin: None, untyped: false }
    }

    /// The entry under a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key.name == key),
            _ => None,
        }
    }
}

impl Value {
    /// The value in a few words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<Key, Self>::new()).map(Self::bare)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self { name, origin: None })
    }
}

/// Builds a [`Value`] whose keys and children are read as `K` and `N`: types that know how to find their place.
pub struct ValueVisitor<K, N>(PhantomData<(K, N)>);

impl<K, N> ValueVisitor<K, N> {
    /// The visitor.
    #[expect(clippy::new_without_default, reason = "a visitor is made where it is used")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, K, N> Visitor<'de> for ValueVisitor<K, N>
where
    K: Deserialize<'de> + Into<Key>,
    N: Deserialize<'de> + Into<Node>,
{
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<N>()? {
            items.push(item.into());
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(key) = access.next_key::<K>()? {
            let key: Key = key.into();
            if entries.iter().any(|entry| entry.key.name == key.name) {
                return Err(A::Error::custom(format!(
                    "key {:?} stands twice in one map; remove one of them",
                    key.name
                )));
            }
            entries.push(Entry { key, node: access.next_value::<N>()?.into() });
        }
        Ok(Value::Map(entries))
    }
}
