//! What the rows of a typed batch say.

use std::sync::Arc;

use servicemap_map::model::{
    Dependency, Event, EventData, EventType, Exposure, Gap, GapReason, HealthChange, HealthReason,
    HealthStatus, ObserverInfo, Renaming, RunId, Service, ServiceId, ServiceKind, ServiceRef, ServiceType,
    Snapshot, SnapshotTopology, SnapshotTotals, TopologyChange,
};

use super::fixtures::{AT, RUN, connection, event, service};
use crate::batch::Kind;
use crate::events::{EventKind, Range, Table, Text, View};

fn read<'a>(view: &'a View<'_>, text: Text) -> &'a str {
    std::str::from_utf8(&view.arena[text.offset as usize..][..text.len as usize]).unwrap()
}

fn texts<'a>(view: &'a View<'_>, range: Range) -> Vec<&'a str> {
    view.texts[range.first as usize..][..range.count as usize].iter().map(|text| read(view, *text)).collect()
}

fn reference(name: &str) -> ServiceRef {
    ServiceRef { namespace: "host".into(), name: name.into(), service_type: ServiceType::Process }
}

#[test]
fn an_event_row_says_what_the_event_says() {
    let mut told = Event::clone(&event(EventType::ServiceDiscovered, 7, EventData::Service(service("web"))));
    told.learning = true;
    let table = Table::new(&[Arc::new(told)], None).unwrap();
    let view = View::of(&table);
    let row = &view.events[0];
    assert_eq!(row.id, 7_u128.to_be_bytes());
    assert_eq!(view.run_id, RUN.to_be_bytes());
    assert_eq!((row.sequence, row.at_ns, row.observed_ns), (7, AT.as_nanos(), AT.as_nanos() + 1_000_000));
    assert_eq!((row.kind, row.severity, row.flags, row.data), (EventKind::ServiceDiscovered, 9, 2, 0));
    assert_eq!((read(&view, row.name), read(&view, row.subject)), ("service.discovered", "subject"));
}

#[test]
fn a_service_row_has_its_endpoints_labels_and_health() {
    let table =
        Table::new(&[event(EventType::ServiceRemoved, 1, EventData::Service(service("web")))], None).unwrap();
    let view = View::of(&table);
    let row = &view.services[0];
    assert_eq!(read(&view, row.service.service_namespace), "host");
    assert_eq!(read(&view, row.service.service_name), "web");
    assert_eq!(read(&view, row.service.service_type), "Process");
    assert_eq!(
        (read(&view, row.health), texts(&view, row.health_reasons)),
        ("degraded", vec!["connections_fail"])
    );
    assert_eq!((row.first_seen_ns, row.last_seen_ns), (AT.as_nanos(), AT.as_nanos() + 1_000_000_000));
    assert_eq!((row.endpoints, row.labels), (Range { first: 0, count: 1 }, Range { first: 0, count: 1 }));
    let endpoint = &view.endpoints[0];
    let place = [endpoint.pod, endpoint.node, endpoint.zone].map(|text| read(&view, text));
    assert_eq!(place, ["web-1", "n1", "a"]);
    assert_eq!((read(&view, endpoint.address), endpoint.port, endpoint.ready), ("127.0.0.1", 8080, 1));
    assert_eq!((read(&view, view.labels[0].key), read(&view, view.labels[0].value)), ("app", "web"));
}

#[test]
fn a_service_row_has_its_environment_and_what_exposes_it() {
    let mut exposed = Service::clone(&service("web"));
    exposed.environment = Some("prod".into());
    exposed.exposed_by = vec![Exposure {
        kind: "Ingress",
        namespace: "shop".into(),
        name: "front".into(),
        class: Some("nginx".into()),
        hosts: vec!["a.example".into(), "b.example".into()],
        ports: vec![80, 443],
    }];
    let told = event(EventType::ServiceDiscovered, 1, EventData::Service(Arc::new(exposed)));
    let table = Table::new(&[told], None).unwrap();
    let view = View::of(&table);
    let row = &view.services[0];
    assert_eq!((read(&view, row.environment), row.exposed_by), ("prod", Range { first: 0, count: 1 }));
    let row = &view.exposures[0];
    assert_eq!((read(&view, row.kind), read(&view, row.serving_class)), ("Ingress", "nginx"));
    assert_eq!((read(&view, row.object_namespace), read(&view, row.object_name)), ("shop", "front"));
    assert_eq!(texts(&view, row.hosts), ["a.example", "b.example"]);
    assert_eq!((row.ports, &view.ports[..]), (Range { first: 0, count: 2 }, &[80, 443][..]));
}

#[test]
fn a_connection_row_has_every_count_in_its_own_place() {
    let told = event(EventType::ConnectionEstablished, 1, EventData::Connection(connection()));
    let table = Table::new(&[told], None).unwrap();
    let view = View::of(&table);
    let row = &view.connections[0];
    assert_eq!(
        (read(&view, row.source.service_name), read(&view, row.destination.service_name)),
        ("client", "server")
    );
    assert_eq!((read(&view, row.protocol), row.port), ("tcp", 8080));
    assert_eq!((row.opened, row.preexisting, row.active), (11, 1, 2));
    let failed =
        [row.failed_refused, row.failed_timeout, row.failed_unreachable, row.failed_reset, row.failed_other];
    assert_eq!(failed, [3, 4, 5, 6, 7]);
    assert_eq!((row.bytes_sent, row.bytes_received, row.retransmits, row.rtt_us), (100, 200, 8, 250));
    assert_eq!((row.first_seen_ns, row.last_seen_ns), (AT.as_nanos(), AT.as_nanos() + 2_000_000_000));
    assert_eq!((read(&view, row.side), row.direction_known), ("client", 1));
    assert_eq!((read(&view, row.source_rule), read(&view, row.destination_rule)), ("cgroup", "listener"));
    assert_eq!(
        (row.example_pid, row.example_uid, row.example_port, row.example_cookie),
        (42, 1000, 40_000, 77)
    );
    assert_eq!(read(&view, row.example_address), "10.0.0.1");
}

#[test]
fn dependencies_health_topology_and_gaps_have_rows_of_their_own() {
    let web = service("web");
    let dependency = Dependency {
        source: reference("client"),
        destination: reference("server"),
        protocol: "tcp",
        port: 8080,
        cross_namespace: true,
        cross_environment: true,
        source_environment: Some("prod".into()),
        destination_environment: Some("staging".into()),
    };
    let change = HealthChange {
        service: web,
        from: HealthStatus::Healthy,
        to: HealthStatus::Unhealthy,
        reasons: vec![HealthReason::ConnectionsFail],
    };
    let topology = TopologyChange {
        revision: 3,
        service_count: 5,
        connection_count: 4,
        service_count_before: 2,
        connection_count_before: 1,
        services_added: vec!["host/a".to_owned(), "host/b".to_owned()],
        services_removed: vec![],
        connections_added: vec!["host/a->host/b:80/tcp".to_owned()],
        connections_removed: vec!["host/a->host/c:80/tcp".to_owned()],
        disallowed_connections_added: vec!["host/a->host/d:81/tcp".to_owned()],
        disallowed_connections_removed: vec!["host/a->host/d:82/tcp".to_owned()],
        unrestricted_services_added: vec!["service:host/e".to_owned()],
        unrestricted_services_removed: vec!["service:host/f".to_owned()],
        renamed: vec![Renaming {
            from: ServiceId::new(ServiceKind::Workload, "shop", "web"),
            to: ServiceId::new(ServiceKind::Service, "shop", "front"),
        }],
        ..TopologyChange::default()
    };
    let gap = Gap { reason: GapReason::FlowMapFull, count: 9, healed: true, at: AT };
    let table = Table::new(
        &[
            event(EventType::DependencyDetected, 1, EventData::Dependency(Arc::new(dependency))),
            event(EventType::HealthChanged, 2, EventData::Health(Arc::new(change))),
            event(EventType::TopologyChanged, 3, EventData::Topology(Arc::new(topology))),
            event(EventType::CaptureGap, 4, EventData::Gap(gap)),
        ],
        None,
    )
    .unwrap();
    let view = View::of(&table);
    let kinds: Vec<_> = view.events.iter().map(|row| (row.kind, row.data)).collect();
    let expected = [
        (EventKind::DependencyDetected, 0),
        (EventKind::HealthChanged, 0),
        (EventKind::TopologyChanged, 0),
        (EventKind::CaptureGap, 0),
    ];
    assert_eq!(kinds, expected);

    let row = &view.dependencies[0];
    assert_eq!(
        (read(&view, row.source.service_name), read(&view, row.destination.service_name)),
        ("client", "server")
    );
    assert_eq!((read(&view, row.protocol), row.port, row.cross_namespace), ("tcp", 8080, 1));

    let environments = (
        read(&view, row.source_environment),
        read(&view, row.destination_environment),
        row.cross_environment,
    );
    assert_eq!(environments, ("prod", "staging", 1));

    let row = &view.health_changes[0];
    assert_eq!((read(&view, row.from), read(&view, row.to)), ("healthy", "unhealthy"));
    assert_eq!(texts(&view, row.reasons), ["connections_fail"]);
    assert_eq!(read(&view, view.services[row.service as usize].service.service_name), "web");

    let row = &view.topologies[0];
    assert_eq!((row.revision, row.service_count, row.connection_count), (3, 5, 4));
    assert_eq!((row.service_count_before, row.connection_count_before), (2, 1));
    assert_eq!(texts(&view, row.services_added), ["host/a", "host/b"]);
    assert_eq!(texts(&view, row.services_removed), [""; 0]);
    assert_eq!(texts(&view, row.connections_added), ["host/a->host/b:80/tcp"]);
    assert_eq!(texts(&view, row.connections_removed), ["host/a->host/c:80/tcp"]);

    assert_eq!(texts(&view, row.disallowed_connections_added), ["host/a->host/d:81/tcp"]);
    assert_eq!(texts(&view, row.disallowed_connections_removed), ["host/a->host/d:82/tcp"]);
    assert_eq!(texts(&view, row.unrestricted_services_added), ["service:host/e"]);
    assert_eq!(texts(&view, row.unrestricted_services_removed), ["service:host/f"]);
    assert_eq!(texts(&view, row.renamed), ["workload:shop/web", "service:shop/front"]);

    let row = &view.gaps[0];
    assert_eq!(
        (read(&view, row.reason), row.count, row.at_ns, row.healed),
        ("flow_map_full", 9, AT.as_nanos(), 1)
    );
}

#[test]
fn what_several_events_refer_to_is_one_row_and_one_text() {
    let web = service("web");
    let table = Table::new(
        &[
            event(EventType::ServiceDiscovered, 1, EventData::Service(web.clone())),
            event(EventType::ServiceRemoved, 2, EventData::Service(web)),
        ],
        None,
    )
    .unwrap();
    let view = View::of(&table);
    assert_eq!((view.services.len(), view.events[0].data, view.events[1].data), (1, 0, 0));
    assert_eq!(view.events[0].subject, view.events[1].subject);
}

#[test]
fn the_rows_of_a_snapshot_come_first() {
    let snapshot = Snapshot {
        version: Snapshot::VERSION,
        at: AT,
        sequence: 12,
        observer: ObserverInfo {
            version: "1".into(),
            host: "host".into(),
            cluster: "".into(),
            cluster_uid: "".into(),
            run_id: RunId(uuid::Uuid::from_u128(RUN)),
            started_at: AT,
        },
        services: vec![service("a"), service("b")],
        connections: vec![connection()],
        topology: SnapshotTopology::default(),
        totals: SnapshotTotals::default(),
        excluded: std::collections::BTreeMap::new(),
        unnamed: std::collections::BTreeMap::new(),
        gaps: vec![],
    };
    let told = event(EventType::ServiceDiscovered, 13, EventData::Service(service("c")));
    let table = Table::new(&[told], Some(&snapshot)).unwrap();
    let view = View::of(&table);
    assert_eq!((view.has_snapshot, view.snapshot_sequence, view.run_id), (1, 12, RUN.to_be_bytes()));
    assert_eq!((view.snapshot_services, view.snapshot_connections), (2, 1));
    let names: Vec<_> = view.services.iter().map(|row| read(&view, row.service.service_name)).collect();
    assert_eq!((names, view.events[0].data), (vec!["a", "b", "c"], 2));
}

#[test]
fn an_empty_list_points_to_memory_that_exists() {
    let table = Table::new(&[], None).unwrap();
    let view = View::of(&table);
    // The first page of a process is never mapped: what Rust's own empty slices have as address lies in it.
    let lists = [
        view.events.as_ptr() as usize,
        view.services.as_ptr() as usize,
        view.connections.as_ptr() as usize,
        view.gaps.as_ptr() as usize,
        view.texts.as_ptr() as usize,
        view.arena.as_ptr() as usize,
    ];
    assert!(lists.iter().all(|address| *address >= 4096), "{lists:?}");
    assert!(crate::memory::Slice::lend(&[]).ptr.is_null());
}

#[test]
fn numbers_of_kinds_are_those_that_were_published() {
    assert_eq!(Kind::ALL.map(|kind| kind as i32), [1, 2, 3]);
    let kinds = [
        (EventKind::ServiceDiscovered, 1),
        (EventKind::ServiceRemoved, 2),
        (EventKind::ConnectionEstablished, 10),
        (EventKind::ConnectionFailed, 11),
        (EventKind::ConnectionExpired, 12),
        (EventKind::DependencyDetected, 20),
        (EventKind::DependencyRemoved, 21),
        (EventKind::HealthChanged, 30),
        (EventKind::TopologyChanged, 40),
        (EventKind::CaptureGap, 50),
    ];
    for (kind, number) in kinds {
        assert_eq!(kind as u32, number, "{kind:?}");
    }
}
