//! A sink that keeps what is told, and the watches that tell it.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use servicemap_map::model::{Fact, FactBody, KubernetesFact, SourceId, Timestamp};

use super::server::Server;
use crate::clock::Clock;
use crate::kubernetes::{Kubernetes, Length, Options};
use crate::sink::FactSink;

/// Far longer than anything takes here; no test waits for it to pass.
const SOON: Duration = Duration::from_secs(30);

/// Keeps facts, in the batches in which they were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    clock: Clock,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    batches: Vec<Vec<Fact>>,
    given_up: bool,
}

impl FactSink for Told {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn tell(&self, facts: Vec<Fact>) {
        self.inner.lock().unwrap().batches.push(facts);
        self.changed.notify_all();
    }

    fn give_up(&self, source: SourceId) {
        assert_eq!(source, SourceId::Kubernetes);
        self.inner.lock().unwrap().given_up = true;
        self.changed.notify_all();
    }
}

impl Told {
    /// Everything so far, one line each.
    pub(super) fn lines(&self) -> Vec<String> {
        self.inner.lock().unwrap().batches.iter().flatten().map(line).collect()
    }

    /// The same by batch.
    pub(super) fn batches(&self) -> Vec<Vec<String>> {
        let inner = self.inner.lock().unwrap();
        inner.batches.iter().map(|batch| batch.iter().map(line).collect()).collect()
    }

    /// Facts as they are.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.inner.lock().unwrap().batches.concat()
    }

    /// Waits until this was told.
    pub(super) fn wait_for(&self, wanted: &str) {
        self.wait_until(wanted, |lines| lines.iter().any(|line| line == wanted));
    }

    /// Waits until this was told so many times.
    pub(super) fn wait_for_times(&self, wanted: &str, times: usize) {
        self.wait_until(wanted, |lines| lines.iter().filter(|line| *line == wanted).count() >= times);
    }

    /// Waits until the source was given up.
    pub(super) fn wait_for_give_up(&self) {
        let until = Instant::now() + SOON;
        let mut inner = self.inner.lock().unwrap();
        while !inner.given_up {
            let left = until.checked_duration_since(Instant::now()).expect("never given up");
            inner = self.changed.wait_timeout(inner, left).unwrap().0;
        }
    }

    fn wait_until(&self, what: &str, done: impl Fn(&[String]) -> bool) {
        let until = Instant::now() + SOON;
        let mut inner = self.inner.lock().unwrap();
        loop {
            let lines: Vec<_> = inner.batches.iter().flatten().map(line).collect();
            if done(&lines) {
                return;
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                panic!("never told: {what}; told were {lines:#?}");
            };
            inner = self.changed.wait_timeout(inner, left).unwrap().0;
        }
    }
}

/// Waits until something is so.
pub(super) fn eventually(is_so: impl Fn() -> bool) {
    let until = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < until, "it never became so");
        std::thread::yield_now();
    }
}

/// A fact in a few words.
fn line(fact: &Fact) -> String {
    let object = match &fact.body {
        FactBody::Kubernetes(object) => object,
        FactBody::Ready(_) => return "ready".to_owned(),
        other => panic!("{other:?}"),
    };
    match &**object {
        KubernetesFact::Service(one) => format!("service {}/{}", one.namespace, one.name),
        KubernetesFact::ServiceGone { namespace, name } => format!("service {namespace}/{name} gone"),
        KubernetesFact::EndpointSlice(one) => {
            format!("slice {}/{} of {}", one.namespace, one.name, one.service)
        }
        KubernetesFact::EndpointSliceGone { namespace, name } => format!("slice {namespace}/{name} gone"),
        KubernetesFact::Pod(one) => {
            format!("pod {} of {} {}", one.name, one.owner.kind, one.owner.name)
        }
        KubernetesFact::PodGone { uid } => format!("pod {uid} gone"),
        KubernetesFact::Node(one) => format!("node {}", one.name),
        KubernetesFact::NodeGone { name } => format!("node {name} gone"),
        KubernetesFact::Namespace(one) => format!("namespace {}", one.name),
        KubernetesFact::NamespaceGone { name } => format!("namespace {name} gone"),
        KubernetesFact::Ingress(one) => format!("{} {}/{}", one.kind.as_str(), one.namespace, one.name),
        KubernetesFact::IngressGone { kind, namespace, name } => {
            format!("{} {namespace}/{name} gone", kind.as_str())
        }
        KubernetesFact::NetworkPolicy(one) => format!("policy {}/{}", one.namespace, one.name),
        KubernetesFact::NetworkPolicyGone { namespace, name } => format!("policy {namespace}/{name} gone"),
        KubernetesFact::Scope(one) => {
            format!(
                "scope of {} ranges{}",
                one.ranges.len(),
                if one.partly_watched { ", partly" } else { "" }
            )
        }
    }
}

/// Watches of a server, and what they told.
pub(super) struct Watching {
    pub(super) told: Arc<Told>,
    pub(super) kubernetes: Kubernetes,
    _kubeconfig: tempfile::NamedTempFile,
}

/// Watches a server.
pub(super) fn watch(server: &Server) -> Watching {
    watch_with(server, |_| {})
}

/// Watches a server with other options.
pub(super) fn watch_with(server: &Server, change: impl FnOnce(&mut Options)) -> Watching {
    let kubeconfig = server.kubeconfig();
    // A hung watch is noticed in a second and a half.
    let length = Length {
        least: Duration::from_secs(1),
        most: Duration::from_secs(1),
        grace: Duration::from_millis(500),
    };
    let mut options = Options {
        kube_config: Some(kubeconfig.path().to_string_lossy().into_owned()),
        required: true,
        length,
        ..Options::default()
    };
    change(&mut options);
    let told = Arc::new(Told::default());
    let kubernetes = Kubernetes::start(options, told.clone()).unwrap().unwrap();
    Watching { told, kubernetes, _kubeconfig: kubeconfig }
}
