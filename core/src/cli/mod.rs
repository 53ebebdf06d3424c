//! The command line: parse what was asked, do it with an [`Observer`](crate::Observer) or a pipeline, say what went
//! wrong in one sentence.
//!
//! Standard output carries only what was asked for (a table, a map, events); everything said about it goes to standard
//! error. Exit status 0 is success and an ordered stop, 1 is a failure that was told, 2 a command line that is wrong.

mod analyze;
mod args;
mod check;
mod configuration;
mod diff;
mod error;
mod live;
mod log;
mod map;
mod output;
mod record;
mod render;
mod replay;
mod run;
mod saved;
mod screen;
mod signals;
mod simulate;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use error::CliError;

/// Runs the command line `args` (program name first) to its end and returns the process's exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    crate::capture::keep_large_allocations_apart();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe must not turn `--help | head` into a failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "servicemap: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { log_level, command } = cli;
    let log_level = log_level.as_deref();
    match command {
        // A pipeline file may set the log level: these begin to log when they know it.
        Command::Run(args) if !args.config.is_empty() => run::pipelines(&args, log_level),
        Command::Run(args) => run::observe(&args, &log::install(log_level, log::DEFAULT)?),
        Command::Map(args) => {
            log::install(log_level, log::DEFAULT)?;
            map::run(&args)
        }
        Command::Analyze(args) => {
            log::install(log_level, log::DEFAULT)?;
            analyze::run(&args)
        }
        Command::Record(args) => {
            log::install(log_level, log::DEFAULT)?;
            record::run(&args)
        }
        Command::Replay(args) => {
            log::install(log_level, log::DEFAULT)?;
            replay::run(&args)
        }
        Command::Diff(args) => {
            log::install(log_level, log::DEFAULT)?;
            diff::run(&args)
        }
        Command::Check(args) => check::run(&args),
        Command::Validate(args) => configuration::validate(&args),
        Command::PrintConfig(args) => configuration::print(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Components => configuration::components(),
        Command::Completion { shell } => completion(shell),
    }
}

fn completion(shell: clap_complete::Shell) -> Result<ExitCode, CliError> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "servicemap", &mut script);
    output::write(&script)
}
