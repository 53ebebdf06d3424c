//! A node loses power. For 40 seconds nobody knows and half of what asks the pods of that node waits in vain; then the node
//! controller takes their endpoints out; after five minutes the pods are replaced elsewhere.
//!
//! Whoever is on call is told which services suffer, and how much, before the node controller has noticed; that they are well
//! again; and not a word about the pods.

use crate::world::{NODES, World};

#[test]
fn services_of_a_lost_node_are_told_by_how_much_they_lose_and_when_they_are_back() {
    let mut world = World::new();
    // Pods go to the two nodes in turn: of the API two run on each, the database is on the first alone.
    world.runs("shop/db", 5432, 1);
    world.runs("shop/web", 80, 1);
    world.runs("shop/api", 8080, 4);
    world.calls("shop/web", "shop/api");
    world.calls("shop/api", "shop/db");
    world.begins();
    world.loses_power(NODES[0]);
    world.until(40);
    assert_eq!(
        world.told(),
        [
            "  2.0s WARN connection.failed shop/api->shop/db:5432/tcp",
            "  2.0s WARN connection.failed shop/web->shop/api:8080/tcp",
            " 12.0s WARN health.changed service:shop/api healthy -> degraded: connections_fail",
            " 17.0s WARN health.changed service:shop/db healthy -> degraded: connections_fail",
            " 37.0s WARN health.changed service:shop/db degraded -> unhealthy: connections_fail",
        ]
    );
    for name in ["shop/db", "shop/api"] {
        let dead = world.dead(name);
        world.set_ready(name, false, |pod| dead.iter().any(|name| name == pod));
    }
    world.until(300);
    assert_eq!(world.told(), [""; 0], "nothing is new when the node controller notices");
    for name in ["shop/db", "shop/api"] {
        for pod in world.dead(name) {
            world.ends(name, &pod);
            world.starts(name, &format!("{pod}-again"));
        }
        world.tell_slice(name);
    }
    world.until(600);
    assert_eq!(
        world.told(),
        [
            "332.0s info health.changed service:shop/api degraded -> healthy: endpoints_ready, \
             connections_succeed",
            "382.0s info health.changed service:shop/db unhealthy -> healthy: endpoints_ready, connections_succeed",
        ]
    );
    world.recorded_as("node_loss");
}
