//! The database dies. What needs it fails one after the other, each when its own readiness probe notices.
//!
//! Whoever is on call is told of each service once, at once, and where to begin: at the end of the chain.

use crate::world::World;

/// A chain to the database, and a service beside it that goes on.
fn shop() -> World {
    let mut world = World::new();
    for (name, port) in [("shop/web", 80), ("shop/api", 8080), ("shop/auth", 9000), ("shop/db", 5432)] {
        world.runs(name, port, 2);
    }
    world.runs("shop/search", 9200, 2);
    for (from, to) in [("web", "api"), ("web", "search"), ("api", "auth"), ("auth", "db")] {
        world.calls(&format!("shop/{from}"), &format!("shop/{to}"));
    }
    world.begins();
    world
}

/// The causes of a service's failure, nearest first.
fn way_down(world: &World, name: &str) -> Vec<String> {
    let health = world.lab.service(&format!("service:shop/{name}")).health.clone();
    let causes = health.causes.listed.iter().map(|cause| {
        let root = if cause.root { ", where it begins" } else { "" };
        format!("{}{root}", cause.service.path())
    });
    causes.collect()
}

#[test]
fn each_service_that_falls_is_told_once_and_so_is_each_that_recovers() {
    let mut world = shop();
    for (second, name) in [(0, "shop/db"), (10, "shop/auth"), (20, "shop/api"), (30, "shop/web")] {
        world.until(second);
        world.set_ready(name, false, |_| true);
    }
    world.until(60);
    assert_eq!(
        world.told(),
        [
            "  2.0s WARN health.changed service:shop/db healthy -> unhealthy: endpoints_not_ready, \
             connections_fail",
            "  2.0s WARN connection.failed shop/auth->shop/db:5432/tcp",
            " 12.0s WARN health.changed service:shop/auth healthy -> unhealthy: endpoints_not_ready, \
             connections_fail because of service:shop/db (root)",
            " 12.0s WARN connection.failed shop/api->shop/auth:9000/tcp",
            " 22.0s WARN health.changed service:shop/api healthy -> unhealthy: endpoints_not_ready, \
             connections_fail because of service:shop/auth, service:shop/db (root)",
            " 22.0s WARN connection.failed shop/web->shop/api:8080/tcp",
            " 32.0s WARN health.changed service:shop/web healthy -> unhealthy: endpoints_not_ready because of \
             service:shop/api, service:shop/auth, service:shop/db (root)",
        ]
    );
    assert_eq!(way_down(&world, "web"), ["shop/api", "shop/auth", "shop/db, where it begins"]);
    assert_eq!(way_down(&world, "db"), [""; 0]);
    for (second, name) in [(60, "shop/db"), (65, "shop/auth"), (70, "shop/api"), (75, "shop/web")] {
        world.until(second);
        world.set_ready(name, true, |_| true);
    }
    world.until(240);
    assert_eq!(
        world.told(),
        [
            "107.0s info health.changed service:shop/web unhealthy -> healthy: endpoints_ready",
            "147.0s info health.changed service:shop/db unhealthy -> healthy: endpoints_ready, connections_succeed",
            "152.0s info health.changed service:shop/auth unhealthy -> healthy: endpoints_ready, \
             connections_succeed",
            "157.0s info health.changed service:shop/api unhealthy -> healthy: endpoints_ready, \
             connections_succeed",
        ]
    );
    world.recorded_as("cascading_failure");
}

#[test]
fn the_analysis_shows_the_path_and_who_depends_on_it_before_it_fails() {
    let world = shop();
    let topology = world.lab.snapshot().topology;
    let path = topology.longest_chain.map(|chain| chain.steps.concat());
    let ids = |names: &[&str]| names.iter().map(|name| format!("service:shop/{name}")).collect::<Vec<_>>();
    assert_eq!(path, Some(ids(&["web", "api", "auth", "db"])));
    let points = topology.single_points_of_failure.iter();
    let points: Vec<_> = points.map(|point| (point.service.as_str(), point.dependents)).collect();
    // All that the API does leads through auth; the website has search beside it.
    assert_eq!(points, [("service:shop/auth", 2)]);
}
