//! `servicemap analyze`: what follows from the graph of dependencies, of the whole map or for one service.

use std::process::ExitCode;

use serde::Serialize;
use servicemap_map::analysis;
use servicemap_map::model::{ServiceAnalysis, ServiceId, SnapshotTopology};

use super::args::{AnalyzeArgs, AnalyzeOutput};
use super::error::CliError;
use super::saved::SavedMap;
use super::{map, output, render};

pub(super) fn run(args: &AnalyzeArgs) -> Result<ExitCode, CliError> {
    if let Some(path) = &args.map {
        let saved = SavedMap::open(path)?;
        let services = saved.services();
        let about = |id: &ServiceId| analysis::about(&services, &saved.dependencies(), id);
        let ids: Vec<&ServiceId> = services.iter().map(|(id, _)| id).collect();
        return answer(args, &saved.topology, &ids, about);
    }
    let snapshot = map::observe(args.observe_for)?;
    let ids: Vec<&ServiceId> = snapshot.services.iter().map(|service| &service.id).collect();
    answer(args, &snapshot.topology, &ids, |id| snapshot.about(id))
}

fn answer(
    args: &AnalyzeArgs,
    topology: &SnapshotTopology,
    ids: &[&ServiceId],
    about: impl Fn(&ServiceId) -> Option<ServiceAnalysis>,
) -> Result<ExitCode, CliError> {
    let Some(name) = &args.service else {
        return print(args.output, topology, render::topology);
    };
    let id = find(name, ids)?;
    let analysis = about(id).ok_or_else(|| CliError::NoService(name.clone()))?;
    print(args.output, &analysis, render::service_analysis)
}

fn print<T: Serialize>(
    form: AnalyzeOutput,
    found: &T,
    table: impl Fn(&T) -> String,
) -> Result<ExitCode, CliError> {
    output::print(&match form {
        AnalyzeOutput::Table => table(found),
        AnalyzeOutput::Json => format!("{}\n", serde_json::to_string_pretty(found)?),
    })
}

/// The service that is called so: by its id, or by `namespace/name` where only one is.
fn find<'a>(name: &str, ids: &[&'a ServiceId]) -> Result<&'a ServiceId, CliError> {
    let called: Vec<_> = ids.iter().filter(|id| id.to_string() == name || id.path() == name).collect();
    match called.as_slice() {
        [] => Err(CliError::NoService(name.to_owned())),
        [one] => Ok(one),
        several => {
            let several: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(CliError::SeveralServices { name: name.to_owned(), ids: several.join(", ") })
        }
    }
}
