//! The components that there are.

use crate::telemetry::otlp_grpc::Signal;

/// What a component does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentKind {
    /// Brings signals in.
    Receiver,
    /// Changes them on the way.
    Processor,
    /// Takes them out.
    Exporter,
    /// Stands beside the pipelines.
    Extension,
}

impl ComponentKind {
    /// The word for one of them.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Extension => "extension",
        }
    }

    /// The section of the configuration that has them.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Extension => "extensions",
        }
    }
}

/// A component that can be configured.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    /// What it does.
    pub kind: ComponentKind,
    /// Its type, as in `type/name`.
    pub name: &'static str,
    /// Another type under which it is known.
    pub alias: Option<&'static str>,
    /// The signals that it has to do with.
    pub signals: &'static [Signal],
    /// What it is for, in one line.
    pub summary: &'static str,
}

/// Every component.
pub static COMPONENTS: [Component; 5] = [
    Component {
        kind: ComponentKind::Receiver,
        name: "servicemap",
        alias: None,
        signals: &[Signal::Logs, Signal::Metrics],
        summary: "observes who talks to whom on this machine",
    },
    Component {
        kind: ComponentKind::Receiver,
        name: "otlp",
        alias: None,
        signals: &[Signal::Logs],
        summary: "takes what agents count and hands it to the servicemap receiver with role cluster",
    },
    Component {
        kind: ComponentKind::Exporter,
        name: "otlp_grpc",
        alias: Some("otlp"),
        signals: &[Signal::Logs, Signal::Metrics],
        summary: "sends OTLP over gRPC",
    },
    Component {
        kind: ComponentKind::Exporter,
        name: "prometheus",
        alias: None,
        signals: &[Signal::Metrics],
        summary: "serves /metrics to Prometheus",
    },
    Component {
        kind: ComponentKind::Exporter,
        name: "debug",
        alias: None,
        signals: &[Signal::Logs, Signal::Metrics],
        summary: "shows on stdout what would be sent",
    },
];

/// Every component, receivers first.
pub const fn components() -> &'static [Component] {
    &COMPONENTS
}

/// The component of a kind with this type.
pub(super) fn find(kind: ComponentKind, name: &str) -> Option<&'static Component> {
    COMPONENTS
        .iter()
        .find(|component| component.kind == kind && (component.name == name || component.alias == Some(name)))
}

/// The types of a kind.
pub(super) fn types(kind: ComponentKind) -> Vec<&'static str> {
    COMPONENTS.iter().filter(|component| component.kind == kind).map(|component| component.name).collect()
}
