//! The bounds of the map, and what each of them turned away.

/// A bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// [`max_services`](crate::MapSettings::max_services): a flow, or an object of the cluster, found no room for its
    /// service. What a flow counts is in `~other`.
    Services,
    /// [`max_flows`](crate::MapSettings::max_flows): a delta found no room for its flow. What it counts is in `~other`.
    Flows,
    /// [`max_externals`](crate::MapSettings::max_externals): a flow counts for `~other` instead of an address outside.
    Externals,
    /// Addresses in the cluster that nobody known has: a flow counts for `~unresolved` or `~unwatched` instead.
    Unresolved,
    /// Names of cgroups and network namespaces, addresses and machines: one was not learned.
    Names,
    /// Objects of the cluster: one was not learned, or forgotten before its time.
    Objects,
    /// [`max_label_values`](crate::MapSettings::max_label_values): a counter counted with `~other` as its label.
    LabelValues,
    /// [`Known::MAX_DEPENDENCIES`](super::Known::MAX_DEPENDENCIES): a dependency that was told will be told again by the
    /// next run.
    KnownDependencies,
}

impl Bound {
    /// Every bound.
    pub const ALL: [Self; 8] = [
        Self::Services,
        Self::Flows,
        Self::Externals,
        Self::Unresolved,
        Self::Names,
        Self::Objects,
        Self::LabelValues,
        Self::KnownDependencies,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Flows => "flows",
            Self::Externals => "externals",
            Self::Unresolved => "unresolved",
            Self::Names => "names",
            Self::Objects => "objects",
            Self::LabelValues => "label_values",
            Self::KnownDependencies => "known_dependencies",
        }
    }
}
