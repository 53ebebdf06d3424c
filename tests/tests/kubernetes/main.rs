//! Against a real Kubernetes: what the API server says, what pods do to each other over real sockets, and the map that must come of it.
//! Servicemap runs with the rights of its own role, no more.

mod account;
mod agents;
mod check;
mod discovery;
mod layouts;
mod outages;
mod renaming;
mod reuse;
mod rules;
mod sample;
