//! Who is at the two ends of a flow.

mod lab;

use lab::{HOST, Lab, at, client, ip, listener, server};
use servicemap_map::model::{FactBody, Side};

#[test]
fn a_local_connection_leads_from_the_program_that_connects_to_the_one_that_listens() {
    let mut lab = Lab::new();
    lab.tell(listener("postgres", "127.0.0.1", 5432));
    lab.tell(client("psql", "127.0.0.1", 5432).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/psql->box/postgres:5432/tcp"]);
    let edge = lab.edge("box/psql->box/postgres:5432/tcp");
    assert_eq!((edge.totals.opened, edge.totals.active), (1, 1));
    assert_eq!(edge.provenance.side, Side::Client);
    assert_eq!((edge.provenance.source_rule, edge.provenance.destination_rule), ("program", "listener"));
}

#[test]
fn units_and_containers_name_both_ends_before_programs_do() {
    let mut lab = Lab::new();
    let id = "0123456789abcdef".repeat(4);
    lab.cgroup(7, "/system.slice/nginx.service");
    lab.cgroup(8, &format!("/system.slice/docker-{id}.scope"));
    lab.tell(listener("node", "0.0.0.0", 3000).in_cgroup(8));
    lab.tell(client("nginx", "127.0.0.1", 3000).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/nginx.service->box/0123456789ab:3000/tcp"]);
    assert_eq!(lab.edge("box/nginx.service->box/0123456789ab:3000/tcp").provenance.source_rule, "cgroup");
}

#[test]
fn an_address_of_another_namespace_leads_to_who_listens_there() {
    let mut lab = Lab::new();
    lab.state(FactBody::NetworkNamespace { netns: 2, name: Some("red".into()) });
    lab.state(FactBody::NetworkNamespace { netns: 3, name: Some("blue".into()) });
    lab.address(3, "10.7.0.2");
    lab.tell(listener("nc", "0.0.0.0", 7000).in_namespace(3));
    lab.tell(client("nc", "10.7.0.2", 7000).in_namespace(2).from("10.7.0.1", 1).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/nc@red->box/nc@blue:7000/tcp"]);
}

#[test]
fn ipv6_leads_to_a_listener_on_all_addresses() {
    let mut lab = Lab::new();
    lab.address(3, "fd00::2");
    lab.tell(listener("web", "::", 80).in_namespace(3));
    lab.tell(client("curl", "fd00::2", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/web@3:80/tcp"]);
}

#[test]
fn an_address_is_learned_from_a_socket_that_has_it() {
    let mut lab = Lab::new();
    lab.tell(server("web", "10.7.0.1", 80).in_namespace(3).from("10.7.0.2", 1).opened(1));
    lab.tell(client("curl", "10.7.0.2", 80).in_namespace(2).from("10.7.0.1", 2).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl@2->box/web@3:80/tcp"]);
}

#[test]
fn a_listener_that_was_not_seen_is_known_by_what_it_accepts() {
    let mut lab = Lab::new();
    lab.tell(server("web", "127.0.0.1", 80).opened(1));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/web:80/tcp"]);
}

#[test]
fn who_accepts_without_a_known_program_is_who_listens_there() {
    let mut lab = Lab::new();
    lab.tell(server("", "192.0.2.9", 22).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["/192.0.2.9->box/unknown:22/tcp"]);
    lab.tell(listener("sshd", "192.0.2.1", 22));
    lab.settle();
    assert_eq!(lab.edges(), ["/192.0.2.9->box/sshd:22/tcp"]);
    assert_eq!(lab.services(), ["process:box/sshd", "external:/192.0.2.9"]);
}

#[test]
fn addresses_outside_are_external_services() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "192.0.2.9", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/192.0.2.9:443/tcp"]);
    assert_eq!(lab.services(), ["process:box/curl", "external:/192.0.2.9"]);
}

#[test]
fn a_connection_from_outside_is_counted_at_the_server() {
    let mut lab = Lab::new();
    lab.tell(listener("sshd", "0.0.0.0", 22));
    lab.tell(server("sshd", "192.0.2.9", 22).opened(1));
    lab.settle();
    let edge = lab.edge("/192.0.2.9->box/sshd:22/tcp");
    assert_eq!((edge.provenance.side, edge.totals.opened), (Side::Server, 1));
}

#[test]
fn a_connection_seen_at_both_ends_is_counted_once_at_the_client() {
    let mut lab = Lab::new();
    lab.address(HOST, "10.0.0.5");
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(server("web", "10.0.0.5", 80).short(3).bytes(7, 5));
    lab.tell(client("curl", "10.0.0.5", 80).short(3).bytes(5, 7));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/web:80/tcp"]);
    let totals = lab.edge("box/curl->box/web:80/tcp").totals;
    assert_eq!((totals.opened, totals.bytes_sent, totals.bytes_received), (3, 5, 7));
}

#[test]
fn a_program_that_talks_to_itself_is_an_edge() {
    let mut lab = Lab::new();
    lab.tell(listener("erlang", "127.0.0.1", 4369));
    lab.tell(client("erlang", "127.0.0.1", 4369).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/erlang->box/erlang:4369/tcp"]);
}

#[test]
fn what_is_refused_at_a_port_where_nobody_listens_leads_to_the_machine() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "127.0.0.1", 9).refused(100));
    lab.settle();
    let totals = lab.edge("box/curl->/box:9/tcp").totals;
    assert_eq!((totals.opened, totals.failed.refused), (0, 100));
    assert_eq!(lab.services(), ["process:box/curl", "node:/box"]);
}

#[test]
fn what_is_refused_where_somebody_listened_lately_leads_to_them() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(1.0);
    lab.tell(listener("web", "0.0.0.0", 80).opened(0).closed(1));
    lab.until(2.0);
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/web:80/tcp"]);

    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80).short(1));
    lab.until(31.0);
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/box:80/tcp"], "that was too long ago");
}

#[test]
fn a_cgroups_path_that_is_learned_late_moves_counters_along() {
    let mut lab = Lab::new();
    lab.tell(listener("nginx", "0.0.0.0", 80).in_cgroup(7));
    lab.tell(client("curl", "127.0.0.1", 80).opened(5).closed(4));
    lab.until(3.0);
    assert_eq!(lab.edge("box/curl->box/nginx:80/tcp").totals.opened, 5);
    lab.events();
    lab.cgroup(7, "/system.slice/nginx.service");
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/nginx.service:80/tcp"]);
    let totals = lab.edge("box/curl->box/nginx.service:80/tcp").totals;
    assert_eq!((totals.opened, totals.active), (6, 2));
    assert_eq!(lab.services(), ["process:box/curl", "process:box/nginx.service"]);
    assert_eq!(
        lab.news(),
        ["service.discovered process:box/nginx.service", "service.removed process:box/nginx"]
    );
}

#[test]
fn an_address_that_is_learned_late_takes_the_servers_side_out_of_the_map() {
    let mut lab = Lab::new();
    lab.tell(server("web", "10.7.0.1", 80).in_namespace(3).opened(2));
    lab.settle();
    assert_eq!(lab.edges(), ["/10.7.0.1->box/web@3:80/tcp"]);
    lab.address(2, "10.7.0.1");
    lab.settle();
    assert!(lab.edges().is_empty());
    assert_eq!(lab.services(), ["process:box/web@3"]);
}

#[test]
fn a_listener_that_was_there_before_the_connection_is_found_when_it_is_told_later() {
    let mut lab = Lab::new();
    lab.until(5.0);
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(6.0);
    assert_eq!(lab.edges(), ["box/curl->/box:80/tcp"]);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/web:80/tcp"]);
    assert_eq!(lab.services(), ["process:box/curl", "process:box/web"]);
}

#[test]
fn another_program_at_the_port_gets_only_what_comes_after_it() {
    let mut lab = Lab::new();
    lab.tell(listener("old", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).short(3));
    lab.until(5.0);
    lab.tell(listener("old", "0.0.0.0", 80).opened(0).closed(1));
    lab.tell(listener("new", "0.0.0.0", 80));
    lab.until(6.0);
    assert_eq!(lab.edge("box/curl->box/old:80/tcp").totals.opened, 3);
    lab.tell(client("curl", "127.0.0.1", 80).short(2));
    lab.settle();
    assert_eq!(lab.edge("box/curl->box/old:80/tcp").totals.opened, 3);
    assert_eq!(lab.edge("box/curl->box/new:80/tcp").totals.opened, 2);
}

#[test]
fn while_old_connections_are_open_new_ones_count_with_them() {
    let mut lab = Lab::new();
    lab.tell(listener("old", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(5.0);
    lab.tell(listener("old", "0.0.0.0", 80).opened(0).closed(1));
    lab.tell(listener("new", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->box/old:80/tcp"]);
    assert_eq!(lab.edge("box/curl->box/old:80/tcp").totals.active, 2);
}

#[test]
fn a_client_whose_address_is_no_longer_local_is_counted_at_the_server_from_then_on() {
    let mut lab = Lab::new();
    lab.address(2, "10.7.0.1");
    lab.tell(server("web", "10.7.0.1", 80).short(2));
    lab.settle();
    assert!(lab.edges().is_empty());
    lab.state(FactBody::Address { netns: 2, address: ip("10.7.0.1"), present: false });
    lab.tell(server("web", "10.7.0.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge("/10.7.0.1->box/web:80/tcp").totals.opened, 1);
}

#[test]
fn an_address_that_was_the_machines_leads_outside_from_then_on() {
    let mut lab = Lab::new();
    lab.address(HOST, "10.0.0.9");
    lab.tell(client("curl", "10.0.0.9", 80).refused(1));
    lab.settle();
    lab.state(FactBody::Address { netns: HOST, address: ip("10.0.0.9"), present: false });
    lab.tell(client("curl", "10.0.0.9", 80).timed_out(2));
    lab.settle();
    assert_eq!(lab.edge("box/curl->/box:80/tcp").totals.failed.total(), 1);
    assert_eq!(lab.edge("box/curl->/10.0.0.9:80/tcp").totals.failed.total(), 2);
}

#[test]
fn binding_to_an_address_shows_that_the_namespace_has_it() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "10.7.0.2", 80).in_namespace(3));
    lab.tell(client("curl", "10.7.0.2", 80).in_namespace(2).opened(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl@2->box/web@3:80/tcp"]);
}

#[test]
fn what_ended_flows_counted_moves_along_as_often_as_the_name_changes() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80).in_cgroup(7));
    lab.tell(client("curl", "127.0.0.1", 80).short(5));
    lab.tell(client("curl", "127.0.0.2", 80).opened(1));
    lab.until(100.0);
    for unit in ["x.service", "y.service"] {
        lab.cgroup(7, &format!("/system.slice/{unit}"));
        lab.settle();
        assert_eq!(lab.edge(&format!("box/curl->box/{unit}:80/tcp")).totals.opened, 6);
    }
}

#[test]
fn of_addresses_in_one_batch_the_oldest_keep_their_names() {
    let mut lab = Lab::with(|settings| settings.max_externals = 1);
    lab.now = at(2.0);
    lab.tell(client("curl", "192.0.2.1", 443).opened(1));
    lab.now = at(1.0);
    lab.tell(client("curl", "192.0.2.2", 443).opened(1));
    lab.now = at(2.0);
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/192.0.2.2:443/tcp", "box/curl->/~other:443/tcp"]);
}

#[test]
fn who_counts_among_others_stays_there_when_room_is_made() {
    let mut lab = Lab::with(|settings| settings.max_externals = 2);
    lab.tell(client("curl", "192.0.2.0", 443).short(1));
    lab.tell(client("curl", "192.0.2.1", 443).short(1));
    lab.tell(client("curl", "192.0.2.2", 443).opened(1));
    lab.until(310.0);
    assert_eq!(lab.services(), ["process:box/curl", "external:/~other"]);
    lab.tell(client("curl", "192.0.2.2", 443).closed(1));
    lab.settle();
    lab.tell(client("curl", "192.0.2.2", 443).short(1));
    lab.settle();
    assert_eq!(lab.edges(), ["box/curl->/~other:443/tcp"]);
}

#[test]
fn failures_before_anybody_listened_stay_with_the_machine() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "127.0.0.1", 80).refused(3));
    lab.until(2.0);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(3.0);
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.settle();
    assert_eq!(lab.edge("box/curl->/box:80/tcp").totals.failed.refused, 3);
    let totals = lab.edge("box/curl->box/web:80/tcp").totals;
    assert_eq!((totals.opened, totals.failed.refused), (1, 0));
}

#[test]
fn an_address_that_goes_away_takes_nothing_along() {
    let mut lab = Lab::new();
    lab.address(3, "10.7.0.2");
    lab.tell(listener("web", "0.0.0.0", 80).in_namespace(3));
    lab.tell(client("curl", "10.7.0.2", 80).short(2));
    lab.settle();
    lab.state(FactBody::Address { netns: 3, address: ip("10.7.0.2"), present: false });
    lab.cgroup(1, "/");
    lab.settle();
    assert_eq!(lab.edge("box/curl->box/web@3:80/tcp").totals.opened, 2);
    lab.tell(client("curl", "10.7.0.2", 80).timed_out(1));
    lab.settle();
    assert_eq!(lab.edge("box/curl->box/web@3:80/tcp").totals.opened, 2);
    assert_eq!(lab.edge("box/curl->/10.7.0.2:80/tcp").totals.failed.timeout, 1);
}

#[test]
fn outside_addresses_beyond_the_bound_are_one_service() {
    let mut lab = Lab::with(|settings| settings.max_externals = 2);
    for last in 1..=5 {
        lab.tell(client("curl", &format!("192.0.2.{last}"), 443).opened(1));
    }
    lab.settle();
    assert_eq!(lab.edge("box/curl->/~other:443/tcp").totals.opened, 3);
    assert_eq!(lab.snapshot().totals.external_services, 3);
    lab.tell(client("curl", "192.0.2.1", 443).opened(1));
    lab.settle();
    assert_eq!(lab.edge("box/curl->/192.0.2.1:443/tcp").totals.opened, 2, "who has a name keeps it");
}

#[test]
fn what_the_kernel_folded_leads_to_others() {
    let mut lab = Lab::new();
    lab.tell(client("scan", "192.0.2.1", 443).folded().opened(9));
    lab.tell(server("web", "192.0.2.1", 80).folded().opened(4));
    lab.settle();
    assert_eq!(lab.edges(), ["box/scan->/~other:443/tcp", "/~other->box/web:80/tcp"]);
}
