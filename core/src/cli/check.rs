//! `servicemap check`: what this machine and this process's capabilities allow, one line each.

use std::process::ExitCode;

use super::error::CliError;
use super::output;
use super::render::visible;
use crate::ConnectError;
use crate::capture::{Requirement, State, requirements};
use crate::host;
use crate::kubernetes::{self, Access, ClusterReport};

pub(super) fn run() -> Result<ExitCode, CliError> {
    let mut all = requirements();
    all.push(cgroups(host::cgroup2_root()));
    all.extend(cluster(kubernetes::check(None)));
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

/// The cluster, and each kind of object in it. None of it is needed to map this machine.
fn cluster(report: Result<ClusterReport, ConnectError>) -> Vec<Requirement> {
    let name = "cluster";
    let report = match report {
        Ok(report) => report,
        Err(ConnectError::Nowhere) => {
            let found = "none: not needed to map this machine".to_owned();
            return vec![Requirement { name, state: State::Ok, found, mend: String::new() }];
        }
        Err(error) => {
            let (found, mend) = (error.to_string(), String::new());
            return vec![Requirement { name, state: State::Degraded, found, mend }];
        }
    };
    let url = &report.url;
    let cluster = match &report.version {
        Ok(version) => Requirement {
            name,
            state: State::Ok,
            found: format!("Kubernetes {version} at {url}"),
            mend: String::new(),
        },
        Err(reason) => Requirement {
            name,
            state: State::Degraded,
            found: format!("{url} does not answer as it should: {reason}"),
            mend: "`kubectl version` has to work with the same kubeconfig or account".to_owned(),
        },
    };
    std::iter::once(cluster).chain(report.access.iter().map(access)).collect()
}

fn access(access: &Access) -> Requirement {
    let Access { resource: name, missing, loss } = access;
    if missing.is_empty() {
        let found = "list and watch are allowed".to_owned();
        return Requirement { name, state: State::Ok, found, mend: String::new() };
    }
    let missing = missing.join(" and ");
    let (are, found) = (if missing.contains(' ') { "are" } else { "is" }, &missing);
    Requirement {
        name,
        state: State::Degraded,
        found: format!("{found} {are} not allowed: {loss}"),
        mend: format!("give the role of this account the verbs {missing} on {name}"),
    }
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
        let mut all = cluster(Err(ConnectError::Nowhere));
        all.push(missing());
        assert!(!can_observe(&all));
        assert_eq!(
            report(&all),
            "ok        cluster  none: not needed to map this machine\n\
             missing   CAP_BPF  not held (to mend: run as root, or: setcap cap_bpf,cap_perfmon+ep PATH)\n\
             servicemap cannot map this machine: mend what is missing above.\n"
        );
    }

    #[test]
    fn what_may_not_be_watched_in_the_cluster_is_told_with_its_mend_and_fails_nothing() {
        let access = |resource, missing: &[&'static str]| Access {
            resource,
            missing: missing.to_vec(),
            loss: "something lacks",
        };
        let all = cluster(Ok(ClusterReport {
            url: "https://192.0.2.1:6443/".to_owned(),
            version: Ok("v1.37.2".to_owned()),
            access: vec![
                access("pods", &[]),
                access("jobs.batch", &["watch"]),
                access("nodes", &["list", "watch"]),
            ],
        }));
        assert!(can_observe(&all));
        assert_eq!(
            report(&all),
            "ok        cluster     Kubernetes v1.37.2 at https://192.0.2.1:6443/\n\
             ok        pods        list and watch are allowed\n\
             degraded  jobs.batch  watch is not allowed: something lacks (to mend: give the role of this account the \
             verbs watch on jobs.batch)\n\
             degraded  nodes       list and watch are not allowed: something lacks (to mend: give the role of this \
             account the verbs list and watch on nodes)\n\
             servicemap can map this machine.\n"
        );
    }

    #[test]
    fn a_cluster_that_does_not_answer_fails_nothing() {
        let version = Err("the API server is not reachable: connection refused".to_owned());
        let url = "https://192.0.2.1:6443/".to_owned();
        let all = cluster(Ok(ClusterReport { url, version, access: Vec::new() }));
        assert!(can_observe(&all));
        assert!(
            report(&all).contains("does not answer as it should: the API server is not"),
            "{}",
            report(&all)
        );
    }

    #[test]
    fn a_machine_without_cgroup_v2_is_mapped_all_the_same() {
        let all = [cgroups(None)];
        assert!(can_observe(&all));
        assert!(report(&all).starts_with("degraded  cgroup v2  not mounted"), "{}", report(&all));
    }
}
