//! A readiness probe gives up after too short a time: now one pod, now another is taken out and put back, again and again, and
//! clients fail now and then.
//!
//! Whoever is on call is told once that the endpoints flap, which is the cause, and that it is over; not of each flap.

use crate::world::World;

#[test]
fn endpoints_that_flap_are_told_once_by_that_name() {
    let mut world = World::new();
    world.runs("shop/api", 8080, 4);
    world.runs("shop/web", 80, 2);
    world.calls("shop/web", "shop/api");
    world.begins();
    for flap in 0..12 {
        let pod = format!("api-{}", flap % 4 + 1);
        world.until(15 * flap);
        world.set_ready("shop/api", false, |name| name == pod);
        world.until(15 * flap + 5);
        world.set_ready("shop/api", true, |name| name == pod);
    }
    world.until(180);
    assert_eq!(
        world.told(),
        [" 32.0s WARN health.changed service:shop/api healthy -> degraded: endpoints_flap"]
    );
    world.until(800);
    assert_eq!(
        world.told(),
        [
            "482.0s info health.changed service:shop/api degraded -> healthy: endpoints_ready, connections_succeed"
        ]
    );
    world.recorded_as("flapping_endpoints");
}
