//! The capture against the real kernel. Each test has a network namespace of its own, so that nothing else on the
//! machine is counted. Without the permission to count, a test says so and passes; with `SERVICEMAP_REQUIRE_ALL=1` it
//! fails.

mod accuracy;
mod before;
mod closing;
mod lab;
mod load;
mod proxies;
mod refresh;
mod reuse;
