//! The map itself: services, flows, edges, expiry, health.
