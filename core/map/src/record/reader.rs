//! Recordings as they are read: line by line, or whole.

use serde::Deserialize;

use super::{Header, Step};
use crate::ServiceMap;

/// What is wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The first line says of nothing that this is a recording.
    #[error(
        "line {line} is not the header of a recording ({reason}); it begins with a line such as \
         {{\"servicemap_recording\":1,\"started_at\":\"2027-01-15T08:00:00Z\"}}"
    )]
    NoHeader {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing in it.
    #[error(
        "the recording is empty; it begins with a line such as \
         {{\"servicemap_recording\":1,\"started_at\":\"2027-01-15T08:00:00Z\"}}"
    )]
    Empty,
    /// It was made by a later Servicemap.
    #[error(
        "the recording has format {0} and this Servicemap reads up to format {latest}; read it with a Servicemap that is as \
         new as the one that made it",
        latest = Header::VERSION
    )]
    Newer(u32),
    /// A line that does not say what it should.
    #[error("line {line} is no step of a recording: {reason}")]
    NoStep {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A line ends in the middle: whoever wrote it was ended by force, or the disk was full.
    #[error("line {line} ends in the middle; take it out to read what is before it")]
    CutOff {
        /// Number of the line, from 1.
        line: u64,
    },
    /// Something follows the last step.
    #[error("line {line} follows `finish`, which is the last step; begin another recording with it")]
    AfterFinish {
        /// Number of the line, from 1.
        line: u64,
    },
}

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The header: once, before all steps.
    Header(Box<Header>),
    /// A step.
    Step(Box<Step>),
    /// Blank, or a comment.
    Nothing,
}

/// Reads a recording line by line.
#[derive(Debug, Default)]
pub struct Reader {
    line: u64,
    begun: bool,
    finished: bool,
}

impl Reader {
    /// Takes the next line, with or without its end.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, ReadError> {
        self.line += 1;
        let text = line.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            return Ok(Line::Nothing);
        }
        if !self.begun {
            let header = self.header(text)?;
            self.begun = true;
            return Ok(Line::Header(Box::new(header)));
        }
        if self.finished {
            return Err(ReadError::AfterFinish { line: self.line });
        }
        match serde_json::from_slice(text) {
            Ok(step) => {
                self.finished = matches!(step, Step::Finish(_));
                Ok(Line::Step(Box::new(step)))
            }
            Err(error) if error.is_eof() => Err(ReadError::CutOff { line: self.line }),
            Err(error) => Err(ReadError::NoStep { line: self.line, reason: reason(&error) }),
        }
    }

    fn header(&self, text: &[u8]) -> Result<Header, ReadError> {
        #[derive(Deserialize)]
        struct Version {
            servicemap_recording: u32,
        }
        let no_header =
            |error: serde_json::Error| ReadError::NoHeader { line: self.line, reason: reason(&error) };
        // Before anything else: a later version may say things of which nothing is known here.
        let Version { servicemap_recording } = serde_json::from_slice(text).map_err(no_header)?;
        if servicemap_recording > Header::VERSION {
            return Err(ReadError::Newer(servicemap_recording));
        }
        serde_json::from_slice(text).map_err(no_header)
    }

    /// Number of the last line, from 1; 0 before the first.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Whether the last step was read. A recording without one was cut off.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }
}

/// What an error says, with the column of the one line that it is about.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(text) => format!("{text}, column {}", error.column()),
        None => text,
    }
}

/// A whole recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// How the map began.
    pub header: Header,
    /// What was told to it, in this order.
    pub steps: Vec<Step>,
}

impl Recording {
    /// Reads a whole recording. What is after the last complete line of one that was cut off is left out.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let (mut reader, mut header, mut steps) = (Reader::default(), None, Vec::new());
        for line in text.split_inclusive('\n') {
            match reader.read(line.as_bytes()) {
                Ok(Line::Header(first)) => header = Some(*first),
                Ok(Line::Step(step)) => steps.push(*step),
                Ok(Line::Nothing) => {}
                Err(ReadError::CutOff { .. }) if !line.ends_with('\n') => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { header: header.ok_or(ReadError::Empty)?, steps })
    }

    /// The map that comes of it.
    pub fn replay(self) -> ServiceMap {
        let mut map = self.header.map();
        self.steps.into_iter().for_each(|step| step.take(&mut map));
        map
    }
}
