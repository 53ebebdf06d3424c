//! Pods that tests have in common, as YAML: in namespace `default`, on node `n1`, known by a label `app` of their name.

/// One that answers on port 8080.
pub fn server(name: &str) -> String {
    pod(name, "busybox, nc, -ll, -p, '8080', -e, busybox, cat")
}

/// One that does nothing by itself.
pub fn idle(name: &str) -> String {
    pod(name, "sleep, '3600'")
}

fn pod(name: &str, words: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, labels: {{app: {name}}}}}
spec:
  nodeName: n1
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: busybox, command: [{words}]}}]
"
    )
}
