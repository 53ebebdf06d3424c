//! Where the things under test are built. Tests never build: `make test` does, and an absent one names its task.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// Cargo's target directory.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

fn built(path: PathBuf, task: &str) -> PathBuf {
    assert!(path.is_file(), "{} is not built: run `make {task}`", path.display());
    path
}

/// The binary that users get.
pub fn servicemap() -> PathBuf {
    built(target().join("release/servicemap"), "build")
}

/// The C program that prints events, under AddressSanitizer.
pub fn c_program() -> PathBuf {
    built(target().join("c/print_events"), "c")
}

/// The Go program that prints events.
pub fn go_program() -> PathBuf {
    built(target().join("go/print-events"), "go")
}

/// The Collector distribution with the `servicemap` receiver; also the Collector that receives in these tests.
pub fn collector() -> PathBuf {
    built(repository().join("otel-config/_build/otelcol-servicemap"), "collector")
}

/// The Kubernetes cluster for tests.
pub fn kubelab() -> PathBuf {
    built(target().join("kubelab"), "kubelab")
}

/// The `peer` program of this crate, which Cargo puts beside the directory of the test's own binary.
pub fn peer_binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let directory = test.ancestors().find(|path| path.join("peer").is_file());
    directory.map_or_else(|| built(target().join("debug/peer"), "test"), |path| path.join("peer"))
}
