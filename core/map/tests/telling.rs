//! What is worth an event, and when it is written.

mod lab;

use std::time::Duration;

use lab::{Lab, at, client, listener, server};
use servicemap_map::model::{
    Event, EventData, EventType, FactBody, Gap, GapReason, HealthReason, HealthStatus, Severity, SourceId,
};
use servicemap_map::{EmissionMode, MapSettings};

const EDGE: &str = "box/curl->box/web:80/tcp";

fn with_listener() -> Lab {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(10.0);
    lab.events();
    lab
}

#[test]
fn a_service_is_told_at_once_and_its_connection_after_the_debounce_window() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    assert_eq!(lab.news(), ["service.discovered process:box/curl"]);
    lab.until(11.9);
    assert!(lab.news().is_empty());
    lab.until(12.0);
    assert_eq!(
        lab.news(),
        [
            format!("connection.established {EDGE}"),
            "dependency.detected box/curl->box/web".to_owned(),
            "topology.changed topology".to_owned(),
        ]
    );
}

#[test]
fn the_debounce_window_is_never_extended() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(11.5);
    lab.tell(client("wget", "127.0.0.1", 80).opened(1));
    lab.until(12.0);
    let topologies = lab.news().into_iter().filter(|line| line.starts_with("topology")).count();
    assert_eq!(topologies, 1);
    lab.until(20.0);
    assert!(lab.news().is_empty(), "the second change was told with the first");
}

#[test]
fn a_topology_event_counts_before_and_after() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(12.0);
    let events = lab.events();
    let Some(EventData::Topology(change)) = events.last().map(|event| &event.data) else {
        panic!("no topology event: {events:?}")
    };
    assert_eq!((change.service_count_before, change.service_count), (1, 2));
    assert_eq!((change.connection_count_before, change.connection_count), (0, 1));
    assert_eq!(
        (change.services_added.as_slice(), change.connections_added.as_slice()),
        (&["box/curl".to_owned()][..], &[EDGE.to_owned()][..])
    );
    assert_eq!(change.revision, 2);
}

#[test]
fn flaps_that_end_where_they_began_make_no_event() {
    let mut lab = Lab::with(|settings| {
        settings.connection_timeout = Duration::from_millis(50);
        settings.service_timeout = Duration::from_secs(30);
    });
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(5.0);
    lab.events();
    for flap in 0..5 {
        lab.tell(client("curl", "127.0.0.1", 80).short(1));
        lab.until(5.0 + 0.1 * f64::from(flap + 1));
    }
    assert!(lab.edges().is_empty());
    lab.until(10.0);
    assert!(lab.news().is_empty());
}

#[test]
fn a_service_that_goes_and_returns_at_once_is_told_only_what_remains() {
    let mut lab = Lab::with(|settings| {
        settings.connection_timeout = Duration::from_millis(10);
        settings.service_timeout = Duration::from_millis(20);
    });
    lab.until(1.0);
    lab.tell(listener("web", "0.0.0.0", 80).short(1));
    lab.until(1.5);
    assert!(lab.services().is_empty());
    assert_eq!(lab.news_but_topology(), ["service.discovered process:box/web"]);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(1.9);
    assert!(lab.news_but_topology().is_empty(), "it was spoken of less than a second ago");
    lab.until(5.0);
    assert!(lab.news_but_topology().is_empty(), "it was told to be there, and it is");
}

#[test]
fn a_second_event_about_a_service_waits_for_the_interval() {
    let mut lab = Lab::with(|settings| {
        settings.connection_timeout = Duration::from_millis(10);
        settings.service_timeout = Duration::from_millis(20);
    });
    lab.tell(listener("web", "0.0.0.0", 80).short(1));
    lab.until(0.9);
    assert_eq!(lab.news(), ["service.discovered process:box/web"]);
    lab.until(1.0);
    let events = lab.events();
    let [event] = events.as_slice() else { panic!("one event expected: {events:?}") };
    assert_eq!(
        (event.event_type, event.at, event.observed_at),
        (EventType::ServiceRemoved, at(0.02), at(1.0))
    );
}

#[test]
fn an_edge_that_expires_and_returns_while_its_dependency_lives_is_no_news() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(60.0);
    assert!(lab.edges().is_empty());
    lab.events();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(70.0);
    assert_eq!(lab.edges(), [EDGE]);
    assert!(lab.news_but_topology().is_empty());
}

#[test]
fn an_edge_that_returns_idle_first_is_not_established_again() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(39.0);
    lab.events();
    lab.until(60.0);
    lab.tell(client("curl", "127.0.0.1", 80).bytes(1, 1));
    lab.until(65.0);
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(70.0);
    assert!(lab.news().iter().all(|line| !line.starts_with("connection.established")));
}

#[test]
fn services_that_go_and_return_in_one_window_take_their_connection_along() {
    let mut lab = Lab::with(|settings| {
        settings.connection_timeout = Duration::from_secs(3);
        settings.service_timeout = Duration::from_secs(6);
        settings.min_emit_interval = Duration::from_secs(2);
        settings.debounce_window = Duration::from_secs(2);
    });
    lab.tell(client("curl", "192.0.2.1", 443).short(1));
    lab.until(6.0);
    assert!(lab.services().is_empty());
    lab.tell(client("curl", "192.0.2.1", 443).short(1));
    lab.until(8.5);
    let established =
        lab.news().into_iter().filter(|line| line.starts_with("connection.established")).count();
    assert_eq!(established, 1);
}

#[test]
fn edges_that_slept_when_their_services_returned_are_told_when_these_go() {
    let mut lab = Lab::with(|settings| {
        settings.connection_timeout = Duration::from_secs(3);
        settings.service_timeout = Duration::from_secs(6);
        settings.min_emit_interval = Duration::from_secs(2);
    });
    lab.tell(client("curl", "192.0.2.1", 443).short(1));
    lab.tell(client("curl", "192.0.2.1", 444).short(1));
    lab.until(6.0);
    lab.tell(client("curl", "192.0.2.1", 443).short(1));
    lab.until(30.0);
    let expired: Vec<_> =
        lab.news().into_iter().filter(|line| line.starts_with("connection.expired")).collect();
    let edge = "connection.expired box/curl->/192.0.2.1";
    assert_eq!(expired, [format!("{edge}:443/tcp"), format!("{edge}:444/tcp")]);
}

#[test]
fn a_service_that_returns_unheard_has_the_health_that_was_told() {
    let mut lab = Lab::with(|settings| {
        settings.min_emit_interval = Duration::from_secs(400);
        settings.service_timeout = Duration::from_secs(40);
    });
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(40.0);
    assert!(lab.news().contains(&"health.changed process:box/web".to_owned()));
    lab.tell(listener("web", "0.0.0.0", 80).opened(0).closed(1));
    lab.until(85.0);
    assert!(lab.services().is_empty());
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(400.0);
    let changed = lab.events().into_iter().find_map(|event| match &event.data {
        EventData::Health(change) => Some((change.from, change.to)),
        _ => None,
    });
    assert_eq!(changed, Some((HealthStatus::Healthy, HealthStatus::Unknown)));
}

#[test]
fn a_service_that_returns_unheard_goes_on_with_its_health() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80).in_cgroup(7));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1).refused(50));
    lab.until(2.5);
    assert!(lab.news().contains(&"health.changed process:box/web".to_owned()));
    lab.cgroup(7, "/system.slice/web.service");
    lab.settle();
    assert!(lab.services().iter().all(|service| service != "process:box/web"));
    lab.tell(listener("web", "0.0.0.0", 80).in_cgroup(8));
    lab.until(20.0);
    let about_it: Vec<_> = lab.news().into_iter().filter(|line| line.ends_with(" process:box/web")).collect();
    assert_eq!(about_it, Vec::<String>::new());
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Unhealthy);
}

#[test]
fn a_dependency_that_was_named_wrongly_goes_although_its_services_stay() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.tell(client("curl", "127.0.0.1", 90).refused(1));
    lab.until(3.0);
    assert!(lab.news().contains(&"dependency.detected box/curl->/box".to_owned()));
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.until(6.0);
    let news = lab.news();
    assert!(news.contains(&"dependency.removed box/curl->/box".to_owned()), "{news:?}");
    assert!(news.contains(&"dependency.detected box/curl->box/web".to_owned()), "{news:?}");
}

#[test]
fn an_edge_that_loses_its_established_flow_before_it_is_told_is_not_told() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.tell(client("curl", "127.0.0.2", 80).refused(1));
    lab.settle();
    lab.tell(listener("web", "127.0.0.1", 80));
    lab.until(3.0);
    let news = lab.news();
    assert!(news.contains(&format!("connection.established {EDGE}")), "{news:?}");
    assert!(!news.contains(&"connection.established box/curl->/box:80/tcp".to_owned()), "{news:?}");
}

#[test]
fn one_edge_is_enough_to_keep_a_dependency() {
    let mut lab = Lab::with(|settings| settings.dependency_retention = Duration::from_secs(1));
    lab.tell(client("curl", "192.0.2.1", 80).short(1));
    lab.tell(client("curl", "192.0.2.1", 81).opened(1));
    lab.until(100.0);
    assert!(lab.news().iter().all(|line| !line.starts_with("dependency.removed")));
}

#[test]
fn failures_of_long_ago_say_nothing_about_a_service_that_is_renamed() {
    let mut lab = Lab::new();
    lab.tell(listener("web", "0.0.0.0", 80).in_cgroup(7));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1).refused(50));
    lab.until(200.0);
    lab.tell(client("curl", "127.0.0.1", 80).bytes(1, 1));
    lab.settle();
    lab.cgroup(7, "/system.slice/web.service");
    lab.until(210.0);
    assert_ne!(lab.service("process:box/web.service").health.status, HealthStatus::Unhealthy);
}

#[test]
fn a_window_that_closed_before_a_late_call_is_not_extended_by_it() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    lab.now = at(13.0);
    lab.tell(client("wget", "127.0.0.1", 80).opened(1));
    lab.settle();
    lab.until(20.0);
    assert_eq!(lab.news().iter().filter(|line| line.starts_with("topology")).count(), 2);
}

#[test]
fn when_a_service_goes_its_connection_and_dependency_are_told_to_have_gone() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(300.0);
    lab.events();
    lab.until(315.0);
    assert_eq!(
        lab.news_but_topology(),
        [
            "service.removed process:box/curl".to_owned(),
            format!("connection.expired {EDGE}"),
            "dependency.removed box/curl->box/web".to_owned(),
        ]
    );
}

#[test]
fn a_connection_after_that_is_established_anew() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(320.0);
    lab.events();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(325.0);
    assert!(lab.news().contains(&format!("connection.established {EDGE}")));
}

#[test]
fn a_dependency_is_forgotten_after_its_retention() {
    let mut lab = Lab::with(|settings| settings.dependency_retention = Duration::from_mins(2));
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(listener("curl", "127.0.0.1", 1));
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(119.0);
    lab.events();
    lab.until(123.0);
    let news = lab.news_but_topology();
    assert_eq!(
        news,
        [format!("connection.expired {EDGE}"), "dependency.removed box/curl->box/web".to_owned()]
    );
}

#[test]
fn attempts_that_begin_to_fail_are_told_with_their_reason() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.until(13.0);
    let events = lab.events();
    let failed = events.iter().find(|event| event.event_type == EventType::ConnectionFailed).unwrap();
    assert_eq!((failed.severity, &*failed.subject), (Severity::Warn, EDGE));
    let EventData::Connection(connection) = &failed.data else { panic!("{failed:?}") };
    assert_eq!((connection.totals.opened, connection.totals.failed.refused), (0, 1));
    lab.tell(client("curl", "127.0.0.1", 80).refused(5));
    lab.until(20.0);
    assert!(lab.news().is_empty(), "they go on failing");
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(25.0);
    lab.events();
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.until(30.0);
    assert_eq!(lab.news(), [format!("connection.failed {EDGE}")]);
}

#[test]
fn failures_make_a_dependency_only_where_the_port_is_offered() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.tell(client("curl", "127.0.0.1", 81).refused(1));
    lab.tell(client("curl", "192.0.2.1", 80).timed_out(1));
    lab.until(13.0);
    let dependencies: Vec<_> = lab.news().into_iter().filter(|line| line.starts_with("dependency")).collect();
    assert_eq!(dependencies, ["dependency.detected box/curl->box/web"]);
}

#[test]
fn many_failures_turn_a_service_unhealthy_after_two_seconds() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).refused(10));
    lab.until(11.9);
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Unknown);
    lab.events();
    lab.until(12.0);
    let events = lab.events();
    let changed = events.iter().find(|event| event.event_type == EventType::HealthChanged).unwrap();
    assert_eq!((changed.severity, changed.at, changed.observed_at), (Severity::Warn, at(10.0), at(12.0)));
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Unhealthy);
    let counted = lab.map.statistics().health_changes.values().sum::<u64>();
    assert_eq!(counted, 1);
}

#[test]
fn few_failures_leave_a_service_unknown_but_say_why() {
    let mut lab = with_listener();
    assert_eq!(lab.service("process:box/web").health.reasons, [HealthReason::NoTraffic]);
    lab.tell(client("curl", "127.0.0.1", 80).refused(3));
    lab.until(20.0);
    let health = lab.service("process:box/web").health.clone();
    assert_eq!((health.status, health.reasons), (HealthStatus::Unknown, vec![HealthReason::ConnectionsFail]));
    lab.until(80.0);
    assert_eq!(lab.service("process:box/web").health.reasons, [HealthReason::NoTraffic]);
}

#[test]
fn success_turns_a_service_healthy_after_thirty_seconds() {
    let mut lab = with_listener();
    for second in 0..40 {
        lab.tell(client("curl", "127.0.0.1", 80).short(1));
        lab.until(11.0 + f64::from(second));
    }
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Healthy);
    let healthy =
        lab.events().into_iter().find(|event| event.event_type == EventType::HealthChanged).unwrap();
    assert_eq!((healthy.severity, &*healthy.subject), (Severity::Info, "process:box/web"));
}

#[test]
fn refusals_at_a_port_of_the_machine_where_nobody_listens_say_nothing_about_its_health() {
    let mut lab = Lab::new();
    lab.tell(client("curl", "127.0.0.1", 9).refused(1000));
    lab.until(20.0);
    assert_eq!(lab.service("node:/box").health.status, HealthStatus::Unknown);
}

#[test]
fn nothing_is_told_before_the_map_is_ready_and_then_it_is_no_news() {
    let mut lab = Lab::starting(MapSettings::default());
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).preexisting(1));
    lab.until(5.0);
    assert!(!lab.map.is_ready());
    assert_eq!(lab.edges(), [EDGE], "it is in the map all the same");
    lab.ready();
    assert!(lab.map.is_ready());
    lab.until(10.0);
    assert!(lab.news().is_empty());
    assert_eq!(lab.map.statistics().services_discovered.values().sum::<u64>(), 2);
}

#[test]
fn all_sources_that_were_announced_must_be_ready() {
    let mut lab = Lab::starting(MapSettings::default());
    lab.map.expect(SourceId::Host);
    lab.ready();
    assert!(!lab.map.is_ready());
    lab.state(FactBody::Ready(SourceId::Host));
    lab.settle();
    assert!(lab.map.is_ready());
}

#[test]
fn a_source_that_was_given_up_is_not_waited_for() {
    let mut lab = Lab::starting(MapSettings::default());
    lab.map.expect(SourceId::Host);
    lab.ready();
    lab.map.give_up(SourceId::Host);
    lab.settle();
    assert!(lab.map.is_ready());
}

#[test]
fn a_consumer_that_starts_gets_what_was_told_marked_initial() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(20.0);
    let live = lab.map.log().read(&mut lab.map.log().cursor_at_start(), 100).events;
    let initial = lab.map.initial_events(lab.now);
    let lines: Vec<_> =
        initial.iter().map(|event| format!("{} {}", event.event_type, event.subject)).collect();
    assert_eq!(
        lines,
        [
            "service.discovered process:box/curl".to_owned(),
            "service.discovered process:box/web".to_owned(),
            format!("connection.established {EDGE}"),
            "dependency.detected box/curl->box/web".to_owned(),
        ]
    );
    for event in initial {
        assert!(event.initial && event.sequence == live.last().unwrap().sequence);
        assert!(live.iter().any(|told| told.id == event.id), "the same fact has the same id: {event:?}");
    }
}

#[test]
fn what_waits_to_be_told_is_not_initial() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.settle();
    let initial = lab.map.initial_events(lab.now);
    assert!(initial.iter().all(|event| event.event_type == EventType::ServiceDiscovered), "{initial:?}");
}

#[test]
fn a_consumer_that_starts_is_told_of_edges_that_fail() {
    let mut lab = with_listener();
    lab.tell(client("curl", "127.0.0.1", 80).refused(1));
    lab.until(20.0);
    let live = lab.events();
    let initial = lab.map.initial_events(lab.now);
    let failing = initial.iter().find(|event| event.event_type == EventType::ConnectionFailed).unwrap();
    assert_eq!((&*failing.subject, failing.initial), (EDGE, true));
    assert!(live.iter().any(|told| told.id == failing.id), "the same fact has the same id");
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(30.0);
    let initial = lab.map.initial_events(lab.now);
    assert!(initial.iter().all(|event| event.event_type != EventType::ConnectionFailed), "it succeeds again");
}

#[test]
fn what_was_lost_before_readiness_is_told_to_who_starts() {
    let mut lab = Lab::starting(MapSettings::default());
    let gap = |count, at| Gap { reason: GapReason::FlowMapFull, count, healed: false, at };
    lab.state(FactBody::Gap(gap(3, at(0.0))));
    lab.ready();
    let gaps = |lab: &Lab| {
        let initial = lab.map.initial_events(lab.now).into_iter();
        let gaps = initial.filter(|event| event.event_type == EventType::CaptureGap);
        gaps.map(|event| event.data.clone()).collect::<Vec<_>>()
    };
    assert_eq!(gaps(&lab), [EventData::Gap(gap(3, at(0.0)))]);
    lab.until(5.0);
    lab.state(FactBody::Gap(gap(4, at(5.0))));
    lab.settle();
    lab.state(FactBody::Gap(gap(5, at(5.1))));
    lab.settle();
    assert_eq!(gaps(&lab), [EventData::Gap(gap(7, at(0.0)))], "the log has not told the last one yet");
    lab.until(10.0);
    assert_eq!(gaps(&lab), [EventData::Gap(gap(12, at(0.0)))]);
}

#[test]
fn the_last_call_tells_what_waits() {
    let mut lab = with_listener();
    let gap = || FactBody::Gap(Gap { reason: GapReason::FlowMapFull, count: 1, healed: false, at: at(10.0) });
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.state(gap());
    lab.settle();
    lab.state(gap());
    lab.settle();
    lab.events();
    lab.map.finish(at(10.5));
    let told: Vec<_> =
        lab.events().iter().map(|event| (event.event_type, event.at <= event.observed_at)).collect();
    let types = [
        EventType::CaptureGap,
        EventType::ConnectionEstablished,
        EventType::DependencyDetected,
        EventType::TopologyChanged,
    ];
    assert_eq!(told, types.map(|event_type| (event_type, true)));
}

#[test]
fn the_last_call_of_a_map_that_is_not_ready_tells_nothing() {
    let mut lab = Lab::starting(MapSettings::default());
    lab.tell(client("curl", "192.0.2.1", 80).opened(1));
    lab.map.finish(at(10.0));
    assert!(lab.news().is_empty());
}

#[test]
fn edges_asleep_beyond_the_bound_are_told_as_expired() {
    let mut lab = Lab::new();
    for port in 1..=70 {
        lab.tell(client("ftp", "192.0.2.1", port).short(1));
    }
    lab.until(60.0);
    assert!(lab.edges().is_empty());
    let count = |news: &[String], kind: &str| news.iter().filter(|line| line.starts_with(kind)).count();
    let news = lab.news();
    assert_eq!((count(&news, "connection.established"), count(&news, "connection.expired")), (70, 70 - 64));
    lab.until(1000.0);
    assert_eq!(count(&lab.news(), "connection.expired"), 64, "with its services");
}

#[test]
fn clients_from_outside_that_reset_what_was_accepted_say_nothing_about_the_server() {
    let mut lab = with_listener();
    for second in 0..40 {
        lab.tell(server("web", "192.0.2.1", 80).short(1).reset(1));
        lab.until(11.0 + f64::from(second));
    }
    assert_eq!(lab.edge("/192.0.2.1->box/web:80/tcp").totals.failed.reset, 40, "it is counted");
    assert_eq!(lab.service("process:box/web").health.status, HealthStatus::Healthy);
    assert!(lab.news().iter().all(|line| !line.starts_with("connection.failed")));
}

#[test]
fn detections_carry_learning_for_the_learning_period() {
    let mut lab = Lab::with(|settings| settings.learning_period = Duration::from_mins(1));
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(client("curl", "127.0.0.1", 80).opened(1));
    lab.until(30.0);
    for event in lab.events() {
        let detects =
            matches!(event.event_type, EventType::ServiceDiscovered | EventType::DependencyDetected);
        assert_eq!(event.learning, detects, "{event:?}");
    }
    lab.until(60.0);
    lab.tell(client("wget", "127.0.0.1", 80).opened(1));
    lab.until(70.0);
    assert!(lab.events().iter().all(|event| !event.learning));
}

#[test]
fn a_gap_is_told_at_once_and_repeated_ones_add_up() {
    let mut lab = Lab::new();
    let gap = |count, at| Gap { reason: GapReason::FlowMapFull, count, healed: false, at };
    lab.until(1.0);
    lab.state(FactBody::Gap(gap(3, at(1.0))));
    lab.settle();
    let events = lab.events();
    assert_eq!(events[0].data, EventData::Gap(gap(3, at(1.0))));
    assert_eq!(events[0].severity, Severity::Warn);
    lab.state(FactBody::Gap(gap(4, at(1.1))));
    lab.state(FactBody::Gap(gap(5, at(1.2))));
    lab.until(1.9);
    assert!(lab.events().is_empty());
    lab.until(2.0);
    assert_eq!(lab.events()[0].data, EventData::Gap(gap(9, at(1.1))));
    assert_eq!(lab.snapshot().gaps, [gap(12, at(1.0))]);
}

#[test]
fn a_gap_that_healed_is_told_and_not_counted_again() {
    let mut lab = Lab::new();
    let gap = |count, healed, at| Gap { reason: GapReason::FlowMapFull, count, healed, at };
    lab.until(1.0);
    lab.state(FactBody::Gap(gap(3, false, at(1.0))));
    lab.until(5.0);
    lab.events();
    lab.state(FactBody::Gap(gap(3, true, at(5.0))));
    lab.until(7.0);
    let told: Vec<_> = lab.events().iter().map(|event| (event.severity, event.data.clone())).collect();
    assert_eq!(told, [(Severity::Info, EventData::Gap(gap(3, true, at(5.0))))]);
    assert_eq!(lab.snapshot().gaps, [gap(3, true, at(1.0))]);
    assert_eq!(lab.map.statistics().gaps[&GapReason::FlowMapFull], 3);
    // The next loss is a gap of its own.
    lab.state(FactBody::Gap(gap(2, false, at(7.0))));
    lab.until(9.0);
    assert_eq!(lab.snapshot().gaps, [gap(3, true, at(1.0)), gap(2, false, at(7.0))]);
}

#[test]
fn full_mode_tells_the_topology_at_each_interval() {
    let mut lab = Lab::with(|settings| settings.emission_mode = EmissionMode::Full);
    lab.until(299.0);
    assert!(lab.news().is_empty());
    lab.until(900.0);
    assert_eq!(lab.news(), ["topology.changed topology"; 3]);
}

#[test]
fn a_snapshot_interval_of_nothing_is_one_of_a_second() {
    let mut lab = Lab::with(|settings| {
        settings.emission_mode = EmissionMode::Full;
        settings.full_snapshot_interval = Duration::ZERO;
    });
    lab.until(3.0);
    assert_eq!(lab.news(), ["topology.changed topology"; 3]);
}

#[test]
fn a_late_call_makes_the_same_events_as_punctual_ones() {
    let play = |punctual: bool| {
        let mut lab = with_listener();
        lab.tell(client("curl", "127.0.0.1", 80).short(1));
        lab.tell(client("wget", "127.0.0.1", 80).refused(20));
        lab.settle();
        if punctual {
            lab.until(1000.0);
        } else {
            lab.map.advance(at(1000.0));
        }
        lab.events().iter().map(|event| (event.id, event.at, event.data.clone())).collect::<Vec<_>>()
    };
    assert_eq!(play(true), play(false));
}

#[test]
fn nothing_is_due_when_nothing_can_happen() {
    let mut lab = Lab::new();
    assert_eq!(lab.map.next_deadline(), None);
    lab.tell(listener("web", "0.0.0.0", 80));
    assert_eq!(lab.map.next_deadline(), Some(at(0.0)), "a fact waits");
    lab.settle();
    assert_eq!(lab.map.next_deadline(), Some(at(2.0)), "the window closes");
    lab.until(3.0);
    assert_eq!(lab.map.next_deadline(), Some(at(3_600.0)), "nobody connects to it for an hour");
    lab.until(3_603.0);
    assert_eq!(lab.map.next_deadline(), None, "a listener has no end of its own");
}

#[test]
fn an_edge_that_returns_while_its_dependency_lives_is_told_where_that_is_asked_for() {
    let mut lab = Lab::with(|settings| settings.returning_connections = true);
    lab.tell(listener("web", "0.0.0.0", 80));
    lab.tell(listener("curl", "127.0.0.1", 1));
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(50.0);
    lab.events();
    lab.tell(client("curl", "127.0.0.1", 80).short(1));
    lab.until(100.0);
    assert_eq!(
        lab.news_but_topology(),
        [format!("connection.established {EDGE}"), format!("connection.expired {EDGE}")]
    );
}

/// Many edges, a few of which fail, until all of it is over; the lines of what was told.
fn busy(ratio: f64) -> (Lab, Vec<std::sync::Arc<Event>>) {
    let mut lab = Lab::with(|settings| settings.connection_sampling_ratio = ratio);
    lab.tell(listener("web", "0.0.0.0", 80));
    for n in 0..200 {
        let delta = client(&format!("p{n}"), "127.0.0.1", 80).short(1);
        lab.tell(if n % 3 == 0 { delta.refused(1) } else { delta });
    }
    lab.until(1000.0);
    let events = lab.events();
    (lab, events)
}

fn is_of_edge(event: &Event) -> bool {
    event.event_type.as_str().starts_with("connection.")
}

#[test]
fn sampling_thins_events_about_connections_and_nothing_else() {
    let (full, all) = busy(1.0);
    let (thin, some) = busy(0.25);
    let ids = |events: &[std::sync::Arc<Event>], of_edges: bool| {
        let events = events.iter().filter(|event| is_of_edge(event) == of_edges);
        events.map(|event| event.id.to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&all, false), ids(&some, false));
    let (of_edges, sampled) = (ids(&all, true), ids(&some, true));
    assert!(sampled.is_subset(&of_edges));
    assert!((60..=140).contains(&sampled.len()), "{} of {}", sampled.len(), of_edges.len());
    assert_eq!(thin.map.statistics().events_sampled_out, (of_edges.len() - sampled.len()) as u64);
    assert_eq!(full.map.statistics().events_sampled_out, 0);
    for event in all.iter().chain(&some) {
        let ratio =
            (is_of_edge(event) && some.iter().any(|one| std::sync::Arc::ptr_eq(one, event))).then_some(0.25);
        assert_eq!(event.sampling_ratio, ratio, "{event:?}");
    }
    let sequences: Vec<_> = some.iter().map(|event| event.sequence).collect();
    assert!(sequences.iter().zip(&sequences[1..]).all(|(one, next)| one + 1 == *next), "no holes");
}

#[test]
fn what_is_told_of_a_sampled_edge_is_told_to_its_end_also_to_who_starts() {
    let (_, events) = busy(0.25);
    let of_type = |event_type| {
        let events = events.iter().filter(move |event| event.event_type == event_type);
        events.map(|event| event.subject.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(of_type(EventType::ConnectionEstablished), of_type(EventType::ConnectionExpired));
    let mut lab = Lab::with(|settings| settings.connection_sampling_ratio = 0.25);
    lab.tell(listener("web", "0.0.0.0", 80));
    for n in 0..200 {
        lab.tell(client(&format!("p{n}"), "127.0.0.1", 80).opened(1));
    }
    lab.until(10.0);
    let live = lab.events();
    let initial = lab.map.initial_events(lab.now);
    let of_edges = |events: &[std::sync::Arc<Event>]| {
        let events = events.iter().filter(|event| is_of_edge(event));
        events.map(|event| event.subject.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(!of_edges(&live).is_empty());
    assert_eq!(of_edges(&live), of_edges(&initial));
}

#[test]
fn a_dependency_goes_when_what_showed_it_turns_out_to_be_another_services() {
    let mut lab = Lab::new();
    lab.tell(client("job", "192.0.2.1", 80).in_cgroup(3).refused(1));
    lab.tell(client("job", "192.0.2.1", 80).in_cgroup(1).short(1));
    lab.settle();
    lab.cgroup(1, "/system.slice/nightly.service");
    lab.until(5.0);
    assert_eq!(lab.edges().len(), 2, "attempts of the other one are still its own");
    let news = lab.news();
    let dependencies: Vec<_> = news.iter().filter(|line| line.starts_with("dependency")).collect();
    assert_eq!(dependencies, ["dependency.detected box/nightly.service->/192.0.2.1"]);
}
