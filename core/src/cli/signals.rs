//! SIGTERM and SIGINT: the first asks for an ordered end, the second does not wait for it.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;

/// Exit status when a second signal cuts the ordered end short, as shells have it for an interrupted program.
const INTERRUPTED: i32 = 130;

/// Listens for the signals that end the program, on a runtime that also runs what is asynchronous.
#[derive(Debug)]
pub(super) struct Signals {
    runtime: Runtime,
    stopped: watch::Receiver<bool>,
}

impl Signals {
    /// Begins to listen; `on_stop` is called once, from another thread. To be called once the kernel side is attached:
    /// it starts `workers` threads, and before them a signal may simply end the process.
    pub(super) fn install(workers: usize, on_stop: impl FnOnce() + Send + 'static) -> Result<Self, CliError> {
        Self::listen(workers, on_stop).map_err(CliError::Runtime)
    }

    fn listen(workers: usize, on_stop: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("servicemap-io")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        runtime.spawn(async move {
            let mut wait = async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            wait().await;
            stop.send_replace(true);
            on_stop();
            wait().await;
            std::process::exit(INTERRUPTED);
        });
        Ok(Self { runtime, stopped })
    }

    /// Whether a signal came.
    pub(super) fn stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Becomes true when a signal came.
    pub(super) fn receiver(&self) -> watch::Receiver<bool> {
        self.stopped.clone()
    }

    /// Waits for `duration`, less when a signal comes.
    pub(super) fn wait(&self, duration: Duration) {
        let mut stopped = self.receiver();
        self.run(async move {
            tokio::select! {
                () = tokio::time::sleep(duration) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    }

    /// Runs a future to its end.
    pub(super) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
