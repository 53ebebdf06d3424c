//! A Deployment of 50 pods is rolled: every two seconds a pod comes and another goes, under traffic.
//!
//! Nobody on call needs to know: the service is there all the time.

use crate::world::World;

#[test]
fn fifty_pods_are_replaced_without_a_word() {
    let mut world = World::new();
    world.runs("shop/api", 8080, 50);
    world.runs("shop/web", 80, 3);
    world.calls("shop/web", "shop/api");
    world.begins();
    for number in 1..=50 {
        world.starts("shop/api", &format!("api-new-{number}"));
        world.ends("shop/api", &format!("api-{number}"));
        world.tell_slice("shop/api");
        world.until(2 * number);
    }
    world.until(200);
    assert_eq!(world.told(), [""; 0]);
    assert_eq!(world.lab.service("service:shop/api").endpoints.len(), 50);
    world.recorded_as("rolling_update");
}
