//! The thread of the watches: finds the cluster, finds out what it serves, starts a watch for each resource and namespace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use kube::Config;
use serde::Deserialize;
use servicemap_map::model::{ClusterScope, SourceId};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Options;
use super::api::{Api, CallError, Target};
use super::backoff::Backoff;
use super::connect::{self, ConnectError, Found};
use super::decode;
use super::discovery;
use super::figures::Figures;
use super::hub::Hub;
use super::plan::{self, Planned};
use super::resource::Resource;
use super::watch::{Shared, Watch};
use crate::sink::FactSink;

/// How long a cluster may take to answer before the map begins without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often to look whether an optional resource is served now.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The namespace that every cluster has for as long as it is one.
const FIRST_NAMESPACE: &str = "kube-system";
/// How long the first lists may take before the map begins without those that are missing.
const FIRST_LISTS: Duration = Duration::from_secs(30);
/// Namespaces that share a client: API servers take 100 requests at a time on a connection, and a namespace has up to 11.
const NAMESPACES_A_CLIENT: usize = 8;

/// Everything that the thread has.
pub(super) struct Runner {
    pub(super) options: Options,
    pub(super) sink: Arc<dyn FactSink>,
    pub(super) figures: Arc<Figures>,
}

/// `GET /version`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerVersion {
    pub(super) git_version: String,
}

impl Runner {
    /// Runs until `stop` is dropped or answered. Says on `found` whether there is a configuration to go by.
    pub(super) fn run(self, found: &SyncSender<Result<(), ConnectError>>, stop: oneshot::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = found.send(Err(ConnectError::Client(format!("no runtime can be made: {error}"))));
                return;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                () = self.watch(found) => {}
                _ = stop => {}
            }
        });
        // Watches end with the runtime; what resolves names in the background is not waited for.
        runtime.shutdown_background();
    }

    async fn watch(self, found: &SyncSender<Result<(), ConnectError>>) {
        let Found { config, in_cluster } = match connect::find(self.options.kube_config.as_deref()).await {
            Ok(config) => config,
            Err(error) => {
                let _ = found.send(Err(error));
                return;
            }
        };
        let api = match self.api(&config) {
            Ok(api) => api,
            Err(error) => {
                let _ = found.send(Err(error));
                return;
            }
        };
        let _ = found.send(Ok(()));
        let wanted = self.options.required || in_cluster;
        if self.reach(&api, &config, wanted).await {
            self.watch_all(&api, &config).await;
        }
    }

    fn api(&self, config: &Config) -> Result<Api, ConnectError> {
        Ok(Api::new(connect::client(config)?, self.figures.clone()))
    }

    /// Waits for the API server. The map begins without it where it does not answer soon; false where it is not `wanted`
    /// for sure, and not there.
    async fn reach(&self, api: &Api, config: &Config, wanted: bool) -> bool {
        let url = &config.cluster_url;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut backoff = Backoff::default();
        let mut given_up = false;
        loop {
            let answer = api.get::<ServerVersion>("version", "/version");
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            let failure = match answer {
                Ok(Ok(version)) => {
                    tracing::info!("watching the cluster at {url}, Kubernetes {}", version.git_version);
                    return true;
                }
                // Who answers so is there; the watches say what may not be asked for.
                Ok(Err(CallError::Denied(_) | CallError::Unauthorized(_))) => return true,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {PATIENCE:?}"),
            };
            if !given_up && tokio::time::Instant::now() >= deadline {
                given_up = true;
                self.sink.give_up(SourceId::Kubernetes);
                if !wanted {
                    tracing::info!("the cluster at {url} is not watched: {failure}");
                    return false;
                }
                tracing::warn!("the cluster at {url} cannot be watched yet, it is tried again: {failure}");
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn watch_all(&self, api: &Api, config: &Config) {
        let scope = ClusterScope {
            uid: self.uid(api).await.unwrap_or_default().into(),
            ranges: self.options.ranges.clone(),
            partly_watched: !self.options.namespaces.is_empty() || self.options.node.is_some(),
        };
        let hub = Arc::new(Hub::new(self.sink.clone(), scope));
        let shared = Shared {
            hub: hub.clone(),
            figures: self.figures.clone(),
            names: Arc::default(),
            outage: Arc::default(),
            length: self.options.length,
        };
        let mut watches = Watches {
            apis: Apis { runner: self, config, common: api, more: Vec::new() },
            shared,
            running: JoinSet::new(),
            counts: BTreeMap::new(),
        };
        let first: Vec<_> = plan::first(&self.options, api).await;
        for watch in &first {
            hub.expect(watch.resource);
        }
        for watch in first {
            watches.start(watch);
        }
        let mut look = tokio::time::interval_at(tokio::time::Instant::now() + LOOK_AGAIN, LOOK_AGAIN);
        let overdue = hub.tell_overdue();
        let too_long = tokio::time::sleep(FIRST_LISTS);
        tokio::pin!(overdue, too_long);
        loop {
            tokio::select! {
                () = &mut overdue => {}
                () = &mut too_long, if !hub.is_ready() => hub.begin_anyway(),
                () = watches.ended() => {}
                _ = look.tick() => {
                    for watch in self.look_again(api, &watches).await {
                        hub.expect(watch.resource);
                        watches.start(watch);
                    }
                }
            }
        }
    }

    /// What stands for the cluster: the UID of its first namespace, where that may be listed.
    async fn uid(&self, api: &Api) -> Option<String> {
        let resource = Resource::Namespaces;
        let target = Target {
            resource: resource.plural(),
            path: resource.path("v1", None),
            metadata_only: true,
            field_selector: Some(format!("metadata.name={FIRST_NAMESPACE}")),
        };
        let mut backoff = Backoff::default();
        for _ in 0..plan::ATTEMPTS {
            match api.list(&target, None).await {
                Ok(page) => {
                    let found = page.content().ok()?.items.unwrap_or_default();
                    return found.first().and_then(|object| decode::uid(object.get()));
                }
                Err(CallError::Denied(_) | CallError::Unauthorized(_)) => return None,
                Err(_) => tokio::time::sleep(backoff.next()).await,
            }
        }
        None
    }

    /// Optional resources that are not watched, but served now.
    async fn look_again(&self, api: &Api, watches: &Watches<'_>) -> Vec<Planned> {
        if self.options.node.is_some() {
            return Vec::new();
        }
        let has_endpoints = watches.counts.contains_key(&Resource::Endpoints);
        let is_known = |resource: &Resource| {
            watches.counts.contains_key(resource) || (*resource == Resource::EndpointSlices && has_endpoints)
        };
        let wanted: Vec<_> = Resource::OPTIONAL.into_iter().filter(|one| !is_known(one)).collect();
        let served = discovery::served(api, &wanted).await.unwrap_or_default();
        served.into_iter().flat_map(|one| plan::watches(&self.options, one)).collect()
    }
}

/// The watches that run.
struct Watches<'a> {
    apis: Apis<'a>,
    shared: Shared,
    running: JoinSet<Resource>,
    counts: BTreeMap<Resource, usize>,
}

impl Watches<'_> {
    fn start(&mut self, planned: Planned) {
        let Planned { resource, namespace, target } = planned;
        *self.counts.entry(resource).or_default() += 1;
        let api = self.apis.of(namespace.as_deref());
        let watch = Watch::new(api, self.shared.clone(), resource, target, namespace);
        self.running.spawn(async move {
            watch.run().await;
            resource
        });
    }

    /// Waits for the end of a watch, whose resource is served no longer.
    async fn ended(&mut self) {
        match self.running.join_next().await {
            Some(Ok(resource)) => {
                tracing::info!("{} are not served any more", resource.qualified());
                if let Some(count) = self.counts.get_mut(&resource) {
                    *count -= 1;
                    if *count == 0 {
                        self.counts.remove(&resource);
                    }
                }
            }
            Some(Err(error)) => {
                tracing::error!("a watch of the cluster ended by a defect in Servicemap: {error}");
            }
            None => std::future::pending().await,
        }
    }
}

/// Clients: one for what is outside namespaces, and one for every few namespaces.
struct Apis<'a> {
    runner: &'a Runner,
    config: &'a Config,
    common: &'a Api,
    more: Vec<(Api, Vec<String>)>,
}

impl Apis<'_> {
    fn of(&mut self, namespace: Option<&str>) -> Api {
        let Some(namespace) = namespace else { return self.common.clone() };
        if let Some((api, _)) = self.more.iter().find(|(_, known)| known.iter().any(|one| one == namespace)) {
            return api.clone();
        }
        if let Some((api, known)) =
            self.more.last_mut().filter(|(_, known)| known.len() < NAMESPACES_A_CLIENT)
        {
            known.push(namespace.to_owned());
            return api.clone();
        }
        // The configuration made a client before.
        let api = self.runner.api(self.config).unwrap_or_else(|_| self.common.clone());
        self.more.push((api.clone(), vec![namespace.to_owned()]));
        api
    }
}
