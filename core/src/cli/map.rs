//! `servicemap map`: observe for a while, print the map once, exit.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use servicemap_map::model::{EdgePairs, Snapshot};

use super::args::{DrawingArgs, MapArgs, MapOutput};
use super::error::CliError;
use super::output::{self, Capability};
use super::render::{self, Style, View, visible};
use super::signals::Signals;
use crate::recording::{Moment, map_at};
use crate::settings::LabelFilter;
use crate::{Observer, Settings};

/// The connections that exist are read within this time, also on a machine with 100,000 of them.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// The observer's end takes one last drain.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a wait for the observer looks for a signal.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(args: &MapArgs) -> Result<ExitCode, CliError> {
    let view = view(&args.drawing, is_drawn(args.output))?;
    if let Some(path) = &args.recording {
        let (map, at) = map_at(path, args.at.unwrap_or(Moment::END))?;
        return show(args, &view, || map.snapshot(at).into(), |key| map.pairs(key));
    }
    let observer = watch(args.observe_for)?;
    show(args, &view, || observer.snapshot(), |key| observer.pairs(key))
}

/// The map after a while; without one, after one drain of the kernel's counters.
pub(super) fn observe(observe_for: Option<Duration>) -> Result<Arc<Snapshot>, CliError> {
    Ok(watch(observe_for)?.snapshot())
}

/// An observer that has observed for a while and has ended.
fn watch(observe_for: Option<Duration>) -> Result<Observer, CliError> {
    let mut settings = Settings::default();
    // Who waits for a moment only wants to know to whom nobody connected meanwhile.
    settings.map.orphan_after = Duration::ZERO;
    let observe_for = observe_for.unwrap_or(settings.drain_interval);
    let observer = Observer::new(settings);
    observer.start()?;
    let signals = Signals::install(1, || {})?;
    let progress = Progress::begin(observe_for);
    if wait_ready(&observer, &signals)? {
        signals.wait(observe_for);
    } else {
        tracing::warn!("stopped before all connections that exist were read: the map is not complete");
    }
    observer.shutdown(STOP_TIMEOUT)?;
    drop(progress);
    Ok(observer)
}

/// Prints the map, or what is behind one connection of it.
fn show(
    args: &MapArgs,
    view: &View,
    snapshot: impl FnOnce() -> Arc<Snapshot>,
    pairs: impl FnOnce(&str) -> Option<EdgePairs>,
) -> Result<ExitCode, CliError> {
    let stdout = Capability::of_stdout();
    let Some(key) = &args.edge else {
        return output::print(&text(&snapshot(), args.output, view, stdout)?);
    };
    let found = pairs(key).ok_or_else(|| no_edge(key, &snapshot()));
    output::print(&match args.output {
        MapOutput::Table => render::pairs(&found?),
        MapOutput::Json => render::document(&found?, stdout.terminal)?,
        MapOutput::Dot => return Err(CliError::EdgeForm("-o dot")),
        MapOutput::Mermaid => return Err(CliError::EdgeForm("-o mermaid")),
    })
}

/// Says which connection may have been meant instead.
fn no_edge(key: &str, snapshot: &Snapshot) -> CliError {
    let likeness = |known: &String| strsim::jaro_winkler(key, known);
    let keys = snapshot.connections.iter().map(|connection| connection.edge.key());
    let nearest = keys.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let known = nearest.map_or_else(
        || "it has no connections at all".to_owned(),
        |nearest| format!("did you mean `{}`?", visible(&nearest)),
    );
    CliError::NoEdge { key: visible(key), known }
}

/// Waits until the connections that exist are in the map; false when a signal came before.
fn wait_ready(observer: &Observer, signals: &Signals) -> Result<bool, CliError> {
    let until = Instant::now() + READY_TIMEOUT;
    while !observer.wait_ready(SIGNAL_INTERVAL) {
        if signals.stopped() {
            return Ok(false);
        }
        if !observer.is_running() {
            return Err(CliError::Stopped);
        }
        if Instant::now() >= until {
            return Err(CliError::NotReady(READY_TIMEOUT));
        }
    }
    Ok(true)
}

/// What is to be drawn; nothing in particular may be asked for of a form that is no drawing.
pub(super) fn view(args: &DrawingArgs, drawn: bool) -> Result<View, CliError> {
    let view = View { namespaces: args.namespace.clone(), unfolded: args.unfold };
    if drawn || view.is_default() { Ok(view) } else { Err(CliError::NotDrawn) }
}

const fn is_drawn(form: MapOutput) -> bool {
    matches!(form, MapOutput::Dot | MapOutput::Mermaid)
}

/// The map in one of its forms.
pub(super) fn text(
    snapshot: &Snapshot,
    form: MapOutput,
    view: &View,
    stdout: Capability,
) -> Result<String, CliError> {
    if let Some(name) = view.unknown_namespace(snapshot) {
        return Err(CliError::NoNamespace(name.to_owned()));
    }
    Ok(match form {
        MapOutput::Table => {
            let width = stdout.size().map(|(columns, _)| columns);
            render::table(snapshot, Style { width, colour: stdout.colour }).to_text()
        }
        // Which labels may leave is said in a file, and here is none.
        MapOutput::Json => render::json(&LabelFilter::default().snapshot(snapshot), stdout.terminal)?,
        MapOutput::Dot => render::dot(snapshot, view),
        MapOutput::Mermaid => render::mermaid(snapshot, view),
    })
}

/// A line on standard error that says what takes so long, where a person can read it; gone when this is dropped.
struct Progress {
    shown: bool,
}

impl Progress {
    fn begin(observe_for: Duration) -> Self {
        let mut stderr = std::io::stderr();
        let shown = stderr.is_terminal();
        if shown {
            let _ = write!(stderr, "observing this machine for {observe_for:?}; Ctrl-C prints the map now");
            let _ = stderr.flush();
        }
        Self { shown }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // Carriage return, then erase the line (ECMA-48 EL).
            let _ = write!(std::io::stderr(), "\r\u{1b}[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::sample;
    use super::*;

    fn drawn(namespace: &str, form: MapOutput) -> Result<String, CliError> {
        let args = DrawingArgs { namespace: vec![namespace.to_owned()], unfold: false };
        let stdout = Capability { terminal: false, redraw: false, colour: false };
        text(&sample::shop(), form, &view(&args, is_drawn(form))?, stdout)
    }

    #[test]
    fn a_namespace_is_drawn_and_not_tabulated() {
        assert!(drawn("shop-2", MapOutput::Dot).unwrap().contains("only shop-2 and what it talks to"));
        assert!(matches!(drawn("shop-2", MapOutput::Json), Err(CliError::NotDrawn)));
    }

    #[test]
    fn a_namespace_that_the_map_does_not_have_is_named() {
        let error = drawn("shpo", MapOutput::Mermaid).unwrap_err().to_string();
        assert!(
            error.starts_with("nothing of the map is in the namespace or on the machine `shpo`"),
            "{error}"
        );
    }
}
