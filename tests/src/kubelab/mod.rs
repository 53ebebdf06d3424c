//! A real Kubernetes cluster on this machine (tests/kubelab): a control plane, nodes that are network namespaces, pods that are
//! processes. Everything here ends with the test that started it, in whatever way that ends.

mod control_plane;
mod node;
pub mod pods;

pub use control_plane::ControlPlane;
pub use node::{Lab, Layout, Node};

use std::time::Duration;

/// Longest time until a control plane or a node is there, on a busy machine (measured on an idle one: 4 s).
const START: Duration = Duration::from_mins(2);
/// Longest time until a part has taken itself down.
const END: Duration = Duration::from_mins(1);
