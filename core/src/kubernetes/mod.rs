//! The cluster's objects → facts: what the API server tells of Services, pods and whatever else names an address.
//!
//! [`Kubernetes`] owns a thread with a small runtime of its own, so that it works in any host. On it runs one watch a
//! resource and namespace (`watch`), which decodes what comes (`decode`) and hands it to the `hub`; from there it is told
//! as facts at once. Nothing of kube is seen outside this folder.
//!
//! It promises: objects of one list are told together and at one instant; what a new list does not hold any more is told
//! gone; nothing is told twice; no failure of the API server ends a watch.

mod api;
mod backoff;
#[cfg(feature = "cli")]
mod check;
mod connect;
mod decode;
mod discovery;
mod figures;
mod hub;
mod names;
mod outage;
mod owners;
mod plan;
mod resource;
mod run;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use servicemap_map::model::{AddressRange, SourceId};
use tokio::sync::oneshot;

#[cfg(feature = "cli")]
pub(crate) use check::{Access, ClusterReport, check};
pub use connect::ConnectError;
pub(crate) use figures::Figures;
pub(crate) use watch::Length;

use crate::sink::FactSink;

/// What to watch, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Path of the kubeconfig file; `None` for the account of the pod, else the usual places.
    pub(crate) kube_config: Option<String>,
    /// It is an error when there is no cluster to go by.
    pub(crate) required: bool,
    /// Namespaces to watch; empty for all.
    pub(crate) namespaces: Vec<String>,
    /// Only the pods of this node: what an agent needs to name its own machine's sockets.
    pub(crate) node: Option<String>,
    /// Ranges of pod and Service addresses beside those that the cluster tells itself.
    pub(crate) ranges: Vec<AddressRange>,
    /// How long watches last.
    pub(crate) length: Length,
}

/// The watches of a cluster.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    figures: Arc<Figures>,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Says that nothing will come, also when the thread panics.
struct GiveUp(Arc<dyn FactSink>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.give_up(SourceId::Kubernetes);
    }
}

/// Why a cluster is not watched.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// There is no usable configuration.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No thread could be made.
    #[error(
        "cannot start the thread of the cluster's watches: {0}: raise the limit of processes (ulimit -u)"
    )]
    Thread(std::io::Error),
    /// The thread panicked.
    #[error(
        "the cluster is not watched because of a defect in Servicemap: report the log, and set enable_k8s_discovery to false until it is mended"
    )]
    Defect,
}

impl Kubernetes {
    /// Starts to watch. Returns as soon as there is a configuration to go by, without waiting for the cluster. `None` where
    /// there is none and none is required; the sink is told so.
    pub(crate) fn start(options: Options, sink: Arc<dyn FactSink>) -> Result<Option<Self>, KubernetesError> {
        let figures = Arc::<Figures>::default();
        let required = options.required;
        let guard = GiveUp(sink.clone());
        let runner = run::Runner { options, sink, figures: figures.clone() };
        let (stop, stopped) = oneshot::channel();
        let (found, is_found) = sync_channel(1);
        let thread = std::thread::Builder::new().name("servicemap-k8s".to_owned()).spawn(move || {
            let _guard = guard;
            runner.run(&found, stopped);
        });
        let thread = thread.map_err(KubernetesError::Thread)?;
        match is_found.recv() {
            Ok(Ok(())) => Ok(Some(Self { figures, stop: Some(stop), thread: Some(thread) })),
            Ok(Err(ConnectError::Nowhere)) if !required => Ok(None),
            Ok(Err(error)) if required => Err(error.into()),
            Ok(Err(error)) => {
                tracing::warn!("no cluster is watched: {error}");
                Ok(None)
            }
            // The thread ended before it said anything, by a defect of ours.
            Err(_) => Err(KubernetesError::Defect),
        }
    }

    /// Whether anything is watched, or waited for.
    #[cfg(test)]
    pub(crate) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What is counted.
    pub(crate) fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }
}

impl Drop for Kubernetes {
    /// Stops and waits for the thread, which does not wait for the API server.
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
