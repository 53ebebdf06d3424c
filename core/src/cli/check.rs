//! `servicemap check`: what this machine and this process's capabilities allow, one line each.

use std::process::ExitCode;

use super::error::CliError;
use super::output;
use super::render::visible;
use crate::capture::{Requirement, State, requirements};
use crate::host;

pub(super) fn run() -> Result<ExitCode, CliError> {
    let mut all = requirements();
    all.push(cgroups(host::cgroup2_root()));
    all.push(cluster());
    output::print(&report(&all))?;
    Ok(if can_observe(&all) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the main job, the map of this machine's connections, can run.
fn can_observe(all: &[Requirement]) -> bool {
    all.iter().all(|requirement| requirement.state != State::Missing)
}

/// Names of units and containers come from the cgroup tree.
fn cgroups(root: Option<std::path::PathBuf>) -> Requirement {
    let name = "cgroup v2";
    match root {
        Some(root) => Requirement {
            name,
            state: State::Ok,
            found: format!("mounted at {}", root.display()),
            mend: String::new(),
        },
        None => Requirement {
            name,
            state: State::Degraded,
            found: "not mounted: services are named by their program, not by unit or container".to_owned(),
            mend: "mount -t cgroup2 none /sys/fs/cgroup".to_owned(),
        },
    }
}

fn cluster() -> Requirement {
    let found = "none watched: not needed to map this machine".to_owned();
    Requirement { name: "cluster", state: State::Ok, found, mend: String::new() }
}

fn report(all: &[Requirement]) -> String {
    let width = all.iter().map(|requirement| requirement.name.len()).max().unwrap_or(0);
    let mut lines: Vec<_> = all.iter().map(|requirement| line(requirement, width)).collect();
    lines.push(if can_observe(all) {
        "servicemap can map this machine.".to_owned()
    } else {
        "servicemap cannot map this machine: mend what is missing above.".to_owned()
    });
    lines.join("\n") + "\n"
}

fn line(requirement: &Requirement, width: usize) -> String {
    let state = match requirement.state {
        State::Ok => "ok",
        State::Degraded => "degraded",
        State::Missing => "missing",
    };
    let mend =
        if requirement.mend.is_empty() { String::new() } else { format!(" (to mend: {})", requirement.mend) };
    format!("{state:<8}  {:<width$}  {}{mend}", requirement.name, visible(&requirement.found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Requirement {
        Requirement {
            name: "CAP_BPF",
            state: State::Missing,
            found: "not held".to_owned(),
            mend: "run as root, or: setcap cap_bpf,cap_perfmon+ep PATH".to_owned(),
        }
    }

    #[test]
    fn what_is_missing_is_told_with_its_mend_and_fails_the_check() {
        let all = [cluster(), missing()];
        assert!(!can_observe(&all));
        assert_eq!(
            report(&all),
            "ok        cluster  none watched: not needed to map this machine\n\
             missing   CAP_BPF  not held (to mend: run as root, or: setcap cap_bpf,cap_perfmon+ep PATH)\n\
             servicemap cannot map this machine: mend what is missing above.\n"
        );
    }

    #[test]
    fn a_machine_without_cgroup_v2_is_mapped_all_the_same() {
        let all = [cgroups(None)];
        assert!(can_observe(&all));
        assert!(report(&all).starts_with("degraded  cgroup v2  not mounted"), "{}", report(&all));
    }
}
