//! Incidents as they happen, told as facts: what a person on call should have been told, and when. Each test holds the whole
//! of what was told against it: nothing is missing, nothing came late, and nothing else came.

#[path = "../lab/mod.rs"]
mod lab;

mod world;

mod cascading_failure;
mod dns_failover;
mod flapping_endpoints;
mod node_loss;
mod observer_restart;
mod port_scan;
mod rolling_update;
mod wrong_database;
