//! Recordings that are written, cut off, overtaken and read again.

use std::fs;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use servicemap_map::MapSettings;
use servicemap_map::model::{Fact, FactBody, Gap, GapReason, Origin, RunId, SourceId, Timestamp};
use servicemap_map::record::{Header, Step};
use uuid::Uuid;

use super::{Ending, Moment, Recorder, RecordingError, Span, map_at, open};

/// Far longer than anything takes here; no test waits for it to pass.
const SOON: Duration = Duration::from_secs(20);
const START: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

fn header() -> Header {
    Header::new(MapSettings::default(), RunId(Uuid::nil()), START)
}

fn at(second: u64) -> Timestamp {
    START + Duration::from_secs(second)
}

fn apply(second: u64, body: FactBody) -> Step {
    Step::Apply(Fact { at: at(second), origin: Origin { source: SourceId::Host, sequence: 0 }, body })
}

fn gap(second: u64) -> Step {
    let gap = Gap { reason: GapReason::FlowMapFull, count: 1, healed: false, at: at(second) };
    apply(second, FactBody::Gap(gap))
}

/// A gap each ten seconds.
fn steps(count: u64) -> Vec<Step> {
    let mut steps = vec![apply(0, FactBody::Ready(SourceId::Host)), Step::Advance(START)];
    for number in 1..=count {
        steps.extend([gap(number * 10), Step::Advance(at(number * 10))]);
    }
    steps.push(Step::Finish(at(count * 10 + 5)));
    steps
}

fn write(recorder: &mut Recorder, steps: &[Step]) {
    recorder.begin(header());
    for step in steps {
        recorder.note(step.clone());
        if step.now().is_some() {
            recorder.send();
        }
    }
}

fn recorded(path: &Path, steps: &[Step]) {
    let (mut recorder, writing) = Recorder::create(path, false).unwrap();
    write(&mut recorder, steps);
    assert_eq!(writing.finish(SOON).unwrap(), steps.len() as u64);
}

#[test]
fn what_was_written_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    recorded(&path, &steps(3));
    let (read, mut found) = open(&path).unwrap();
    assert_eq!(read, header());
    for step in steps(3) {
        assert_eq!(found.step().unwrap(), Some(step));
    }
    assert_eq!((found.step().unwrap(), found.ending()), (None, Ending::Finished));
}

#[test]
fn a_file_that_is_there_is_written_over_only_when_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    fs::write(&path, "precious").unwrap();
    let error = Recorder::create(&path, false).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("a.jsonl is there already: give another name, or --force to write over it")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let (mut recorder, writing) = Recorder::create(&path, true).unwrap();
    write(&mut recorder, &steps(1));
    writing.finish(SOON).unwrap();
    assert!(open(&path).is_ok());
}

/// Whoever is ended by force leaves a prefix of what it wrote.
#[test]
fn every_beginning_of_a_recording_is_read_up_to_its_last_complete_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    let steps = steps(2);
    recorded(&path, &steps);
    let bytes = fs::read(&path).unwrap();
    let header_length = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for length in header_length + 1..bytes.len() {
        let complete = bytes[..length].split(|byte| *byte == b'\n').count() - 2;
        let (_, mut found) = super::reader::read(BufReader::new(&bytes[..length]), &path).unwrap();
        let mut read = Vec::new();
        while let Some(step) = found.step().unwrap() {
            read.push(step);
        }
        // The end of a line may be all that is missing.
        assert!(read.len() == complete || read.len() == complete + 1, "{length}");
        assert_eq!(read, steps[..read.len()], "{length}");
        let expected = match (bytes[length - 1], read.len() == steps.len()) {
            (_, true) => Ending::Finished,
            (b'\n', false) => Ending::Early,
            _ if read.len() > complete => Ending::Early,
            _ => Ending::InLine(complete as u64 + 2),
        };
        assert_eq!(found.ending(), expected, "{length}");
    }
}

/// A disk with room for some bytes.
struct Small(Vec<u8>, usize);

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.1 - self.0.len();
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_is_told() {
    let (mut recorder, mut writing) =
        Recorder::write_to(Small(Vec::new(), 2_000), Path::new("a.jsonl")).unwrap();
    write(&mut recorder, &steps(1_000));
    let until = std::time::Instant::now() + SOON;
    while !writing.has_ended() && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
    let error = writing.finish(SOON).unwrap_err();
    assert!(matches!(error, RecordingError::Write { .. }), "{error}");
    assert!(error.to_string().starts_with("the recording a.jsonl ends early: "), "{error}");
}

/// A disk that takes nothing until it is told to.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Ends when the other end is dropped.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_does_not_follow_ends_the_recording_and_holds_nobody_up() {
    let (go, wait) = mpsc::channel();
    let (mut recorder, writing) = Recorder::write_to(Stuck(wait), Path::new("a.jsonl")).unwrap();
    recorder.begin(header());
    // One at a time, none of which may wait for the disk. Some are written into memory before the disk is asked.
    for _ in 0..super::writer::MAX_WAITING * 2 {
        recorder.note(Step::Advance(START));
        recorder.send();
    }
    recorder.note(Step::Finish(START));
    recorder.send();
    drop(go);
    let error = writing.finish(SOON).unwrap_err();
    assert!(matches!(error, RecordingError::TooSlow(_)), "{error}");
}

#[test]
fn an_observer_that_is_gone_leaves_a_recording_that_ends_early() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    let (mut recorder, writing) = Recorder::create(&path, false).unwrap();
    let steps = steps(2);
    write(&mut recorder, &steps[..steps.len() - 1]);
    drop(recorder);
    assert!(matches!(writing.finish(SOON).unwrap_err(), RecordingError::Stopped(_)));
    let (_, mut found) = open(&path).unwrap();
    while found.step().unwrap().is_some() {}
    assert_eq!(found.ending(), Ending::Early);
}

#[test]
fn the_map_is_shown_as_it_was_at_any_instant() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    recorded(&path, &steps(3));
    assert_eq!(Span::of(&path).unwrap(), Span { begin: START, end: at(35) });
    let gaps = |moment: &str| {
        let (map, now) = map_at(&path, Moment::parse(moment).unwrap()).unwrap();
        (map.snapshot(now).gaps.iter().map(|gap| gap.count).sum::<u64>(), now)
    };
    assert_eq!(gaps("+0s"), (0, START));
    assert_eq!(gaps("+9s"), (0, at(9)));
    assert_eq!(gaps("+10s"), (1, at(10)), "an instant includes what happened in it");
    assert_eq!(gaps("-10s"), (2, at(25)));
    assert_eq!(gaps(&at(34).to_string()), (3, at(34)));
    assert_eq!(gaps("-0s"), (3, at(35)));
}

#[test]
fn an_instant_outside_of_the_recording_is_refused_with_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    recorded(&path, &steps(1));
    for moment in ["+16s", "-1h", "2026-01-01T00:00:00Z"] {
        let error = map_at(&path, Moment::parse(moment).unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("which is from 2027-01-15T08:00:00.000000000Z to 2027-01-15T08:00:15"),
            "{error}"
        );
    }
}

#[test]
fn a_moment_that_is_none_is_told_how_to_write_one() {
    assert_eq!(Moment::parse("-5m"), Ok(Moment::BeforeEnd(Duration::from_mins(5))));
    assert_eq!(Moment::parse("2027-01-15T09:00:00+01:00"), Ok(Moment::At(START)));
    assert!(Moment::parse("-5").unwrap_err().contains("has no unit"));
    assert!(Moment::parse("noon").unwrap_err().contains("\"noon\" is no instant"));
}
