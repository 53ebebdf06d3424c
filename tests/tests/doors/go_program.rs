//! The Go package: a Go program that prints events.

use std::process::Command;

use servicemap_tests::artifacts;
use servicemap_tests::edge::Edge;
use servicemap_tests::process::Process;

use crate::cases::Door;

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
        Vec::new()
    }
}

crate::cases!(GoProgram::start);
