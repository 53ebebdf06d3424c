//! What is told when the server, or the way to it, does not behave.

use std::sync::Arc;

use super::server::{PODS, REPLICA_SETS, SERVICES, Server, pod, service};
use super::told::{Told, watch, watch_with};
use crate::kubernetes::{ConnectError, Kubernetes, KubernetesError, Options};

#[test]
fn a_server_that_comes_back_is_followed_from_where_it_was() {
    let mut server = Server::new();
    server.set(SERVICES, service("web"));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.kill();
    server.set(SERVICES, service("meanwhile"));
    server.delete(SERVICES, "web");
    server.start();
    watching.told.wait_for("service shop/meanwhile");
    watching.told.wait_for("service shop/web gone");
    server.set(SERVICES, service("later"));
    watching.told.wait_for("service shop/later");
    let told = watching.told.lines();
    let expected = ["service shop/meanwhile", "service shop/web gone", "service shop/later"];
    assert!(expected.iter().all(|line| told.iter().filter(|one| one == line).count() == 1), "{told:?}");
    assert_eq!(told.iter().filter(|line| *line == "service shop/web").count(), 1, "{told:?}");
}

#[test]
fn a_version_that_is_too_old_leads_to_a_new_list_of_which_only_the_difference_is_told() {
    for as_answer in [false, true] {
        let mut server = Server::new();
        server.world().gone_as_answer = as_answer;
        for name in ["stays", "goes", "changes"] {
            server.set(SERVICES, service(name));
        }
        let watching = watch(&server);
        watching.told.wait_for("ready");
        let before = watching.told.lines().len();
        server.kill();
        server.delete(SERVICES, "goes");
        server.set(SERVICES, service("changes"));
        server.set(SERVICES, service("comes"));
        server.compact();
        server.start();
        watching.told.wait_for("service shop/comes");
        let mut after = watching.told.lines().split_off(before);
        after.sort();
        assert_eq!(
            after,
            ["service shop/changes", "service shop/comes", "service shop/goes gone"],
            "{as_answer}"
        );
        let batches = watching.told.batches();
        assert_eq!(batches.last().map(Vec::len), Some(3), "all of it at once");
    }
}

#[test]
fn a_bookmark_keeps_a_quiet_watch_from_becoming_too_old() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    let lists = || server.queries(SERVICES).iter().filter(|query| !query.contains_key("watch")).count();
    let before = lists();
    server.bookmark(SERVICES);
    let version = server.world().list_version();
    // The next watch begins at the bookmark.
    let begins_there =
        || server.queries(SERVICES).iter().any(|query| query.get("resourceVersion") == Some(&version));
    super::told::eventually(begins_there);
    assert_eq!(lists(), before);
    drop(watching);
}

#[test]
fn a_watch_on_which_nothing_comes_not_even_its_end_is_begun_anew() {
    let server = Server::new();
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.world().hung = true;
    // A watch that hangs has begun.
    let before = server.queries(SERVICES).len();
    super::told::eventually(|| server.queries(SERVICES).len() > before);
    server.set(SERVICES, service("web"));
    server.world().hung = false;
    watching.told.wait_for("service shop/web");
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    server.world().busy = 5;
    server.world().retry_after = Some(1);
    let watching = watch(&server);
    watching.told.wait_for("ready");
    watching.told.wait_for("service shop/web");
    assert_eq!(server.world().busy, 0);
}

#[test]
fn an_error_of_the_server_is_no_end() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    server.world().broken.insert(SERVICES, 3);
    let watching = watch(&server);
    watching.told.wait_for("ready");
    watching.told.wait_for("service shop/web");
}

#[test]
fn what_may_be_watched_is_watched_and_the_rest_once_it_may_be() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    server.set(PODS, pod("a", None));
    server.world().denied.insert(PODS);
    let watching = watch(&server);
    watching.told.wait_for("ready");
    assert_eq!(watching.told.lines(), ["scope of 0 ranges", "service shop/web", "ready"]);
    server.world().denied.clear();
    watching.told.wait_for("pod a of Pod a");
}

#[test]
fn a_permission_that_is_withdrawn_and_given_back_loses_and_repeats_nothing() {
    let server = Server::new();
    server.set(SERVICES, service("web"));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    server.world().denied.insert(SERVICES);
    let denied = server.queries(SERVICES).len();
    // Watches that run go on until their end; the next one is denied.
    super::told::eventually(|| server.queries(SERVICES).len() > denied + 1);
    server.set(SERVICES, service("meanwhile"));
    server.world().denied.clear();
    watching.told.wait_for("service shop/meanwhile");
    let told = watching.told.lines();
    assert_eq!(told, ["scope of 0 ranges", "service shop/web", "ready", "service shop/meanwhile"]);
}

#[test]
fn pods_are_told_by_their_best_name_where_their_owners_may_not_be_watched() {
    let server = Server::new();
    server.world().denied.insert(REPLICA_SETS);
    let mut web = pod("a", Some(("ReplicaSet", "web-5d4f9")));
    web["metadata"]["labels"] = serde_json::json!({"pod-template-hash": "5d4f9"});
    server.set(PODS, web);
    server.set(PODS, pod("b", Some(("ReplicaSet", "alone"))));
    let watching = watch(&server);
    watching.told.wait_for("ready");
    watching.told.wait_for("pod a of Deployment web");
    watching.told.wait_for("pod b of ReplicaSet alone");
}

#[test]
fn a_cluster_that_is_not_there_yet_is_waited_for() {
    let mut server = Server::new();
    server.kill();
    let watching = watch(&server);
    watching.told.wait_for_give_up();
    server.set(SERVICES, service("web"));
    server.start();
    watching.told.wait_for("service shop/web");
}

#[test]
fn a_cluster_that_nobody_asked_for_and_that_is_not_there_is_left_alone() {
    let mut server = Server::new();
    server.kill();
    let watching = watch_with(&server, |options| options.required = false);
    watching.told.wait_for_give_up();
    super::told::eventually(|| !watching.kubernetes.is_running());
}

#[test]
fn a_kubeconfig_that_is_none_is_an_error_that_names_it() {
    let start = |required| {
        let options =
            Options { kube_config: Some("/nowhere/config".to_owned()), required, ..Options::default() };
        Kubernetes::start(options, Arc::new(Told::default()))
    };
    let Err(KubernetesError::Connect(error @ ConnectError::File { .. })) = start(true) else { panic!() };
    assert!(error.to_string().starts_with("kube_config \"/nowhere/config\" cannot be used: "), "{error}");
    assert!(start(false).unwrap().is_none());
}
