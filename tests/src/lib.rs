//! Helpers of the tests across the doors. Each module stands for one real thing that a test starts or looks at: a pair
//! of network namespaces, a process, the agent, a Prometheus, a Collector. A helper panics when the thing fails, with
//! what it printed: in a test that is the clearest report.

pub mod agent;
pub mod artifacts;
pub mod bpf;
pub mod cluster;
pub mod cluster_map;
pub mod collector;
pub mod cost;
pub mod edge;
pub mod events;
pub mod http;
pub mod kubelab;
pub mod load;
pub mod map;
pub mod netns;
pub mod otlp;
pub mod peers;
pub mod process;
pub mod prometheus;
pub mod skip;
pub mod wait;
