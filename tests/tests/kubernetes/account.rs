//! The account under which Servicemap runs in these tests: that of deploy/, with its role.

use std::path::PathBuf;

use servicemap_tests::kubelab::ControlPlane;

/// Its namespace and name.
pub const ACCOUNT: &str = "servicemap/servicemap";
/// Its role.
pub const ROLE: &str = "servicemap-servicemap";

/// Makes account and role; returns the account's kubeconfig.
pub fn kubeconfig(plane: &ControlPlane) -> PathBuf {
    plane.apply("deploy/manifests/all-in-one.yaml");
    // Its pods would need an image; here the test is the pod.
    plane.kubectl(&["-n", "servicemap", "delete", "daemonset", "--all"]);
    plane.account(ACCOUNT)
}
