//! Writes what a map is told.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use servicemap_map::record::{Header, Step, write_line};

use super::RecordingError;

/// Steps that wait to be written, at most: more than the first lists of a cluster of 10,000 pods and the sockets of a busy
/// machine give at once, in some 100 MB. Where more wait, the disk does not follow and never will.
pub(super) const MAX_WAITING: usize = 250_000;
/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

/// Begins a recording in a file.
///
/// # Errors
/// Where the file cannot be made, and where it exists and is not to be written over.
pub(super) fn create(path: &Path, overwrite: bool) -> Result<File, RecordingError> {
    let mut options = OpenOptions::new();
    options.write(true);
    if overwrite {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => RecordingError::Exists(path.to_owned()),
        _ => RecordingError::Create { path: path.to_owned(), source },
    })
}

/// The map's end of a recording: takes steps and never waits.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once the recording ended.
    steps: Option<Sender<Vec<Step>>>,
    header: Option<Sender<Header>>,
    waiting: Arc<AtomicUsize>,
    /// Steps that were not handed over yet.
    batch: Vec<Step>,
}

/// The other end: the thread that writes, and how it ended.
#[derive(Debug)]
pub struct Writing {
    path: PathBuf,
    ended: Receiver<Result<u64, RecordingError>>,
    /// What was received, kept for [`finish`](Self::finish).
    result: Option<Result<u64, RecordingError>>,
}

impl Recorder {
    /// Makes the file `path` and begins to write to it; `overwrite` says that it may exist.
    ///
    /// # Errors
    /// Where the file or the thread cannot be made.
    pub fn create(path: &Path, overwrite: bool) -> Result<(Self, Writing), RecordingError> {
        Self::write_to(create(path, overwrite)?, path)
    }

    /// Begins to write to something that is called `path` in errors.
    pub(super) fn write_to(
        out: impl Write + Send + 'static,
        path: &Path,
    ) -> Result<(Self, Writing), RecordingError> {
        let (header, headers) = mpsc::channel();
        let (steps, batches) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let pen = Pen {
            out: BufWriter::with_capacity(BUFFER, out),
            path: path.to_owned(),
            waiting: waiting.clone(),
            line: Vec::new(),
            written: 0,
        };
        let run = move || {
            // Nobody may be there to hear it.
            let _ = end.send(pen.run(&headers, &batches));
        };
        std::thread::Builder::new()
            .name("servicemap-record".to_owned())
            .spawn(run)
            .map_err(RecordingError::Thread)?;
        let recorder = Self { steps: Some(steps), header: Some(header), waiting, batch: Vec::new() };
        Ok((recorder, Writing { path: path.to_owned(), ended, result: None }))
    }

    /// How the map begins; before the first step.
    pub(crate) fn begin(&mut self, header: Header) {
        if let Some(sender) = self.header.take() {
            let _ = sender.send(header);
        }
    }

    /// Notes a step; it is handed over with the next [`send`](Self::send).
    pub(crate) fn note(&mut self, step: Step) {
        if self.steps.is_some() {
            self.batch.push(step);
        }
    }

    /// Hands over what was noted. Where too much waits already the recording ends here: a part that is missing in the middle
    /// would make another map.
    pub(crate) fn send(&mut self) {
        let Some(steps) = &self.steps else { return };
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let waiting = self.waiting.fetch_add(batch.len(), Ordering::Relaxed);
        let too_many = waiting > 0 && waiting.saturating_add(batch.len()) > MAX_WAITING;
        let finished = matches!(batch.last(), Some(Step::Finish(_)));
        if too_many || steps.send(batch).is_err() || finished {
            self.steps = None;
        }
    }
}

impl Writing {
    /// Whether the file has its end, be it that it could not be written any further.
    pub fn has_ended(&mut self) -> bool {
        self.wait(Duration::ZERO);
        self.result.is_some()
    }

    /// Waits at most `timeout` until all is written; how many steps were.
    ///
    /// # Errors
    /// Where the recording ends before what it records did.
    pub fn finish(mut self, timeout: Duration) -> Result<u64, RecordingError> {
        self.wait(timeout);
        self.result.unwrap_or(Err(RecordingError::NotWritten { path: self.path, after: timeout }))
    }

    fn wait(&mut self, timeout: Duration) {
        if self.result.is_none() {
            self.result = match self.ended.recv_timeout(timeout) {
                Ok(result) => Some(result),
                Err(RecvTimeoutError::Timeout) => None,
                // The thread is gone without a word: a defect, and an early end in any case.
                Err(RecvTimeoutError::Disconnected) => Some(Err(RecordingError::Stopped(self.path.clone()))),
            };
        }
    }
}

/// What the thread writes with.
struct Pen<W: Write> {
    out: BufWriter<W>,
    path: PathBuf,
    waiting: Arc<AtomicUsize>,
    line: Vec<u8>,
    written: u64,
}

impl<W: Write> Pen<W> {
    /// Writes until the last step, or until it cannot go on.
    fn run(
        mut self,
        headers: &Receiver<Header>,
        batches: &Receiver<Vec<Step>>,
    ) -> Result<u64, RecordingError> {
        let Ok(header) = headers.recv() else { return Err(RecordingError::Stopped(self.path)) };
        self.write(&header)?;
        loop {
            let batch = match batches.try_recv() {
                Ok(batch) => batch,
                Err(TryRecvError::Empty) => {
                    // Nothing waits: what was written is readable from here on, whatever happens to this process.
                    self.flush()?;
                    let Ok(batch) = batches.recv() else { return Err(self.broken_off()) };
                    batch
                }
                Err(TryRecvError::Disconnected) => {
                    self.flush()?;
                    return Err(self.broken_off());
                }
            };
            for step in &batch {
                self.write(step)?;
                self.written += 1;
            }
            self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
            if matches!(batch.last(), Some(Step::Finish(_))) {
                self.flush()?;
                return Ok(self.written);
            }
        }
    }

    /// Why nothing comes any more.
    fn broken_off(&self) -> RecordingError {
        // What was refused was counted as waiting, and never taken off.
        if self.waiting.load(Ordering::Relaxed) > 0 {
            RecordingError::TooSlow(self.path.clone())
        } else {
            RecordingError::Stopped(self.path.clone())
        }
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), RecordingError> {
        self.line.clear();
        write_line(&mut self.line, line).map_err(|error| self.failed(error.into()))?;
        self.out.write_all(&self.line).map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), RecordingError> {
        self.out.flush().map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> RecordingError {
        RecordingError::Write { path: self.path.clone(), source }
    }
}
