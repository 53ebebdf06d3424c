//! The map that comes of a recording, as it was at any instant.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use servicemap_map::ServiceMap;
use servicemap_map::model::Timestamp;
use servicemap_map::record::Step;

use super::{RecordingError, open};
use crate::settings::duration;

/// An instant of a recording, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// An instant of the calendar: `2027-01-15T08:00:00Z`.
    At(Timestamp),
    /// This long after the recording began: `+90s`.
    AfterBegin(Duration),
    /// This long before the recording ended: `-5m`.
    BeforeEnd(Duration),
}

impl Moment {
    /// The end of the recording.
    pub const END: Self = Self::BeforeEnd(Duration::ZERO);

    /// Reads a moment; `Err` says how to write one.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(length) = text.strip_prefix('-') {
            return duration::parse(length).map(Self::BeforeEnd);
        }
        if let Some(length) = text.strip_prefix('+') {
            return duration::parse(length).map(Self::AfterBegin);
        }
        text.parse().map(Self::At).map_err(|error| {
            format!("{error}, or \"-5m\" for five minutes before the end of the recording, \"+90s\" for 90 seconds after its begin")
        })
    }
}

/// From when to when a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When its map began.
    pub begin: Timestamp,
    /// The last instant that its map was told.
    pub end: Timestamp,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.begin, self.end)
    }
}

impl Span {
    /// Reads a recording to its end to know.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(path: &Path) -> Result<Self, RecordingError> {
        let (header, mut steps) = open(path)?;
        let mut span = Self { begin: header.started_at, end: header.started_at };
        while let Some(step) = steps.step()? {
            span.end = step.now().map_or(span.end, |now| now.max(span.end));
        }
        Ok(span)
    }

    fn find(self, moment: Moment) -> Timestamp {
        match moment {
            Moment::At(at) => at,
            Moment::AfterBegin(after) => self.begin + after,
            Moment::BeforeEnd(before) => self.end - before,
        }
    }
}

/// The map of a recording as it was at a moment of it, and the instant of that.
///
/// # Errors
/// Where the recording cannot be read, and where the moment is before its begin or after its end.
pub fn map_at(path: &Path, moment: Moment) -> Result<(ServiceMap, Timestamp), RecordingError> {
    let span = Span::of(path)?;
    let at = span.find(moment);
    if at < span.begin || at > span.end {
        return Err(RecordingError::Outside { path: path.to_owned(), at, span });
    }
    let (header, mut steps) = open(path)?;
    let mut map = header.map();
    // What is told between two instants is settled with the later one.
    let mut waiting = Vec::new();
    while let Some(step) = steps.step()? {
        match step.now() {
            Some(now) if now > at => break,
            Some(_) => {
                waiting.drain(..).for_each(|step: Step| step.take(&mut map));
                step.take(&mut map);
            }
            None => waiting.push(step),
        }
    }
    for step in waiting {
        if !matches!(&step, Step::Apply(fact) if fact.at > at) {
            step.take(&mut map);
        }
    }
    map.advance(at);
    Ok((map, at))
}
