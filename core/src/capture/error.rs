//! What can go wrong, in one sentence each that says how to mend it.

use std::io;

use aya::maps::MapError;
use aya::programs::ProgramError;

/// Why the capture cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The process may not do it.
    #[error(
        "counting connections needs {which}: run as root, or give it to the binary: `setcap cap_bpf,cap_perfmon+ep PATH` \
         (in a container: capabilities BPF and PERFMON)"
    )]
    MissingCapability {
        /// The capabilities that are missing.
        which: &'static str,
    },
    /// The kernel does not describe itself.
    #[error(
        "the kernel has no type information at {path} ({reason}): counting connections needs a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y, as those of all large distributions are"
    )]
    NoBtf {
        /// Where it was looked for.
        path: String,
        /// Why it could not be read.
        reason: String,
    },
    /// The kernel's description lacks a member.
    #[error(
        "the kernel's type information lacks {what}: this kernel is not supported; please report its version ({release})"
    )]
    Unsupported {
        /// What is lacking.
        what: String,
        /// The kernel's release.
        release: String,
    },
    /// The kernel is too old.
    #[error("Linux {release} is too old: counting connections needs 5.15 or newer")]
    KernelTooOld {
        /// Its release.
        release: String,
    },
    /// The kernel refused the programs or maps.
    #[error("the kernel refused to load the eBPF programs: {reason}")]
    Load {
        /// Why, in one line.
        reason: String,
    },
    /// The kernel refused one program.
    #[error("the kernel refused the eBPF program {program}: {reason}")]
    Program {
        /// Which one.
        program: &'static str,
        /// Why, in one line.
        reason: String,
    },
    /// The embedded object is not the one that this code knows.
    #[error("the embedded eBPF object has no {missing}: rebuild it with `make bpf`")]
    Object {
        /// What it lacks.
        missing: &'static str,
    },
    /// A map could not be read or written.
    #[error("cannot use the eBPF map {map}: {reason}")]
    Map {
        /// Which one.
        map: &'static str,
        /// Why.
        reason: String,
    },
    /// A system call failed.
    #[error("cannot {doing}: {source}")]
    Kernel {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl CaptureError {
    pub(super) fn map(map: &'static str) -> impl Fn(MapError) -> Self {
        move |error| Self::Map { map, reason: one_line(&error) }
    }

    pub(super) fn program(program: &'static str) -> impl Fn(ProgramError) -> Self {
        move |error| Self::Program { program, reason: one_line(&error) }
    }
}

/// An error with its causes on one line; of a verifier's log the last words, where the reason stands.
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    const LONGEST: usize = 400;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST / 2).collect();
    let tail: String = text.chars().skip(text.chars().count().saturating_sub(LONGEST / 2)).collect();
    format!("{head} … {tail}")
}
