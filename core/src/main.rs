//! The `servicemap` binary: the command line of the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    servicemap::cli::main(std::env::args_os())
}
