//! What was told in an earlier run is not told as new.

mod lab;

use std::time::Duration;

use lab::{Lab, at, client, listener};
use servicemap_map::model::{Bound, Event, EventType, Known, KnownDependency, Timestamp};
use servicemap_map::{EnvironmentRule, EnvironmentSettings, MapSettings};

const HOUR: f64 = 3600.0;

/// A run in which curl and wget need web, until `second`; what it leaves.
fn first_run() -> Known {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80));
    for program in ["curl", "wget"] {
        lab.tell(client(program, "127.0.0.1", 80).opened(1));
    }
    lab.until(10.0);
    lab.map.known(lab.now)
}

/// A map of a machine that was told what earlier runs told, at `second`; its sources are not ready.
fn next_run(known: Known, second: f64, change: impl FnOnce(&mut MapSettings)) -> Lab {
    let mut settings = MapSettings::default();
    change(&mut settings);
    let mut lab = Lab::starting(settings);
    lab.map.remember(known);
    lab.now = at(second);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab
}

fn detected(lab: &mut Lab) -> Vec<std::sync::Arc<Event>> {
    let mut events = lab.events();
    events.retain(|event| event.event_type == EventType::DependencyDetected);
    events
}

fn subjects(lab: &mut Lab) -> Vec<String> {
    detected(lab).iter().map(|event| event.subject.to_string()).collect()
}

#[test]
fn a_known_dependency_is_no_news_in_the_next_run() {
    let mut lab = next_run(first_run(), 60.0, |_| {});
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.ready();
    lab.until(70.0);
    lab.tell(client("wget", "127.0.0.1", 80).opened(1));
    lab.until(80.0);
    assert_eq!(subjects(&mut lab), Vec::<String>::new());
    assert_eq!(lab.edges().len(), 2, "both are there");
}

#[test]
fn a_dependency_that_began_between_two_runs_is_news() {
    let mut lab = next_run(first_run(), 60.0, |_| {});
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.tell(client("psql", "127.0.0.1", 80).preexisting(1));
    lab.ready();
    lab.until(70.0);
    let events = detected(&mut lab);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&*events[0].subject, events[0].learning), ("box/psql->box/web", false));
}

#[test]
fn what_began_between_two_runs_waits_for_all_consumers_though_one_has_a_snapshot_already() {
    let mut lab = next_run(first_run(), 60.0, |_| {});
    lab.tell(client("psql", "127.0.0.1", 80).preexisting(1));
    lab.ready();
    lab.until(61.0);
    lab.map.flush(lab.now);
    assert_eq!(subjects(&mut lab), Vec::<String>::new());
    lab.until(62.0);
    assert_eq!(subjects(&mut lab), ["box/psql->box/web"]);
}

#[test]
fn detections_of_a_run_that_remembers_are_not_marked_learning() {
    let mut lab = next_run(first_run(), 60.0, |_| {});
    lab.ready();
    lab.tell(client("psql", "127.0.0.1", 80).opened(1));
    lab.until(70.0);
    assert!(lab.events().iter().all(|event| !event.learning));
}

#[test]
fn the_initial_event_of_a_known_dependency_has_the_id_with_which_it_was_told() {
    let mut first = Lab::new();
    first.tell(listener("web", "0.0.0.0", 80));
    first.tell(client("curl", "127.0.0.1", 80).opened(1));
    first.until(10.0);
    let told = detected(&mut first);
    let mut lab = next_run(first.map.known(first.now), 60.0, |_| {});
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.ready();
    let initial = lab.map.initial_events(lab.now);
    let again = initial.iter().find(|event| event.event_type == EventType::DependencyDetected).unwrap();
    assert_eq!((again.id, again.at), (told[0].id, told[0].at));
}

#[test]
fn a_dependency_that_was_told_as_removed_is_news_again() {
    let mut first = Lab::new();
    first.tell(listener("web", "0.0.0.0", 80));
    first.tell(client("curl", "127.0.0.1", 80).short(1));
    first.until(HOUR);
    assert!(first.news().iter().any(|line| line == "dependency.removed box/curl->box/web"));
    let known = first.map.known(first.now);
    assert_eq!(known, Known::default());
    let mut lab = next_run(known, HOUR, |_| {});
    lab.ready();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(HOUR + 10.0);
    assert_eq!(subjects(&mut lab), ["box/curl->box/web"]);
}

#[test]
fn a_known_dependency_that_was_not_met_is_passed_on_until_its_retention_is_over() {
    let mut lab = next_run(first_run(), 60.0, |_| {});
    lab.ready();
    lab.until(20.0 * HOUR);
    assert_eq!(lab.map.known(lab.now).dependencies.len(), 2);
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(24.0 * HOUR + 11.0);
    let known: Vec<_> = lab.map.known(lab.now).dependencies.iter().map(|one| one.source.path()).collect();
    assert_eq!(known, ["box/curl"]);
    assert!(subjects(&mut lab).is_empty());
    lab.tell(client("wget", "127.0.0.1", 80).opened(1));
    lab.until(24.0 * HOUR + 20.0);
    assert_eq!(subjects(&mut lab), ["box/wget->box/web"]);
}

#[test]
fn a_known_dependency_that_crosses_environments_since_is_told_once_more() {
    let crossing = |settings: &mut MapSettings| {
        settings.environments = EnvironmentSettings {
            namespace_label: None,
            rules: vec![EnvironmentRule::new("prod", "box/curl"), EnvironmentRule::new("staging", "box/web")],
        };
    };
    let mut lab = next_run(first_run(), 60.0, crossing);
    lab.ready();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(70.0);
    assert_eq!(subjects(&mut lab), ["box/curl->box/web"]);
    let known = lab.map.known(lab.now);
    assert!(known.dependencies.iter().any(|one| one.crosses_environments));
    let mut lab = next_run(known, 120.0, crossing);
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.ready();
    lab.until(130.0);
    assert!(subjects(&mut lab).is_empty());
}

#[test]
fn without_an_earlier_run_what_exists_at_the_start_is_no_news_but_is_known_to_the_next() {
    let mut lab = Lab::starting(MapSettings::default());
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    assert_eq!(lab.map.known_revision(), 0, "nothing was told yet");
    lab.ready();
    lab.until(10.0);
    assert!(subjects(&mut lab).is_empty());
    assert!(lab.map.known_revision() > 0);
    assert_eq!(lab.map.known(lab.now).dependencies.len(), 1);
}

#[test]
fn what_is_kept_counts_its_revisions() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(5.0);
    let before = lab.map.known_revision();
    lab.until(10.0);
    assert_eq!(lab.map.known_revision(), before, "nothing was told");
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(15.0);
    let told = lab.map.known_revision();
    assert!(told > before);
    lab.until(HOUR);
    assert!(lab.map.known_revision() > told, "it was told as removed");
}

#[test]
fn of_more_than_are_kept_those_that_were_not_seen_for_longest_leave_and_are_counted() {
    let dependency = |n: u32| KnownDependency {
        source: format!("process:box/p{n}").parse().unwrap(),
        destination: "process:box/web".parse().unwrap(),
        first_seen: at(0.0),
        last_seen: at(0.0) + Duration::from_millis(u64::from(n)),
        crosses_environments: false,
    };
    let most = u32::try_from(Known::MAX_DEPENDENCIES).unwrap();
    let dependencies = (0..10 * most).map(dependency).collect();
    let mut lab = next_run(Known { dependencies }, 1.0, |_| {});
    lab.ready();
    let known = lab.map.known(lab.now);
    assert_eq!(known.dependencies.len(), Known::MAX_DEPENDENCIES);
    let oldest = known.dependencies.iter().map(|one| one.last_seen).min();
    assert_eq!(oldest, Some(dependency(9 * most).last_seen));
    let forgotten = |lab: &Lab| lab.map.statistics().bounded.get(&Bound::KnownDependencies).copied();
    assert_eq!(forgotten(&lab), Some(u64::from(9 * most)));
    lab.map.known(lab.now);
    assert_eq!(forgotten(&lab), Some(u64::from(9 * most)), "once");
}

#[test]
fn what_is_known_is_the_same_after_it_was_text() {
    let known = first_run();
    assert_eq!(known.dependencies.len(), 2);
    assert_ne!(known.dependencies[0].first_seen, Timestamp::ZERO);
    let text = serde_json::to_string(&known).unwrap();
    assert_eq!(serde_json::from_str::<Known>(&text).unwrap(), known);
    let strange = text.replace("process:box/curl", "curl");
    let told = serde_json::from_str::<Known>(&strange).unwrap_err().to_string();
    assert!(told.starts_with(r#""curl" is no service: write KIND:NAMESPACE/NAME"#), "{told}");
}
