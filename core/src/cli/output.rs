//! Standard output: whole texts, and whether anybody still reads.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::CliError;

/// Writes `text` to standard output.
pub(super) fn print(text: &str) -> Result<ExitCode, CliError> {
    write(text.as_bytes())
}

/// Writes `bytes` to standard output.
pub(super) fn write(bytes: &[u8]) -> Result<ExitCode, CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(CliError::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the reader at the other end of standard output has gone: without this, a quiet machine would be observed
/// for nobody until the next event.
pub(super) fn is_abandoned() -> bool {
    let stdout = io::stdout();
    let mut fd = [PollFd::new(&stdout, PollFlags::empty())];
    // A zero timeout: look, do not wait.
    let answered = poll(&mut fd, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    answered.is_ok() && fd.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// What standard output can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    /// It is a terminal.
    pub(super) terminal: bool,
    /// Lines can be redrawn in place.
    pub(super) redraw: bool,
    /// Colours are wanted: a terminal, and `NO_COLOR` is not set.
    pub(super) colour: bool,
}

impl Capability {
    /// Of this process's standard output.
    pub(super) fn of_stdout() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let terminal = io::stdout().is_terminal();
        let redraw =
            terminal && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Self { terminal, redraw, colour: redraw && !is_set("NO_COLOR") }
    }

    /// Columns and rows of the terminal; none where there is no terminal.
    pub(super) fn size(self) -> Option<(usize, usize)> {
        let (columns, rows) = self.terminal.then(crossterm::terminal::size)?.ok()?;
        // A terminal that does not know its size says zero.
        (columns > 0 && rows > 0).then_some((usize::from(columns), usize::from(rows)))
    }
}
