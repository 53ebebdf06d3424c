//! Which environment a service is in: production, staging and so on. A dependency from one to another is worth a warning.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::model::ServiceRef;

/// How environments are told apart. The rules go before the label; without either no service is in any environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentSettings {
    /// A label of namespaces whose value is the environment of all that is in them.
    pub namespace_label: Option<Arc<str>>,
    /// The first rule that matches decides.
    pub rules: Vec<EnvironmentRule>,
}

/// Services whose names match are in an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RuleText", into = "RuleText")]
pub struct EnvironmentRule {
    environment: Arc<str>,
    namespace: WildMatch,
    /// `None` where every name of the namespace matches.
    name: Option<WildMatch>,
}

impl EnvironmentRule {
    /// A rule from its text: `NAMESPACE`, or `NAMESPACE/NAME`, in which `*` stands for any characters and `?` for one. What
    /// has no namespace (addresses outside, nodes) is matched by `/NAME` only.
    pub fn new(environment: impl Into<Arc<str>>, pattern: &str) -> Self {
        let (namespace, name) = match pattern.split_once('/') {
            Some((namespace, name)) => (namespace, Some(name)),
            None => (pattern, None),
        };
        Self {
            environment: environment.into(),
            namespace: WildMatch::new(namespace),
            name: name.map(WildMatch::new),
        }
    }

    fn matches(&self, service: &ServiceRef) -> bool {
        match &self.name {
            Some(name) => self.namespace.matches(&service.namespace) && name.matches(&service.name),
            None => !service.namespace.is_empty() && self.namespace.matches(&service.namespace),
        }
    }
}

/// A rule as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    environment: Arc<str>,
    pattern: String,
}

impl From<RuleText> for EnvironmentRule {
    fn from(text: RuleText) -> Self {
        Self::new(text.environment, &text.pattern)
    }
}

impl From<EnvironmentRule> for RuleText {
    fn from(rule: EnvironmentRule) -> Self {
        let pattern = match &rule.name {
            Some(name) => format!("{}/{name}", rule.namespace),
            None => rule.namespace.to_string(),
        };
        Self { environment: rule.environment, pattern }
    }
}

impl EnvironmentSettings {
    /// The environment that the rules give a service.
    pub(crate) fn by_rule(&self, service: &ServiceRef) -> Option<&Arc<str>> {
        self.rules.iter().find(|rule| rule.matches(service)).map(|rule| &rule.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceType;

    fn matches(pattern: &str, namespace: &str, name: &str) -> bool {
        let service = ServiceRef {
            namespace: namespace.into(),
            name: name.into(),
            service_type: ServiceType::ClusterIP,
        };
        EnvironmentRule::new("prod", pattern).matches(&service)
    }

    #[test]
    fn a_pattern_without_a_slash_is_one_of_namespaces() {
        assert!(matches("prod-*", "prod-shop", "api"));
        assert!(!matches("prod-*", "shop", "prod-api"));
        assert!(matches("prod-?", "prod-1", "api"));
        assert!(!matches("prod", "prod-1", "api"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_one_of_names_in_namespaces() {
        assert!(matches("shop/*-prod", "shop", "api-prod"));
        assert!(!matches("shop/*-prod", "bank", "api-prod"));
        assert!(matches("*/api", "bank", "api"));
    }

    #[test]
    fn what_has_no_namespace_is_matched_by_its_name_only() {
        assert!(!matches("*", "", "203.0.113.7"));
        assert!(matches("/203.0.113.*", "", "203.0.113.7"));
    }
}
