//! What is in the map, and told, because the API server says so.

mod lab;

use lab::cluster::{headless, node, pod, service, slice};
use lab::{Lab, at, client};
use servicemap_map::model::{
    ClusterScope, Endpoint, EventData, EventType, KubernetesFact, PodPhase, ServiceType,
};

#[test]
fn services_of_every_type_are_in_the_map_without_any_traffic() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "a", "10.96.0.1").port("", 80).label("app", "a"));
    lab.object(service("shop", "b", "10.96.0.2").node_port(80, 30_080));
    lab.object(service("shop", "c", "10.96.0.3").port("", 80).balanced_at("203.0.113.6"));
    lab.object(service("shop", "d", "10.96.0.4").external_name("db.example.com"));
    lab.object(headless("shop", "e"));
    lab.object(pod("shop", "f-1", "f", "10.1.0.1"));
    lab.object(node("far", "172.16.0.2"));
    lab.settle();
    let types: Vec<_> = lab
        .snapshot()
        .services
        .iter()
        .map(|service| (service.id.to_string(), service.service_type))
        .collect();
    let expected = [
        ("service:shop/a", ServiceType::ClusterIP),
        ("service:shop/b", ServiceType::NodePort),
        ("service:shop/c", ServiceType::LoadBalancer),
        ("service:shop/d", ServiceType::ExternalName),
        ("service:shop/e", ServiceType::Headless),
        ("workload:shop/f", ServiceType::Workload),
        ("node:/far", ServiceType::Node),
    ];
    assert_eq!(types, expected.map(|(id, service_type)| (id.to_owned(), service_type)));
    assert_eq!(lab.service("service:shop/a").labels.get("app"), Some(&"a".into()));
    lab.until(1000.0);
    assert_eq!(lab.services().len(), 7, "they stay as long as their objects");
}

#[test]
fn services_and_nodes_have_the_uid_of_their_object() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "a", "10.96.0.1").port("", 80));
    lab.object(pod("shop", "f-1", "f", "10.1.0.1"));
    lab.object(node("far", "172.16.0.2"));
    lab.settle();
    assert!(lab.service("service:shop/a").uid.is_some() && lab.service("node:/far").uid.is_some());
    assert_eq!(lab.service("workload:shop/f").uid, None, "a workload is known by its pods, not as an object");
}

#[test]
fn a_cluster_without_a_name_is_known_by_its_uid_which_stays() {
    let of_cluster = |uid: &str| {
        let scope = ClusterScope { uid: uid.into(), ..ClusterScope::default() };
        let mut lab = Lab::in_cluster();
        lab.object(KubernetesFact::Scope(scope));
        lab.object(KubernetesFact::Scope(ClusterScope::default()));
        lab.object(service("shop", "a", "10.96.0.1").port("", 80));
        lab.settle();
        let event = lab.events().into_iter().find(|event| event.event_type == EventType::ServiceDiscovered);
        (lab.snapshot().observer.cluster_uid.to_string(), event.unwrap().id)
    };
    let ((uid, id), (_, other)) = (of_cluster("one"), of_cluster("another"));
    assert_eq!(uid, "one");
    assert_ne!(id, other, "the same Service of another cluster is another one");
    assert_eq!(of_cluster("one").1, id);
}

#[test]
fn a_service_has_the_endpoints_of_all_its_slices_once() {
    let mut lab = Lab::in_cluster();
    let (one, two) = (pod("shop", "a-1", "a", "10.1.0.1"), pod("shop", "a-2", "a", "10.1.0.2"));
    lab.object(service("shop", "a", "10.96.0.1").port("", 80));
    lab.object(slice("shop", "a").port("", 8080).holds(&one).holds(&two).not_ready());
    lab.object(slice("shop", "a").named("a-2").port("", 8080).holds(&one));
    lab.settle();
    let endpoints = |lab: &Lab| {
        let endpoints = &lab.service("service:shop/a").endpoints;
        endpoints.iter().map(|one| format!("{}:{} {}", one.address, one.port, one.ready)).collect::<Vec<_>>()
    };
    assert_eq!(endpoints(&lab), ["10.1.0.1:8080 true", "10.1.0.2:8080 false"]);
    lab.object(slice("shop", "a").port("", 8080));
    lab.settle();
    assert_eq!(endpoints(&lab), ["10.1.0.1:8080 true"], "another slice still holds it");
}

#[test]
fn an_endpoint_says_which_pod_it_is_and_where_whichever_is_told_first() {
    let api = pod("shop", "api-1", "api", "10.1.0.1").declares(8080).on_node("n1");
    let places = |slice_first: bool| {
        let mut lab = Lab::in_cluster();
        lab.object(service("shop", "api", "10.96.0.1").port("", 80));
        let held = slice("shop", "api").port("", 8080).holds(&api).in_zone("a").by_hand("172.16.0.9");
        if slice_first {
            lab.object(held);
            lab.settle();
            lab.object(api.clone());
        } else {
            lab.object(api.clone());
            lab.settle();
            lab.object(held);
        }
        lab.settle();
        let service = lab.service("service:shop/api");
        let place = |one: &Endpoint| [one.pod.clone(), one.node.clone(), one.zone.clone()];
        service.endpoints.iter().map(place).collect::<Vec<_>>()
    };
    let expected = [["api-1", "n1", "a"].map(|name| Some(name.into())), [None, None, None]];
    assert_eq!(places(false), expected);
    assert_eq!(places(true), expected);
}

#[test]
fn a_workloads_endpoints_are_what_its_pods_declare() {
    let mut lab = Lab::in_cluster();
    lab.object(pod("shop", "a-1", "a", "10.1.0.1").declares(80));
    lab.object(pod("shop", "a-2", "a", "10.1.0.2").declares(80));
    lab.settle();
    let endpoints = &lab.service("workload:shop/a").endpoints;
    let pods: Vec<_> = endpoints.iter().map(|one| (one.pod.as_deref(), one.node.as_deref())).collect();
    assert_eq!(pods, [(Some("a-1"), Some("far")), (Some("a-2"), Some("far"))]);
}

#[test]
fn a_service_is_told_at_once_when_it_comes_and_when_its_object_is_deleted() {
    let mut lab = Lab::in_cluster();
    lab.until(1.0);
    lab.object(service("shop", "a", "10.96.0.1").port("", 80));
    lab.settle();
    assert_eq!(lab.news(), ["service.discovered service:shop/a"]);
    lab.until(10.0);
    lab.events();
    lab.service_gone("shop", "a");
    lab.settle();
    let events = lab.events();
    assert_eq!((events[0].event_type, events[0].at), (EventType::ServiceRemoved, at(10.0)));
    assert!(lab.services().is_empty());
}

#[test]
fn objects_that_are_told_again_change_nothing() {
    let mut lab = Lab::in_cluster();
    let web = pod("shop", "web-1", "web", "10.1.0.1");
    let tell = |lab: &mut Lab| {
        lab.object(node("far", "172.16.0.2"));
        lab.object(service("shop", "a", "10.96.0.1").port("", 80));
        lab.object(slice("shop", "a").port("", 8080).holds(&web));
        lab.object(web.clone());
        lab.settle();
    };
    tell(&mut lab);
    lab.until(10.0);
    lab.events();
    let before = serde_json::to_value(lab.snapshot().services).unwrap();
    tell(&mut lab);
    lab.until(20.0);
    assert!(lab.events().is_empty());
    assert_eq!(serde_json::to_value(lab.snapshot().services).unwrap(), before);
}

#[test]
fn a_deleted_service_takes_its_edges_along_and_open_sockets_count_for_who_holds_them() {
    let mut lab = Lab::in_cluster();
    let api = pod("shop", "api-1", "api-pods", "10.1.0.9");
    let other = pod("shop", "other-1", "other", "10.1.0.10");
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(api.clone());
    lab.object(other.clone());
    lab.object(service("shop", "api", "10.96.0.9").port("", 80));
    lab.object(slice("shop", "api").port("", 8080).holds(&api).holds(&other));
    lab.tell(client("curl", "10.1.0.9", 8080).in_cgroup(7).opened(3).closed(1));
    lab.until(5.0);
    assert_eq!(lab.edges(), ["shop/web->shop/api:80/tcp"]);
    lab.events();
    lab.service_gone("shop", "api");
    lab.settle();
    assert_eq!(lab.edges(), ["shop/web->shop/api-pods:8080/tcp"]);
    let totals = lab.edge("shop/web->shop/api-pods:8080/tcp").totals;
    assert_eq!((totals.opened, totals.active), (2, 2));
    let came = ["api-pods", "other"].map(|name| format!("service.discovered workload:shop/{name}"));
    let news = [&["service.removed service:shop/api".to_owned()], came.as_slice()].concat();
    assert_eq!(lab.news(), news, "its pods are no longer of one name");
    lab.until(8.0);
    let news = lab.news_but_topology();
    assert!(news.contains(&"connection.expired shop/web->shop/api:80/tcp".to_owned()), "{news:?}");
    assert!(news.contains(&"dependency.removed shop/web->shop/api".to_owned()), "{news:?}");
}

#[test]
fn a_deleted_service_that_was_idle_leaves_no_edge_to_anybody() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(service("shop", "api", "10.96.0.9").port("", 80));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).short(3));
    lab.until(5.0);
    lab.service_gone("shop", "api");
    lab.until(29.0);
    assert!(lab.edges().is_empty());
}

#[test]
fn a_service_that_is_made_anew_is_the_same_one() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "a", "10.96.0.1").port("", 80));
    lab.until(5.0);
    lab.events();
    lab.service_gone("shop", "a");
    lab.object(service("shop", "a", "10.96.0.7").port("", 80));
    lab.until(10.0);
    assert!(lab.news().is_empty());
    lab.until(400.0);
    lab.object(node("far", "172.16.0.2"));
    lab.settle();
    assert_eq!(lab.services(), ["service:shop/a", "node:/far"], "its tombstone took nothing along");
}

#[test]
fn a_service_of_another_type_keeps_its_edges() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(service("shop", "api", "10.96.0.9").port("", 80));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).opened(3));
    lab.until(5.0);
    lab.events();
    lab.object(service("shop", "api", "10.96.0.9").node_port(80, 30_080));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).opened(1));
    lab.until(10.0);
    let edge = lab.edge("shop/web->shop/api:80/tcp");
    assert_eq!((edge.edge.destination.service_type, edge.totals.opened), (ServiceType::NodePort, 4));
    assert_eq!(lab.service("service:shop/api").service_type, ServiceType::NodePort);
    assert!(lab.news().is_empty());
}

#[test]
fn a_dependency_that_crosses_namespaces_is_told_at_once() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(service("shop", "near", "10.96.0.8").port("", 80));
    lab.object(service("billing", "api", "10.96.0.9").port("", 80));
    lab.until(5.0);
    lab.events();
    lab.tell(client("curl", "10.96.0.8", 80).in_cgroup(7).opened(1));
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).opened(1));
    lab.settle();
    let events = lab.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let EventData::Dependency(dependency) = &events[0].data else { unreachable!("{events:?}") };
    assert!(dependency.cross_namespace && *dependency.destination.namespace == *"billing");
}

#[test]
fn a_refused_connection_to_a_port_that_a_service_offers_shows_a_dependency() {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(service("shop", "api", "10.96.0.9").port("", 80));
    lab.settle();
    lab.tell(client("curl", "10.96.0.9", 81).in_cgroup(7).refused(1));
    lab.settle();
    assert_eq!(lab.map.statistics().dependencies_detected.len(), 0, "it offers no such port");
    lab.tell(client("curl", "10.96.0.9", 80).in_cgroup(7).refused(1));
    lab.settle();
    assert_eq!(lab.map.statistics().dependencies_detected[&false], 1);
}

#[test]
fn a_workload_whose_pods_are_over_stays_for_the_time_of_a_service() {
    let mut lab = Lab::in_cluster();
    let job = pod("batch", "job-1", "nightly", "10.1.0.9");
    lab.runs(7, &job);
    lab.tell(client("curl", "192.0.2.1", 443).in_cgroup(7).short(1));
    lab.until(5.0);
    lab.object(job.phase(PodPhase::Succeeded));
    lab.until(304.9);
    assert_eq!(lab.services(), ["workload:batch/nightly"]);
    lab.until(305.0);
    assert!(lab.services().is_empty());
}

#[test]
fn a_node_that_is_gone_is_not_in_the_map() {
    let mut lab = Lab::in_cluster();
    lab.object(node("far", "172.16.0.2"));
    lab.settle();
    lab.object(KubernetesFact::NodeGone { name: "far".into() });
    lab.settle();
    assert!(lab.services().is_empty());
}

#[test]
fn declared_services_beyond_the_bound_are_counted() {
    let mut lab = Lab::with(|settings| settings.max_services = 1);
    lab.object(service("shop", "a", "10.96.0.1"));
    lab.object(service("shop", "b", "10.96.0.2"));
    lab.settle();
    assert_eq!(lab.services(), ["service:shop/a"]);
    assert_eq!(lab.snapshot().gaps[0].count, 1);
}

#[test]
fn a_workload_has_the_labels_that_its_pods_share_and_says_which_of_them_are_ready() {
    let mut lab = Lab::in_cluster();
    let one = pod("shop", "web-1", "web", "10.1.0.1").declares(80).label("app", "web").label("index", "1");
    let two = pod("shop", "web-2", "web", "10.1.0.2").declares(80).label("app", "web").label("index", "2");
    lab.object(one);
    lab.object(two.not_ready());
    lab.settle();
    let web = lab.service("workload:shop/web");
    assert_eq!(web.labels, [("app", "web")].into_iter().collect());
    assert_eq!(web.endpoints.iter().map(|endpoint| endpoint.ready).collect::<Vec<_>>(), [true, false]);
}
