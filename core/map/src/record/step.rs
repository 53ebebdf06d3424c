//! Steps: calls that change a map, one a line.

use std::fmt;

use serde::de::{
    self, Deserialize, Deserializer, EnumAccess, MapAccess, VariantAccess, Visitor, value::StrDeserializer,
};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::ServiceMap;
use crate::model::{Fact, FactBody, Known, Origin, SourceId, Timestamp};

/// One call that changes a map.
#[expect(clippy::large_enum_variant, reason = "the largest one is by far the most frequent one")]
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// [`ServiceMap::remember`]: `{"remember":{"dependencies":[…]}}`; before the first fact.
    Remember(Known),
    /// [`ServiceMap::expect`]: `{"expect":"capture"}`.
    Expect(SourceId),
    /// [`ServiceMap::give_up`]: `{"give_up":"kubernetes"}`.
    GiveUp(SourceId),
    /// [`ServiceMap::apply`]: `{"at":…,"from":…,"sequence":…}` and what the fact says under its own name. Without
    /// `from` it is told by the source that usually tells such facts, without `sequence` it is not counted.
    Apply(Fact),
    /// [`ServiceMap::advance`]: `{"advance":…}`.
    Advance(Timestamp),
    /// [`ServiceMap::known`], which forgets what is too old or too much to be kept: `{"keep":…}`.
    Keep(Timestamp),
    /// [`ServiceMap::flush`]: `{"flush":…}`.
    Flush(Timestamp),
    /// [`ServiceMap::finish`]: `{"finish":…}`; the last step.
    Finish(Timestamp),
}

impl Step {
    /// Does to a map what was done to the one that was recorded.
    pub fn take(self, map: &mut ServiceMap) {
        match self {
            Self::Remember(known) => map.remember(known),
            Self::Expect(source) => map.expect(source),
            Self::GiveUp(source) => map.give_up(source),
            Self::Apply(fact) => {
                map.apply(fact);
                // Whoever counts heard of these when it happened, and nobody counts here.
                map.take_reused();
            }
            Self::Advance(now) => map.advance(now),
            Self::Keep(now) => drop(map.known(now)),
            Self::Flush(now) => map.flush(now),
            Self::Finish(now) => map.finish(now),
        }
    }

    /// The time that the step tells the map; none where it tells something else.
    pub const fn now(&self) -> Option<Timestamp> {
        match self {
            Self::Advance(now) | Self::Flush(now) | Self::Finish(now) => Some(*now),
            Self::Remember(_) | Self::Expect(_) | Self::GiveUp(_) | Self::Apply(_) | Self::Keep(_) => None,
        }
    }
}

/// The source that usually tells such a fact, of this machine.
const fn usual_source(body: &FactBody) -> SourceId {
    match body {
        FactBody::Flow(_) | FactBody::Gap(_) => SourceId::Capture,
        FactBody::Kubernetes(_) => SourceId::Kubernetes,
        FactBody::Ready(source) => *source,
        FactBody::Address { .. }
        | FactBody::NetworkNamespace { .. }
        | FactBody::Cgroup { .. }
        | FactBody::NamespaceCgroup { .. }
        | FactBody::Machine { .. }
        | FactBody::MachineGone => SourceId::Host,
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Remember(known) => word(serializer, "remember", known),
            Self::Expect(source) => word(serializer, "expect", source),
            Self::GiveUp(source) => word(serializer, "give_up", source),
            Self::Advance(now) => word(serializer, "advance", now),
            Self::Keep(now) => word(serializer, "keep", now),
            Self::Flush(now) => word(serializer, "flush", now),
            Self::Finish(now) => word(serializer, "finish", now),
            Self::Apply(Fact { at, origin, body }) => {
                let from = (origin.source != usual_source(body)).then_some(origin.source);
                let sequence = (origin.sequence != 0).then_some(origin.sequence);
                FactLine { at: *at, from, sequence, body }.serialize(serializer)
            }
        }
    }
}

fn word<S: Serializer>(serializer: S, name: &'static str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut line = serializer.serialize_map(Some(1))?;
    line.serialize_entry(name, value)?;
    line.end()
}

#[derive(serde::Serialize)]
struct FactLine<'a> {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<SourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(flatten)]
    body: &'a FactBody,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

/// What of a line has been read.
#[derive(Default)]
struct Parts {
    at: Option<Timestamp>,
    from: Option<SourceId>,
    sequence: Option<u64>,
    /// What the line does, without the instant, source and number of a fact.
    what: Option<What>,
}

enum What {
    Fact(Box<FactBody>),
    Other(Box<Step>),
}

impl What {
    fn other(step: Step) -> Self {
        Self::Other(Box::new(step))
    }
}

impl Parts {
    fn what<E: de::Error>(&mut self, what: What) -> Result<(), E> {
        match self.what.replace(what) {
            None => Ok(()),
            Some(_) => Err(E::custom("a line does one thing, and this one does two")),
        }
    }

    fn step<E: de::Error>(self) -> Result<Step, E> {
        let is_bare = self.at.is_none() && self.from.is_none() && self.sequence.is_none();
        match self.what {
            Some(What::Fact(body)) => {
                let at = self.at.ok_or_else(|| E::missing_field("at"))?;
                let source = self.from.unwrap_or_else(|| usual_source(&body));
                let origin = Origin { source, sequence: self.sequence.unwrap_or(0) };
                Ok(Step::Apply(Fact { at, origin, body: *body }))
            }
            Some(What::Other(step)) if is_bare => Ok(*step),
            Some(What::Other(_)) => Err(E::custom("`at`, `from` and `sequence` are of facts only")),
            None => Err(E::custom(
                "it says neither a fact, nor `remember`, `expect`, `give_up`, `advance`, `keep`, `flush` or `finish`",
            )),
        }
    }
}

fn once<T, E: de::Error>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that is a step of a recording")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "at" => once(&mut parts.at, "at", map.next_value()?)?,
                "from" => once(&mut parts.from, "from", map.next_value()?)?,
                "sequence" => once(&mut parts.sequence, "sequence", map.next_value()?)?,
                "remember" => parts.what(What::other(Step::Remember(map.next_value()?)))?,
                "expect" => parts.what(What::other(Step::Expect(map.next_value()?)))?,
                "give_up" => parts.what(What::other(Step::GiveUp(map.next_value()?)))?,
                "advance" => parts.what(What::other(Step::Advance(map.next_value()?)))?,
                "keep" => parts.what(What::other(Step::Keep(map.next_value()?)))?,
                "flush" => parts.what(What::other(Step::Flush(map.next_value()?)))?,
                "finish" => parts.what(What::other(Step::Finish(map.next_value()?)))?,
                name => {
                    let entry = Entry { name, map: &mut map };
                    let body = FactBody::deserialize(de::value::EnumAccessDeserializer::new(entry))?;
                    parts.what(What::Fact(Box::new(body)))?;
                }
            }
        }
        parts.step()
    }
}

/// One entry of a line, read as if it stood alone: the name of a kind of fact, and what the fact says.
struct Entry<'a, A> {
    name: &'a str,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Entry<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), A::Error> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Entry<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.map.next_value()
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Fields(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Fields(visitor))
    }
}

/// Reads the fields of a kind of fact.
struct Fields<V>(V);

impl<'de, V: Visitor<'de>> de::DeserializeSeed<'de> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}
