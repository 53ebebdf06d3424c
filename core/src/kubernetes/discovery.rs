//! Which of the resources that not every cluster has this one has, and in which version.

use serde::Deserialize;

use super::api::{Api, CallError};
use super::resource::Resource;

/// Name of these calls in metrics.
const DISCOVERY: &str = "apis";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Group {
    versions: Option<Vec<GroupVersion>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GroupVersion {
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    resources: Option<Vec<Named>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// A resource that is served, with the version in which to ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) resource: Resource,
    pub(super) version: &'static str,
}

/// The resources among these that are served.
pub(super) async fn served(api: &Api, wanted: &[Resource]) -> Result<Vec<Served>, CallError> {
    let mut groups: Vec<&'static str> = wanted.iter().map(|resource| resource.group()).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut served = Vec::new();
    for group in groups {
        let wanted: Vec<_> = wanted.iter().copied().filter(|one| one.group() == group).collect();
        served.extend(served_of(api, group, &wanted).await?);
    }
    Ok(served)
}

async fn served_of(api: &Api, group: &str, wanted: &[Resource]) -> Result<Vec<Served>, CallError> {
    let versions: Vec<String> = match api.get::<Group>(DISCOVERY, &format!("/apis/{group}")).await {
        Ok(group) => group.versions.unwrap_or_default().into_iter().map(|one| one.version).collect(),
        Err(CallError::NotServed) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: Vec<Served> = Vec::new();
    for version in versions {
        let missing = |one: &&Resource| !found.iter().any(|known| known.resource == **one);
        let asked: Vec<_> =
            wanted.iter().filter(missing).filter(|one| one.versions().contains(&&*version)).collect();
        if asked.is_empty() {
            continue;
        }
        let path = format!("/apis/{group}/{version}");
        let names = match api.get::<Resources>(DISCOVERY, &path).await {
            Ok(resources) => resources.resources.unwrap_or_default(),
            Err(CallError::NotServed) => continue,
            Err(error) => return Err(error),
        };
        let known = asked.into_iter().filter(|one| names.iter().any(|named| named.name == one.plural()));
        let new: Vec<_> = known
            .filter_map(|one| {
                let version = one.versions().iter().find(|known| **known == version)?;
                Some(Served { resource: *one, version })
            })
            .collect();
        found.extend(new);
    }
    Ok(found)
}
