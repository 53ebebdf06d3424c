//! Labels, and selectors of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels of an object, sorted by name. Copies share one row: all pods of a Deployment have the same labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&Arc<str>> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of these are among them, with the same values.
    pub fn contains(&self, others: &Self) -> bool {
        others.iter().all(|(name, value)| self.get(name) == Some(value))
    }

    /// Those that others have as well, with the same values.
    #[must_use]
    pub fn in_common(&self, others: &Self) -> Self {
        if self == others {
            return self.clone();
        }
        let common = self.iter().filter(|(name, value)| others.get(name) == Some(value));
        common.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether another copy of this row is held somewhere.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Labels {
    /// Of two labels of one name the last one counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let sorted: BTreeMap<Arc<str>, Arc<str>> =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self(sorted.into_iter().collect())
    }
}

impl Serialize for Labels {
    /// A map from names to values.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let labels = BTreeMap::<Arc<str>, Arc<str>>::deserialize(deserializer)?;
        Ok(labels.into_iter().collect())
    }
}

/// Which objects are meant, by their labels (`metav1.LabelSelector`). An empty one means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSelector {
    /// `matchLabels`: each of these labels has this value.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub match_labels: BTreeMap<String, String>,
    /// `matchExpressions`: and each of these is true.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub match_expressions: Vec<LabelExpression>,
}

impl LabelSelector {
    /// Whether something that has these labels is meant.
    pub fn matches(&self, labels: &Labels) -> bool {
        let has = |(name, value): (&String, &String)| labels.get(name).is_some_and(|is| **is == **value);
        self.match_labels.iter().all(has) && self.match_expressions.iter().all(|one| one.matches(labels))
    }
}

/// One expression of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelExpression {
    /// Name of a label.
    pub key: String,
    /// What is asked of it.
    pub operator: LabelOperator,
    /// Values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "super::super::lean::is_default")]
    pub values: Vec<String>,
}

impl LabelExpression {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = || value.is_some_and(|value| self.values.iter().any(|one| **one == **value));
        match self.operator {
            LabelOperator::In => listed(),
            LabelOperator::NotIn => !listed(),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

/// Operators of selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label has none of the values; also where there is no such label.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is no such label.
    DoesNotExist,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        [("tier", "front"), ("app", "web")].into_iter().collect()
    }

    fn says(key: &str, operator: LabelOperator, values: &[&str]) -> bool {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let expression = LabelExpression { key: key.to_owned(), operator, values };
        LabelSelector { match_expressions: vec![expression], ..LabelSelector::default() }.matches(&labels())
    }

    #[test]
    fn a_label_is_found_by_its_name() {
        assert_eq!(labels().get("tier").map(|value| &**value), Some("front"));
        assert_eq!(labels().get("zone"), None);
    }

    #[test]
    fn of_two_labels_of_one_name_the_last_one_counts() {
        let labels: Labels = [("app", "a"), ("app", "b")].into_iter().collect();
        assert_eq!(labels.get("app").map(|value| &**value), Some("b"));
    }

    #[test]
    fn an_empty_selector_means_all() {
        assert!(LabelSelector::default().matches(&labels()));
        assert!(LabelSelector::default().matches(&Labels::default()));
    }

    #[test]
    fn each_label_of_a_selector_has_to_be_there() {
        let wants = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            LabelSelector { match_labels: pairs.collect(), ..LabelSelector::default() }.matches(&labels())
        };
        assert!(wants(&[("app", "web"), ("tier", "front")]));
        assert!(!wants(&[("app", "web"), ("tier", "back")]));
        assert!(!wants(&[("zone", "a")]));
    }

    #[test]
    fn expressions_ask_for_values_and_for_presence() {
        assert!(says("app", LabelOperator::In, &["api", "web"]));
        assert!(!says("app", LabelOperator::In, &["api"]));
        assert!(!says("zone", LabelOperator::In, &["a"]));
        assert!(!says("app", LabelOperator::NotIn, &["web"]));
        assert!(says("zone", LabelOperator::NotIn, &["a"]), "what is not there has none of the values");
        assert!(says("app", LabelOperator::Exists, &[]));
        assert!(!says("zone", LabelOperator::Exists, &[]));
        assert!(!says("app", LabelOperator::DoesNotExist, &[]));
        assert!(says("zone", LabelOperator::DoesNotExist, &[]));
    }
}
