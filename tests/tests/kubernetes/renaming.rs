//! A Service begins to stand before pods that talk already: they have another name from then on, and nobody is told of anything new but the
//! Service.

use std::time::Duration;

use serde_json::{Value, json};
use servicemap_tests::events::Events;
use servicemap_tests::kubelab::{Lab, pods};
use servicemap_tests::netns::Family;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::account;

const TOLD: Duration = Duration::from_mins(1);

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: front, namespace: default}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
";

/// What was told of the two services and of what is between them and the client, sorted.
fn told(events: &Events) -> Vec<String> {
    let is_ours =
        |subject: &str| ["default/server", "default/front"].iter().any(|name| subject.contains(name));
    let all = events.all().into_iter().filter(|event| event["initial"] != true);
    let line = |event: &Value| format!("{} {}", event["type"], event["subject"]).replace('"', "");
    let ours = all.map(|event| line(&event)).filter(|line| is_ours(line) && !line.starts_with("health."));
    let mut ours: Vec<_> = ours.collect();
    ours.sort_unstable();
    ours
}

#[test]
fn a_service_that_begins_to_stand_before_pods_is_their_new_name_and_no_news() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let lab = Lab::start(1);
    lab.plane.apply_text(&(pods::server("server") + &pods::idle("client")));
    lab.ready("default", "pod/server");
    lab.ready("default", "pod/client");
    let address = lab.address("default", "server", Family::V4);
    let mut events = Events::of_cluster(&account::kubeconfig(&lab.plane));
    events.wait_until_ready();

    lab.connect("default", "client", address, 8080, 3);
    events.wait_for("dependency.detected", "default/client->default/server", TOLD);
    lab.plane.apply_text(SERVICE);
    let renamed = events.process.wait_for("a renaming", TOLD, |process| {
        let lines = process.stdout();
        let changes = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        changes.map(|event| event["data"]["topology"]["renamed"].clone()).find(|renamed| !renamed.is_null())
    });
    assert_eq!(renamed, json!([{"from": "workload:default/server", "to": "service:default/front"}]));

    lab.connect("default", "client", address, 8080, 2);
    lab.plane.kubectl(&["delete", "service", "front"]);
    events.wait_for("service.removed", "service:default/front", TOLD);
    events.process.wait_for("the pods' own name", TOLD, |process| {
        let is_told =
            |line: &&String| line.contains(r#""service.discovered""#) && !line.contains(r#""initial":true"#);
        process
            .stdout()
            .iter()
            .filter(is_told)
            .any(|line| line.contains("workload:default/server"))
            .then_some(())
    });
    assert_eq!(
        told(&events),
        [
            "connection.established default/client->default/server:8080/tcp",
            "dependency.detected default/client->default/server",
            "service.discovered service:default/front",
            "service.discovered workload:default/server",
            "service.removed service:default/front",
        ],
        "{events:?}"
    );
}
