//! Health of services.

use serde::Serialize;

use super::ServiceId;
use super::lean::is_default;

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
    /// Endpoints lose their readiness and regain it, again and again.
    EndpointsFlap,
    /// A share of the handshakes took so long that a part of them must have been lost.
    SlowHandshakes,
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
            Self::EndpointsFlap => "endpoints_flap",
            Self::SlowHandshakes => "slow_handshakes",
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
    /// Which of the services that it depends on are not well either, if this one is degraded or unhealthy. They never change
    /// its own status.
    #[serde(flatten)]
    pub causes: Causes,
}

/// What a service depends on that is degraded or unhealthy, by itself or by way of others that are so, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Causes {
    /// The nearest first; at most [`MOST`](Self::MOST), and the ends of the chains are among them before others.
    #[serde(rename = "causes", skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Cause>,
    /// How many more there are.
    #[serde(rename = "more_causes", skip_serializing_if = "is_default")]
    pub more: u64,
}

impl Causes {
    /// So many are listed: who is on call reads a list of ten, and events stay small in the failure of a whole cluster.
    pub const MOST: usize = 10;
}

/// A service that may be why another one is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Which service.
    pub service: ServiceId,
    /// How it is.
    pub status: HealthStatus,
    /// How many dependencies lead to it, on the shortest way; 1 is needed directly.
    pub distance: u32,
    /// Who needs it on that way, if that is not the service itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<ServiceId>,
    /// Nothing that it depends on is degraded or unhealthy, other than what depends on it in turn: the chain ends here.
    pub root: bool,
}
