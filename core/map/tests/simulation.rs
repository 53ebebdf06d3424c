//! A simulated cluster tells what a real one would: the map that comes of it is the cluster that was asked for.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::changes::Cursor;
use servicemap_map::model::{Event, FactBody, KubernetesFact, RunId, Snapshot, SourceId, Timestamp};
use servicemap_map::simulate::{Batch, Plan, PlanError, Script, Simulation};
use servicemap_map::{MapSettings, ServiceMap};
use uuid::Uuid;

fn plan(seconds: u64) -> Plan {
    let duration = Duration::from_secs(seconds);
    Plan { services: 40, edges: 120, nodes: Some(4), duration, ..Plan::default() }
}

fn script(text: &str) -> Script {
    text.parse().unwrap()
}

fn batches(plan: Plan, text: &str) -> Vec<Batch> {
    Simulation::new(plan, &script(text)).unwrap().collect()
}

/// A map that takes what a simulation tells.
struct Watch {
    map: ServiceMap,
    now: Timestamp,
    cursor: Cursor,
    events: Vec<Arc<Event>>,
}

impl Watch {
    fn of(plan: Plan, text: &str) -> Self {
        let settings =
            MapSettings { host: plan.host(), learning_period: Duration::ZERO, ..MapSettings::default() };
        let start = plan.start;
        let map = ServiceMap::new(settings, RunId(Uuid::nil()), start);
        let cursor = map.log().cursor_at_end();
        let mut watch = Self { map, now: start, cursor, events: Vec::new() };
        for batch in batches(plan, text) {
            watch.now = batch.at;
            batch.facts.into_iter().for_each(|fact| watch.map.apply(fact));
            watch.map.advance(batch.at);
            watch.events.extend(watch.map.log().read(&mut watch.cursor, usize::MAX).events);
        }
        watch
    }

    fn snapshot(&self) -> Snapshot {
        self.map.snapshot(self.now)
    }

    /// Types of the events about a subject, in their order.
    fn told_of(&self, subject: &str) -> Vec<String> {
        let about = self.events.iter().filter(|event| event.subject.to_string() == subject);
        about.map(|event| event.event_type.to_string()).collect()
    }

    fn active(&self, service: &str) -> u64 {
        let snapshot = self.snapshot();
        let to = snapshot.connections.iter().filter(|edge| edge.edge.destination.id().path() == service);
        to.map(|edge| edge.totals.active).sum()
    }
}

#[test]
fn the_same_seed_tells_the_same_and_another_one_something_else() {
    let busy = Plan { churn: "1/s".parse().unwrap(), ..plan(60) };
    let text = "10s: fail shop/db for 20s\n20s: node node-2 lost\nroll shop/api\n5s: flap shop/web";
    let told = format!("{:?}", batches(busy.clone(), text));
    assert_eq!(told, format!("{:?}", batches(busy.clone(), text)));
    assert_ne!(told, format!("{:?}", batches(Plan { seed: 1, ..busy }, text)));
}

#[test]
fn the_map_has_the_services_and_edges_that_were_asked_for_all_of_them_named() {
    let snapshot = Watch::of(plan(10), "").snapshot();
    let services: BTreeSet<_> = snapshot.services.iter().map(|service| service.id.to_string()).collect();
    assert_eq!(services.iter().filter(|id| id.starts_with("service:")).count(), 40);
    let others: Vec<_> = services.iter().filter(|id| !id.starts_with("service:")).collect();
    assert_eq!(others, ["node:/node-1", "node:/node-2", "node:/node-3", "node:/node-4"]);
    assert_eq!(snapshot.connections.len(), 120);
    assert!(snapshot.connections.iter().all(|edge| edge.edge.port == 80 && edge.totals.active > 0));
    assert!(!snapshot.topology.cycles.is_empty());
}

#[test]
fn the_only_node_is_observed_from_itself_and_cannot_be_lost() {
    let alone = || Plan { nodes: Some(1), ..plan(10) };
    let told = batches(alone(), "");
    let sources: BTreeSet<_> =
        told.iter().flat_map(|batch| &batch.facts).map(|fact| fact.origin.source).collect();
    assert_eq!(sources, BTreeSet::from([SourceId::Capture, SourceId::Kubernetes]));
    assert_eq!(Watch::of(alone(), "").snapshot().connections.len(), 120);
    let error = Simulation::new(alone(), &script("node node-1 lost")).unwrap_err();
    assert_eq!(error, PlanError::OnlyNode { line: 1 });
}

#[test]
fn instants_never_go_back_and_counter_facts_of_a_node_are_numbered_without_a_gap() {
    let busy = Plan { churn: "2/s".parse().unwrap(), ..plan(60) };
    let (mut last, mut counted) = (Timestamp::ZERO, BTreeMap::new());
    for batch in batches(busy, "10s: node node-2 lost for 20s") {
        assert!(batch.at >= last && batch.facts.iter().all(|fact| fact.at == batch.at));
        last = batch.at;
        for fact in batch.facts.iter().filter(|fact| fact.origin.sequence != 0) {
            let counted = counted.entry(fact.origin.source).or_insert(0);
            *counted += 1;
            assert_eq!(fact.origin.sequence, *counted);
        }
    }
    assert_eq!(counted.len(), 4);
}

#[test]
fn churn_leaves_nothing_behind_that_is_not_there() {
    let busy = Plan { churn: "3/s".parse().unwrap(), ..plan(120) };
    let watch = Watch::of(busy, "");
    assert_eq!(watch.map.statistics().closes_without_open, 0);
    let snapshot = watch.snapshot();
    assert!(snapshot.connections.len() <= 120);
    let strangers =
        snapshot.services.iter().filter(|service| service.id.to_string().starts_with("workload:"));
    assert_eq!(strangers.count(), 0);
    assert!(
        snapshot
            .services
            .iter()
            .all(|service| service.id.namespace.is_empty() || service.endpoints.len() == 2)
    );
}

#[test]
fn a_service_that_fails_has_no_connections_until_it_is_well_again() {
    let script = "10s: fail shop/db for 30s";
    let before = Watch::of(plan(9), script).active("shop/db");
    assert!(before > 0);
    let failing = Watch::of(plan(30), script);
    assert_eq!(failing.active("shop/db"), 0);
    assert!(failing.told_of("service:shop/db").contains(&"health.changed".to_owned()));
    let well = Watch::of(plan(42), script);
    assert!(well.active("shop/db") > 0);
}

#[test]
fn a_rolled_service_has_other_pods_and_callers_as_before() {
    let endpoints = |watch: &Watch| {
        let snapshot = watch.snapshot();
        let api = snapshot.services.iter().find(|service| service.id.path() == "shop/api").unwrap();
        api.endpoints.iter().map(|endpoint| endpoint.address).collect::<BTreeSet<_>>()
    };
    let (before, after) = (Watch::of(plan(4), "5s: roll shop/api"), Watch::of(plan(30), "5s: roll shop/api"));
    assert!(endpoints(&before).is_disjoint(&endpoints(&after)));
    assert_eq!(endpoints(&after).len(), 2);
    assert_eq!(after.snapshot().connections.len(), before.snapshot().connections.len());
    assert_eq!(after.active("shop/api") > 0, before.active("shop/api") > 0);
}

#[test]
fn the_pods_of_a_lost_node_are_elsewhere_after_the_toleration() {
    let on_lost_node = |seconds| {
        let snapshot = Watch::of(plan(seconds), "10s: node node-2 lost").snapshot();
        let endpoints = snapshot.services.iter().flat_map(|service| service.endpoints.iter());
        endpoints.filter(|endpoint| endpoint.node.as_deref() == Some("node-2")).count()
    };
    assert_eq!((on_lost_node(60), on_lost_node(360)), (20, 0));
}

#[test]
fn a_node_that_comes_back_tells_what_ended_meanwhile() {
    let watch = Watch::of(plan(90), "10s: node node-2 lost for 1m");
    assert_eq!(watch.map.statistics().closes_without_open, 0);
    let snapshot = watch.snapshot();
    let callers = snapshot.connections.iter().filter(|edge| edge.edge.destination.id().path() == "shop/db");
    let pods = 2 * callers.count() as u64;
    let held = pods..=3 * pods;
    assert!(held.contains(&watch.active("shop/db")), "each pod of a caller holds one to three connections");
}

#[test]
fn dependencies_come_and_go_as_the_script_says() {
    let has = |seconds| {
        let script = "5s: connect shop/db shop/web\n20s: disconnect shop/db shop/web";
        let snapshot = Watch::of(plan(seconds), script).snapshot();
        let between = |key: &str| key == "shop/db->shop/web:80/tcp";
        snapshot.connections.iter().any(|edge| between(&edge.edge.key()) && edge.totals.active > 0)
    };
    assert_eq!([has(4), has(10), has(25)], [false, true, false]);
}

#[test]
fn a_flapping_service_turns_as_often_as_the_script_says() {
    let slices = |text: &str| {
        let told = batches(plan(60), text);
        let facts = told.iter().flat_map(|batch| &batch.facts);
        let is_slice = |body: &FactBody| matches!(body, FactBody::Kubernetes(object) if matches!(**object, KubernetesFact::EndpointSlice(_)));
        facts.filter(|fact| is_slice(&fact.body)).count()
    };
    assert_eq!(slices("5s: flap shop/db for 30s every 5s") - slices(""), 6);
}

#[test]
fn a_script_that_names_nobody_says_who_there_is() {
    let error = Simulation::new(plan(1), &script("roll shop/nobody")).unwrap_err();
    assert!(matches!(error, PlanError::NoService { line: 1, .. }));
    assert!(error.to_string().starts_with(
        "line 1 of the script: there is no service shop/nobody among the 40; the first are shop/web, shop/gateway"
    ));
    let error = Simulation::new(plan(1), &script("\nnode node-9 lost")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2 of the script: there is no node node-9; there are node-1 to node-4"
    );
}
