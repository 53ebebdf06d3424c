//! The incidents of `tests/incidents/`, replayed by the binary: it tells what people should be told, and each time the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use servicemap_tests::artifacts;
use servicemap_tests::process::output_of;

/// Seconds of ordinary life before an incident.
const BEFORE: f64 = 60.0;

/// When every incident begins to be recorded, in seconds of its minute: on the hour.
const START: &str = "2027-01-15T08:";

fn replay(recording: &Path) -> String {
    output_of(Command::new(artifacts::servicemap()).arg("replay").arg(recording))
}

/// Seconds of an RFC 3339 time since the incident's recording began.
fn seconds(at: &Value) -> f64 {
    let at = at.as_str().expect("a time");
    let clock = at.strip_prefix(START).and_then(|rest| rest.strip_suffix('Z')).expect("a time of that hour");
    let (minutes, seconds) = clock.split_once(':').expect("minutes and seconds");
    60.0 * minutes.parse::<f64>().expect("minutes") + seconds.parse::<f64>().expect("seconds")
}

/// What was told since the incident began: when, how bad, what, and of whom.
fn told(events: &str) -> Vec<String> {
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events
        .filter_map(|event| {
            let after = seconds(&event["observed_at"]) - BEFORE;
            let word = |name: &str| event[name].as_str().expect("a word").to_owned();
            let line = format!("{after:.1}s {} {} {}", word("severity"), word("type"), word("subject"));
            (after >= 0.0).then_some(line)
        })
        .collect()
}

/// The same of the file that says what should be told, whose lines say more.
fn expected(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("what should be told");
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [after, severity, kind, subject, ..] = words[..] else { panic!("no line of events: {line}") };
            let subject = if kind == "topology.changed" { "topology" } else { subject };
            format!("{after} {} {kind} {subject}", severity.to_lowercase())
        })
        .collect()
}

#[test]
fn each_incident_is_told_as_it_should_be_and_each_time_the_same() {
    let directory = artifacts::repository().join("tests/incidents");
    let mut replayed = 0;
    for entry in fs::read_dir(directory).expect("the incidents") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let events = replay(&path);
        assert_eq!(told(&events), expected(&path.with_extension("told")), "{}", path.display());
        assert_eq!(replay(&path), events, "{}", path.display());
        replayed += 1;
    }
    assert_eq!(replayed, 8, "incidents");
}
