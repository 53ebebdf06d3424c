//! The names and bounds of an observer's settings. Every bound stands here once.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use servicemap_map::model::EventTypes;
use servicemap_map::{EmissionMode, EnvironmentRule, EnvironmentSettings, HealthSettings, MapSettings};

use super::ranges::{cluster_ranges, named_ranges};
use super::reader::Section;
use super::{HookChoice, LabelFilter, Role, Settings};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Timeouts: below a second they would be shorter than a drain, above 30 days nothing would ever go.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(720);
/// Retention of dependencies: up to a year.
const RETENTION: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(8760);
/// Whole snapshots and metrics: more than one a second would cost more than observing does.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY;
/// Waits that may be off.
const WAIT: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// The learning period may be off, or last a month.
const LEARNING: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(720);
/// Drains: a shorter interval than 100 ms costs CPU for nothing, a longer one than a minute fills the kernel's maps.
const DRAIN: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);
/// Reports of agents: a shorter interval than 100 ms tells nothing new, and an agent that is not heard for three of them is
/// lost.
const REPORTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);
/// Passes over the open sockets: one costs about a microsecond a socket, and what is older than an hour is no news.
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(1)..=HOUR;
/// Windows in which attempts, and changes of readiness, are counted for health.
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=HOUR;
/// Events kept: an event is about 500 bytes, so a million is half a gigabyte.
const EVENTS: RangeInclusive<u64> = 1..=1_000_000;
/// Services kept.
const SERVICES: RangeInclusive<u64> = 1..=1_000_000;
/// Flows kept.
const FLOWS: RangeInclusive<u64> = 1..=10_000_000;
/// Externals kept by name; with 0 all are `~other`.
const EXTERNALS: RangeInclusive<u64> = 0..=1_000_000;
/// Edges with series of their own; with 0 none has.
const EDGE_SERIES: RangeInclusive<u64> = 0..=1_000_000;
/// Series of a counter; with 0 all are one.
const LABEL_VALUES: RangeInclusive<u64> = 0..=1_000_000;
/// Consumers: each holds a place in the log, and at its start as many initial events as the map has things.
const CONSUMERS: RangeInclusive<u64> = 1..=10_000;
/// Attempts below which a share says nothing.
const ATTEMPTS: RangeInclusive<u64> = 1..=1_000_000;
/// Changes of readiness: one is only seen with the one before.
const FLAP_CHANGES: RangeInclusive<u64> = 2..=HealthSettings::MOST_FLAP_CHANGES as u64;
/// Patterns of environments: each new service is held against all of them.
const MAX_PATTERNS: usize = 1_000;
/// A share of attempts or endpoints.
const RATIO: RangeInclusive<f64> = 0.0..=1.0;

/// Reads the settings of an observer.
pub(super) fn settings(section: &mut Section<'_, '_>) -> Settings {
    let default = Settings::default();
    let role = section
        .choice("role", &[("all_in_one", Role::AllInOne), ("agent", Role::Agent), ("cluster", Role::Cluster)])
        .unwrap_or_default();
    Settings {
        role,
        cgroup_root: cgroup_root(section).unwrap_or(default.cgroup_root),
        report_interval: section.duration("report_interval", REPORTS).unwrap_or(default.report_interval),
        name: section.text("name").unwrap_or(default.name),
        enable_k8s_discovery: section.flag("enable_k8s_discovery"),
        kube_config: section.text("kube_config").filter(|path| !path.is_empty()),
        watch_namespaces: section.texts("watch_namespaces").unwrap_or_default(),
        cluster_ranges: cluster_ranges(section),
        labels: LabelFilter::new(section.texts("labels").unwrap_or_default()),
        enable_ebpf: enable_ebpf(section, role).unwrap_or(default.enable_ebpf),
        capture_hook: section
            .choice(
                "capture_hook",
                &[("auto", HookChoice::Auto), ("tp_btf", HookChoice::TpBtf), ("raw_tp", HookChoice::RawTp)],
            )
            .unwrap_or_default(),
        drain_interval: section.duration("drain_interval", DRAIN).unwrap_or(default.drain_interval),
        refresh_interval: section.duration("refresh_interval", REFRESH).unwrap_or(default.refresh_interval),
        collection_interval: section
            .duration("collection_interval", INTERVAL)
            .unwrap_or(default.collection_interval),
        max_edge_series: section.count("max_edge_series", EDGE_SERIES).unwrap_or(default.max_edge_series),
        state_dir: state_dir(section, role),
        events: event_types(section).unwrap_or_default(),
        max_consumers: section.count("max_consumers", CONSUMERS).unwrap_or(default.max_consumers),
        map: map(section, default.map),
    }
}

fn cgroup_root(section: &mut Section<'_, '_>) -> Option<String> {
    let root = section.text("cgroup_root")?;
    if !root.starts_with('/') {
        let message = format!(
            "{root:?} does not begin with \"/\"; write the path below the cgroup v2 hierarchy, such as \"/kubepods.slice\""
        );
        section.problem("cgroup_root", message);
    }
    Some(root)
}

/// The types of events that a consumer gets: of the receiver, and of each exporter.
pub(crate) fn event_types(section: &mut Section<'_, '_>) -> Option<EventTypes> {
    let words = section.texts("events")?;
    let mut types = EventTypes::of(&[]);
    for word in words {
        match word.parse() {
            Ok(more) => types = types.with(more),
            Err(unknown) => section.problem("events", unknown.to_string()),
        }
    }
    Some(types)
}

/// An agent tells no events.
fn state_dir(section: &mut Section<'_, '_>, role: Role) -> Option<PathBuf> {
    let directory = section.text("state_dir").filter(|path| !path.is_empty())?;
    if role == Role::Agent {
        let message = "an agent tells no events that could be told twice; set it for the cluster instance";
        section.problem("state_dir", message.to_owned());
    }
    Some(directory.into())
}

/// A cluster instance counts nothing itself: the agent of its machine does.
fn enable_ebpf(section: &mut Section<'_, '_>, role: Role) -> Option<bool> {
    let enabled = section.flag("enable_ebpf");
    if role != Role::Cluster {
        return enabled;
    }
    if enabled == Some(true) {
        let message = "a receiver with role cluster takes what agents count and counts nothing itself; remove it, and run an agent on this machine, too";
        section.problem("enable_ebpf", message.to_owned());
    }
    Some(false)
}

fn map(section: &mut Section<'_, '_>, default: MapSettings) -> MapSettings {
    MapSettings {
        version: default.version,
        host: section.text("host_name").filter(|name| !name.is_empty()).map_or(default.host, Into::into),
        cluster: section.text("cluster_name").map_or(default.cluster, Into::into),
        service_timeout: section.duration("service_timeout", TIMEOUT).unwrap_or(default.service_timeout),
        connection_timeout: section
            .duration("connection_timeout", TIMEOUT)
            .unwrap_or(default.connection_timeout),
        dependency_retention: section
            .duration("dependency_retention", RETENTION)
            .unwrap_or(default.dependency_retention),
        orphan_after: section.duration("orphan_after", RETENTION).unwrap_or(default.orphan_after),
        emission_mode: section
            .choice(
                "emission_mode",
                &[("incremental", EmissionMode::Incremental), ("full", EmissionMode::Full)],
            )
            .unwrap_or_default(),
        full_snapshot_interval: section
            .duration("full_snapshot_interval", INTERVAL)
            .unwrap_or(default.full_snapshot_interval),
        min_emit_interval: section.duration("min_emit_interval", WAIT).unwrap_or(default.min_emit_interval),
        debounce_window: section.duration("debounce_window", WAIT).unwrap_or(default.debounce_window),
        returning_connections: section.flag("returning_connections").unwrap_or(default.returning_connections),
        connection_sampling_ratio: section
            .number("connection_sampling_ratio", RATIO)
            .unwrap_or(default.connection_sampling_ratio),
        learning_period: section.duration("learning_period", LEARNING).unwrap_or(default.learning_period),
        buffer_size: section.count("buffer_size", EVENTS).unwrap_or(default.buffer_size),
        max_services: section.count("max_services", SERVICES).unwrap_or(default.max_services),
        max_flows: section.count("max_flows", FLOWS).unwrap_or(default.max_flows),
        max_externals: section.count("max_externals", EXTERNALS).unwrap_or(default.max_externals),
        max_label_values: section.count("max_label_values", LABEL_VALUES).unwrap_or(default.max_label_values),
        named_ranges: named_ranges(section),
        kubelet_probes: section.flag("kubelet_probes").unwrap_or(default.kubelet_probes),
        environments: section.section("environments", environments),
        health: section.section("health", |section| health(section, &default.health)),
    }
}

fn environments(section: &mut Section<'_, '_>) -> EnvironmentSettings {
    let namespace_label = section.text("namespace_label").filter(|label| !label.is_empty()).map(Into::into);
    let mut rules = Vec::new();
    for (environment, patterns) in section.named_texts("names").unwrap_or_default() {
        let environment: Arc<str> = environment.into();
        rules.extend(patterns.iter().map(|pattern| EnvironmentRule::new(environment.clone(), pattern)));
    }
    if rules.len() > MAX_PATTERNS {
        section.problem("names", format!("has {} patterns; write at most {MAX_PATTERNS}", rules.len()));
    }
    EnvironmentSettings { namespace_label, rules }
}

fn health(section: &mut Section<'_, '_>, default: &HealthSettings) -> HealthSettings {
    let health = HealthSettings {
        window: section.duration("window", WINDOW).unwrap_or(default.window),
        unhealthy_ratio: section.number("unhealthy_ratio", RATIO).unwrap_or(default.unhealthy_ratio),
        unhealthy_min_attempts: section
            .integer("unhealthy_min_attempts", ATTEMPTS)
            .unwrap_or(default.unhealthy_min_attempts),
        degraded_ratio: section.number("degraded_ratio", RATIO).unwrap_or(default.degraded_ratio),
        degraded_min_attempts: section
            .integer("degraded_min_attempts", ATTEMPTS)
            .unwrap_or(default.degraded_min_attempts),
        degraded_slow_ratio: section
            .number("degraded_slow_ratio", RATIO)
            .unwrap_or(default.degraded_slow_ratio),
        degraded_ready_ratio: section
            .number("degraded_ready_ratio", RATIO)
            .unwrap_or(default.degraded_ready_ratio),
        flap_changes: section.integer("flap_changes", FLAP_CHANGES).unwrap_or(default.flap_changes),
        flap_window: section.duration("flap_window", WINDOW).unwrap_or(default.flap_window),
        worse_after: section.duration("worse_after", WAIT).unwrap_or(default.worse_after),
        unhealthy_after: section.duration("unhealthy_after", WAIT).unwrap_or(default.unhealthy_after),
        better_after: section.duration("better_after", WAIT).unwrap_or(default.better_after),
    };
    if health.degraded_ratio > health.unhealthy_ratio {
        let message = format!(
            "{} is more than unhealthy_ratio ({}); a degraded service fails less than an unhealthy one",
            health.degraded_ratio, health.unhealthy_ratio
        );
        section.problem("degraded_ratio", message);
    }
    if health.better_after < health.unhealthy_after {
        let message = format!(
            "{:?} is less than unhealthy_after ({:?}); what is unhealthy must hold longer to be called better than to be \
             called unhealthy",
            health.better_after, health.unhealthy_after
        );
        section.problem("better_after", message);
    }
    health
}
