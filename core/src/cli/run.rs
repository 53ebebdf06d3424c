//! `servicemap run`: observe until stopped.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use servicemap_map::changes::Batch;
use servicemap_map::model::Snapshot;

use super::args::{RunArgs, RunOutput};
use super::error::CliError;
use super::live;
use super::log::{self, Logs};
use super::map::STOP_TIMEOUT;
use super::output::{self, Capability};
use super::signals::Signals;
use crate::pipeline;
use crate::settings::LabelFilter;
use crate::{Initial, Next, Observer, Settings};

/// Events taken from the log at once: enough to make the lock cheap, little enough to keep the log moving.
const MAX_BATCH: usize = 1_024;
/// How long a wait for events lasts before it looks whether anybody still reads.
const READER_INTERVAL: Duration = Duration::from_secs(1);
/// Threads for pipelines: one can encode while another sends.
const PIPELINE_WORKERS: usize = 2;

/// Runs the pipelines of the configuration.
pub(super) fn pipelines(args: &RunArgs, log_level: Option<&str>) -> Result<ExitCode, CliError> {
    let config = pipeline::load(&args.config, &args.set)?;
    log::install(log_level, config.log_level().as_str())?;
    let signals = Signals::install(PIPELINE_WORKERS, || {})?;
    signals.run(pipeline::run(config, signals.receiver()))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what this machine does.
pub(super) fn observe(args: &RunArgs, logs: &Logs) -> Result<ExitCode, CliError> {
    let stdout = Capability::of_stdout();
    let observer = Observer::new(Settings::default());
    observer.start()?;
    match args.output.unwrap_or(if stdout.terminal { RunOutput::Table } else { RunOutput::Json }) {
        RunOutput::Table => live::run(&observer, stdout, logs)?,
        RunOutput::Json => json_lines(&observer)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes events to standard output, one JSON object a line, what exists already first.
fn json_lines(observer: &Observer) -> Result<(), CliError> {
    let waked = observer.clone();
    let signals = Signals::install(1, move || waked.wake())?;
    show_events(observer, || signals.stopped())
}

/// Writes events to standard output until the observer ends, which it is told to when `stop` says so, or until nobody reads
/// them any more.
pub(super) fn show_events(observer: &Observer, mut stop: impl FnMut() -> bool) -> Result<(), CliError> {
    let mut consumer = observer.consumer(Initial::Events)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut stopping = false;
    loop {
        match observer.next(&mut consumer, MAX_BATCH, READER_INTERVAL) {
            Next::Batch { batch, snapshot } => write_batch(&mut out, &batch, snapshot.as_deref())?,
            Next::Timeout | Next::Woken if output::is_abandoned() => return Ok(()),
            Next::Timeout | Next::Woken => {}
            Next::Ended if stopping => return Ok(()),
            Next::Ended => return Err(CliError::Stopped),
        }
        if !stopping && stop() {
            stopping = true;
            observer.shutdown(STOP_TIMEOUT)?;
        }
    }
}

/// Stands in the place of events that were lost because they were read too slowly.
#[derive(Serialize)]
struct EventsLost<'a> {
    #[serde(rename = "type")]
    line_type: &'static str,
    lost: u64,
    snapshot: Option<&'a Snapshot>,
}

/// Without labels: which of them may leave is said in a file, and here is none.
pub(super) fn write_batch(
    out: &mut impl Write,
    batch: &Batch,
    snapshot: Option<&Snapshot>,
) -> Result<(), CliError> {
    let labels = LabelFilter::default();
    if batch.lost > 0 {
        let snapshot = snapshot.map(|snapshot| labels.snapshot(snapshot));
        let snapshot = snapshot.as_deref();
        write_line(out, &EventsLost { line_type: "events.lost", lost: batch.lost, snapshot })?;
    }
    for event in &batch.events {
        write_line(out, &*labels.event(event))?;
    }
    out.flush().map_err(CliError::Output)
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let line = serde_json::to_vec(value)?;
    out.write_all(&line).and_then(|()| out.write_all(b"\n")).map_err(CliError::Output)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use servicemap_map::model::{
        Event, EventData, EventId, EventType, Gap, GapReason, RunId, Severity, Timestamp,
    };
    use uuid::Uuid;

    use super::super::render::sample;
    use super::*;

    fn gap(sequence: u64) -> Arc<Event> {
        let at = Timestamp::from_nanos(1_790_000_000_000_000_000);
        Arc::new(Event {
            id: EventId::new("", "capture.gap", "a\nb", at),
            event_type: EventType::CaptureGap,
            sequence,
            run_id: RunId(Uuid::nil()),
            at,
            observed_at: at,
            severity: Severity::Warn,
            initial: true,
            learning: false,
            sampling_ratio: None,
            subject: "a\nb".into(),
            data: EventData::Gap(Gap { reason: GapReason::MapBound, count: 3, healed: false, at }),
        })
    }

    fn lines(batch: &Batch, snapshot: Option<&Snapshot>) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        write_batch(&mut out, batch, snapshot).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_event_is_one_line() {
        let lines = lines(&Batch { first: 4, next: 6, lost: 0, events: vec![gap(4), gap(5)] }, None);
        let sequences: Vec<_> = lines.iter().map(|line| line["sequence"].as_u64()).collect();
        assert_eq!(sequences, [Some(4), Some(5)]);
        assert_eq!(lines[0]["type"], "capture.gap");
        assert_eq!(lines[0]["subject"], "a\nb");
        assert_eq!(lines[0]["initial"], true);
    }

    #[test]
    fn lost_events_are_told_before_those_that_follow_with_the_whole_map() {
        let batch = Batch { first: 9, next: 10, lost: 8, events: vec![gap(9)] };
        let lines = lines(&batch, Some(&sample::shop()));
        assert_eq!((&lines[0]["type"], &lines[0]["lost"]), (&"events.lost".into(), &8.into()));
        assert_eq!(lines[0]["snapshot"]["totals"]["services"], 6);
        assert_eq!(lines[1]["sequence"], 9);
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let batch = Batch { first: 1, next: 2, lost: 0, events: vec![gap(1)] };
        assert!(write_batch(&mut Closed, &batch, None).unwrap_err().is_closed_pipe());
    }
}
