//! The account under which Servicemap runs in these tests.

use std::path::PathBuf;

use servicemap_tests::kubelab::ControlPlane;

/// Its namespace and name.
pub const ACCOUNT: &str = "servicemap/servicemap";
/// Its role.
pub const ROLE: &str = "servicemap";

/// What Servicemap may do in a cluster: read what it uses.
const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: servicemap}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: servicemap, namespace: servicemap}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: servicemap}
rules:
- {apiGroups: [''], resources: [services, pods, nodes, namespaces], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [apps], resources: [replicasets], verbs: [get, list, watch]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch]}
- {apiGroups: [networking.k8s.io], resources: [ingresses, networkpolicies, servicecidrs], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: servicemap}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: servicemap}
subjects: [{kind: ServiceAccount, name: servicemap, namespace: servicemap}]
";

/// Makes account and role; returns the account's kubeconfig.
pub fn kubeconfig(plane: &ControlPlane) -> PathBuf {
    plane.apply_text(OBJECTS);
    plane.account(ACCOUNT)
}
