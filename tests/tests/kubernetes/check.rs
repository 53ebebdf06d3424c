//! What `servicemap check` says of an account: what the configuration needs of the cluster, and no more.

use std::process::Command;

use servicemap_tests::agent::config_file;
use servicemap_tests::artifacts;
use servicemap_tests::kubelab::ControlPlane;
use servicemap_tests::process::output_of;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

const AGENT: &str = "
receivers: {servicemap: {role: agent, host_name: n1, enable_k8s_discovery: true}}
exporters: {otlp_grpc: {endpoint: '127.0.0.1:4317', tls: {insecure: true}}}
service: {pipelines: {logs: {receivers: [servicemap], exporters: [otlp_grpc]}}}
";

/// The lines of a check about the cluster, as state and name.
fn check(plane: &ControlPlane, account: &str, config: &str) -> Vec<(String, String)> {
    let (_directory, path) = config_file(config);
    let mut command = Command::new(artifacts::servicemap());
    command.args(["check", "--config"]).arg(path).env("KUBECONFIG", plane.account(account));
    let told = output_of(&mut command);
    let words = told.lines().map(|line| line.split_whitespace());
    let lines = words.filter_map(|mut line| Some((line.next()?.to_owned(), line.next()?.to_owned())));
    lines.skip_while(|(_, name)| name != "cluster").take_while(|(state, _)| state != "servicemap").collect()
}

fn line(state: &str, name: &str) -> (String, String) {
    (state.to_owned(), name.to_owned())
}

#[test]
fn an_agent_is_told_what_an_agent_needs() {
    require!(Need::Root, Need::Btf);
    let plane = ControlPlane::start();
    plane.apply("deploy/manifests/agents-and-cluster.yaml");
    let told = check(&plane, "servicemap/servicemap-agent", AGENT);
    assert_eq!(told, [line("ok", "cluster"), line("ok", "pods")]);
}

#[test]
fn an_account_without_rights_is_told_what_is_missing_in_each_namespace() {
    require!(Need::Root, Need::Btf);
    let plane = ControlPlane::start();
    plane.kubectl(&["create", "namespace", "shop"]);
    plane.kubectl(&["create", "serviceaccount", "poor"]);
    plane.apply_text(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: poor, namespace: shop}
rules: [{apiGroups: [''], resources: [pods], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: poor, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: poor}
subjects: [{kind: ServiceAccount, name: poor, namespace: default}]
",
    );
    let config = AGENT.replace("host_name: n1", "host_name: n1, watch_namespaces: [shop, default]");
    let told = check(&plane, "default/poor", &config);
    assert_eq!(told, [line("ok", "cluster"), line("ok", "pods"), line("degraded", "pods")]);
}
