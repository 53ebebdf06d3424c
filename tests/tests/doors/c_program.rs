//! The C ABI: the C example, built with AddressSanitizer, that prints events.

use std::process::Command;
use std::time::Duration;

use servicemap_tests::artifacts;
use servicemap_tests::edge::Edge;
use servicemap_tests::netns::Family;
use servicemap_tests::process::Process;
use servicemap_tests::require;
use servicemap_tests::skip::Need;

use crate::cases::{Case, Door, put_through};

struct CProgram(Process);

impl CProgram {
    /// Observes until it is killed.
    fn start() -> Self {
        Self::start_for("3600")
    }

    fn start_for(seconds: &str) -> Self {
        let mut command = Command::new(artifacts::c_program());
        Self(Process::spawn("print_events", command.args(["--seconds", seconds])))
    }
}

impl Door for CProgram {
    fn process(&mut self) -> &mut Process {
        &mut self.0
    }

    fn edges(&mut self) -> Vec<Edge> {
        Edge::from_lines(&self.0.stdout())
    }
}

crate::cases!(CProgram::start);

#[test]
fn it_ends_without_an_error_or_a_leak() {
    require!(Need::Root, Need::Btf);
    // The leak check runs at the end of the program, so it must come to one by itself.
    let mut seen =
        put_through(Case { family: Family::V4, before_the_start: true }, || CProgram::start_for("8"));
    let status = seen.door.0.wait_for_end(Duration::from_mins(1));
    assert!(status.success(), "{:?}", seen.door.0);
    assert_eq!(seen.door.0.stderr(), [""; 0], "a sanitizer or the library has something to say");
}
