//! An address that goes from one pod to the next: each connection counts for the pod that had the address when it was opened, also when it
//! is closed long after.

use std::time::Duration;

use servicemap_tests::cluster_map::{observe, party};
use servicemap_tests::kubelab::{Lab, pods};
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;
use servicemap_tests::wait::until;

use crate::account;

const DONE: Duration = Duration::from_mins(2);
/// Two drain intervals of a second: what was counted before is in the map by then.
const DRAINED: Duration = Duration::from_secs(2);

/// A server pod of its own Service.
fn server(name: &str) -> String {
    let service = format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 8080}}]}}
"
    );
    service + &pods::server(name)
}

#[test]
fn connections_count_for_the_pod_that_had_the_address_when_they_were_opened() {
    require!(Need::Root, Need::Btf, Need::Program("busybox"));
    let lab = Lab::start(1);
    lab.plane.apply_text(&pods::idle("client"));
    lab.ready("default", "pod/client");
    lab.plane.apply_text(&server("former"));
    lab.ready("default", "pod/former");
    let address = lab.address("default", "former", Family::V4);

    // Ended below: an edge on which nothing happens any more goes after half a minute.
    let mut map = observe(&account::kubeconfig(&lab.plane), "10m");
    lab.connect("default", "client", address, 8080, 5);
    let hold = format!("exec 3<>/dev/tcp/{address}/8080 && echo open && read -r; exec 3>&-");
    let mut open =
        Process::spawn("a held connection", &mut lab.in_pod("default", "client", "bash", &["-c", &hold]));
    open.wait_for_line("open", DONE);
    // This wait is the thing itself: two intervals lie between the one owner and the next.
    std::thread::sleep(DRAINED);

    lab.plane.kubectl(&["delete", "pod", "former", "--wait=true"]);
    std::thread::sleep(DRAINED);
    lab.plane.apply_text(&server("next"));
    lab.ready("default", "pod/next");
    assert_eq!(lab.address("default", "next", Family::V4), address, "the address is used again");
    until(DONE, || {
        let script = format!("exec 3<>/dev/tcp/{address}/8080");
        lab.in_pod("default", "client", "timeout", &["5", "bash", "-c", &script])
            .output()
            .expect("bash")
            .status
            .success()
            .then_some(())
    })
    .expect("the next pod answers");
    lab.connect("default", "client", address, 8080, 6);
    open.close_stdin();
    open.wait_for_end(DONE);

    map.process.terminate(DONE);
    let connections = map.connections();
    let of = |name: &str| {
        let is = |one: &&serde_json::Value| {
            party(&one["source"]) == "default/client:Workload"
                && party(&one["destination"]) == format!("default/{name}:ClusterIP")
        };
        let found =
            connections.iter().find(is).unwrap_or_else(|| panic!("no edge to {name}: {connections:#?}"));
        let number = |key: &str| found[key].as_u64().expect("a count");
        (number("opened"), number("active"))
    };
    assert_eq!(of("former"), (6, 0), "five short ones and the held one, which was closed late");
    assert_eq!(of("next"), (7, 0));
}
