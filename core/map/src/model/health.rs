//! Health of services.

use serde::Serialize;

/// How a service is, past the hysteresis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Neither Kubernetes nor traffic says anything.
    #[default]
    Unknown,
    /// Works.
    Healthy,
    /// Works partly.
    Degraded,
    /// Does not work.
    Unhealthy,
}

impl HealthStatus {
    /// The lower-case word, as JSON, metrics and OTLP have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Why a status is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthReason {
    /// Connection attempts were made and (nearly) all succeeded.
    ConnectionsSucceed,
    /// A share of the connection attempts failed.
    ConnectionsFail,
    /// Nothing was seen lately.
    NoTraffic,
    /// Enough of the endpoints take connections.
    EndpointsReady,
    /// None, or too few, of the endpoints take connections.
    EndpointsNotReady,
    /// There are no endpoints at all.
    NoEndpoints,
}

impl HealthReason {
    /// The word in JSON and OTLP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionsSucceed => "connections_succeed",
            Self::ConnectionsFail => "connections_fail",
            Self::NoTraffic => "no_traffic",
            Self::EndpointsReady => "endpoints_ready",
            Self::EndpointsNotReady => "endpoints_not_ready",
            Self::NoEndpoints => "no_endpoints",
        }
    }
}

/// A status and its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Why, most important first.
    pub reasons: Vec<HealthReason>,
}
