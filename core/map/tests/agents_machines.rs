//! Several machines in one map: what means something on one of them only, and what leads from one to another.

mod lab;

use lab::{Lab, client, listener, server};
use servicemap_map::model::{FactBody, SourceId};

/// Machines `one` and `two`, each with an address of its own.
fn two_machines() -> Lab {
    let mut lab = Lab::new();
    lab.observed(1, "one", 0.0);
    lab.observed(2, "two", 0.0);
    lab.agent_address(1, lab::HOST, "192.0.2.1");
    lab.agent_address(2, lab::HOST, "192.0.2.2");
    lab
}

#[test]
fn programs_of_one_name_on_two_machines_are_two_services() {
    let mut lab = two_machines();
    lab.agent_tells(1, client("curl", "198.51.100.9", 443).opened(1));
    lab.agent_tells(2, client("curl", "198.51.100.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->/198.51.100.9:443/tcp", "two/curl->/198.51.100.9:443/tcp"]);
}

#[test]
fn a_cgroup_of_one_machine_is_not_that_of_another_with_the_same_id() {
    let mut lab = two_machines();
    lab.agent(1, FactBody::Cgroup { id: 7, path: "/system.slice/a.service".into() });
    lab.agent(2, FactBody::Cgroup { id: 7, path: "/system.slice/b.service".into() });
    lab.agent_tells(1, client("curl", "198.51.100.9", 443).in_cgroup(7).opened(1));
    lab.agent_tells(2, client("curl", "198.51.100.9", 443).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/a.service->/198.51.100.9:443/tcp", "two/b.service->/198.51.100.9:443/tcp"]);
}

#[test]
fn a_connection_to_another_machine_leads_to_who_listens_there() {
    let mut lab = two_machines();
    lab.agent_tells(1, client("curl", "192.0.2.2", 80).opened(1));
    lab.agent_tells(2, listener("nginx", "0.0.0.0", 80));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->two/nginx:80/tcp"]);
    assert_eq!(lab.edge("one/curl->two/nginx:80/tcp").provenance.destination_rule, "listener");
}

#[test]
fn where_nobody_listens_on_the_other_machine_it_is_the_machine() {
    let mut lab = two_machines();
    lab.agent_tells(1, client("curl", "192.0.2.2", 81).refused(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->/two:81/tcp"]);
}

#[test]
fn an_address_that_two_other_machines_have_leads_to_the_one_that_listens() {
    let mut lab = two_machines();
    lab.agent_address(1, lab::HOST, "172.17.0.1");
    lab.agent_address(2, lab::HOST, "172.17.0.1");
    lab.agent_tells(2, listener("nginx", "0.0.0.0", 80));
    lab.tell(client("curl", "172.17.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->two/nginx:80/tcp"]);
}

#[test]
fn an_address_that_the_machine_itself_has_leads_nowhere_else() {
    let mut lab = two_machines();
    lab.agent_address(1, lab::HOST, "172.17.0.1");
    lab.agent_address(2, lab::HOST, "172.17.0.1");
    lab.agent_tells(1, listener("nginx", "0.0.0.0", 80));
    lab.agent_tells(2, client("curl", "172.17.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["two/curl->/two:80/tcp"]);
}

#[test]
fn link_local_addresses_never_lead_to_another_machine() {
    let mut lab = two_machines();
    lab.agent_address(2, lab::HOST, "169.254.7.7");
    lab.agent_tells(2, listener("nginx", "0.0.0.0", 80));
    lab.agent_tells(1, client("curl", "169.254.7.7", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->/169.254.7.7:80/tcp"]);
}

#[test]
fn an_agent_that_has_told_nothing_yet_does_not_keep_the_map_from_being_ready() {
    let mut lab = Lab::starting(servicemap_map::MapSettings::default());
    lab.map.expect(SourceId::Agents);
    lab.agent(1, FactBody::Machine { name: "one".into(), observed_since: Some(lab::START) });
    lab.ready();
    assert!(!lab.map.is_ready(), "the agents' door has not said that it heard those that were there");
    lab.agent(0, FactBody::Ready(SourceId::Agents));
    lab.settle();
    assert!(lab.map.is_ready());
}

#[test]
fn what_is_open_on_a_machine_that_is_gone_ends_with_it() {
    let mut lab = two_machines();
    lab.agent_tells(1, client("curl", "198.51.100.9", 443).opened(3).closed(1));
    lab.until(1.0);
    lab.agent(1, FactBody::MachineGone);
    lab.settle();
    let edge = lab.edge("one/curl->/198.51.100.9:443/tcp");
    assert_eq!((edge.totals.opened, edge.totals.active), (3, 0));
    lab.until(32.0);
    assert_eq!(lab.edges(), [""; 0]);
}

#[test]
fn a_machine_that_is_gone_is_not_found_by_its_addresses() {
    let mut lab = two_machines();
    lab.agent_tells(2, listener("nginx", "0.0.0.0", 80));
    lab.settle();
    lab.agent(2, FactBody::MachineGone);
    lab.agent_tells(1, client("curl", "192.0.2.2", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["one/curl->/192.0.2.2:80/tcp"]);
}

#[test]
fn machines_beyond_the_bound_are_turned_away_and_told() {
    let mut lab = Lab::new();
    for machine in 1..=5_001 {
        lab.agent_tells(machine, server("nginx", "198.51.100.1", 80).opened(1));
    }
    lab.settle();
    assert_eq!(lab.snapshot().gaps.iter().map(|gap| gap.count).sum::<u64>(), 1);
    assert_eq!(lab.services().iter().filter(|id| id.starts_with("process:")).count(), 5_000);
}
