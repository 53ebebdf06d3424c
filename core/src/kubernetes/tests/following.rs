//! What is told when the server behaves.

use serde_json::json;
use servicemap_map::model::{FactBody, KubernetesFact};

use super::server::{
    CIDRS, ENDPOINTS, JOBS, NODES, PODS, REPLICA_SETS, SERVICES, SLICES, Server, owner, pod, service,
};
use super::told::{eventually, watch, watch_with};
use crate::kubernetes::Figures;

#[test]
fn what_exists_is_told_and_then_ready_and_then_what_comes() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    assert_eq!(watching.told.lines(), ["scope of 0 ranges", "service shop/web", "ready"]);
    server.set(SERVICES, service("api"));
    watching.told.wait_for("service shop/api");
    server.delete(SERVICES, "web");
    watching.told.wait_for("service shop/web gone");
}

#[test]
fn a_change_is_told_once_and_the_same_object_is_not_told_again() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let mut changed = service("web");
    changed["metadata"]["labels"] = json!({"app": "web"});
    server.set(SERVICES, changed);
    watching.told.wait_for_times("service shop/web", 2);
    // Watches are asked for anew each second; another object shows that they still follow.
    for name in ["a", "b"] {
        let before = server.queries(SERVICES).len();
        eventually(|| server.queries(SERVICES).len() > before);
        server.set(SERVICES, service(name));
        watching.told.wait_for(&format!("service shop/{name}"));
    }
    let lines = watching.told.lines();
    assert_eq!(lines.iter().filter(|line| *line == "service shop/web").count(), 2, "{lines:?}");
}

#[test]
fn a_list_comes_by_pages_and_is_told_at_once_and_at_one_instant() {
    let server = Server::new();
    for n in 0..600 {
        server.set(SERVICES, service(&format!("s{n:03}")));
    }
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let pages: Vec<_> =
        server.queries(SERVICES).into_iter().filter(|query| !query.contains_key("watch")).collect();
    assert_eq!(pages.len(), 3);
    assert!(pages.iter().all(|query| query["limit"] == "250"), "{pages:?}");
    let batches = watching.told.batches();
    let sizes: Vec<_> = batches
        .iter()
        .map(|batch| batch.iter().filter(|line| line.starts_with("service")).count())
        .filter(|size| *size > 0)
        .collect();
    assert_eq!(sizes, [600]);
    let services = watching.told.facts();
    let mut instants: Vec<_> = services
        .iter()
        .filter(|fact| matches!(&fact.body, FactBody::Kubernetes(it) if matches!(**it, KubernetesFact::Service(_))))
        .map(|fact| fact.at)
        .collect();
    instants.dedup();
    assert_eq!(instants.len(), 1);
}

#[test]
fn a_pod_is_told_with_its_deployment_whichever_list_comes_first() {
    let server = Server::new();
    server.set(REPLICA_SETS, owner("web-5d4f9", Some(("Deployment", "web"))));
    server.set(JOBS, owner("nightly-1", Some(("CronJob", "nightly"))));
    server.set(PODS, pod("a", Some(("ReplicaSet", "web-5d4f9"))));
    server.set(PODS, pod("b", Some(("Job", "nightly-1"))));
    server.set(PODS, pod("c", None));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let mut pods = watching.told.lines();
    pods.retain(|line| line.starts_with("pod"));
    pods.sort();
    assert_eq!(pods, ["pod a of Deployment web", "pod b of CronJob nightly", "pod c of Pod c"]);
}

#[test]
fn a_pod_that_comes_before_its_owner_waits_for_it() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.set(PODS, pod("a", Some(("ReplicaSet", "web-5d4f9"))));
    server.set(REPLICA_SETS, owner("web-5d4f9", Some(("Deployment", "web"))));
    watching.told.wait_for("pod a of Deployment web");
    assert_eq!(watching.told.lines().iter().filter(|line| line.starts_with("pod")).count(), 1);
}

#[test]
fn a_pod_whose_owner_does_not_come_is_told_after_a_while() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.set(PODS, pod("a", Some(("ReplicaSet", "lost"))));
    watching.told.wait_for("pod a of ReplicaSet lost");
    server.set(REPLICA_SETS, owner("lost", Some(("Deployment", "found"))));
    watching.told.wait_for("pod a of Deployment found");
}

#[test]
fn a_pod_keeps_its_owner_when_the_replica_set_goes_first() {
    let server = Server::new();
    server.set(REPLICA_SETS, owner("web-5d4f9", Some(("Deployment", "web"))));
    server.set(PODS, pod("a", Some(("ReplicaSet", "web-5d4f9"))));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.set(SERVICES, service("marker"));
    server.delete(REPLICA_SETS, "web-5d4f9");
    // A later change of another kind of owner shows that the deletion was seen: the watch is in order.
    server.set(REPLICA_SETS, owner("other", Some(("Deployment", "other"))));
    server.set(PODS, pod("o", Some(("ReplicaSet", "other"))));
    watching.told.wait_for("pod o of Deployment other");
    server.set(PODS, pod("a", Some(("ReplicaSet", "web-5d4f9"))));
    watching.told.wait_for_times("pod a of Deployment web", 2);
    server.delete(PODS, "a");
    watching.told.wait_for("pod a gone");
}

#[test]
fn owners_are_asked_for_their_metadata_only() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let accepts = server.world().accepts.clone();
    assert!(accepts[REPLICA_SETS].contains("as=PartialObjectMetadata"), "{accepts:?}");
    assert!(accepts[JOBS].contains("as=PartialObjectMetadata"), "{accepts:?}");
    assert!(!accepts[PODS].contains("Partial"), "{accepts:?}");
}

#[test]
fn endpoints_are_watched_only_where_there_are_no_slices() {
    let with = Server::new();
    let watching = watch(&with);
    watching.told.wait_for("ready");
    assert!(with.queries(ENDPOINTS).is_empty() && !with.queries(SLICES).is_empty());

    let without = Server::new();
    without.world().served.remove(&("discovery.k8s.io", "v1"));
    let subset = |ip: &str| json!({"addresses": [{"ip": ip}], "ports": [{"port": 80}]});
    let endpoints = |subsets| json!({"metadata": {"name": "web", "namespace": "shop"}, "subsets": subsets});
    without.set(ENDPOINTS, endpoints(vec![subset("10.1.0.1"), subset("10.1.0.2")]));
    let watching = watch(&without);
    watching.told.wait_for("ready");
    assert!(without.queries(SLICES).is_empty());
    watching.told.wait_for("slice shop/web#1 of web");
    without.set(ENDPOINTS, endpoints(vec![subset("10.1.0.1")]));
    watching.told.wait_for("slice shop/web#1 gone");
    without.delete(ENDPOINTS, "web");
    watching.told.wait_for("slice shop/web gone");
}

#[test]
fn a_slice_that_loses_its_service_is_gone() {
    let server = Server::new();
    let slice = |labels| json!({"metadata": {"name": "x", "namespace": "shop", "labels": labels}});
    server.set(SLICES, slice(json!({"kubernetes.io/service-name": "web"})));
    let watching = watch(&server);
    watching.told.wait_for("slice shop/x of web");
    server.set(SLICES, slice(json!({})));
    watching.told.wait_for("slice shop/x gone");
}

#[test]
fn routes_are_watched_where_the_cluster_has_them() {
    let server = Server::new();
    server.world().served.insert(("gateway.networking.k8s.io", "v1"), vec!["gateways", "httproutes"]);
    server.world().served.insert(("gateway.networking.k8s.io", "v1alpha2"), vec!["tcproutes", "httproutes"]);
    let route = json!({"metadata": {"name": "r", "namespace": "shop"}, "spec": {}});
    server.set("/apis/gateway.networking.k8s.io/v1/httproutes", route.clone());
    server.set("/apis/gateway.networking.k8s.io/v1alpha2/tcproutes", route);
    let watching = watch(&server);
    watching.told.wait_for("ready");
    watching.told.wait_for("HTTPRoute shop/r");
    watching.told.wait_for("TCPRoute shop/r");
    assert!(server.queries("/apis/gateway.networking.k8s.io/v1/grpcroutes").is_empty());
    assert!(server.queries("/apis/route.openshift.io/v1/routes").is_empty());
}

#[test]
fn ranges_come_from_the_settings_and_from_the_cluster() {
    let server = Server::new();
    server.set(CIDRS, json!({"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/12"]}}));
    let range = servicemap_map::model::AddressRange::parse("10.1.0.0/16").unwrap();
    let watching = watch_with(&server, |options| options.ranges = vec![range]);
    watching.told.wait_for("ready");
    watching.told.wait_for("scope of 2 ranges");
    server.delete(CIDRS, "kubernetes");
    watching.told.wait_for_times("scope of 1 ranges", 2);
}

#[test]
fn of_named_namespaces_only_what_is_in_them_is_asked_for() {
    let server = Server::new();
    server.set("/api/v1/namespaces/shop/services", service("web"));
    server.set(SERVICES, service("elsewhere"));
    let namespaces = ["shop".to_owned(), "other".to_owned()];
    let watching = watch_with(&server, |options| options.namespaces = namespaces.into());
    watching.told.wait_for("ready");
    let lines = watching.told.lines();
    assert_eq!(lines[..2], ["scope of 0 ranges, partly", "service shop/web"]);
    assert!(server.queries(SERVICES).is_empty() && server.queries(PODS).is_empty());
    assert!(!server.queries("/api/v1/namespaces/other/pods").is_empty());
    assert!(!server.queries(NODES).is_empty(), "nodes are in no namespace");
    let of_namespaces: Vec<_> =
        server.queries("/api/v1/namespaces").iter().map(|query| query["fieldSelector"].clone()).collect();
    assert!(of_namespaces.contains(&"metadata.name=shop".to_owned()), "{of_namespaces:?}");
}

#[test]
fn an_agent_asks_for_the_pods_of_its_node_alone() {
    let server = Server::new();
    let mut web = pod("a", Some(("ReplicaSet", "web-5d4f9")));
    web["metadata"]["labels"] = json!({"pod-template-hash": "5d4f9"});
    server.set(PODS, web);
    let watching = watch_with(&server, |options| options.node = Some("n1".to_owned()));
    watching.told.wait_for("ready");
    watching.told.wait_for("pod a of Deployment web");
    let requests = server.world().requests.clone();
    let of_cluster = ["/version", "/api/v1/namespaces"];
    for (path, query) in requests.iter().filter(|(path, _)| !of_cluster.contains(&path.as_str())) {
        assert_eq!((path.as_str(), query["fieldSelector"].as_str()), (PODS, "spec.nodeName=n1"));
    }
}

#[test]
fn the_uid_of_kube_system_stands_for_the_cluster() {
    let server = Server::new();
    for name in ["default", "kube-system"] {
        server
            .set("/api/v1/namespaces", json!({"metadata": {"name": name, "uid": format!("uid-of-{name}")}}));
    }
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let facts = watching.told.facts();
    let FactBody::Kubernetes(object) = &facts[0].body else { panic!() };
    let KubernetesFact::Scope(scope) = &**object else { panic!() };
    assert_eq!(&*scope.uid, "uid-of-kube-system");
}

#[test]
fn calls_are_counted_by_resource_and_operation() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let figures: &Figures = watching.kubernetes.figures();
    let calls = figures.calls();
    let listed = server.queries(PODS).iter().filter(|query| !query.contains_key("watch")).count();
    assert_eq!(calls[&("pods", "list")], listed as u64);
    assert!(calls.contains_key(&("apis", "get")) && calls.contains_key(&("version", "get")), "{calls:?}");
}

#[test]
fn an_object_that_cannot_be_read_hides_no_other() {
    let server = Server::new();
    server.set(SERVICES, json!({"metadata": {"name": "odd", "namespace": "shop", "labels": 5}}));
    server.set(SERVICES, service("web"));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    watching.told.wait_for("service shop/web");
    server.set(SERVICES, json!({"metadata": {"name": "odd", "namespace": "shop", "labels": 6}}));
    server.set(SERVICES, service("api"));
    watching.told.wait_for("service shop/api");
}

#[test]
fn the_thread_ends_when_the_watches_are_dropped() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let told = watching.told.clone();
    drop(watching);
    server.set(SERVICES, service("late"));
    told.wait_for_give_up();
    assert!(!told.lines().contains(&"service shop/late".to_owned()));
}
