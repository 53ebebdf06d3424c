//! The payment provider's first site fails, and a while later its DNS name leads to the second one.
//!
//! Both sites are one name in the settings: whoever is on call is told that calls to the provider fail, and that they succeed
//! again; that it is at another address is no news.

use servicemap_map::NamedRanges;
use servicemap_map::model::AddressRange;

use crate::lab::{client, ip};
use crate::world::World;

const SITES: [&str; 2] = ["198.51.100.7", "203.0.113.7"];

#[test]
fn a_provider_that_fails_over_to_its_other_site_is_one_that_failed_and_recovered() {
    let mut world = World::with(|settings| {
        let mut ranges = NamedRanges::default();
        for site in SITES {
            let range = AddressRange { address: ip(site), prefix: 32 };
            assert!(ranges.insert("payments".into(), range).is_ok());
        }
        settings.named_ranges = ranges;
    });
    world.runs("shop/checkout", 8080, 1);
    let pays = |world: &mut World, from: u32, until: u32, site: &str, fails: bool| {
        for second in from..until {
            let attempt = client("checkout", site, 443);
            let attempt = if fails { attempt.timed_out(1) } else { attempt.short(1) };
            world.pod_tells("shop/checkout", attempt);
            world.until(second + 1);
        }
    };
    world.begins();
    pays(&mut world, 0, 100, SITES[0], false);
    world.told();
    pays(&mut world, 100, 160, SITES[0], true);
    assert_eq!(
        world.told(),
        [
            "102.0s WARN connection.failed shop/checkout->/payments:443/tcp",
            "114.0s WARN health.changed external:/payments healthy -> degraded: connections_fail",
            "131.0s WARN health.changed external:/payments degraded -> unhealthy: connections_fail",
        ]
    );
    pays(&mut world, 160, 400, SITES[1], false);
    assert_eq!(
        world.told(),
        ["247.0s info health.changed external:/payments unhealthy -> healthy: connections_succeed"]
    );
    assert_eq!(world.lab.edges(), ["shop/checkout->/payments:443/tcp"]);
    world.recorded_as("dns_failover");
}
