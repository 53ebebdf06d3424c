//! What an observer watches: which resources, by its role and by what the cluster serves, and each once or once a namespace.

use super::Options;
use super::api::{Api, Target};
use super::backoff::Backoff;
use super::discovery::{self, Served};
use super::resource::Resource;

/// How often to ask what is good to know before the watches begin without knowing it.
pub(super) const ATTEMPTS: usize = 3;

/// A watch to be started.
pub(super) struct Planned {
    pub(super) resource: Resource,
    pub(super) namespace: Option<String>,
    pub(super) target: Target,
}

/// The watches to begin with.
pub(super) async fn first(options: &Options, api: &Api) -> Vec<Planned> {
    resources(options, api).await.into_iter().flat_map(|one| watches(options, one)).collect()
}

async fn resources(options: &Options, api: &Api) -> Vec<Served> {
    if options.node.is_some() {
        return vec![Served { resource: Resource::Pods, version: "v1" }];
    }
    let mut all: Vec<_> = Resource::ALWAYS.map(|resource| Served { resource, version: "v1" }).into();
    let slices = Served { resource: Resource::EndpointSlices, version: "v1" };
    let endpoints = Served { resource: Resource::Endpoints, version: "v1" };
    let mut backoff = Backoff::default();
    for _ in 0..ATTEMPTS {
        match discovery::served(api, &Resource::OPTIONAL).await {
            Ok(served) => {
                if !served.contains(&slices) {
                    all.push(endpoints);
                }
                all.extend(served);
                return all;
            }
            Err(error) => tracing::debug!("what the API server serves is not known: {error}"),
        }
        tokio::time::sleep(backoff.next()).await;
    }
    all.push(slices);
    all
}

/// The watches of a resource: one, or one for each namespace that is watched.
pub(super) fn watches(options: &Options, served: Served) -> Vec<Planned> {
    let Served { resource, version } = served;
    let planned = |namespace: Option<&String>, path: String, field_selector: Option<String>| Planned {
        resource,
        namespace: namespace.cloned(),
        target: Target {
            resource: resource.plural(),
            path,
            metadata_only: resource.is_metadata_only(),
            field_selector,
        },
    };
    let of_node = options.node.as_ref().map(|node| format!("spec.nodeName={node}"));
    let namespaces = options.namespaces.iter();
    if namespaces.len() == 0 || !(resource.is_namespaced() || resource == Resource::Namespaces) {
        return vec![planned(None, resource.path(version, None), of_node)];
    }
    let each = namespaces.map(|namespace| {
        if resource == Resource::Namespaces {
            // Of all namespaces one's own may be read, where a role names it.
            let only = format!("metadata.name={namespace}");
            return planned(Some(namespace), resource.path(version, None), Some(only));
        }
        planned(Some(namespace), resource.path(version, Some(namespace)), of_node.clone())
    });
    each.collect()
}
