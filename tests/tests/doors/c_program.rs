//! The C ABI: a C program, built with AddressSanitizer, that prints events.

use std::process::Command;

use servicemap_tests::artifacts;
use servicemap_tests::edge::Edge;
use servicemap_tests::process::Process;

use crate::cases::Door;

struct CProgram(Process);

impl CProgram {
    fn start() -> Self {
        Self(Process::spawn("print_events", &mut Command::new(artifacts::c_program())))
    }
}

impl Door for CProgram {
    fn process(&mut self) -> &mut Process {
        &mut self.0
    }

    fn edges(&mut self) -> Vec<Edge> {
        Vec::new()
    }
}

crate::cases!(CProgram::start);
