//! Logs: to standard error, except while the live table has the terminal.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::error::CliError;

/// Lines kept while the live table has the terminal; older ones are dropped and counted. A screenful is what a person
/// can use afterwards.
const MAX_HELD: usize = 100;

/// What is logged where nobody says otherwise: what somebody should look at.
pub(super) const DEFAULT: &str = "warn";

/// Installs logging by `filter`, else by `RUST_LOG`, else by `default`.
pub(super) fn install(filter: Option<&str>, default: &str) -> Result<Logs, CliError> {
    if let Some(word) = filter.and_then(misspelt_level) {
        return Err(CliError::LogLevel(word.to_owned()));
    }
    let from_environment = std::env::var("RUST_LOG").ok().filter(|value| !value.is_empty());
    let value = filter.map(str::to_owned).or(from_environment).unwrap_or_else(|| default.to_owned());
    let filter =
        EnvFilter::builder().parse(&value).map_err(|source| CliError::LogFilter { value, source })?;
    let logs = Logs::default();
    // Another subscriber can only be there in an embedding program's tests; its logs then go where it wants them.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(logs.clone())
        .try_init();
    Ok(logs)
}

/// The first word of a filter that is neither a level nor says one. `RUST_LOG` takes such a word as the name of a target,
/// so a level with a typing error would silence everything.
fn misspelt_level(filter: &str) -> Option<&str> {
    let says_level =
        |word: &&str| word.is_empty() || word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
    filter.split(',').map(str::trim).find(|word| !says_level(word))
}

/// Where log lines go.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs(Arc<Mutex<Option<Held>>>);

/// Lines that wait for the terminal.
#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<String>,
    dropped: u64,
}

impl Logs {
    /// Keeps lines instead of writing them, until [`release`](Self::release).
    pub(super) fn hold(&self) {
        self.lock().get_or_insert_default();
    }

    /// The newest line that is held.
    pub(super) fn latest(&self) -> Option<String> {
        self.lock().as_ref().and_then(|held| held.lines.back().cloned())
    }

    /// Writes what was held to standard error, and from now on everything at once.
    pub(super) fn release(&self) {
        let Some(held) = self.lock().take() else { return };
        let mut stderr = io::stderr().lock();
        if held.dropped > 0 {
            let _ = writeln!(stderr, "servicemap: {} older log lines were dropped", held.dropped);
        }
        for line in held.lines {
            let _ = writeln!(stderr, "{line}");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn push(&mut self, line: &str) {
        if self.lines.len() == MAX_HELD {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line.to_owned());
    }
}

/// One write is one event, as `tracing_subscriber::fmt` does it.
impl Write for &Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.lock().as_mut() {
            Some(held) => String::from_utf8_lossy(bytes).lines().for_each(|line| held.push(line)),
            None => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = &'a Self;
    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_lines_are_bounded_and_the_oldest_go_first() {
        let logs = Logs::default();
        logs.hold();
        for n in 0..MAX_HELD + 5 {
            (&logs).write_all(format!("line {n}\n").as_bytes()).unwrap();
        }
        let held = logs.lock().take().unwrap();
        assert_eq!((held.lines.len(), held.dropped), (MAX_HELD, 5));
        assert_eq!(held.lines.front().unwrap(), "line 5");
    }

    #[test]
    fn the_newest_line_is_shown() {
        let logs = Logs::default();
        assert_eq!(logs.latest(), None);
        logs.hold();
        (&logs).write_all(b"first\nsecond\n").unwrap();
        assert_eq!(logs.latest().as_deref(), Some("second"));
    }

    #[test]
    fn a_misspelt_level_is_no_target() {
        let error = install(Some("servicemap=info,waring"), DEFAULT).unwrap_err().to_string();
        assert!(error.contains("`waring` is no log level"), "{error}");
        for filter in ["debug", "WARN", "off", "servicemap=debug,info", "[span]"] {
            assert_eq!(misspelt_level(filter), None, "{filter}");
        }
    }

    #[test]
    fn a_wrong_filter_is_named() {
        let error = install(Some("servicemap=loud"), DEFAULT).unwrap_err().to_string();
        assert!(error.contains("`servicemap=loud` is no log filter"), "{error}");
    }
}
