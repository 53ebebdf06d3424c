//! The API server goes and comes back, forgets its history, takes a permission away: the map is right again within ten seconds, nothing is
//! told twice, and what did not change is not told at all. Ten times that is allowed; the time it took is printed.

use std::time::{Duration, Instant};

use servicemap_tests::events::Events;
use servicemap_tests::kubelab::ControlPlane;
use servicemap_tests::require;
use servicemap_tests::skip::{Need, figure};

use crate::account::{self, ROLE};

/// Ten times what is promised.
const ALLOWED: Duration = Duration::from_secs(100);

/// A control plane with some Services, and an observer that knows them.
fn watched() -> (ControlPlane, Events) {
    let plane = ControlPlane::start();
    for name in ["stays", "goes"] {
        create(&plane, name);
    }
    let mut events = Events::of_cluster(&account::kubeconfig(&plane));
    for name in ["stays", "goes"] {
        events.wait_for("service.discovered", &subject(name), servicemap_tests::agent::TOLD);
    }
    (plane, events)
}

fn create(plane: &ControlPlane, name: &str) {
    plane.kubectl(&["create", "service", "clusterip", name, "--tcp=80:8080"]);
}

fn subject(name: &str) -> String {
    format!("service:default/{name}")
}

/// Changes what there is, and waits until just that is told; returns how long it took.
fn change_is_told(plane: &ControlPlane, events: &mut Events) -> Duration {
    let begin = Instant::now();
    create(plane, "comes");
    plane.kubectl(&["delete", "service", "goes"]);
    events.wait_for("service.discovered", &subject("comes"), ALLOWED);
    events.wait_for("service.removed", &subject("goes"), ALLOWED);
    let took = begin.elapsed();
    let mut told = events.told();
    // This machine's own programs come and go meanwhile.
    told.retain(|(kind, subject), _| kind.starts_with("service.") && subject.starts_with("service:"));
    let of = |kind: &str, name: &str| ((kind.to_owned(), subject(name)), 1);
    let expected = [of("service.discovered", "comes"), of("service.removed", "goes")].into();
    assert_eq!(told, expected, "{events:?}");
    took
}

#[test]
fn a_killed_api_server_is_found_again_and_what_changed_meanwhile_is_told_once() {
    require!(Need::Root);
    let (mut plane, mut events) = watched();
    plane.kill();
    plane.run(&[]);
    let took = change_is_told(&plane, &mut events);
    figure(&format!("changes told after a killed API server was ready again: {took:.2?}"));
}

#[test]
fn an_api_server_without_its_history_is_listed_anew_and_nothing_is_told_twice() {
    require!(Need::Root);
    let (mut plane, mut events) = watched();
    plane.kill();
    plane.run(&["--compact"]);
    let took = change_is_told(&plane, &mut events);
    figure(&format!("changes told after the API server had forgotten its history: {took:.2?}"));
}

#[test]
fn a_permission_that_is_taken_away_is_said_and_one_that_is_given_back_is_used() {
    require!(Need::Root);
    let (mut plane, mut events) = watched();
    let role = plane.get(&["clusterrole", ROLE]);
    plane.kubectl(&["delete", "clusterrole", ROLE]);
    // A watch that runs is not cut off; the API server ends each after some minutes, or when it restarts.
    plane.kill();
    plane.run(&[]);
    events.process.wait_for("a line that says what may not be watched", ALLOWED, |process| {
        process.stderr().iter().any(|line| line.contains("services") && line.contains("role")).then_some(())
    });
    let file = plane.directory().join("role.json");
    std::fs::write(&file, without_identity(role).to_string()).expect("a written role");
    plane.kubectl(&["apply", "-f", file.to_str().expect("a UTF-8 path")]);
    let took = change_is_told(&plane, &mut events);
    figure(&format!("changes told after a permission was given back: {took:.2?}"));
}

/// An object as it can be made again.
fn without_identity(mut object: serde_json::Value) -> serde_json::Value {
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        object["metadata"].as_object_mut().expect("metadata").remove(field);
    }
    object
}
