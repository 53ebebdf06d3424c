//! Builds what a configuration says, runs it, and takes it down in order.
//!
//! Exporters are opened first, so that a busy port or an unreachable endpoint is told before anything is loaded into
//! the kernel. On shutdown the observers stop first; what they said last goes through before the exporters do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use servicemap_map::model::EventTypes;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{self, Config, Exporter, Pipeline};
use super::pump::{DebugSink, Sink, pump_logs, pump_metrics, pump_records};
use crate::settings::Role;
use crate::telemetry::otlp_grpc::{self, Connection, Sending, Signal, UnreachableError};
use crate::telemetry::otlp_receiver;
use crate::telemetry::prometheus_server::{self, ListenError, Server};
use crate::{Initial, Observer, ObserverError, Settings};

/// Events of one batch: about 400 KB of OTLP, well below what receivers take.
const BATCH_EVENTS: usize = 512;
/// How long a pump waits before it asks again; it is woken by events and by the end, so this costs nothing.
const PULL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an observer may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// How long exporters may take to send what is left; with the observers' time still within the 30 s that systemd and
/// Kubernetes leave.
const FLUSH_DEADLINE: Duration = Duration::from_secs(10);
/// How long requests of agents that run may take when the receiver stops.
const DOOR_DRAIN: Duration = Duration::from_secs(1);
/// How often it is looked whether the observers still run.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Why pipelines cannot run, or do not run any more.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An endpoint cannot be reached.
    #[error("exporters::{id}: {source}")]
    Unreachable {
        /// The exporter.
        id: String,
        /// Why.
        source: UnreachableError,
    },
    /// A port cannot be listened on.
    #[error("exporters::{id}: {source}")]
    Listen {
        /// The exporter.
        id: String,
        /// Why.
        source: ListenError,
    },
    /// A port for agents cannot be listened on.
    #[error("receivers::{id}: {source}")]
    ListenForAgents {
        /// The receiver.
        id: String,
        /// Why.
        source: otlp_receiver::ListenError,
    },
    /// An observer cannot be started.
    #[error("receivers::{id}: {source}")]
    Observer {
        /// The receiver.
        id: String,
        /// Why.
        source: ObserverError,
    },
    /// An observer ended by itself.
    #[error("receivers::{id}: the observer has stopped; its log says why")]
    Stopped {
        /// The receiver.
        id: String,
    },
    /// A thread of ours panicked.
    #[error("a thread of Servicemap ended unexpectedly, which is a defect; please report it: {0}")]
    Defect(#[from] tokio::task::JoinError),
}

/// Runs the pipelines until `shutdown` is true or its sender is gone.
pub async fn run(config: Config, shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    let opened = open_exporters(&config).await?;
    let doors = open_doors(&config).await?;
    let observers = start_observers(&config).await?;
    let mut running = Running::default();
    if let Err(refused) = running.start(&config, &observers, opened) {
        stop_observers(observers).await?;
        return Err(refused);
    }
    running.open(doors, &observers);
    let outcome = wait(&observers, shutdown).await;
    // Agents that send on are told to try again: the next instance takes it.
    running.close_doors().await;
    let stopped = stop_observers(observers).await;
    running.finish().await?;
    outcome.and(stopped)
}

/// Waits for the shutdown, or for an observer that ends before.
async fn wait(
    observers: &BTreeMap<String, Receiver>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut look = tokio::time::interval(WATCH_INTERVAL);
    loop {
        tokio::select! {
            // An error says that the sender is gone: a shutdown, too.
            _ = shutdown.wait_for(|stop| *stop) => return Ok(()),
            _ = look.tick() => {
                if let Some((id, _)) = observers.iter().find(|(_, receiver)| !receiver.observer.is_running()) {
                    return Err(RunError::Stopped { id: id.clone() });
                }
            }
        }
    }
}

/// Binds the endpoints of what agents tell.
async fn open_doors(config: &Config) -> Result<Vec<(String, otlp_receiver::Server)>, RunError> {
    let mut doors = Vec::new();
    for (id, receiver) in &config.receivers {
        let config::Receiver::Otlp(settings) = receiver else { continue };
        let bound = otlp_receiver::Server::bind(settings).await;
        let server = bound.map_err(|source| RunError::ListenForAgents { id: id.clone(), source })?;
        for (protocol, address) in ["grpc", "http"].into_iter().zip(server.addresses()) {
            if let Some(address) = address {
                tracing::info!("receivers::{id}: takes what agents count at {address} ({protocol})");
            }
        }
        doors.push((id.clone(), server));
    }
    Ok(doors)
}

/// One observer, shared by every pipeline that names its receiver.
struct Receiver {
    id: String,
    observer: Observer,
    settings: Settings,
}

async fn start_observers(config: &Config) -> Result<BTreeMap<String, Receiver>, RunError> {
    let mut observers = BTreeMap::new();
    for (id, receiver) in &config.receivers {
        let config::Receiver::Servicemap(settings) = receiver else { continue };
        if !config.pipelines.iter().any(|pipeline| pipeline.receivers.contains(id)) {
            tracing::warn!("receivers::{id}: no pipeline has it; it is not started");
            continue;
        }
        let observer = Observer::new((**settings).clone());
        // Loading programs into the kernel blocks.
        let starting = observer.clone();
        if let Err(source) = tokio::task::spawn_blocking(move || starting.start()).await? {
            stop_observers(observers).await?;
            return Err(RunError::Observer { id: id.clone(), source });
        }
        let receiver = Receiver { id: id.clone(), observer, settings: (**settings).clone() };
        observers.insert(id.clone(), receiver);
    }
    Ok(observers)
}

async fn stop_observers(observers: BTreeMap<String, Receiver>) -> Result<(), RunError> {
    let mut outcome = Ok(());
    for (id, Receiver { observer, .. }) in observers {
        let stopped = tokio::task::spawn_blocking(move || observer.shutdown(STOP_DEADLINE)).await?;
        outcome = outcome.and(stopped.map_err(|source| RunError::Observer { id, source }));
    }
    outcome
}

/// An exporter that is open and does nothing yet.
enum Opened {
    OtlpGrpc(Arc<Connection>),
    Prometheus(Server),
    Debug(Arc<DebugSink>),
}

async fn open_exporters(config: &Config) -> Result<BTreeMap<String, Opened>, RunError> {
    let mut opened = BTreeMap::new();
    for (id, exporter) in &config.exporters {
        if !config.pipelines.iter().any(|pipeline| pipeline.exporters.contains(id)) {
            tracing::warn!("exporters::{id}: no pipeline has it; it is not started");
            continue;
        }
        let exporter = match exporter {
            Exporter::OtlpGrpc(settings) => {
                let connection = Connection::open(&format!("exporters::{id}"), (**settings).clone()).await;
                Opened::OtlpGrpc(Arc::new(
                    connection.map_err(|source| RunError::Unreachable { id: id.clone(), source })?,
                ))
            }
            Exporter::Prometheus(settings) => {
                let server = Server::bind(settings)
                    .await
                    .map_err(|source| RunError::Listen { id: id.clone(), source })?;
                tracing::info!("exporters::{id}: metrics are at http://{}/metrics", server.address());
                Opened::Prometheus(server)
            }
            Exporter::Debug(settings) => {
                Opened::Debug(Arc::new(DebugSink::new(id.clone(), settings.verbosity)))
            }
        };
        opened.insert(id.clone(), exporter);
    }
    Ok(opened)
}

/// Everything that has to be waited for in the end.
#[derive(Default)]
struct Running {
    pumps: Vec<JoinHandle<()>>,
    /// Metrics pumps end when these are gone.
    stops: Vec<mpsc::Sender<()>>,
    queues: BTreeMap<(String, &'static str), otlp_grpc::Queue>,
    sendings: Vec<Sending>,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
    /// Where agents tell; they end before the observers do.
    doors: Vec<JoinHandle<std::io::Result<()>>>,
    stop_doors: watch::Sender<bool>,
    /// Servers end when this is true or gone.
    stop_servers: watch::Sender<bool>,
}

impl Running {
    fn start(
        &mut self,
        config: &Config,
        observers: &BTreeMap<String, Receiver>,
        mut opened: BTreeMap<String, Opened>,
    ) -> Result<(), RunError> {
        for pipeline in &config.pipelines {
            let sinks = self.sinks(pipeline, observers, &mut opened);
            for receiver in pipeline.receivers.iter().filter_map(|id| observers.get(id)) {
                match pipeline.signal {
                    Signal::Logs => self.start_logs(config, receiver, &sinks)?,
                    Signal::Metrics => {
                        self.start_metrics(receiver, sinks.iter().map(|(_, sink)| sink.clone()).collect());
                    }
                }
            }
        }
        // The pumps have their own: the queues are to close when the pumps end.
        self.queues.clear();
        Ok(())
    }

    /// Lets agents in.
    fn open(&mut self, doors: Vec<(String, otlp_receiver::Server)>, observers: &BTreeMap<String, Receiver>) {
        let cluster = observers.values().find(|receiver| receiver.settings.role == Role::Cluster);
        let Some(cluster) = cluster else { return };
        for (id, server) in doors {
            let (observer, stop) = (cluster.observer.clone(), self.stop_doors.subscribe());
            let sink: otlp_receiver::Sink = Arc::new(move |records| observer.take_records(records));
            let id = format!("receivers::{id}");
            self.doors.push(tokio::spawn(async move { server.serve(&id, sink, stop).await }));
        }
    }

    /// Takes nothing more from agents.
    async fn close_doors(&mut self) {
        self.stop_doors.send_replace(true);
        for mut door in std::mem::take(&mut self.doors) {
            match tokio::time::timeout(DOOR_DRAIN, &mut door).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!("an otlp receiver ended with an error: {error}"),
                Ok(Err(error)) => tracing::error!("an otlp receiver ended by a defect: {error}"),
                // An agent that holds its connection open is cut off.
                Err(_) => door.abort(),
            }
        }
    }

    /// Where a pipeline's signal goes, by exporter; servers are started here.
    fn sinks(
        &mut self,
        pipeline: &Pipeline,
        observers: &BTreeMap<String, Receiver>,
        opened: &mut BTreeMap<String, Opened>,
    ) -> Vec<(String, Sink)> {
        let mut sinks = Vec::new();
        for id in &pipeline.exporters {
            match opened.get(id) {
                Some(Opened::OtlpGrpc(connection)) => {
                    let queue = self.queue(id, connection, pipeline.signal);
                    sinks.push((id.clone(), Sink::Otlp(queue)));
                }
                Some(Opened::Debug(sink)) => sinks.push((id.clone(), Sink::Debug(sink.clone()))),
                Some(Opened::Prometheus(_)) => {
                    let receiver = pipeline.receivers.first().and_then(|id| observers.get(id));
                    if let (Some(Opened::Prometheus(server)), Some(receiver)) = (opened.remove(id), receiver)
                    {
                        let (observer, stop) = (receiver.observer.clone(), self.stop_servers.subscribe());
                        let serving = server.serve(
                            receiver.settings.max_edge_series,
                            move || observer.readings(),
                            stop,
                        );
                        self.servers.push(tokio::spawn(serving));
                    }
                }
                None => {}
            }
        }
        sinks
    }

    /// The queue of an exporter for a signal: one, however many pipelines lead there.
    fn queue(&mut self, id: &str, connection: &Arc<Connection>, signal: Signal) -> otlp_grpc::Queue {
        let key = (id.to_owned(), signal.as_str());
        if let Some(queue) = self.queues.get(&key) {
            return queue.clone();
        }
        let (queue, sending) = otlp_grpc::start(connection.clone(), signal, &Handle::current());
        self.sendings.push(sending);
        self.queues.insert(key, queue.clone());
        queue
    }

    fn start_logs(
        &mut self,
        config: &Config,
        receiver: &Receiver,
        sinks: &[(String, Sink)],
    ) -> Result<(), RunError> {
        let observer = receiver.observer.clone();
        if receiver.settings.role == Role::Agent {
            let sinks: Vec<_> = sinks.iter().map(|(_, sink)| sink.clone()).collect();
            self.pumps.push(tokio::task::spawn_blocking(move || {
                let mut reporter = observer.reporter();
                let next = || observer.next_records(&mut reporter, PULL_TIMEOUT);
                pump_records(next, || observer.info(), &sinks);
            }));
            return Ok(());
        }
        // Exporters that ask for the same types share a consumer, and what is encoded for them.
        let mut by_types: Vec<(EventTypes, Vec<Sink>)> = Vec::new();
        for (id, sink) in sinks {
            let exporter = config.exporters.iter().find(|(name, _)| name == id);
            let types = exporter.and_then(|(_, exporter)| exporter.events());
            let types = types.unwrap_or(receiver.settings.events);
            match by_types.iter_mut().find(|(known, _)| *known == types) {
                Some((_, sinks)) => sinks.push(sink.clone()),
                None => by_types.push((types, vec![sink.clone()])),
            }
        }
        for (types, sinks) in by_types {
            let consumer = observer.consumer_of(Initial::Snapshot, types);
            let mut consumer =
                consumer.map_err(|source| RunError::Observer { id: receiver.id.clone(), source })?;
            let (observer, labels) = (observer.clone(), receiver.settings.labels.clone());
            self.pumps.push(tokio::task::spawn_blocking(move || {
                let next = || observer.next(&mut consumer, BATCH_EVENTS, PULL_TIMEOUT);
                pump_logs(next, || observer.info(), &labels, &sinks);
            }));
        }
        Ok(())
    }

    fn start_metrics(&mut self, receiver: &Receiver, sinks: Vec<Sink>) {
        // A pipeline with only a Prometheus server is asked, it does not send.
        if sinks.is_empty() {
            return;
        }
        let (observer, settings) = (receiver.observer.clone(), receiver.settings.clone());
        let (sender, stop) = mpsc::channel();
        self.stops.push(sender);
        self.pumps.push(tokio::task::spawn_blocking(move || {
            // Figures of a map that is not complete yet would be told as changes later.
            while !observer.wait_ready(PULL_TIMEOUT) {
                if matches!(stop.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                    return;
                }
            }
            pump_metrics(
                || observer.readings(),
                &stop,
                settings.collection_interval,
                settings.max_edge_series,
                &sinks,
            );
        }));
    }

    /// Waits for pumps, then for what is in the queues, then for scrapes that run.
    async fn finish(self) -> Result<(), RunError> {
        let Self { pumps, stops, queues, sendings, servers, stop_servers, .. } = self;
        drop((stops, queues));
        for pump in pumps {
            pump.await?;
        }
        let flushes: Vec<_> =
            sendings.into_iter().map(|sending| tokio::spawn(sending.finish(FLUSH_DEADLINE))).collect();
        for flush in flushes {
            flush.await?;
        }
        stop_servers.send_replace(true);
        for mut server in servers {
            match tokio::time::timeout(prometheus_server::DRAIN, &mut server).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => tracing::warn!("a prometheus exporter ended with an error: {error}"),
                Ok(Err(panicked)) => return Err(panicked.into()),
                // A scraper that holds its connection open is cut off.
                Err(_) => server.abort(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
