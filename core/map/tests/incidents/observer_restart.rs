//! The observer itself is restarted, as by a rollout, while everything else goes on.
//!
//! Whoever is on call is not told of what they know already; only of what began while nobody looked.

use servicemap_map::model::{HealthStatus, Known};
use servicemap_map::record::Step;

use crate::world::World;

/// The shop's nightly report runs once an hour and is quiet when the observer comes back.
fn shop(known: Option<Known>) -> World {
    let mut world = World::new();
    if let Some(known) = known {
        world.lab.take(Step::Remember(known));
    }
    for (name, port) in [("shop/web", 80), ("shop/api", 8080), ("data/db", 5432), ("data/report", 80)] {
        world.runs(name, port, 2);
    }
    world.calls("shop/web", "shop/api");
    world.calls("shop/api", "data/db");
    world
}

/// What the people of a first run know: also that the report needs the database.
fn first_run() -> Known {
    let mut world = shop(None);
    world.begins();
    world.calls("data/report", "data/db");
    world.until(10);
    let now = world.lab.now;
    world.lab.map.known(now)
}

#[test]
fn what_was_told_before_the_restart_is_not_told_again() {
    let mut world = shop(Some(first_run()));
    world.begins();
    // The next hour's report.
    world.calls("data/report", "data/db");
    world.until(60);
    assert_eq!(
        world.told(),
        [
            "  2.0s debug connection.established data/report->data/db:5432/tcp",
            "  2.0s info topology.changed +data/report->data/db:5432/tcp",
        ]
    );
}

#[test]
fn what_begins_after_the_restart_is_told_as_it_would_be_without_one() {
    let mut world = shop(Some(first_run()));
    world.begins();
    world.calls("data/report", "shop/api");
    world.until(60);
    assert_eq!(
        world.told(),
        [
            "  0.0s info dependency.detected data/report->shop/api",
            "  2.0s debug connection.established data/report->shop/api:8080/tcp",
            "  2.0s info topology.changed +data/report->shop/api:8080/tcp",
        ]
    );
    world.recorded_as("observer_restart");
}

#[test]
fn an_outage_that_began_before_the_restart_is_in_the_map_of_the_new_run() {
    let mut world = shop(Some(first_run()));
    world.set_ready("data/db", false, |_| true);
    world.begins();
    let db = world.lab.service("service:data/db");
    assert_eq!(db.health.status, HealthStatus::Unhealthy);
}
