//! What leads to a service from outside the cluster.

mod lab;

use lab::cluster::{ingress, pod, service};
use lab::{Lab, client};
use servicemap_map::model::{BackendPort, IngressKind, KubernetesFact};

/// `kind namespace/name class [hosts] [ports]` of each way into a service.
fn exposed(lab: &Lab, id: &str) -> Vec<String> {
    let line = |one: &servicemap_map::model::Exposure| {
        let class = one.class.as_deref().unwrap_or("-");
        format!("{} {}/{} {class} {:?} {:?}", one.kind, one.namespace, one.name, one.hosts, one.ports)
    };
    lab.service(id).exposed_by.iter().map(line).collect()
}

#[test]
fn an_ingress_exposes_the_services_and_ports_to_which_it_leads() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "web", "10.96.0.1").port("http", 80).port("metrics", 9090));
    lab.object(service("shop", "api", "10.96.0.2").port("http", 8080));
    let shop = ingress("shop", "front", "shop.example.com")
        .leads_to("shop", "web", Some(BackendPort::Number(80)))
        .leads_to("shop", "api", Some(BackendPort::Name("http".into())));
    lab.object(shop);
    lab.settle();
    assert_eq!(exposed(&lab, "service:shop/web"), [r#"Ingress shop/front nginx ["shop.example.com"] [80]"#]);
    assert_eq!(
        exposed(&lab, "service:shop/api"),
        [r#"Ingress shop/front nginx ["shop.example.com"] [8080]"#]
    );
}

#[test]
fn an_ingress_that_is_told_before_its_service_exposes_it_all_the_same() {
    let mut lab = Lab::in_cluster();
    lab.object(ingress("shop", "front", "a.example").leads_to("shop", "web", None));
    lab.settle();
    assert!(lab.services().is_empty());
    lab.object(service("shop", "web", "10.96.0.1").port("http", 80).port("admin", 81));
    lab.settle();
    assert_eq!(exposed(&lab, "service:shop/web"), [r#"Ingress shop/front nginx ["a.example"] [80, 81]"#]);
}

#[test]
fn a_route_may_lead_to_another_namespace_and_kinds_of_one_name_stay_apart() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "web", "10.96.0.1").port("", 80));
    let one = ingress("edge", "front", "a.example").leads_to("shop", "web", None);
    let mut other = one.clone();
    other.0.kind = IngressKind::HttpRoute;
    lab.object(one);
    lab.object(other);
    lab.settle();
    assert_eq!(exposed(&lab, "service:shop/web").len(), 2);
    lab.object(KubernetesFact::IngressGone {
        kind: IngressKind::Ingress,
        namespace: "edge".into(),
        name: "front".into(),
    });
    lab.settle();
    assert_eq!(exposed(&lab, "service:shop/web"), [r#"HTTPRoute edge/front nginx ["a.example"] [80]"#]);
}

#[test]
fn an_ingress_that_leads_elsewhere_now_exposes_its_old_service_no_longer() {
    let mut lab = Lab::in_cluster();
    lab.object(service("shop", "old", "10.96.0.1").port("", 80));
    lab.object(service("shop", "new", "10.96.0.2").port("", 80));
    lab.object(ingress("shop", "front", "a.example").leads_to("shop", "old", None));
    lab.settle();
    lab.object(ingress("shop", "front", "a.example").leads_to("shop", "new", None));
    lab.settle();
    assert!(exposed(&lab, "service:shop/old").is_empty());
    assert_eq!(exposed(&lab, "service:shop/new").len(), 1);
}

#[test]
fn a_service_lets_connections_in_by_itself() {
    let mut lab = Lab::in_cluster();
    let balanced = service("shop", "a", "10.96.0.1").port("", 443).balanced_at("203.0.113.6");
    lab.object(balanced.external_ip("198.51.100.1"));
    lab.object(service("shop", "b", "10.96.0.2").node_port(80, 30_080));
    lab.object(service("shop", "c", "10.96.0.3").port("", 80));
    lab.settle();
    assert_eq!(
        exposed(&lab, "service:shop/a"),
        [r#"ExternalIP shop/a - ["198.51.100.1"] [443]"#, r#"LoadBalancer shop/a - ["203.0.113.6"] [443]"#]
    );
    assert_eq!(exposed(&lab, "service:shop/b"), ["NodePort shop/b - [] [30080]"]);
    assert!(exposed(&lab, "service:shop/c").is_empty());
}

#[test]
fn who_is_exposed_is_no_orphan() {
    let mut lab = Lab::in_cluster();
    let web = pod("shop", "web-1", "web", "10.1.0.1");
    lab.runs(7, &web);
    lab.object(service("shop", "web", "10.96.0.1").port("", 80));
    lab.object(lab::cluster::slice("shop", "web").port("", 80).holds(&web));
    lab.tell(client("web", "192.0.2.9", 443).in_cgroup(7).opened(1));
    lab.until(3_600.0);
    assert_eq!(lab.snapshot().topology.orphans, ["service:shop/web"]);
    lab.object(ingress("shop", "front", "a.example").leads_to("shop", "web", None));
    lab.settle();
    assert!(lab.snapshot().topology.orphans.is_empty());
    let (namespace, name) = ("shop".into(), "front".into());
    lab.object(KubernetesFact::IngressGone { kind: IngressKind::Ingress, namespace, name });
    lab.until(7_190.0);
    assert!(lab.snapshot().topology.orphans.is_empty());
    lab.until(7_200.0);
    assert_eq!(lab.snapshot().topology.orphans, ["service:shop/web"]);
}
