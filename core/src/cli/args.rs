//! What can be asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use servicemap_map::simulate::Rate;

use crate::recording::Moment;

const EXAMPLES: &str = "\
Examples:
  servicemap run                            live table of this machine's connections
  servicemap run | jq .subject              the same as events, one JSON object a line
  servicemap run --config servicemap.yaml   pipelines to OTLP and Prometheus
  servicemap map --for 10s -o json          the map after ten seconds
  servicemap map -o dot | dot -Tsvg > map.svg
  servicemap check                          what this machine allows

Observing needs root, or the capabilities CAP_BPF and CAP_PERFMON.";

const RUN_EXAMPLES: &str = "\
Examples:
  servicemap run
  servicemap run -o json > events.jsonl
  servicemap run --config base.yaml --config site.yaml --set receivers.servicemap.drain_interval=500ms";

const MAP_EXAMPLES: &str = "\
Examples:
  servicemap map
  servicemap map --for 1m -o json > map.json
  servicemap map -o dot | dot -Tsvg > map.svg
  servicemap map -o mermaid --namespace shop
  servicemap map --edge 'shop/web->shop/db:5432/tcp'
  servicemap map --recording incident.jsonl --at -5m
  servicemap map --recording incident.jsonl --at 2027-01-15T08:00:00Z -o json";

const DIFF_EXAMPLES: &str = "\
Examples:
  servicemap diff yesterday.json today.json
  servicemap diff incident.jsonl@-10m incident.jsonl
  servicemap diff incident.jsonl@2027-01-15T08:00:00Z incident.jsonl@+90s -o json";

const RECORD_EXAMPLES: &str = "\
Examples:
  servicemap record incident.jsonl
  servicemap record --for 10m incident.jsonl
  servicemap record --events incident.jsonl > events.jsonl
  servicemap record --config servicemap.yaml incident.jsonl";

const REPLAY_EXAMPLES: &str = "\
Examples:
  servicemap replay incident.jsonl          the events that were told, one JSON object a line
  servicemap replay -o table incident.jsonl the map as it was in the end";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  servicemap analyze --for 10s                             single points of failure, cycles, chains, orphans
  servicemap analyze --map map.json --service shop/cart    who is affected when the cart fails
  servicemap analyze --map map.json -o json";

const CHECK_EXAMPLES: &str = "\
Examples:
  servicemap check
  servicemap check --config agent.yaml      what the agent of this file needs, and no more";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  servicemap simulate > facts.jsonl
  servicemap simulate --services 500 --edges 5000 --churn 2/s --for 1h --seed 7 > facts.jsonl
  servicemap simulate --script incident.txt | servicemap replay -

A script says what goes wrong, and when, one thing a line:
  30s: fail shop/db for 20s              no pod of it takes connections
  60s: node node-3 lost for 2m           nobody hears of a node
  90s: roll shop/api                     its pods are replaced one by one
  2m:  flap shop/api for 1m every 5s     its pods are ready and not ready by turns
  3m:  connect shop/db shop/web          a dependency comes; disconnect: one goes";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  servicemap completion bash > /etc/bash_completion.d/servicemap
  servicemap completion zsh > \"${fpath[1]}/_servicemap\"";

/// Who talks to whom on this machine: TCP connections, counted in the kernel.
#[derive(Debug, Parser)]
#[command(name = "servicemap", version, after_help = EXAMPLES, propagate_version = true)]
pub(super) struct Cli {
    /// What to log to standard error: error, warn, info, debug, trace, or a filter such as `servicemap=debug`
    /// [default: $RUST_LOG, else the pipeline file's level, else warn]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Observe until stopped: a live table on a terminal, else events as JSON lines; or the pipelines of a file
    Run(RunArgs),
    /// Observe for a while, print the map once, exit
    Map(MapArgs),
    /// Say what follows from who needs whom: single points of failure, cycles, chains, orphans, who a failure affects
    Analyze(AnalyzeArgs),
    /// Write down all that the map is told, until stopped
    Record(RecordArgs),
    /// Tell a recording to a map again: the same events, or the map that came of it
    Replay(ReplayArgs),
    /// Say what is different between two maps, saved ones or those of a recording at two instants
    Diff(DiffArgs),
    /// Say what this machine, these capabilities and the cluster allow, and how to mend what is missing
    Check(CheckArgs),
    /// Check pipeline files without running them
    Validate(ConfigArgs),
    /// Print what an observer of a simulated cluster would be told: the same seed, the same lines
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// List the receivers and exporters that pipeline files can name
    Components,
    /// Print the configuration as it is after merging and substitution
    PrintConfig(ConfigArgs),
    /// Print a completion script
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(super) struct RunArgs {
    /// Pipeline file in the OpenTelemetry Collector's form; may be repeated, later files win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Vec<PathBuf>,
    /// Set one value of the configuration, such as `receivers.servicemap.drain_interval=500ms`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    pub(super) set: Vec<String>,
    /// Form of the output [default: table on a terminal, else json]
    #[arg(short, long, value_enum, conflicts_with = "config")]
    pub(super) output: Option<RunOutput>,
}

/// Forms of what `run` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RunOutput {
    /// The connections, redrawn each second
    Table,
    /// Events, one JSON object a line
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = MAP_EXAMPLES)]
pub(super) struct MapArgs {
    /// Observe this long once the connections that exist are known, such as 500ms, 5s or 2m [default: one drain of the
    /// kernel's counters]
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::settings::duration::parse)]
    pub(super) observe_for: Option<Duration>,
    /// Show a map of this recording instead of observing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "observe_for")]
    pub(super) recording: Option<PathBuf>,
    /// As it was at this instant of the recording: such as 2027-01-15T08:00:00Z, `-5m` before its end or `+90s` after its
    /// begin [default: its end]
    #[arg(long, value_name = "TIME", requires = "recording", allow_hyphen_values = true, value_parser = Moment::parse)]
    pub(super) at: Option<Moment>,
    /// Show what is behind one connection: the pairs of pods or programs that opened the most. CONNECTION is as in
    /// `ns/a->ns/b:port/tcp`
    #[arg(long, value_name = "CONNECTION")]
    pub(super) edge: Option<String>,
    /// Form of the map
    #[arg(short, long, value_enum, default_value_t = MapOutput::Table)]
    pub(super) output: MapOutput,
    #[command(flatten)]
    pub(super) drawing: DrawingArgs,
}

/// What of the map is drawn, in the forms `dot` and `mermaid`.
#[derive(Debug, Args)]
pub(super) struct DrawingArgs {
    /// Draw the services of this namespace (or machine) with what they talk to, which is folded by namespace; may be
    /// repeated [default: everything, folded where it is too much to look at]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Vec<String>,
    /// Draw every service by itself, however many (Mermaid takes no more than 500 arrows)
    #[arg(long, conflicts_with = "namespace")]
    pub(super) unfold: bool,
}

#[derive(Debug, Args)]
#[command(after_help = RECORD_EXAMPLES)]
pub(super) struct RecordArgs {
    /// File to make, one JSON object a line, as docs/recording.md describes it
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Stop after this long, such as 30s or 10m [default: when told to, by Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::settings::duration::parse)]
    pub(super) record_for: Option<Duration>,
    /// Write over the file if it is there already
    #[arg(long)]
    pub(super) force: bool,
    /// Show the events meanwhile, one JSON object a line
    #[arg(long)]
    pub(super) events: bool,
    /// Observe as the receiver `servicemap` of this pipeline file says; may be repeated, later files win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Vec<PathBuf>,
    /// Set one value of the configuration, such as `receivers.servicemap.drain_interval=500ms`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(super) struct ReplayArgs {
    /// A recording
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// What to show
    #[arg(short, long, value_enum, default_value_t = ReplayOutput::Events)]
    pub(super) output: ReplayOutput,
    #[command(flatten)]
    pub(super) drawing: DrawingArgs,
}

/// What `replay` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayOutput {
    /// The events that were told, one JSON object a line
    Events,
    /// The connections in the end
    Table,
    /// The whole map in the end, as docs/map.md describes it
    Json,
    /// The map in the end as a graph for Graphviz
    Dot,
    /// The map in the end as a graph for Mermaid
    Mermaid,
}

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(super) struct DiffArgs {
    /// The map before: a file that `map -o json` made, or a recording, of which `@` and an instant say when (an instant such
    /// as 2027-01-15T08:00:00Z, `-5m` before its end or `+90s` after its begin) [default: its end]
    #[arg(value_name = "FROM", value_hint = ValueHint::FilePath)]
    pub(super) from: String,
    /// The map after, in the same way
    #[arg(value_name = "TO", value_hint = ValueHint::FilePath)]
    pub(super) to: String,
    /// Form of the differences
    #[arg(short, long, value_enum, default_value_t = DiffOutput::Table)]
    pub(super) output: DiffOutput,
}

/// Forms of what `diff` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffOutput {
    /// A line for each difference
    Table,
    /// One JSON object, as docs/recording.md describes it
    Json,
}

/// Forms of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MapOutput {
    /// Connections for people
    Table,
    /// The whole map, as docs/map.md describes it
    Json,
    /// A graph for Graphviz
    Dot,
    /// A graph for Mermaid
    Mermaid,
}

#[derive(Debug, Args)]
#[command(after_help = ANALYZE_EXAMPLES)]
pub(super) struct AnalyzeArgs {
    /// Analyze this map, which `servicemap map -o json` wrote, instead of observing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "observe_for")]
    pub(super) map: Option<PathBuf>,
    /// Observe this long once the connections that exist are known, such as 500ms, 5s or 2m [default: one drain of the
    /// kernel's counters]
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::settings::duration::parse)]
    pub(super) observe_for: Option<Duration>,
    /// Only what concerns this service: whom it needs, and who is affected when it fails
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(super) service: Option<String>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = AnalyzeOutput::Table)]
    pub(super) output: AnalyzeOutput,
}

/// Forms of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AnalyzeOutput {
    /// Sentences for people
    Table,
    /// All that was found
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(super) struct CheckArgs {
    /// Look at what this pipeline file needs (its role, kubeconfig and namespaces); may be repeated, later files win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Vec<PathBuf>,
    /// Set one value of the configuration, such as `receivers.servicemap.role=agent`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "config")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Services of the cluster
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) services: u32,
    /// Dependencies between them
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(super) edges: u32,
    /// Pods of each service
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(super) pods: u32,
    /// Nodes, of which agents tell; with one, the observer is on it [default: one for every 30 pods]
    #[arg(long, value_name = "N")]
    pub(super) nodes: Option<u32>,
    /// How often a pod is replaced, or a dependency goes or comes back, such as 2/s or 30/m
    #[arg(long, value_name = "RATE", default_value = "0")]
    pub(super) churn: Rate,
    /// How many flows are counted in a time, by turns
    #[arg(long, value_name = "RATE", default_value = "500/s")]
    pub(super) counters: Rate,
    /// Simulated time after the start, such as 90s or 1h
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = crate::settings::duration::parse)]
    pub(super) simulate_for: Duration,
    /// Everything that is left to chance follows from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// What goes wrong, and when
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) script: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Pipeline file in the OpenTelemetry Collector's form; may be repeated, later files win
    #[arg(long, value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) config: Vec<PathBuf>,
    /// Set one value of the configuration, such as `receivers.servicemap.drain_interval=500ms`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_to_observe_has_a_unit() {
        let error = parse("servicemap map --for 5").unwrap_err().to_string();
        assert!(error.contains("has no unit"), "{error}");
    }

    #[test]
    fn map_takes_its_form_and_its_time() {
        let Ok(Command::Map(args)) = parse("servicemap map --for 5s -o mermaid") else { panic!("not a map") };
        assert_eq!((args.observe_for, args.output), (Some(Duration::from_secs(5)), MapOutput::Mermaid));
    }

    #[test]
    fn a_simulation_takes_its_size_and_its_rates() {
        let line = "servicemap simulate --services 7 --churn 2/s --for 1m --seed 3";
        let Ok(Command::Simulate(args)) = parse(line) else { panic!("not a simulation") };
        assert_eq!((args.services, args.edges, args.seed), (7, 1_000, 3));
        assert_eq!((args.churn, args.simulate_for), ("2/s".parse().unwrap(), Duration::from_mins(1)));
        let error = parse("servicemap simulate --churn 2").unwrap_err().to_string();
        assert!(error.contains("is no rate; write"), "{error}");
    }

    #[test]
    fn config_files_repeat_and_values_are_set_on_them() {
        let Ok(Command::Run(args)) = parse("servicemap run --config a --config b --set x.y=1") else {
            panic!("not a run")
        };
        assert_eq!(args.config, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(args.set, ["x.y=1"]);
    }

    #[test]
    fn a_form_is_refused_where_pipelines_run() {
        assert!(parse("servicemap run --config a -o json").is_err());
    }

    #[test]
    fn a_value_is_refused_without_a_file_to_set_it_in() {
        assert!(parse("servicemap run --set x.y=1").is_err());
        assert!(parse("servicemap validate --set x.y=1").is_err());
    }
}
