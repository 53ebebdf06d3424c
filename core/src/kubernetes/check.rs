//! What this account may do in the cluster, asked of the cluster itself: for `servicemap check`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Options;
use super::api::{Api, CallError, Operation};
use super::connect::{self, ConnectError, Found};
use super::plan::{self, Planned};
use super::run::ServerVersion;

/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found out about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterReport {
    /// Where its API server is.
    pub(crate) url: String,
    /// Its version, or why it did not say so.
    pub(crate) version: Result<String, String>,
    /// What may be watched; empty where it does not answer.
    pub(crate) access: Vec<Access>,
}

/// What this account may do with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The resource, as a role has it.
    pub(crate) resource: &'static str,
    /// In which namespace, where only some are watched.
    pub(crate) namespace: Option<String>,
    /// Verbs that Servicemap needs and that the account does not have.
    pub(crate) missing: Vec<&'static str>,
    /// What the map lacks without it.
    pub(crate) loss: &'static str,
}

/// Asks the cluster that would be watched for what would be watched; an error where there is none.
pub(crate) fn check(options: &Options) -> Result<ClusterReport, ConnectError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| ConnectError::Client(format!("no runtime can be made: {error}")))?;
    let report = runtime.block_on(async {
        let Found { config, .. } = connect::find(options.kube_config.as_deref()).await?;
        let api = Api::new(connect::client(&config)?, std::sync::Arc::default());
        let url = config.cluster_url.to_string();
        let asked = tokio::time::timeout(PATIENCE, ask(options, &api, url.clone())).await;
        let late = |_| ClusterReport {
            url,
            version: Err(format!("no answer within {PATIENCE:?}")),
            access: Vec::new(),
        };
        Ok(asked.unwrap_or_else(late))
    });
    runtime.shutdown_background();
    report
}

async fn ask(options: &Options, api: &Api, url: String) -> ClusterReport {
    let version = match api.get::<ServerVersion>("version", "/version").await {
        Ok(version) => version.git_version,
        Err(error) => return ClusterReport { url, version: Err(error.to_string()), access: Vec::new() },
    };
    let mut access = Vec::new();
    for planned in plan::first(options, api).await {
        match missing(api, &planned).await {
            Ok(missing) => {
                let Planned { resource, namespace, .. } = planned;
                let (resource, loss) = (resource.qualified(), resource.loss());
                access.push(Access { resource, namespace, missing, loss });
            }
            Err(error) => return ClusterReport { url, version: Err(error.to_string()), access },
        }
    }
    ClusterReport { url, version: Ok(version), access }
}

/// `SelfSubjectAccessReview` of `authorization.k8s.io/v1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    resource_attributes: Attributes<'a>,
}

#[derive(Debug, Serialize)]
struct Attributes<'a> {
    group: &'a str,
    resource: &'a str,
    verb: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    /// Of the one object that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Reviewed {
    status: Verdict,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    allowed: bool,
}

async fn missing(api: &Api, planned: &Planned) -> Result<Vec<&'static str>, CallError> {
    let (resource, within) = (planned.resource, planned.namespace.as_deref());
    let (namespace, name) = if resource.is_namespaced() { (within, None) } else { (None, within) };
    let mut missing = Vec::new();
    for verb in [Operation::List, Operation::Watch].map(Operation::as_str) {
        let review = Review {
            api_version: "authorization.k8s.io/v1",
            kind: "SelfSubjectAccessReview",
            spec: Spec {
                resource_attributes: Attributes {
                    group: resource.group(),
                    resource: resource.plural(),
                    verb,
                    namespace,
                    name,
                },
            },
        };
        let reviewed: Reviewed =
            api.ask("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
        if !reviewed.status.allowed {
            missing.push(verb);
        }
    }
    Ok(missing)
}
