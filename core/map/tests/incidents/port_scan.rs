//! A pod that was broken into tries every port of twenty Services.
//!
//! Whoever is on call is told that it does, once for each Service, and no Service is called unhealthy for it.

use crate::lab::client;
use crate::world::World;

#[test]
fn a_scan_is_told_once_for_each_service_and_moves_no_health() {
    let mut world = World::new();
    world.runs("web/blog", 80, 1);
    let targets: Vec<String> = (1..=20).map(|number| format!("shop/svc-{number:02}")).collect();
    for target in &targets {
        world.runs(target, 8080, 1);
    }
    world.begins();
    for target in &targets {
        let address = world.address(target);
        for port in 1..=30 {
            world.pod_tells("web/blog", client("nmap", &address, port).refused(1));
        }
    }
    world.until(120);
    let told = world.told();
    let scans: Vec<_> = targets.iter().map(|target| format!("web/blog->{target}:~scan/tcp")).collect();
    let each = |head: &str| scans.iter().map(move |scan| format!("{head} {scan}")).collect::<Vec<_>>();
    let topology = |head: &str, sign: &str| {
        let edges: Vec<_> = scans.iter().map(|scan| format!("{sign}{scan}")).collect();
        vec![format!("{head} topology.changed {}", edges.join(" "))]
    };
    let expected = [
        each("  2.0s WARN connection.failed"),
        topology("  2.0s info", "+"),
        each(" 32.0s debug connection.expired"),
        topology(" 32.0s info", "-"),
    ];
    assert_eq!(told, expected.concat());
    world.recorded_as("port_scan");
}
