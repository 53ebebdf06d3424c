//! `servicemap record`: observe, and write down all that the map is told.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::args::RecordArgs;
use super::error::CliError;
use super::map::STOP_TIMEOUT;
use super::run::show_events;
use super::signals::Signals;
use crate::recording::{Recorder, Writing};
use crate::{Observer, Settings, pipeline};

/// How often it looks whether it is to end.
const INTERVAL: Duration = Duration::from_millis(200);
/// What waits to be written when the observer has ended is written within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn run(args: &RecordArgs) -> Result<ExitCode, CliError> {
    let settings = settings(args)?;
    let (recorder, mut writing) = Recorder::create(&args.file, args.force)?;
    let observer = Observer::recorded(settings, recorder);
    if let Err(error) = observer.start() {
        // There is nothing in it, and it would be in the way of the next attempt.
        let _ = std::fs::remove_file(&args.file);
        return Err(error.into());
    }
    let waked = observer.clone();
    let signals = Signals::install(1, move || waked.wake())?;
    let until = args.record_for.and_then(|length| Instant::now().checked_add(length));
    say(&format!("recording to {}; Ctrl-C ends it", args.file.display()));
    let mut is_over =
        || signals.stopped() || until.is_some_and(|until| Instant::now() >= until) || writing.has_ended();
    let mut shown = Ok(());
    if args.events {
        shown = show_events(&observer, is_over);
    } else {
        while !is_over() {
            if !observer.is_running() {
                return Err(stopped(writing));
            }
            signals.wait(INTERVAL);
        }
    }
    observer.shutdown(STOP_TIMEOUT)?;
    let steps = writing.finish(WRITE_TIMEOUT)?;
    shown?;
    say(&format!("recorded {steps} steps in {}", args.file.display()));
    Ok(ExitCode::SUCCESS)
}

/// The settings of the observer that is recorded.
fn settings(args: &RecordArgs) -> Result<Settings, CliError> {
    if args.config.is_empty() {
        return Ok(Settings::default());
    }
    let config = pipeline::load(&args.config, &args.set)?;
    let observers: Vec<_> = config.observers().collect();
    match observers.as_slice() {
        [one] => Ok((*one).clone()),
        several => Err(CliError::Observers(several.len())),
    }
}

/// Why an observer that ended by itself left no whole recording.
fn stopped(writing: Writing) -> CliError {
    writing.finish(WRITE_TIMEOUT).map_or_else(Into::into, |_| CliError::Stopped)
}

/// Tells a person what happens, on standard error.
fn say(line: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = writeln!(stderr, "{line}");
    }
}
