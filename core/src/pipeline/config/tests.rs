use std::time::Duration;

use super::*;

const GOOD: &str = "\
receivers:
  servicemap:
    service_timeout: 2m
exporters:
  otlp_grpc:
    endpoint: 127.0.0.1:4317
    tls: {insecure: true}
    headers: {authorization: secret}
  prometheus:
    endpoint: 127.0.0.1:9464
  debug:
service:
  telemetry: {logs: {level: debug}}
  pipelines:
    logs: {receivers: [servicemap], exporters: [otlp_grpc, debug]}
    metrics: {receivers: [servicemap], exporters: [otlp_grpc, prometheus]}
";

fn lookup(name: &str) -> Option<String> {
    match name {
        "SIZE" => Some("77".to_owned()),
        "PORT" => Some("4317".to_owned()),
        _ => None,
    }
}

/// Loads texts as files `a.yaml`, `b.yaml`, …
fn loaded(texts: &[&str], sets: &[&str]) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let names = ["a.yaml", "b.yaml"];
    let paths: Vec<_> = names.iter().zip(texts).map(|(name, _)| directory.path().join(name)).collect();
    for (path, text) in paths.iter().zip(texts) {
        std::fs::write(path, text).unwrap();
    }
    let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
    load_with(&paths, &sets, &lookup).map_err(|errors| {
        let prefix = format!("{}/", directory.path().display());
        errors.to_string().lines().map(|line| line.replace(&prefix, "")).collect()
    })
}

fn errors(text: &str) -> Vec<String> {
    loaded(&[text], &[]).map(|_| ()).unwrap_err()
}

/// The errors of a good configuration in which one text was replaced by another.
fn errors_with(what: &str, by: &str) -> Vec<String> {
    assert!(GOOD.contains(what), "{what}");
    errors(&GOOD.replace(what, by))
}

#[test]
fn good_configuration_is_what_it_says() {
    let config = loaded(&[GOOD], &[]).unwrap();
    assert_eq!(config.receivers.len(), 1);
    assert_eq!(observer(&config).map.service_timeout, Duration::from_mins(2));
    let ids: Vec<_> = config.exporters.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["otlp_grpc", "prometheus", "debug"]);
    assert_eq!(config.pipelines.len(), 2);
    assert_eq!(config.pipelines[1].signal, Signal::Metrics);
    assert_eq!(config.pipelines[1].exporters, ["otlp_grpc", "prometheus"]);
    assert_eq!(config.log_level(), LogLevel::Debug);
}

#[test]
fn deprecated_name_of_the_otlp_exporter_is_taken() {
    let config = loaded(&[&GOOD.replace("otlp_grpc", "otlp/far")], &[]).unwrap();
    assert!(matches!(&config.exporters[0], (id, Exporter::OtlpGrpc(_)) if id == "otlp/far"));
}

#[test]
fn later_files_and_sets_go_over_earlier_ones() {
    let over = "receivers: {servicemap: {buffer_size: 5}}\n";
    let config = loaded(&[GOOD, over], &["receivers.servicemap.service_timeout=3m"]).unwrap();
    assert_eq!(observer(&config).map.buffer_size, 5);
    assert_eq!(observer(&config).map.service_timeout, Duration::from_mins(3));
}

#[test]
fn environment_variables_take_the_wanted_type() {
    let text = GOOD
        .replace("service_timeout: 2m", "{buffer_size: '${env:SIZE}', service_timeout: '${env:NONE:-9s}'}")
        .replace("127.0.0.1:4317", "h:${env:PORT}");
    let config = loaded(&[&text], &[]).unwrap();
    assert_eq!(observer(&config).map.buffer_size, 77);
    assert_eq!(observer(&config).map.service_timeout, Duration::from_secs(9));
    assert!(matches!(&config.exporters[0].1, Exporter::OtlpGrpc(settings) if settings.endpoint == "h:4317"));
}

#[test]
fn unset_variable_is_named() {
    assert_eq!(
        errors_with("service_timeout: 2m", "name: ${env:NONE}"),
        [
            "a.yaml:3: receivers::servicemap::name: environment variable NONE is not set; set it, or write ${env:NONE:-default}"
        ]
    );
}

#[test]
fn unknown_key_has_line_path_and_nearest_key() {
    assert_eq!(
        errors_with("service_timeout", "service_timout"),
        [
            "a.yaml:3: receivers::servicemap: unknown key \"service_timout\"; did you mean \"service_timeout\"?"
        ]
    );
    assert_eq!(
        errors_with("exporters:\n", "exportrs:\n")[0],
        "a.yaml:4: unknown key \"exportrs\"; did you mean \"exporters\"?"
    );
}

#[test]
fn bad_duration_has_line_value_and_mend() {
    assert_eq!(
        errors_with("2m", "5"),
        [
            "a.yaml:3: receivers::servicemap::service_timeout: duration \"5\" has no unit; write for example \"5s\" or \"5ms\""
        ]
    );
}

#[test]
fn unknown_component_has_the_valid_ones() {
    assert_eq!(
        errors_with("  servicemap:\n", "  servicmap:\n"),
        [
            "a.yaml:2: receivers::servicmap: unknown receiver type \"servicmap\"; did you mean \"servicemap\"? (valid values: \
             [servicemap, otlp])",
            "a.yaml:15: service::pipelines::logs: references receiver \"servicemap\" which is not configured",
            "a.yaml:16: service::pipelines::metrics: references receiver \"servicemap\" which is not configured",
            "no receiver configuration specified in config; add a section receivers",
        ]
    );
    assert_eq!(
        errors_with("exporters:\n", "exporters:\n  kafka:\n"),
        [
            "a.yaml:5: exporters::kafka: unknown exporter type \"kafka\" (valid values: [otlp_grpc, prometheus, debug])"
        ]
    );
}

#[test]
fn processors_and_extensions_say_that_there_are_none() {
    assert_eq!(
        errors_with("service:\n", "processors: {batch: }\nextensions: {health_check: }\nservice:\n"),
        [
            "a.yaml:12: processors::batch: unknown processor type \"batch\"; there are no processors yet: remove it (events are \
             sent in batches without one)",
            "a.yaml:13: extensions::health_check: unknown extension type \"health_check\"; there are no extensions yet: remove it",
        ]
    );
}

#[test]
fn reference_to_nothing_is_told_as_the_collector_does_with_the_nearest_id() {
    assert_eq!(
        errors_with("[otlp_grpc, debug]", "[otlp_grp, debug/2]"),
        [
            "a.yaml:15: service::pipelines::logs: references exporter \"otlp_grp\" which is not configured; did you mean \
             \"otlp_grpc\"?",
            "a.yaml:15: service::pipelines::logs: references exporter \"debug/2\" which is not configured; did you mean \
             \"debug\"?",
        ]
    );
    assert_eq!(
        errors_with("logs: {receivers: [servicemap]", "logs: {receivers: [x]"),
        ["a.yaml:15: service::pipelines::logs: references receiver \"x\" which is not configured"]
    );
}

#[test]
fn pipeline_needs_receivers_and_exporters() {
    assert_eq!(
        errors_with(
            "logs: {receivers: [servicemap], exporters: [otlp_grpc, debug]}",
            "logs: {receivers: []}"
        ),
        [
            "a.yaml:15: service::pipelines::logs: must have at least one receiver",
            "a.yaml:15: service::pipelines::logs: must have at least one exporter",
        ]
    );
}

#[test]
fn component_stands_once_in_a_pipeline() {
    assert_eq!(
        errors_with("[otlp_grpc, debug]", "[debug, debug]"),
        [
            "a.yaml:15: service::pipelines::logs: references exporter \"debug\" multiple times; remove all but one"
        ]
    );
}

#[test]
fn unknown_signal_is_refused() {
    assert_eq!(
        errors_with("    logs:", "    traces:"),
        ["a.yaml:15: service::pipelines::traces: unknown pipeline signal \"traces\"; write logs or metrics"]
    );
}

#[test]
fn prometheus_takes_metrics_of_one_receiver_only() {
    assert_eq!(
        errors_with("[otlp_grpc, debug]", "[prometheus]"),
        [
            "a.yaml:15: service::pipelines::logs: exporter \"prometheus\" takes metrics only; remove it from this pipeline",
            "a.yaml:16: service::pipelines::metrics: exporter \"prometheus\" shows one receiver of one pipeline; configure \
             another one, such as \"prometheus/2\", with a port of its own",
        ]
    );
}

#[test]
fn empty_id_is_refused() {
    assert_eq!(
        errors_with("  debug:\n", "  debug:\n  debug/:\n"),
        ["a.yaml:12: exporters::debug/: in \"debug/\" id: the part after / should not be empty"]
    );
}

#[test]
fn empty_configuration_says_what_is_missing() {
    assert_eq!(
        errors(""),
        [
            "no receiver configuration specified in config; add a section receivers",
            "no exporter configuration specified in config; add a section exporters",
            "service::pipelines: service must have at least one pipeline; add for example logs",
        ]
    );
}

#[test]
fn every_mistake_is_told_in_the_order_of_the_files() {
    let first = GOOD.replace("2m", "5").replace("level: debug", "level: loud");
    let second = "exporters: {otlp_grpc: {timeout: 1d}}\n";
    assert_eq!(
        loaded(&[&first, second], &["exporters.debug.verbosity=lots"]).unwrap_err(),
        [
            "a.yaml:3: receivers::servicemap::service_timeout: duration \"5\" has no unit; write for example \"5s\" or \"5ms\"",
            "a.yaml:13: service::telemetry::logs::level: unknown value \"loud\"; write one of debug, info, warn, error",
            "b.yaml:1: exporters::otlp_grpc::timeout: \"1d\" is no duration; write numbers with the units h, m, s, ms, us or ns, \
             for example \"1m30s\"",
            "--set: exporters::debug::verbosity: unknown value \"lots\"; write one of basic, normal, detailed",
        ]
    );
}

#[test]
fn missing_file_is_named() {
    let errors = load(&[PathBuf::from("/nowhere/x.yaml")], &[]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/x.yaml: cannot read this configuration file: No such file or directory (os error 2); correct its path or its \
         permissions"
    );
}

#[test]
fn printed_configuration_hides_headers_and_is_read_back_as_the_same() {
    let config = loaded(&[GOOD], &[]).unwrap();
    let printed = config.to_json();
    assert!(printed.contains("\"authorization\": \"[REDACTED]\""), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
    let again = loaded(&[&printed], &[]).unwrap();
    assert_eq!(again.receivers, config.receivers);
    assert_eq!(again.pipelines, config.pipelines);
}

#[test]
fn every_component_can_be_configured() {
    for component in components() {
        assert_eq!(component::find(component.kind, component.name), Some(component));
    }
}

#[test]
fn what_is_no_configuration_file_is_told_and_not_read_to_its_end() {
    let wrong = |path: &str| load(&[path.into()], &[]).unwrap_err().to_string();
    assert_eq!(
        wrong("/dev/zero"),
        "/dev/zero: is larger than 1 MiB, which no configuration file is; correct its path"
    );
    let program = std::env::current_exe().unwrap();
    assert!(wrong(program.to_str().unwrap()).ends_with("; correct its path"));
    let mut latin = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut latin, b"name: \xe4").unwrap();
    assert!(wrong(latin.path().to_str().unwrap()).contains("is not UTF-8 text (byte 6)"));
}

fn observer(config: &Config) -> &Settings {
    config.observers().next().unwrap()
}

const CLUSTER: &str = "
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}}}
  servicemap: {role: cluster}
exporters: {debug: {}}
service: {pipelines: {logs: {receivers: [servicemap], exporters: [debug]}}}
";

#[test]
fn a_cluster_instance_has_a_door_for_agents() {
    let config = loaded(&[CLUSTER], &[]).unwrap();
    assert!(!observer(&config).enable_ebpf);
    assert!(config.receivers.iter().any(|(_, receiver)| matches!(receiver, Receiver::Otlp(_))));
}

#[test]
fn roles_that_lack_their_other_half_are_told() {
    for (from, to, sentence) in [
        ("otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}}}", "", "nothing brings it what agents count"),
        ("{role: cluster}", "{}", "no servicemap receiver has role cluster"),
        (
            "servicemap: {role: cluster}",
            "servicemap: {role: cluster}\n  servicemap/2: {role: cluster}",
            "agents tell one",
        ),
        ("receivers: [servicemap]", "receivers: [servicemap, otlp]", "stands in no pipeline"),
        ("{grpc: {endpoint: 127.0.0.1:0}}", "{}", "must name at least one protocol"),
        ("endpoint: 127.0.0.1:0", "endpoint: nowhere", "is not address:port"),
    ] {
        let errors = loaded(&[&CLUSTER.replace(from, to)], &[]).unwrap_err().join("\n");
        assert!(errors.contains(sentence), "{sentence:?} in {errors}");
    }
}

#[test]
fn an_agent_stands_in_one_logs_pipeline() {
    let two = GOOD
        .replace("servicemap:", "servicemap:\n    role: agent")
        .replace("  pipelines:", "  pipelines:\n    logs/2: {receivers: [servicemap], exporters: [debug]}");
    let errors = loaded(&[&two], &[]).unwrap_err().join("\n");
    assert!(errors.contains("tells each change once"), "{errors}");
}
