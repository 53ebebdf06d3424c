//! Environments, and dependencies that cross them.

mod lab;

use lab::cluster::{namespace, pod, scope, service};
use lab::{Lab, at, client};
use servicemap_map::model::{Event, EventData, EventType, KubernetesFact, Severity};
use servicemap_map::{EnvironmentRule, EnvironmentSettings};

/// A ready map whose namespaces say by a label which environment they are, and a production pod in cgroup 7.
fn with_prod_pod() -> Lab {
    let mut lab = Lab::with(|settings| {
        settings.environments =
            EnvironmentSettings { namespace_label: Some("env".into()), rules: Vec::new() };
    });
    lab.object(scope(false));
    lab.object(namespace("shop", &[("env", "prod")]));
    lab.object(namespace("shop-staging", &[("env", "staging")]));
    lab.runs(7, &pod("shop", "checkout-1", "checkout", "10.1.0.1"));
    lab.settle();
    lab.events();
    lab
}

fn detected(lab: &mut Lab) -> Vec<std::sync::Arc<Event>> {
    let events = lab.events().into_iter();
    events.filter(|event| event.event_type == EventType::DependencyDetected).collect()
}

#[test]
fn a_production_service_that_connects_to_the_database_of_staging_is_a_warning_at_once() {
    let mut lab = with_prod_pod();
    lab.object(service("shop-staging", "postgres", "10.96.0.9").port("", 5432));
    lab.tell(client("checkout", "10.96.0.9", 5432).in_cgroup(7).opened(1));
    lab.settle();
    let detected = detected(&mut lab);
    assert_eq!(detected.len(), 1, "without any time passing");
    assert_eq!(
        (&*detected[0].subject, detected[0].severity),
        ("shop/checkout->shop-staging/postgres", Severity::Warn)
    );
    let EventData::Dependency(dependency) = &detected[0].data else { unreachable!() };
    assert!(dependency.cross_environment);
    let ends = [&dependency.source_environment, &dependency.destination_environment];
    assert_eq!(ends.map(|end| end.as_deref().unwrap()), ["prod", "staging"]);
    assert_eq!(lab.snapshot().totals.cross_environment, 1);
    assert_eq!(lab.service("service:shop-staging/postgres").environment.as_deref(), Some("staging"));
}

#[test]
fn environments_inside_one_namespace_are_told_apart_by_name_and_told_at_once() {
    let mut lab = Lab::with(|settings| {
        let rules = [("prod", "shop/checkout"), ("staging", "shop/*-staging")];
        settings.environments.rules = rules.map(|(name, text)| EnvironmentRule::new(name, text)).into();
    });
    lab.object(scope(false));
    lab.runs(7, &pod("shop", "checkout-1", "checkout", "10.1.0.1"));
    lab.object(service("shop", "db-staging", "10.96.0.9").port("", 5432));
    lab.tell(client("checkout", "10.96.0.9", 5432).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(detected(&mut lab)[0].severity, Severity::Warn);
}

#[test]
fn a_rule_goes_before_the_label() {
    let mut lab = Lab::with(|settings| {
        settings.environments = EnvironmentSettings {
            namespace_label: Some("env".into()),
            rules: vec![EnvironmentRule::new("sandbox", "shop/play")],
        };
    });
    lab.object(namespace("shop", &[("env", "prod")]));
    lab.object(service("shop", "play", "10.96.0.1"));
    lab.object(service("shop", "api", "10.96.0.2"));
    lab.settle();
    assert_eq!(lab.service("service:shop/play").environment.as_deref(), Some("sandbox"));
    assert_eq!(lab.service("service:shop/api").environment.as_deref(), Some("prod"));
}

#[test]
fn where_one_end_is_in_no_environment_nothing_is_crossed() {
    let mut lab = with_prod_pod();
    lab.object(service("shop", "api", "10.96.0.8").port("", 80));
    lab.tell(client("checkout", "10.96.0.8", 80).in_cgroup(7).opened(1));
    lab.tell(client("checkout", "203.0.113.7", 443).in_cgroup(7).opened(1));
    lab.until(2.0);
    let detected = detected(&mut lab);
    assert_eq!(detected.iter().map(|event| event.severity).collect::<Vec<_>>(), [Severity::Info; 2]);
    assert_eq!(lab.snapshot().totals.cross_environment, 0);
}

#[test]
fn a_namespace_that_becomes_known_later_or_loses_its_label_moves_its_services() {
    let mut lab = with_prod_pod();
    lab.object(service("lab", "db", "10.96.0.9").port("", 5432));
    lab.tell(client("checkout", "10.96.0.9", 5432).in_cgroup(7).opened(1));
    lab.settle();
    assert_eq!(lab.snapshot().totals.cross_environment, 0);
    lab.object(namespace("lab", &[("env", "dev")]));
    lab.settle();
    assert_eq!(lab.service("service:lab/db").environment.as_deref(), Some("dev"));
    assert_eq!(lab.snapshot().totals.cross_environment, 1);
    let initial = lab.map.initial_events(lab.now);
    let crosses = initial.iter().find_map(|event| match &event.data {
        EventData::Dependency(dependency) => Some(dependency.cross_environment),
        _ => None,
    });
    assert_eq!(crosses, Some(true), "the dependency as it is now");
    lab.object(KubernetesFact::NamespaceGone { name: "lab".into() });
    lab.settle();
    assert_eq!(lab.service("service:lab/db").environment, None);
}

#[test]
fn the_end_of_a_dependency_across_environments_is_no_warning() {
    let mut lab = with_prod_pod();
    lab.object(service("shop-staging", "postgres", "10.96.0.9").port("", 5432));
    lab.tell(client("checkout", "10.96.0.9", 5432).in_cgroup(7).short(1));
    lab.until(3.0);
    lab.events();
    lab.service_gone("shop-staging", "postgres");
    lab.until(6.0);
    let events = lab.events();
    let removed = events.iter().find(|event| event.event_type == EventType::DependencyRemoved);
    assert_eq!(removed.map(|event| event.severity), Some(Severity::Info));
}

/// The labels of a namespace change so that what one of its services needs is in another environment.
fn staging_becomes_prod(lab: &mut Lab) {
    lab.object(service("shop-staging", "postgres", "10.96.0.9").port("", 5432));
    lab.object(namespace("shop-staging", &[("env", "prod")]));
    lab.tell(client("checkout", "10.96.0.9", 5432).in_cgroup(7).opened(1));
    lab.until(10.0);
    let told = detected(lab);
    assert_eq!(told.iter().map(|event| event.severity).collect::<Vec<_>>(), [Severity::Info]);
}

#[test]
fn a_known_dependency_that_begins_to_cross_environments_is_a_warning_at_once_and_once() {
    let mut lab = with_prod_pod();
    staging_becomes_prod(&mut lab);
    lab.object(namespace("shop-staging", &[("env", "staging")]));
    lab.settle();
    let told = detected(&mut lab);
    assert_eq!(told.len(), 1, "without any time passing");
    assert_eq!((told[0].severity, told[0].at), (Severity::Warn, at(10.0)));
    let EventData::Dependency(dependency) = &told[0].data else { unreachable!() };
    assert_eq!(dependency.destination_environment.as_deref(), Some("staging"));
    lab.until(20.0);
    lab.object(namespace("shop-staging", &[("env", "prod")]));
    lab.until(30.0);
    lab.object(namespace("shop-staging", &[("env", "staging")]));
    lab.until(40.0);
    assert!(detected(&mut lab).is_empty(), "it has been told");
}

#[test]
fn labels_that_cross_environments_for_a_moment_are_no_warning() {
    let mut lab = with_prod_pod();
    staging_becomes_prod(&mut lab);
    lab.object(namespace("shop-staging", &[("env", "staging")]));
    lab.object(namespace("shop-staging", &[("env", "prod")]));
    lab.until(20.0);
    assert!(detected(&mut lab).is_empty());
}

#[test]
fn a_renaming_that_makes_a_dependency_cross_environments_is_a_warning() {
    let mut lab = Lab::with(|settings| {
        let rules = [("prod", "shop/front"), ("staging", "shop/db")];
        settings.environments.rules = rules.map(|(name, text)| EnvironmentRule::new(name, text)).into();
    });
    lab.object(scope(false));
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1").label("app", "web"));
    lab.object(service("shop", "db", "10.96.0.9").port("", 5432));
    lab.tell(client("web", "10.96.0.9", 5432).in_cgroup(7).opened(1));
    lab.until(10.0);
    assert_eq!(detected(&mut lab)[0].severity, Severity::Info);
    lab.object(service("shop", "front", "10.96.0.2").port("", 80).selects("app", "web"));
    lab.settle();
    let told = detected(&mut lab);
    assert_eq!((told.len(), told[0].severity), (1, Severity::Warn));
    assert_eq!((&*told[0].subject, told[0].at), ("shop/front->shop/db", at(10.0)));
}
