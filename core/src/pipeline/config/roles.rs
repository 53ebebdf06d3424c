//! What agents and cluster instances need of a configuration, beyond what each component needs by itself.

use super::{Pipeline, Receiver};
use crate::settings::Role;
use crate::settings::reader::{Problem, join};
use crate::telemetry::otlp_grpc::Signal;

/// Receivers with a role in a cluster of agents must find each other.
pub(super) fn check_receivers(receivers: &[(String, Receiver)], problems: &mut Vec<Problem>) {
    let clusters: Vec<_> = ids(receivers, |receiver| role(receiver) == Some(Role::Cluster)).collect();
    let doors: Vec<_> = ids(receivers, |receiver| matches!(receiver, Receiver::Otlp(_))).collect();
    if let [_, second, ..] = clusters.as_slice() {
        let message = "is the second receiver with role cluster; agents tell one: remove it";
        problems.push(problem(&join("receivers", second), message.to_owned()));
    }
    if let (Some(cluster), []) = (clusters.first(), doors.as_slice()) {
        let message = "has role cluster, but nothing brings it what agents count; add receivers: otlp: {protocols: {grpc: {endpoint: 0.0.0.0:4317}}}";
        problems.push(problem(&join("receivers", cluster), message.to_owned()));
    }
    if let ([], Some(door)) = (clusters.as_slice(), doors.first()) {
        let message = "takes what agents count, but no servicemap receiver has role cluster; set role: cluster there, or remove this one";
        problems.push(problem(&join("receivers", door), message.to_owned()));
    }
}

/// Receivers stand where they belong.
pub(super) fn check_pipelines(
    receivers: &[(String, Receiver)],
    pipelines: &[Pipeline],
    problems: &mut Vec<Problem>,
) {
    for (id, receiver) in receivers {
        let is_used = |pipeline: &&Pipeline| pipeline.receivers.contains(id);
        if matches!(receiver, Receiver::Otlp(_)) && pipelines.iter().any(|pipeline| is_used(&pipeline)) {
            let message = format!(
                "receiver {id:?} hands what agents count to the servicemap receiver with role cluster and stands in no pipeline; \
                 remove it there and name the servicemap receiver instead"
            );
            problems.push(problem("service::pipelines", message));
        }
        let of_logs = pipelines.iter().filter(is_used).filter(|pipeline| pipeline.signal == Signal::Logs);
        if role(receiver) == Some(Role::Agent) && of_logs.count() > 1 {
            let message = format!(
                "receiver {id:?} has role agent and tells each change once; put its exporters into one logs pipeline"
            );
            problems.push(problem("service::pipelines", message));
        }
    }
}

fn role(receiver: &Receiver) -> Option<Role> {
    receiver.observer().map(|settings| settings.role)
}

fn ids(receivers: &[(String, Receiver)], which: impl Fn(&Receiver) -> bool) -> impl Iterator<Item = &str> {
    receivers.iter().filter(move |(_, receiver)| which(receiver)).map(|(id, _)| id.as_str())
}

fn problem(path: &str, message: String) -> Problem {
    Problem { origin: None, path: path.to_owned(), message }
}
