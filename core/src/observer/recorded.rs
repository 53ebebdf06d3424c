//! The map of an observer, which may be recorded: every call that changes it is noted before it is made.

use std::ops::Deref;

use servicemap_map::ServiceMap;
use servicemap_map::model::{Fact, Known, SourceId, Timestamp};
use servicemap_map::record::{Header, Step};

use crate::recording::Recorder;

/// A map. What only looks at it goes through to it; what changes it is here, so that nothing can pass by a recording.
#[derive(Debug)]
pub(super) struct Recorded {
    map: ServiceMap,
    recorder: Option<Recorder>,
    /// Something was noted since the map was last told the time.
    noted: bool,
}

impl Deref for Recorded {
    type Target = ServiceMap;
    fn deref(&self) -> &ServiceMap {
        &self.map
    }
}

impl Recorded {
    pub(super) fn new(header: Header, mut recorder: Option<Recorder>) -> Self {
        let map = header.map();
        if let Some(recorder) = &mut recorder {
            recorder.begin(header);
        }
        Self { map, recorder, noted: false }
    }

    /// Notes a step; it is made only where somebody wants it.
    fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Some(recorder) = &mut self.recorder {
            recorder.note(step());
            self.noted = true;
        }
    }

    /// Hands over what was noted.
    fn send(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.send();
            self.noted = false;
        }
    }

    pub(super) fn remember(&mut self, known: Known) {
        self.note(|| Step::Remember(known.clone()));
        self.map.remember(known);
    }

    pub(super) fn known(&mut self, now: Timestamp) -> Known {
        self.note(|| Step::Keep(now));
        self.map.known(now)
    }

    pub(super) fn expect(&mut self, source: SourceId) {
        self.note(|| Step::Expect(source));
        self.map.expect(source);
    }

    pub(super) fn give_up(&mut self, source: SourceId) {
        self.note(|| Step::GiveUp(source));
        self.map.give_up(source);
    }

    pub(super) fn apply(&mut self, fact: Fact) {
        self.note(|| Step::Apply(fact.clone()));
        self.map.apply(fact);
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        // An observer tells its map the time ten times a second; a call at which nothing is due leaves no trace.
        let is_idle = self.map.is_ready() && self.map.next_deadline().is_none_or(|due| due > now);
        if self.noted || !is_idle {
            self.note(|| Step::Advance(now));
            self.send();
        }
        self.map.advance(now);
    }

    pub(super) fn flush(&mut self, now: Timestamp) {
        if self.map.can_flush() {
            self.note(|| Step::Flush(now));
            self.send();
            self.map.flush(now);
        }
    }

    pub(super) fn finish(&mut self, now: Timestamp) {
        self.note(|| Step::Finish(now));
        self.send();
        self.map.finish(now);
    }

    /// Changes nothing that is ever told.
    pub(super) fn take_reused(&mut self) -> Vec<(std::net::IpAddr, u32)> {
        self.map.take_reused()
    }
}
