//! One watch: lists what exists, then follows what happens, and finds back whatever goes wrong.
//!
//! | what happens | what is done |
//! |---|---|
//! | the watch ends, or its connection | it goes on from the last version that was seen |
//! | nothing comes, not even its end | the same, a few seconds after it should have ended |
//! | 410 Gone: the version is too old | everything is listed again; only what differs is told |
//! | the server was away | the same: it may not be the one that it was |
//! | 429, or 503 with `Retry-After` | it waits as it is asked to |
//! | 403, 401 | said once; tried again every few seconds; what was known stays |
//! | 404: no such resource any more | what was known is gone |
//! | anything else | tried again after a wait that grows to three seconds |

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{Api, CallError, Event, EventKind, Operation, Status, Target};
use super::backoff::{self, Backoff};
use super::decode::{self, Item, Key};
use super::figures::Figures;
use super::hub::{Change, Hub};
use super::names::Names;
use super::outage::Outage;
use super::resource::Resource;

/// Changes that are told together, where so many came at once: each telling settles the whole map.
const MAX_BATCH: usize = 512;

/// A watch that lasted this long worked.
const STEADY: Duration = Duration::from_secs(5);

/// How long watches last before they are asked for anew: what hangs without anybody noticing does not hang for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length {
    /// At least this long …
    pub(crate) least: Duration,
    /// … and at most, so that not all watches end at once.
    pub(crate) most: Duration,
    /// How much longer than it was to last a watch counts as hung.
    pub(crate) grace: Duration,
}

impl Default for Length {
    fn default() -> Self {
        Self { least: Duration::from_secs(40), most: Duration::from_mins(1), grace: Duration::from_secs(5) }
    }
}

/// What all watches of an observer share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) figures: Arc<Figures>,
    pub(super) names: Arc<std::sync::Mutex<Names>>,
    pub(super) outage: Arc<Outage>,
    pub(super) length: Length,
}

/// See the module.
pub(super) struct Watch {
    api: Api,
    shared: Shared,
    resource: Resource,
    target: Target,
    /// The namespace, for messages.
    namespace: Option<String>,
    known: HashMap<Key, Seen>,
    settled: Option<bool>,
    /// What was said to be denied.
    denied: Option<Operation>,
    /// A failure was said, and that it is over was not.
    failing: bool,
    backoff: Backoff,
}

/// The version in which an object was seen, which is only ever compared: a hash of it takes less room than its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen(u64);

impl Seen {
    fn of(version: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        version.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A failure, and in which call.
struct Failure {
    operation: Operation,
    error: CallError,
}

impl Watch {
    pub(super) fn new(
        api: Api,
        shared: Shared,
        resource: Resource,
        target: Target,
        namespace: Option<String>,
    ) -> Self {
        Self {
            api,
            shared,
            resource,
            target,
            namespace,
            known: HashMap::new(),
            settled: None,
            denied: None,
            failing: false,
            backoff: Backoff::default(),
        }
    }

    /// Watches until the resource is served no longer.
    pub(super) async fn run(mut self) {
        let mut version: Option<String> = None;
        loop {
            let failure = match self.round(&mut version).await {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            let wait = match &failure.error {
                CallError::NotServed => {
                    self.forget_all();
                    return;
                }
                CallError::Gone => {
                    version = None;
                    self.backoff.next()
                }
                CallError::Denied(_) => {
                    self.say_denied(&failure);
                    self.settle(false);
                    backoff::after_denial()
                }
                CallError::Unauthorized(_) => {
                    self.shared.outage.failed(&failure.error);
                    self.settle(false);
                    backoff::after_denial()
                }
                CallError::Busy(wait) => backoff::as_asked(*wait),
                CallError::Unreachable(_) => {
                    let wait = self.backoff.next();
                    if self.backoff.is_repeated() {
                        self.shared.outage.failed(&failure.error);
                        version = None;
                    }
                    wait
                }
                CallError::Refused(..) | CallError::Malformed(_) => {
                    let wait = self.backoff.next();
                    if self.backoff.is_repeated() {
                        self.say_failing(&failure);
                        version = None;
                    }
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Lists, where it is not known what exists, and watches once.
    async fn round(&mut self, version: &mut Option<String>) -> Result<(), Failure> {
        let from = if let Some(version) = version {
            version.clone()
        } else {
            let listed = self.list().await;
            let listed = listed.map_err(|error| Failure { operation: Operation::List, error })?;
            version.insert(listed).clone()
        };
        let watched = self.watch(from, version).await;
        watched.map_err(|error| Failure { operation: Operation::Watch, error })
    }

    /// Lists everything, tells what differs from what was known, all at once, and returns the version of the list.
    async fn list(&mut self) -> Result<String, CallError> {
        let mut listed: HashMap<Key, Seen> = HashMap::with_capacity(self.known.len());
        let mut changes = Vec::new();
        let mut next: Option<String> = None;
        let version = loop {
            let page = self.api.list(&self.target, next.as_deref()).await?;
            let content = page.content()?;
            for object in content.items.unwrap_or_default() {
                let Some(item) = self.decode(object.get()) else { continue };
                let seen = Seen::of(&item.version);
                if self.known.get(&item.key) != Some(&seen) {
                    changes.push(Change::Is(item.key.clone(), item.object));
                }
                listed.insert(item.key, seen);
            }
            next = content.metadata.next.filter(|next| !next.is_empty());
            if next.is_none() {
                break content.metadata.resource_version;
            }
        };
        let gone = self.known.keys().filter(|key| !listed.contains_key(*key));
        changes.extend(gone.map(|key| Change::Gone(key.clone())));
        self.shared.outage.answered();
        self.known = listed;
        self.learn(changes);
        self.settle(true);
        Ok(version)
    }

    /// Watches from a version on, until the watch ends.
    async fn watch(&mut self, from: String, version: &mut Option<String>) -> Result<(), CallError> {
        let length = backoff::between(self.shared.length.least, self.shared.length.most);
        let began = Instant::now();
        let mut events = self.api.watch(&self.target, &from, length, self.shared.length.grace).await?;
        self.works();
        let mut changes = Vec::new();
        let end = loop {
            let event = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            match event.kind {
                EventKind::Error => break Err(status(&event).error()),
                EventKind::Unknown => {}
                kind => self.happened(kind, event.object.get(), version, &mut changes),
            }
            if !events.has_more() || changes.len() >= MAX_BATCH {
                self.learn(std::mem::take(&mut changes));
            }
        };
        self.learn(changes);
        if began.elapsed() >= STEADY {
            self.backoff.reset();
        } else if end.is_ok() {
            // A server that ends every watch at once is not asked more often for that.
            tokio::time::sleep(self.backoff.next()).await;
        }
        end
    }

    fn happened(
        &mut self,
        kind: EventKind,
        json: &str,
        version: &mut Option<String>,
        changes: &mut Vec<Change>,
    ) {
        let item = if kind == EventKind::Bookmark { None } else { self.decode(json) };
        let Some(Item { key, version: seen, object }) = item else {
            // Also of what cannot be read, or the watch would begin before it again and again.
            *version = decode::resource_version(json).or_else(|| version.take());
            return;
        };
        let seen_as = Seen::of(&seen);
        *version = Some(seen);
        if kind == EventKind::Deleted {
            if self.known.remove(&key).is_some() {
                changes.push(Change::Gone(key));
            }
        } else if self.known.insert(key.clone(), seen_as) != Some(seen_as) {
            changes.push(Change::Is(key, object));
        }
    }

    fn decode(&self, json: &str) -> Option<Item> {
        let started = Instant::now();
        let mut names = self.shared.names.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let item = decode::item(self.resource, json, &mut names);
        drop(names);
        self.shared.figures.decoded(started.elapsed());
        match item {
            Ok(item) => Some(item),
            Err(error) => {
                if self.shared.figures.skipped() == 0 {
                    let resource = self.target.resource;
                    tracing::warn!("an object of {resource} cannot be read and is left out: {error}");
                }
                None
            }
        }
    }

    fn learn(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.shared.hub.learn(self.resource, changes);
        }
    }

    fn settle(&mut self, allowed: bool) {
        if self.settled != Some(allowed) {
            // What was listed once is known, whether or not it may be watched now.
            let first = self.settled.is_none();
            if first || allowed {
                self.shared.hub.settled(self.resource, allowed, first);
                self.settled = Some(allowed);
            }
        }
    }

    fn forget_all(&mut self) {
        let gone = std::mem::take(&mut self.known).into_keys().map(Change::Gone).collect();
        self.learn(gone);
        self.settle(true);
    }

    fn works(&mut self) {
        self.shared.outage.answered();
        if self.denied.take().is_some() {
            tracing::warn!("{} may be watched now", self.what());
        } else if std::mem::take(&mut self.failing) {
            tracing::warn!("{} are watched again", self.what());
        }
    }

    fn say_denied(&mut self, failure: &Failure) {
        if self.denied != Some(failure.operation) {
            self.denied = Some(failure.operation);
            let verb = failure.operation.as_str();
            tracing::warn!(
                "{} may not be watched ({verb} was denied), so {}: give Servicemap's role the verbs list and watch on \
                 {}; it is tried again every few seconds. The API server says: {}",
                self.what(),
                self.resource.loss(),
                self.resource.qualified(),
                failure.error,
            );
        }
    }

    fn say_failing(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("{} cannot be watched now: {}; it is tried again", self.what(), failure.error);
        }
    }

    fn what(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} in namespace {namespace}", self.resource.qualified()),
            None => self.resource.qualified().to_owned(),
        }
    }
}

fn status(event: &Event<'_>) -> Status {
    serde_json::from_str(event.object.get()).unwrap_or_default()
}
