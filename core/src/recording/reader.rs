//! Reads recordings from files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use servicemap_map::record::{Header, Line, ReadError, Reader, Step};

use super::RecordingError;

/// The longest line that is read, in bytes: three times the longest that is written, which is what 100,000 dependencies of
/// earlier runs take, and little enough that a file that is no recording does not take all memory.
const MAX_LINE: u64 = 64 << 20;

/// How a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With what it recorded.
    Finished,
    /// Before that, after a complete line.
    Early,
    /// Before that, in the middle of this line, which is left out.
    InLine(u64),
}

/// The steps of a recording, one by one.
#[derive(Debug)]
pub struct Steps<R = BufReader<File>> {
    path: PathBuf,
    input: R,
    reader: Reader,
    line: Vec<u8>,
    cut_off: bool,
}

/// Opens a recording, `-` standing for standard input: how its map begins, and its steps.
///
/// # Errors
/// Where the file cannot be read or is no recording.
pub fn open(path: &Path) -> Result<(Header, Steps), RecordingError> {
    let file = if path == Path::new("-") {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let file = file.map_err(|source| RecordingError::Read { path: path.to_owned(), source })?;
    read(BufReader::new(file), path)
}

/// Reads a recording that is called `path` in errors.
pub(super) fn read<R: BufRead>(input: R, path: &Path) -> Result<(Header, Steps<R>), RecordingError> {
    let mut steps =
        Steps { path: path.to_owned(), input, reader: Reader::default(), line: Vec::new(), cut_off: false };
    loop {
        match steps.next_line()? {
            Some(Line::Header(header)) => return Ok((*header, steps)),
            Some(_) => {}
            None => return Err(steps.wrong(ReadError::Empty)),
        }
    }
}

impl<R: BufRead> Steps<R> {
    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read or a line says nothing that is known.
    pub fn step(&mut self) -> Result<Option<Step>, RecordingError> {
        loop {
            match self.next_line()? {
                Some(Line::Step(step)) => return Ok(Some(*step)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// How it ended, once [`step`](Self::step) has said that it did.
    pub const fn ending(&self) -> Ending {
        if self.reader.is_finished() {
            Ending::Finished
        } else if self.cut_off {
            Ending::InLine(self.reader.line())
        } else {
            Ending::Early
        }
    }

    fn next_line(&mut self) -> Result<Option<Line>, RecordingError> {
        self.line.clear();
        let mut input = self.input.by_ref().take(MAX_LINE);
        let length = input
            .read_until(b'\n', &mut self.line)
            .map_err(|source| RecordingError::Read { path: self.path.clone(), source })?;
        if length == 0 {
            return Ok(None);
        }
        if length as u64 == MAX_LINE {
            let line = self.reader.line() + 1;
            let source = io::Error::other(format!("line {line} has more than {MAX_LINE} bytes"));
            return Err(RecordingError::Read { path: self.path.clone(), source });
        }
        match self.reader.read(&self.line) {
            Ok(line) => Ok(Some(line)),
            Err(ReadError::CutOff { .. }) if !self.line.ends_with(b"\n") => {
                self.cut_off = true;
                Ok(None)
            }
            Err(error) => Err(self.wrong(error)),
        }
    }

    fn wrong(&self, source: ReadError) -> RecordingError {
        RecordingError::Wrong { path: self.path.clone(), source }
    }
}
