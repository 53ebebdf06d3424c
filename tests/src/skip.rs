//! What a test needs of the machine. Where it is missing the test is skipped loudly; with `SERVICEMAP_REQUIRE_ALL=1`
//! (as CI has it) it fails instead, so that nothing is skipped unnoticed.

use std::io::Write;
use std::path::Path;

/// One thing that a machine may lack.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Network namespaces and BPF programs take root.
    Root,
    /// The kernel's type information.
    Btf,
    /// A program in `PATH`.
    Program(&'static str),
}

impl Need {
    /// What is missing and how to mend it; `None` when it is there.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| {
                "not root: run `sudo -E env PATH=\"$PATH\" make test` (namespaces and BPF programs take root)".to_owned()
            }),
            Self::Btf => (!Path::new("/sys/kernel/btf/vmlinux").exists()).then(|| {
                "/sys/kernel/btf/vmlinux is missing: boot a kernel with CONFIG_DEBUG_INFO_BTF=y".to_owned()
            }),
            Self::Program(name) => {
                (!in_path(name)).then(|| format!("`{name}` is not installed: run `make tools`"))
            }
        }
    }
}

fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Whether a missing thing is a failure here.
pub fn everything_is_required() -> bool {
    std::env::var_os("SERVICEMAP_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// True when all of `needs` are met. Otherwise says `SKIPPED` where nobody can overlook it, or panics where everything
/// is required.
pub fn met(test: &str, needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(|need| need.missing()) else { return true };
    assert!(!everything_is_required(), "{test} cannot run: {reason}");
    // Straight to the handle: the test harness captures what the print macros write.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
    false
}

/// A figure that a passing test found, for the report: `tools/test-all.sh` picks these lines out.
pub fn figure(text: &str) {
    // Straight to the handle, as above; on a line of its own, where the harness has just written the test's name.
    let _ = writeln!(std::io::stderr(), "\n    figure: {text}");
}

/// Returns from the test, loudly, when the machine lacks something.
#[macro_export]
macro_rules! require {
    ($($need:expr),+ $(,)?) => {
        let test = ::std::thread::current().name().unwrap_or("test").to_owned();
        if !$crate::skip::met(&test, &[$($need),+]) {
            return;
        }
    };
}
