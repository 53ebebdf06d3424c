//! The Collector distribution with the `servicemap` receiver: one native instance, logs and metrics.

use servicemap_tests::collector::Collector;
use servicemap_tests::edge::Edge;
use servicemap_tests::process::Process;

use crate::cases::Door;

struct Distribution(Collector);

impl Distribution {
    fn start() -> Self {
        Self(Collector::observing())
    }
}

impl Door for Distribution {
    fn process(&mut self) -> &mut Process {
        &mut self.0.process
    }

    fn edges(&mut self) -> Vec<Edge> {
        self.0.edges()
    }
}

crate::cases!(Distribution::start);
