//! A production service was given the address of staging's database. Weeks later staging's database is restarted, and
//! production's checkout fails.
//!
//! Whoever is on call should have been warned at once when the dependency appeared, across namespaces and environments, and is
//! told during the outage that the database of staging does not answer checkout.

use std::time::Duration;

use servicemap_map::EnvironmentSettings;

use crate::world::World;

const STAGING: &str = "staging/postgres";

fn shop() -> World {
    let mut world = World::with(|settings| {
        // It has been there for weeks: alert rules do not leave its detections out.
        settings.learning_period = Duration::ZERO;
        settings.environments =
            EnvironmentSettings { namespace_label: Some("env".into()), rules: Vec::new() };
    });
    for name in ["prod", "staging"] {
        world.lab.object(crate::lab::cluster::namespace(name, &[("env", name)]));
    }
    world.runs("prod/checkout", 8080, 2);
    world.runs("prod/postgres", 5432, 1);
    world.runs(STAGING, 5432, 1);
    world.calls("prod/checkout", "prod/postgres");
    world.begins();
    world
}

#[test]
fn the_dependency_on_staging_is_a_warning_before_it_is_an_outage() {
    let mut world = shop();
    world.calls("prod/checkout", STAGING);
    world.until(30);
    assert_eq!(
        world.told(),
        [
            "  0.0s WARN dependency.detected prod/checkout->staging/postgres",
            "  2.0s debug connection.established prod/checkout->staging/postgres:5432/tcp",
            "  2.0s info topology.changed +prod/checkout->staging/postgres:5432/tcp",
        ]
    );
}

#[test]
fn the_outage_names_the_database_of_staging_and_who_needs_it() {
    let mut world = shop();
    world.calls("prod/checkout", STAGING);
    world.until(30);
    world.told();
    world.set_ready(STAGING, false, |_| true);
    world.until(60);
    world.set_ready(STAGING, true, |_| true);
    world.until(180);
    assert_eq!(
        world.told(),
        [
            " 32.0s WARN health.changed service:staging/postgres healthy -> unhealthy: endpoints_not_ready, \
             connections_fail",
            " 32.0s WARN connection.failed prod/checkout->staging/postgres:5432/tcp",
            "147.0s info health.changed service:staging/postgres unhealthy -> healthy: endpoints_ready, \
             connections_succeed",
        ]
    );
    world.recorded_as("wrong_database");
}
