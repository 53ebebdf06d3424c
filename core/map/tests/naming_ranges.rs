//! Addresses outside that have a name in the settings.

mod lab;

use lab::cluster::pod;
use lab::{HOST, Lab, at, client, ip, listener, server};
use servicemap_map::model::{AddressRange, FactBody, ServiceType};
use servicemap_map::{MapSettings, NamedRanges};

#[expect(clippy::unwrap_used, reason = "the ranges are ranges")]
fn named(settings: &mut MapSettings) {
    let mut ranges = NamedRanges::default();
    for (name, range) in [
        ("office", "192.0.2.0/24"),
        ("printer", "192.0.2.7"),
        ("office", "2001:db8::/32"),
        ("wide", "10.0.0.0/8"),
    ] {
        ranges.insert(name.into(), AddressRange::parse(range).unwrap()).unwrap();
    }
    settings.named_ranges = ranges;
}

#[test]
fn edges_of_the_addresses_of_a_range_add_up_under_its_name() {
    let mut lab = Lab::with(named);
    lab.tell(client("curl", "192.0.2.1", 443).opened(1));
    lab.tell(client("curl", "2001:db8:5::1", 443).opened(2));
    lab.tell(client("curl", "192.0.2.7", 443).opened(4));
    lab.tell(client("curl", "198.51.100.1", 443).opened(8));
    lab.settle();
    let edges =
        ["box/curl->/198.51.100.1:443/tcp", "box/curl->/office:443/tcp", "box/curl->/printer:443/tcp"];
    assert_eq!(lab.edges(), edges);
    let office = lab.edge("box/curl->/office:443/tcp");
    assert_eq!((office.totals.opened, office.provenance.destination_rule), (3, "named_range"));
    assert_eq!(office.edge.destination.service_type, ServiceType::External);
    assert_eq!(lab.snapshot().totals.external_services, 3);
}

#[test]
fn who_connects_from_a_range_has_its_name() {
    let mut lab = Lab::with(named);
    lab.tell(server("web", "192.0.2.1", 80).opened(1));
    lab.tell(server("web", "192.0.2.2", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["/office->box/web:80/tcp"]);
    assert_eq!(lab.edge("/office->box/web:80/tcp").totals.opened, 2);
    assert_eq!(lab.edge("/office->box/web:80/tcp").provenance.source_rule, "named_range");
}

#[test]
fn an_address_of_the_cluster_or_the_machine_is_in_no_range() {
    let mut lab = Lab::with(named);
    lab.object(lab::cluster::scope(false));
    lab.object(pod("shop", "db-1", "db", "10.1.0.2"));
    lab.address(HOST, "10.7.0.1");
    lab.tell(listener("web", "10.7.0.1", 80));
    for remote in ["10.1.0.2", "10.7.0.1", "10.8.0.1"] {
        lab.tell(client("curl", remote, 80).opened(1));
    }
    lab.settle();
    assert_eq!(
        lab.edges(),
        ["box/curl->shop/db:80/tcp", "box/curl->box/web:80/tcp", "box/curl->/wide:80/tcp"]
    );
}

#[test]
fn names_of_ranges_stay_where_there_is_no_room_for_addresses() {
    let mut lab = Lab::with(|settings| {
        named(settings);
        settings.max_externals = 0;
    });
    lab.tell(client("curl", "192.0.2.1", 443).opened(1));
    lab.tell(client("curl", "198.51.100.1", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/office:443/tcp", "box/curl->/~other:443/tcp"]);
}

#[test]
fn an_address_of_the_machine_that_goes_leads_into_its_range_from_then_on() {
    let mut lab = Lab::with(named);
    lab.address(HOST, "192.0.2.9");
    lab.tell(listener("web", "192.0.2.9", 80));
    lab.tell(client("curl", "192.0.2.9", 80).short(3));
    lab.until(5.0);
    lab.state(FactBody::Address { netns: HOST, address: ip("192.0.2.9"), present: false });
    lab.now = at(6.0);
    lab.tell(client("curl", "192.0.2.9", 80).short(2));
    lab.settle();
    assert_eq!(lab.edge("box/curl->box/web:80/tcp").totals.opened, 3);
    assert_eq!(lab.edge("box/curl->/office:80/tcp").totals.opened, 2);
}
