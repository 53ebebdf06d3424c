//! A choice of event types: what a consumer asks for.

use std::fmt;
use std::str::FromStr;

use super::EventType;

/// Some types of events.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventTypes(u16);

impl EventTypes {
    /// Every type.
    pub const ALL: Self = Self::of(&EventType::ALL);

    /// What tools of this kind have told for long: services and whether they are healthy, connections, dependencies and the
    /// topology. Nothing of failures, ends of connections and dependencies, and losses.
    pub const BASIC: Self = Self::of(&[
        EventType::ServiceDiscovered,
        EventType::ServiceRemoved,
        EventType::ConnectionEstablished,
        EventType::DependencyDetected,
        EventType::HealthChanged,
        EventType::TopologyChanged,
    ]);

    /// Words that stand for several types.
    pub const PRESETS: [(&str, Self); 2] = [("all", Self::ALL), ("basic", Self::BASIC)];

    /// These types.
    pub const fn of(types: &[EventType]) -> Self {
        let mut bits = 0;
        let mut rest = types;
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u16;
            rest = others;
        }
        Self(bits)
    }

    /// Whether a type is among them.
    pub const fn contains(self, event_type: EventType) -> bool {
        self.0 & Self::of(&[event_type]).0 != 0
    }

    /// These and others.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL.into_iter().filter(move |event_type| self.contains(*event_type))
    }
}

impl Default for EventTypes {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Debug for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(EventType::as_str)).finish()
    }
}

impl FromStr for EventTypes {
    type Err = UnknownEventType;

    /// A type's name, or a word that stands for several.
    fn from_str(word: &str) -> Result<Self, UnknownEventType> {
        let preset = Self::PRESETS.into_iter().find(|(name, _)| *name == word).map(|(_, types)| types);
        let one = || EventType::ALL.into_iter().find(|event_type| event_type.as_str() == word);
        preset.or_else(|| one().map(|one| Self::of(&[one]))).ok_or_else(|| UnknownEventType(word.to_owned()))
    }
}

/// A word that names no type of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEventType(String);

impl fmt::Display for UnknownEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presets = EventTypes::PRESETS.into_iter().map(|(name, _)| name);
        let words: Vec<_> = presets.chain(EventType::ALL.into_iter().map(EventType::as_str)).collect();
        write!(f, "unknown type of events {:?}; write some of {}", self.0, words.join(", "))
    }
}

impl std::error::Error for UnknownEventType {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_type_or_a_preset() {
        assert_eq!("capture.gap".parse(), Ok(EventTypes::of(&[EventType::CaptureGap])));
        assert_eq!("all".parse(), Ok(EventTypes::ALL));
        let told = "service".parse::<EventTypes>().unwrap_err().to_string();
        assert!(told.starts_with(
            r#"unknown type of events "service"; write some of all, basic, service.discovered, "#
        ));
    }

    #[test]
    fn choices_add_up() {
        let types = EventTypes::BASIC.with(EventTypes::of(&[EventType::CaptureGap]));
        assert!(types.contains(EventType::CaptureGap) && types.contains(EventType::HealthChanged));
        assert!(!types.contains(EventType::ConnectionExpired));
        assert_eq!(types.iter().count(), 7);
        assert_eq!(EventTypes::ALL.iter().collect::<Vec<_>>(), EventType::ALL);
    }
}
