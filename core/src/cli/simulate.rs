//! `servicemap simulate`: print what an observer of a simulated cluster would be told, as a recording.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use servicemap_map::MapSettings;
use servicemap_map::model::RunId;
use servicemap_map::record::{Header, Step, write_line};
use servicemap_map::simulate::{Plan, Script, Simulation};

use super::args::SimulateArgs;
use super::error::CliError;

/// Name of the cluster, which is part of the ids of events.
const CLUSTER: &str = "simulated";

pub(super) fn run(args: &SimulateArgs) -> Result<ExitCode, CliError> {
    let plan = Plan {
        services: args.services,
        edges: args.edges,
        pods: args.pods,
        nodes: args.nodes,
        churn: args.churn,
        counters: args.counters,
        duration: args.simulate_for,
        seed: args.seed,
        ..Plan::default()
    };
    let script = args.script.as_deref().map_or_else(|| Ok(Script::default()), read_script)?;
    let mut stdout = BufWriter::new(io::stdout().lock());
    write_recording(plan, &script, &mut stdout)?;
    stdout.flush().map_err(CliError::Output)?;
    Ok(ExitCode::SUCCESS)
}

fn write_recording(plan: Plan, script: &Script, out: &mut impl Write) -> Result<(), CliError> {
    let settings = MapSettings { host: plan.host(), cluster: CLUSTER.into(), ..MapSettings::default() };
    let header = Header::new(settings, RunId(uuid::Uuid::nil()), plan.start);
    let end = plan.start + plan.duration;
    let simulation = Simulation::new(plan, script)?;
    let mut lines = Vec::new();
    write_line(&mut lines, &header)?;
    for batch in simulation {
        for fact in batch.facts {
            write_line(&mut lines, &Step::Apply(fact))?;
        }
        write_line(&mut lines, &Step::Advance(batch.at))?;
        out.write_all(&lines).map_err(CliError::Output)?;
        lines.clear();
    }
    write_line(&mut lines, &Step::Finish(end))?;
    out.write_all(&lines).map_err(CliError::Output)
}

fn read_script(file: &Path) -> Result<Script, CliError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| CliError::Script { file: file.to_owned(), source })?;
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use servicemap_map::record::Recording;

    use super::*;

    #[test]
    fn what_is_printed_is_a_recording_of_the_cluster_that_was_asked_for() {
        let plan = Plan { services: 20, edges: 60, duration: Duration::from_secs(5), ..Plan::default() };
        let mut lines = Vec::new();
        write_recording(plan, &Script::default(), &mut lines).unwrap();
        let recording = Recording::parse(&String::from_utf8(lines).unwrap()).unwrap();
        let (mut map, now) = (recording.header.map(), recording.steps.last().and_then(Step::now).unwrap());
        recording.steps.into_iter().for_each(|step| step.take(&mut map));
        let snapshot = map.snapshot(now);
        assert_eq!((snapshot.connections.len(), &*snapshot.observer.cluster), (60, CLUSTER));
        assert!(map.is_ready());
    }

    #[test]
    fn a_script_that_cannot_be_read_is_named() {
        let error = read_script(Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the script /no/such/file: "), "{error}");
    }
}
