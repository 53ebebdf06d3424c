//! `servicemap check`: what this machine, this process's capabilities and the cluster allow, one line each.

use std::process::ExitCode;

use super::args::CheckArgs;
use super::error::CliError;
use super::output;
use super::render::visible;
use crate::capture::{Requirement, State, requirements};
use crate::host;
use crate::kubernetes::{self, Access, ClusterReport};
use crate::pipeline;
use crate::{ConnectError, Settings};

/// The line about the cluster.
const CLUSTER: &str = "cluster";
/// What is to be done, for the last line, where connections are counted …
const MACHINE: &str = "map this machine";
/// … and where they are not.
const FILE: &str = "run as this configuration asks";

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let observers = if args.config.is_empty() {
        vec![Settings::default()]
    } else {
        pipeline::load(&args.config, &args.set)?.observers().cloned().collect()
    };
    let counts = observers.iter().any(|observer| observer.enable_ebpf);
    let mut all = Vec::new();
    if counts {
        all.extend(requirements());
        all.push(cgroups(host::cgroup2_root()));
    }
    for observer in &observers {
        match crate::kubernetes_options(observer) {
            Some(options) => all.extend(cluster(kubernetes::check(&options), options.required)),
            None => all.push(requirement(CLUSTER, State::Ok, "not watched: enable_k8s_discovery is false")),
        }
    }
    output::print(&report(&all, if counts { MACHINE } else { FILE }))?;
    Ok(if can_observe(&all) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn requirement(name: &'static str, state: State, found: impl Into<String>) -> Requirement {
    Requirement { name, state, found: found.into(), mend: String::new() }
}

/// Whether the main job can run.
fn can_observe(all: &[Requirement]) -> bool {
    all.iter().all(|requirement| requirement.state != State::Missing)
}

/// Names of units and containers come from the cgroup tree.
fn cgroups(root: Option<std::path::PathBuf>) -> Requirement {
    let name = "cgroup v2";
    match root {
        Some(root) => requirement(name, State::Ok, format!("mounted at {}", root.display())),
        None => Requirement {
            name,
            state: State::Degraded,
            found: "not mounted: services are named by their program, or by the container whose network is its own".to_owned(),
            mend: "mount -t cgroup2 none /sys/fs/cgroup".to_owned(),
        },
    }
}

/// The cluster, and each kind of object in it. None of it is needed to map this machine, unless the configuration says so.
fn cluster(report: Result<ClusterReport, ConnectError>, required: bool) -> Vec<Requirement> {
    let name = CLUSTER;
    let report = match report {
        Ok(report) => report,
        Err(error) if required => return vec![requirement(name, State::Missing, error.to_string())],
        Err(ConnectError::Nowhere) => {
            return vec![requirement(name, State::Ok, "none: not needed to map this machine")];
        }
        Err(error) => return vec![requirement(name, State::Degraded, error.to_string())],
    };
    let url = &report.url;
    let cluster = match &report.version {
        Ok(version) => requirement(name, State::Ok, format!("Kubernetes {version} at {url}")),
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
    let Access { resource: name, namespace, missing, loss } = access;
    let within = namespace.as_ref().map_or_else(String::new, |namespace| format!(" in {namespace}"));
    if missing.is_empty() {
        return requirement(name, State::Ok, format!("list and watch are allowed{within}"));
    }
    let missing = missing.join(" and ");
    let (are, found) = (if missing.contains(' ') { "are" } else { "is" }, &missing);
    Requirement {
        mend: format!("give the role of this account{within} the verbs {missing} on {name}"),
        ..requirement(name, State::Degraded, format!("{found} {are} not allowed{within}: {loss}"))
    }
}

fn report(all: &[Requirement], job: &str) -> String {
    let width = all.iter().map(|requirement| requirement.name.len()).max().unwrap_or(0);
    let mut lines: Vec<_> = all.iter().map(|requirement| line(requirement, width)).collect();
    lines.push(if can_observe(all) {
        format!("servicemap can {job}.")
    } else {
        format!("servicemap cannot {job}: mend what is missing above.")
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
        let mut all = cluster(Err(ConnectError::Nowhere), false);
        all.push(missing());
        assert!(!can_observe(&all));
        assert_eq!(
            report(&all, MACHINE),
            "ok        cluster  none: not needed to map this machine\n\
             missing   CAP_BPF  not held (to mend: run as root, or: setcap cap_bpf,cap_perfmon+ep PATH)\n\
             servicemap cannot map this machine: mend what is missing above.\n"
        );
    }

    #[test]
    fn what_may_not_be_watched_in_the_cluster_is_told_with_its_mend_and_fails_nothing() {
        let access = |resource, missing: &[&'static str]| Access {
            resource,
            namespace: None,
            missing: missing.to_vec(),
            loss: "something lacks",
        };
        let report_of_cluster = Ok(ClusterReport {
            url: "https://192.0.2.1:6443/".to_owned(),
            version: Ok("v1.37.2".to_owned()),
            access: vec![
                access("pods", &[]),
                access("jobs.batch", &["watch"]),
                access("nodes", &["list", "watch"]),
            ],
        });
        let all = cluster(report_of_cluster, false);
        assert!(can_observe(&all));
        assert_eq!(
            report(&all, MACHINE),
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
    fn what_is_watched_in_some_namespaces_is_told_for_each() {
        let missing = Access {
            resource: "pods",
            namespace: Some("shop".to_owned()),
            missing: vec!["watch"],
            loss: "pods are not named",
        };
        let granted = Access { missing: Vec::new(), ..missing.clone() };
        assert_eq!(access(&granted).found, "list and watch are allowed in shop");
        let told = access(&missing);
        assert_eq!(told.found, "watch is not allowed in shop: pods are not named");
        assert_eq!(told.mend, "give the role of this account in shop the verbs watch on pods");
    }

    #[test]
    fn a_configuration_that_asks_for_a_cluster_cannot_run_without_one() {
        let all = cluster(Err(ConnectError::Nowhere), true);
        assert!(!can_observe(&all));
        assert!(
            report(&all, FILE)
                .ends_with("cannot run as this configuration asks: mend what is missing above.\n")
        );
    }

    #[test]
    fn a_cluster_that_does_not_answer_fails_nothing() {
        let version = Err("the API server is not reachable: connection refused".to_owned());
        let url = "https://192.0.2.1:6443/".to_owned();
        let all = cluster(Ok(ClusterReport { url, version, access: Vec::new() }), false);
        assert!(can_observe(&all));
        assert!(
            report(&all, MACHINE).contains("does not answer as it should: the API server is not"),
            "{}",
            report(&all, MACHINE)
        );
    }

    #[test]
    fn a_machine_without_cgroup_v2_is_mapped_all_the_same() {
        let all = [cgroups(None)];
        assert!(can_observe(&all));
        assert!(
            report(&all, MACHINE).starts_with("degraded  cgroup v2  not mounted"),
            "{}",
            report(&all, MACHINE)
        );
    }
}
