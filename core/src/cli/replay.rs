//! `servicemap replay`: a recording told to a map again.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use servicemap_map::ServiceMap;
use servicemap_map::changes::{Batch, Cursor};
use servicemap_map::model::Timestamp;

use super::args::{MapOutput, ReplayArgs, ReplayOutput};
use super::error::CliError;
use super::output::{self, Capability};
use super::{map, run};
use crate::recording::{self, Ending, Steps};

pub(super) fn run(args: &ReplayArgs) -> Result<ExitCode, CliError> {
    let drawn = matches!(args.output, ReplayOutput::Dot | ReplayOutput::Mermaid);
    let view = map::view(&args.drawing, drawn)?;
    let (header, mut steps) = recording::open(&args.file)?;
    let map = header.map();
    let form = match args.output {
        ReplayOutput::Events => {
            events(map, &mut steps, &mut BufWriter::new(io::stdout().lock()))?;
            warn(&args.file, steps.ending());
            return Ok(ExitCode::SUCCESS);
        }
        ReplayOutput::Table => MapOutput::Table,
        ReplayOutput::Json => MapOutput::Json,
        ReplayOutput::Dot => MapOutput::Dot,
        ReplayOutput::Mermaid => MapOutput::Mermaid,
    };
    let (map, now) = in_the_end(map, header.started_at, &mut steps)?;
    warn(&args.file, steps.ending());
    output::print(&map::text(&map.snapshot(now), form, &view, Capability::of_stdout())?)
}

/// Says that a recording has no end, if it has none.
fn warn(path: &Path, ending: Ending) {
    let path = path.display();
    match ending {
        Ending::Finished => {}
        Ending::Early => tracing::warn!("{path} has no end: what happened after its last line is not in it"),
        Ending::InLine(line) => {
            tracing::warn!("{path} breaks off in line {line}: what happened from there on is not in it");
        }
    }
}

/// The map after all steps, and the last instant that it was told.
fn in_the_end(
    mut map: ServiceMap,
    begin: Timestamp,
    steps: &mut Steps,
) -> Result<(ServiceMap, Timestamp), CliError> {
    let mut now = begin;
    while let Some(step) = steps.step()? {
        now = step.now().map_or(now, |told| told.max(now));
        step.take(&mut map);
    }
    Ok((map, now))
}

/// Writes what a consumer is told that was there from the start.
fn events(mut map: ServiceMap, steps: &mut Steps, out: &mut impl Write) -> Result<(), CliError> {
    let mut cursor = None;
    while let Some(step) = steps.step()? {
        let now = step.now();
        step.take(&mut map);
        if let Some(now) = now {
            tell(&map, &mut cursor, now, out)?;
        }
    }
    out.flush().map_err(CliError::Output)
}

/// Writes what became of the last step.
fn tell(
    map: &ServiceMap,
    cursor: &mut Option<Cursor>,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CliError> {
    if !map.is_ready() {
        return Ok(());
    }
    let Some(cursor) = cursor else {
        let place = cursor.insert(map.log().cursor_at_end());
        let batch = Batch { events: map.initial_events(now), ..Batch::empty_at(*place) };
        return run::write_batch(out, &batch, None);
    };
    let batch = map.log().read(cursor, usize::MAX);
    let snapshot = (batch.lost > 0).then(|| map.snapshot(now));
    run::write_batch(out, &batch, snapshot.as_ref())
}
