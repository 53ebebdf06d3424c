//! `servicemap diff`: what became of a map between two instants.

mod changes;
mod read;

use std::process::ExitCode;

use changes::Changes;
use read::Map;

use super::args::{DiffArgs, DiffOutput};
use super::error::CliError;
use super::output::{self, Capability};
use super::render;

pub(super) fn run(args: &DiffArgs) -> Result<ExitCode, CliError> {
    let (from, to) = (Map::open(&args.from)?, Map::open(&args.to)?);
    let changes = Changes::between(&from, &to);
    let text = match args.output {
        DiffOutput::Table => changes.to_text(),
        DiffOutput::Json => render::document(&changes, Capability::of_stdout().terminal)?,
    };
    output::print(&text)
}
