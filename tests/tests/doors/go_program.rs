//! The Go package: the Go example that prints events.

use std::process::Command;

use servicemap_tests::agent::TOLD;
use servicemap_tests::artifacts;
use servicemap_tests::edge::Edge;
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::cases::{Case, Door, put_through};

struct GoProgram(Process);

impl GoProgram {
    fn start() -> Self {
        Self(Process::spawn("print-events", &mut Command::new(artifacts::go_program())))
    }
}

impl Door for GoProgram {
    fn process(&mut self) -> &mut Process {
        &mut self.0
    }

    fn edges(&mut self) -> Vec<Edge> {
        Edge::from_lines(&self.0.stdout())
    }
}

crate::cases!(GoProgram::start);

#[test]
fn it_stops_when_it_is_asked_to() {
    require!(Need::Root, Need::Btf);
    let mut seen = put_through(Case { family: Family::V4, before_the_start: true }, GoProgram::start);
    assert!(seen.door.0.terminate(TOLD).success(), "{:?}", seen.door.0);
}
