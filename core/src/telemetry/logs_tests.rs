use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value::Value};
use servicemap_map::model::{
    Cause, Connection, Dependency, EventData, EventType, Failures, FlowTotals, Gap, GapReason, HealthChange,
    HealthReason, HealthStatus, Renaming, Service, ServiceId, ServiceKind, ServiceType, Side, TopologyChange,
};

use super::*;
use crate::telemetry::fixtures::{self, HOST, at, event};

fn decoded(events: &[Arc<Event>], snapshot: Option<&Snapshot>) -> Vec<LogRecord> {
    let encoded = encode_logs(events, snapshot, &fixtures::observer(), &LabelFilter::default());
    let request = ExportLogsServiceRequest::decode(&*encoded.bytes).unwrap();
    let records = request.resource_logs[0].scope_logs[0].log_records.clone();
    assert_eq!(records.len(), encoded.items);
    records
}

fn one(event: Arc<Event>) -> LogRecord {
    let mut records = decoded(&[event], None);
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// Attributes as text, without those that every record has.
fn shown(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::ArrayValue(array) => {
            let texts = array.values.iter().map(|value| match value.value.as_ref().unwrap() {
                Value::StringValue(text) => text.as_str(),
                other => panic!("unexpected {other:?}"),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        other => panic!("unexpected {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

fn own(record: &LogRecord) -> Vec<(String, String)> {
    let common = ["servicemap.event.id", "servicemap.run.id", "servicemap.sequence"];
    shown(&record.attributes).into_iter().filter(|(key, _)| !common.contains(&key.as_str())).collect()
}

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text,
        other => panic!("unexpected {other:?}"),
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn record_has_name_times_severity_and_identity() {
    let service = fixtures::service(HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let event = event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let id = event.id.to_string();
    let record = one(event);
    assert_eq!(record.event_name, "servicemap.service.discovered");
    assert_eq!(record.severity_number, 9);
    assert_eq!(record.severity_text, "");
    assert_eq!(record.time_unix_nano, at(30).as_nanos());
    assert_eq!(record.observed_time_unix_nano, at(31).as_nanos());
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.event.id"], id);
    assert_eq!(attributes["servicemap.run.id"], "00000000-0000-0000-0000-000000000007");
    assert_eq!(attributes["servicemap.sequence"], "5");
    assert!(!attributes.contains_key("servicemap.initial"));
    assert!(!attributes.contains_key("servicemap.learning"));
}

#[test]
fn initial_and_learning_are_said_where_they_are_true() {
    let service = fixtures::service(HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let event = event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let event = Arc::new(Event { initial: true, learning: true, ..Event::clone(&event) });
    let attributes = shown(&one(event).attributes);
    assert_eq!(attributes["servicemap.initial"], "true");
    assert_eq!(attributes["servicemap.learning"], "true");
}

#[test]
fn process_has_no_kubernetes_attributes() {
    let service = fixtures::service(HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let record = one(event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service)));
    assert_eq!(body(&record), "web-1/nginx.service was discovered");
    assert_eq!(
        own(&record),
        pairs(&[
            ("service.name", "nginx.service"),
            ("service.namespace", HOST),
            ("servicemap.discovery.source", "ebpf"),
            ("servicemap.service.name", "nginx.service"),
            ("servicemap.service.namespace", HOST),
            ("servicemap.service.type", "Process"),
        ])
    );
}

#[test]
fn machine_without_kubernetes_has_no_kubernetes_attributes() {
    let service = fixtures::service("", HOST, ServiceType::Node, HealthStatus::Healthy);
    let record = one(event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service)));
    assert_eq!(
        own(&record),
        pairs(&[
            ("service.name", HOST),
            ("servicemap.discovery.source", "ebpf"),
            ("servicemap.service.name", HOST),
            ("servicemap.service.namespace", ""),
            ("servicemap.service.type", "Node"),
        ])
    );
}

#[test]
fn machine_of_a_cluster_is_a_node_to_kubernetes() {
    let machine = fixtures::service("", "n1", ServiceType::Node, HealthStatus::Healthy);
    let node = Arc::new(Service { uid: Some("u-1".into()), ..Service::clone(&machine) });
    let record = one(event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(node)));
    let attributes = shown(&record.attributes);
    assert_eq!((&*attributes["k8s.node.name"], &*attributes["k8s.node.uid"]), ("n1", "u-1"));
    assert_eq!(attributes["servicemap.discovery.source"], "k8s");
}

#[test]
fn service_of_a_cluster_has_its_uid_and_the_labels_that_may_leave() {
    let service = fixtures::service("shop", "db", ServiceType::ClusterIP, HealthStatus::Healthy);
    let labels = [("app", "db"), ("secret", "s3cr3t")];
    let labels = labels.into_iter().collect();
    let service = Arc::new(Service { uid: Some("u-2".into()), labels, ..Service::clone(&service) });
    let event = event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let filter = LabelFilter::new(["app".to_owned()]);
    let encoded = encode_logs(&[event], None, &fixtures::observer(), &filter);
    let request = ExportLogsServiceRequest::decode(&*encoded.bytes).unwrap();
    let attributes = shown(&request.resource_logs[0].scope_logs[0].log_records[0].attributes);
    assert_eq!((&*attributes["k8s.service.uid"], &*attributes["k8s.service.label.app"]), ("u-2", "db"));
    assert!(!format!("{request:?}").contains("s3cr3t"));
}

#[test]
fn headless_service_is_a_cluster_ip_service_to_kubernetes() {
    let service = fixtures::service("shop", "db", ServiceType::Headless, HealthStatus::Healthy);
    let record = one(event(EventType::ServiceRemoved, Severity::Info, EventData::Service(service)));
    assert_eq!(body(&record), "shop/db was removed");
    assert_eq!(
        own(&record),
        pairs(&[
            ("entity.delete.reason", "deleted"),
            ("k8s.namespace.name", "shop"),
            ("k8s.service.name", "db"),
            ("k8s.service.type", "ClusterIP"),
            ("service.name", "db"),
            ("service.namespace", "shop"),
            ("servicemap.discovery.source", "k8s"),
            ("servicemap.service.name", "db"),
            ("servicemap.service.namespace", "shop"),
            ("servicemap.service.type", "Headless"),
        ])
    );
}

#[test]
fn expired_service_says_so() {
    let service = fixtures::service("", "10.9.9.9", ServiceType::External, HealthStatus::Unknown);
    let record = one(event(EventType::ServiceRemoved, Severity::Info, EventData::Service(service)));
    assert_eq!(body(&record), "10.9.9.9 was removed");
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["entity.delete.reason"], "expired");
    assert!(!attributes.contains_key("service.namespace"));
}

#[test]
fn connection_names_both_ends_and_its_first_socket() {
    let connection = fixtures::connection(10, 80, FlowTotals::default());
    let record =
        one(event(EventType::ConnectionEstablished, Severity::Debug, EventData::Connection(connection)));
    assert_eq!(record.severity_number, 5);
    assert_eq!(body(&record), "web-1/curl -> shop/api:80/tcp is established");
    assert_eq!(
        own(&record),
        pairs(&[
            ("destination.k8s.namespace.name", "shop"),
            ("destination.k8s.service.name", "api"),
            ("destination.port", "80"),
            ("network.connection.state", "established"),
            ("network.transport", "tcp"),
            ("network.type", "ipv4"),
            ("servicemap.destination.name", "api"),
            ("servicemap.destination.namespace", "shop"),
            ("servicemap.destination.type", "ClusterIP"),
            ("servicemap.example.pid", "42"),
            ("servicemap.example.source.address", "10.0.0.1"),
            ("servicemap.example.source.port", "40000"),
            ("servicemap.source.name", "curl"),
            ("servicemap.source.namespace", HOST),
            ("servicemap.source.type", "Process"),
        ])
    );
}

#[test]
fn example_seen_at_the_server_is_the_destination() {
    let connection = fixtures::connection(10, 80, FlowTotals::default());
    let mut connection = Connection::clone(&connection);
    connection.provenance.side = Side::Server;
    connection.example.as_mut().unwrap().local_address = "fd00::1".parse().unwrap();
    let record =
        one(event(EventType::ConnectionExpired, Severity::Debug, EventData::Connection(connection.into())));
    assert_eq!(body(&record), "web-1/curl -> shop/api:80/tcp expired");
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.example.destination.address"], "fd00::1");
    assert_eq!(attributes["network.type"], "ipv6");
    assert!(!attributes.contains_key("network.connection.state"));
    assert!(!attributes.contains_key("servicemap.example.source.address"));
}

#[test]
fn failed_connection_says_its_most_frequent_reason() {
    let failed = Failures { refused: 1, timeout: 5, ..Failures::default() };
    let connection = fixtures::connection(10, 80, FlowTotals { failed, ..FlowTotals::default() });
    let record = one(event(EventType::ConnectionFailed, Severity::Warn, EventData::Connection(connection)));
    assert_eq!(record.severity_number, 13);
    assert_eq!(body(&record), "web-1/curl -> shop/api:80/tcp fails: timeout");
    assert_eq!(shown(&record.attributes)["error.type"], "timeout");
}

#[test]
fn dependency_names_services_as_opentelemetry_does() {
    let dependency = Dependency {
        source: fixtures::reference(HOST, "curl", ServiceType::Process),
        destination: fixtures::reference("", "node-1", ServiceType::Node),
        protocol: "tcp",
        port: 10_250,
        cross_namespace: false,
        cross_environment: true,
        source_environment: Some("prod".into()),
        destination_environment: Some("staging".into()),
    };
    let record =
        one(event(EventType::DependencyDetected, Severity::Info, EventData::Dependency(dependency.into())));
    assert_eq!(body(&record), "web-1/curl depends on node-1");
    assert_eq!(
        own(&record),
        pairs(&[
            ("destination.port", "10250"),
            ("destination.service.name", "node-1"),
            ("network.transport", "tcp"),
            ("servicemap.dependency.cross_environment", "true"),
            ("servicemap.dependency.cross_namespace", "false"),
            ("servicemap.destination.environment", "staging"),
            ("servicemap.destination.name", "node-1"),
            ("servicemap.destination.namespace", ""),
            ("servicemap.destination.type", "Node"),
            ("servicemap.source.environment", "prod"),
            ("servicemap.source.name", "curl"),
            ("servicemap.source.namespace", HOST),
            ("servicemap.source.type", "Process"),
            ("source.service.name", "curl"),
            ("source.service.namespace", HOST),
        ])
    );
}

#[test]
fn health_change_says_from_to_and_why() {
    let change = HealthChange {
        service: fixtures::service("shop", "api", ServiceType::ClusterIP, HealthStatus::Unhealthy),
        from: HealthStatus::Healthy,
        to: HealthStatus::Unhealthy,
        reasons: vec![HealthReason::ConnectionsFail],
    };
    let record = one(event(EventType::HealthChanged, Severity::Warn, EventData::Health(change.into())));
    assert_eq!(body(&record), "shop/api is unhealthy (was healthy): connections_fail");
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.health.from"], "healthy");
    assert_eq!(attributes["servicemap.health.to"], "unhealthy");
    assert_eq!(attributes["servicemap.health.reason"], "connections_fail");
    assert_eq!(attributes["k8s.service.name"], "api");
}

#[test]
fn health_change_names_the_causes_nearest_first() {
    let service = fixtures::service("shop", "api", ServiceType::ClusterIP, HealthStatus::Unhealthy);
    let mut service = Service::clone(&service);
    let cause = |name: &str, distance| Cause {
        service: ServiceId::new(ServiceKind::Service, "shop", name),
        status: HealthStatus::Unhealthy,
        distance,
        via: None,
        root: false,
    };
    service.health.causes.listed = vec![cause("orders", 1), cause("db", 2)];
    let change = HealthChange {
        service: service.into(),
        from: HealthStatus::Healthy,
        to: HealthStatus::Unhealthy,
        reasons: vec![HealthReason::EndpointsNotReady],
    };
    let record = one(event(EventType::HealthChanged, Severity::Warn, EventData::Health(change.into())));
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.health.causes"], "service:shop/orders,service:shop/db");
}

#[test]
fn topology_change_says_what_network_policies_do_not_allow() {
    let change = TopologyChange {
        disallowed_connections_added: vec!["x".to_owned(), "y".to_owned()],
        unrestricted_services_removed: vec!["service:shop/api".to_owned()],
        ..TopologyChange::default()
    };
    let record = one(event(EventType::TopologyChanged, Severity::Info, EventData::Topology(change.into())));
    let expected = "0 connections (+0 -0); 2 connections that no policy allows; 1 such services fewer";
    assert!(body(&record).ends_with(expected), "{}", body(&record));
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.topology.disallowed.added"], "2");
    assert_eq!(attributes["servicemap.topology.unrestricted.removed"], "1");
    assert!(!attributes.contains_key("servicemap.topology.disallowed.removed"));
}

#[test]
fn topology_change_says_what_follows_from_the_graph_now() {
    let change = TopologyChange {
        cycles_added: vec![vec!["service:shop/a".into(), "service:shop/b".into()]],
        orphans_removed: vec!["service:shop/a".into(), "service:shop/b".into()],
        single_points_of_failure_added: vec!["service:shop/b".into()],
        ..TopologyChange::default()
    };
    let record = one(event(EventType::TopologyChanged, Severity::Info, EventData::Topology(change.into())));
    let attributes = shown(&record.attributes);
    assert_eq!(attributes["servicemap.topology.cycles.added"], "1");
    assert_eq!(attributes["servicemap.topology.orphans.removed"], "2");
    assert_eq!(attributes["servicemap.topology.single_points_of_failure.added"], "1");
    assert!(!attributes.contains_key("servicemap.topology.cycles.removed"));
    let clauses = "; cycles (+1 -0); orphans (+0 -2); single points of failure (+1 -0)";
    assert!(body(&record).ends_with(clauses), "{}", body(&record));
}

#[test]
fn topology_change_says_who_has_another_name() {
    let from = ServiceId::new(ServiceKind::Workload, "shop", "web");
    let to = ServiceId::new(ServiceKind::Service, "shop", "front");
    let change = TopologyChange { renamed: vec![Renaming { from, to }], ..TopologyChange::default() };
    let record = one(event(EventType::TopologyChanged, Severity::Info, EventData::Topology(change.into())));
    assert!(
        body(&record).ends_with("(+0 -0); workload:shop/web is service:shop/front now"),
        "{}",
        body(&record)
    );
    let ids = |key: &str| {
        let value = record.attributes.iter().find(|one| one.key == key)?.value.clone()?.value?;
        let Value::ArrayValue(ArrayValue { values }) = value else { return None };
        Some(values)
    };
    let text = |id: &str| vec![AnyValue { value: Some(Value::StringValue(id.to_owned())) }];
    assert_eq!(ids("servicemap.topology.renamed.from"), Some(text("workload:shop/web")));
    assert_eq!(ids("servicemap.topology.renamed.to"), Some(text("service:shop/front")));
}

#[test]
fn topology_change_is_told_in_numbers() {
    let change = TopologyChange {
        revision: 3,
        service_count: 5,
        connection_count: 4,
        service_count_before: 4,
        connection_count_before: 4,
        services_added: vec!["a/b".to_owned()],
        services_removed: Vec::new(),
        connections_added: vec!["x".to_owned()],
        connections_removed: vec!["y".to_owned()],
        ..TopologyChange::default()
    };
    let record = one(event(EventType::TopologyChanged, Severity::Info, EventData::Topology(change.into())));
    assert_eq!(body(&record), "topology 3: 5 services (+1 -0), 4 connections (+1 -1)");
    assert_eq!(
        own(&record),
        pairs(&[
            ("servicemap.topology.edge.count", "4"),
            ("servicemap.topology.edges.added", "1"),
            ("servicemap.topology.edges.removed", "1"),
            ("servicemap.topology.node.count", "5"),
            ("servicemap.topology.nodes.added", "1"),
            ("servicemap.topology.nodes.removed", "0"),
            ("servicemap.topology.revision", "3"),
        ])
    );
}

#[test]
fn gap_says_how_much_and_whether_it_healed() {
    let gap = Gap { reason: GapReason::FlowMapFull, count: 9, healed: true, at: at(1) };
    let record = one(event(EventType::CaptureGap, Severity::Warn, EventData::Gap(gap)));
    assert_eq!(body(&record), "9 lost: flow_map_full; the map is exact again");
    assert_eq!(
        own(&record),
        pairs(&[
            ("servicemap.gap.count", "9"),
            ("servicemap.gap.healed", "true"),
            ("servicemap.gap.reason", "flow_map_full"),
        ])
    );
}

#[test]
fn resource_describes_the_observer() {
    let encoded =
        encode_logs(&[], Some(&fixtures::snapshot()), &fixtures::observer(), &LabelFilter::default());
    let request = ExportLogsServiceRequest::decode(&*encoded.bytes).unwrap();
    let logs = &request.resource_logs[0];
    let attributes: Vec<_> = shown(&logs.resource.as_ref().unwrap().attributes).into_iter().collect();
    assert_eq!(
        attributes,
        pairs(&[
            ("host.name", HOST),
            ("k8s.cluster.name", "prod"),
            ("service.instance.id", "00000000-0000-0000-0000-000000000007"),
            ("service.name", "servicemap"),
            ("service.version", "0.1.0"),
            ("telemetry.distro.name", "servicemap"),
            ("telemetry.distro.version", "0.1.0"),
        ])
    );
    assert_eq!(logs.scope_logs[0].scope.as_ref().unwrap().name, "servicemap");
    assert_eq!(logs.schema_url, SCHEMA_URL);
}

#[test]
fn snapshot_has_only_the_labels_that_may_leave() {
    let mut snapshot = fixtures::snapshot();
    let labels = [("app", "db"), ("secret", "s3cr3t")];
    let labels = labels.into_iter().collect();
    snapshot.services[0] = Arc::new(Service { labels, ..Service::clone(&snapshot.services[0]) });
    let records = decoded(&[], Some(&snapshot));
    assert!(!body(&records[0]).contains("s3cr3t"), "{}", body(&records[0]));
}

#[test]
fn cluster_without_a_name_is_known_by_its_uid() {
    let observer = ObserverInfo { cluster: "".into(), cluster_uid: "u-3".into(), ..fixtures::observer() };
    let encoded = encode_logs(&[], Some(&fixtures::snapshot()), &observer, &LabelFilter::default());
    let request = ExportLogsServiceRequest::decode(&*encoded.bytes).unwrap();
    let attributes = shown(&request.resource_logs[0].resource.as_ref().unwrap().attributes);
    assert_eq!(attributes.get("k8s.cluster.name"), None);
    assert_eq!(attributes["k8s.cluster.uid"], "u-3");
    assert_eq!(&**observer.cluster_identity(), "u-3");
    assert_eq!(&**fixtures::observer().cluster_identity(), "prod", "a name comes first");
}

#[test]
fn snapshot_is_the_json_map_before_the_events() {
    let service = fixtures::service(HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let event = event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let snapshot = fixtures::snapshot();
    let records = decoded(&[event], Some(&snapshot));
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].event_name, "servicemap.snapshot");
    assert_eq!(body(&records[0]), serde_json::to_string(&snapshot).unwrap());
    let attributes = shown(&records[0].attributes);
    assert_eq!(attributes["servicemap.snapshot.part"], "1");
    assert_eq!(attributes["servicemap.snapshot.parts"], "1");
    assert_eq!(attributes["servicemap.sequence"], "17");
    assert_eq!(records[1].event_name, "servicemap.service.discovered");
}

fn large_snapshot() -> Snapshot {
    let mut snapshot = fixtures::snapshot();
    let service = snapshot.services[0].clone();
    snapshot.services = std::iter::repeat_n(service, 9_000).collect();
    snapshot
}

#[test]
fn large_snapshot_is_a_row_of_parts_that_join_to_the_document() {
    let snapshot = large_snapshot();
    let records = decoded(&[], Some(&snapshot));
    assert!(records.len() > 1);
    let id = shown(&records[0].attributes)["servicemap.snapshot.id"].clone();
    let mut joined = String::new();
    for (index, record) in records.iter().enumerate() {
        let attributes = shown(&record.attributes);
        assert_eq!(attributes["servicemap.snapshot.id"], id);
        assert_eq!(attributes["servicemap.snapshot.part"], (index + 1).to_string());
        assert_eq!(attributes["servicemap.snapshot.parts"], records.len().to_string());
        assert!(body(record).len() <= SNAPSHOT_PART_BYTES);
        joined.push_str(body(record));
    }
    assert_eq!(joined, serde_json::to_string(&snapshot).unwrap());
    let ids: std::collections::BTreeSet<_> =
        records.iter().map(|record| shown(&record.attributes)["servicemap.event.id"].clone()).collect();
    assert_eq!(ids.len(), records.len());
}

#[test]
fn requests_are_bounded_and_lose_no_record() {
    let snapshot = large_snapshot();
    let whole = decoded(&[], Some(&snapshot));
    let limit = SNAPSHOT_PART_BYTES + SNAPSHOT_PART_BYTES / 2;
    let requests = requests(&[], Some(&snapshot), &fixtures::observer(), &LabelFilter::default(), limit);
    assert!(requests.len() > 1);
    let mut records = Vec::new();
    for request in requests {
        let these = request.resource_logs[0].scope_logs[0].log_records.clone();
        assert!(these.iter().map(prost::Message::encoded_len).sum::<usize>() <= limit);
        records.extend(these);
    }
    assert_eq!(records, whole);
}
