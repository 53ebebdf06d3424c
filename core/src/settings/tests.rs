use servicemap_map::model::EventType;

use super::*;

fn problems(json: &str) -> Vec<String> {
    match Settings::from_json(json.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

fn named_ranges(ranges: &[(&str, &str)]) -> servicemap_map::NamedRanges {
    let mut named = servicemap_map::NamedRanges::default();
    for (name, range) in ranges {
        named.insert((*name).into(), AddressRange::parse(range).unwrap()).unwrap();
    }
    named
}

#[test]
fn empty_json_gives_the_defaults() {
    assert_eq!(Settings::from_json(b"{}").unwrap(), Settings::default());
}

#[test]
fn null_stands_for_the_default() {
    assert_eq!(
        Settings::from_json(br#"{"service_timeout":null,"health":null,"name":null}"#).unwrap(),
        Settings::default()
    );
}

#[test]
fn default_host_is_this_machine() {
    assert_eq!(&*Settings::default().map.host, machine_name());
    assert!(!machine_name().is_empty());
}

#[test]
fn every_name_is_read() {
    let json = br#"{
        "name":"n","role":"all_in_one","cgroup_root":"/one","report_interval":"9s","cluster_name":"c","buffer_size":11,"enable_k8s_discovery":true,"kube_config":"/k","watch_namespaces":["a","b"],
        "cluster_ranges":["10.96.0.0/12"],"labels":["app"],
        "enable_ebpf":false,"service_timeout":"11s","connection_timeout":"12s","emission_mode":"full","full_snapshot_interval":"13s",
        "min_emit_interval":"14s","debounce_window":"15s","learning_period":"0","drain_interval":"200ms","refresh_interval":"17s","dependency_retention":"16h","orphan_after":"18m",
        "max_services":17,"max_flows":18,"max_externals":0,"host_name":"h","capture_hook":"raw_tp","collection_interval":"19s",
        "max_edge_series":20,"state_dir":"/var/lib/servicemap","events":["basic","capture.gap"],"max_consumers":3,"max_label_values":27,"returning_connections":true,"connection_sampling_ratio":0.25,"kubelet_probes":true,"named_ranges":{"office":["192.0.2.0/24","2001:db8::/32"],"partner":["198.51.100.7"]},
        "environments":{"namespace_label":"env","names":{"prod":["prod-*","shop/api"],"staging":["stage"]}},
        "health":{"window":"21s","unhealthy_ratio":0.6,"unhealthy_min_attempts":22,"degraded_ratio":0.1,"degraded_min_attempts":23,
                  "degraded_slow_ratio":0.2,"degraded_ready_ratio":0.9,"flap_changes":5,"flap_window":"27s",
                  "worse_after":"24s","unhealthy_after":"25s","better_after":"26s"}
    }"#;
    let s = Duration::from_secs;
    let expected = Settings {
        name: "n".to_owned(),
        role: Role::AllInOne,
        cgroup_root: "/one".to_owned(),
        report_interval: s(9),
        enable_k8s_discovery: Some(true),
        kube_config: Some("/k".to_owned()),
        watch_namespaces: vec!["a".to_owned(), "b".to_owned()],
        cluster_ranges: vec![AddressRange::parse("10.96.0.0/12").unwrap()],
        labels: LabelFilter::new(["app".to_owned()]),
        enable_ebpf: false,
        capture_hook: HookChoice::RawTp,
        drain_interval: Duration::from_millis(200),
        refresh_interval: Duration::from_secs(17),
        collection_interval: s(19),
        max_edge_series: 20,
        state_dir: Some("/var/lib/servicemap".into()),
        events: EventTypes::BASIC.with(EventTypes::of(&[EventType::CaptureGap])),
        max_consumers: 3,
        map: MapSettings {
            host: "h".into(),
            cluster: "c".into(),
            service_timeout: s(11),
            connection_timeout: s(12),
            dependency_retention: s(16 * 3600),
            orphan_after: s(18 * 60),
            emission_mode: servicemap_map::EmissionMode::Full,
            full_snapshot_interval: s(13),
            min_emit_interval: s(14),
            debounce_window: s(15),
            learning_period: s(0),
            buffer_size: 11,
            max_services: 17,
            max_flows: 18,
            max_externals: 0,
            max_label_values: 27,
            returning_connections: true,
            connection_sampling_ratio: 0.25,
            kubelet_probes: true,
            named_ranges: named_ranges(&[
                ("office", "192.0.2.0/24"),
                ("office", "2001:db8::/32"),
                ("partner", "198.51.100.7/32"),
            ]),
            environments: servicemap_map::EnvironmentSettings {
                namespace_label: Some("env".into()),
                rules: [("prod", "prod-*"), ("prod", "shop/api"), ("staging", "stage")]
                    .map(|(environment, pattern)| servicemap_map::EnvironmentRule::new(environment, pattern))
                    .into(),
            },
            health: servicemap_map::HealthSettings {
                window: s(21),
                unhealthy_ratio: 0.6,
                unhealthy_min_attempts: 22,
                degraded_ratio: 0.1,
                degraded_min_attempts: 23,
                degraded_slow_ratio: 0.2,
                degraded_ready_ratio: 0.9,
                flap_changes: 5,
                flap_window: s(27),
                worse_after: s(24),
                unhealthy_after: s(25),
                better_after: s(26),
            },
            ..MapSettings::default()
        },
    };
    assert_eq!(Settings::from_json(json).unwrap(), expected);
}

#[test]
fn unknown_key_names_the_nearest_known_one() {
    assert_eq!(problems(r#"{"bufer_size":1}"#), [r#"unknown key "bufer_size"; did you mean "buffer_size"?"#]);
    assert_eq!(
        problems(r#"{"health":{"windw":"1s"}}"#),
        [r#"health: unknown key "windw"; did you mean "window"?"#]
    );
}

#[test]
fn number_as_duration_is_refused() {
    assert_eq!(
        problems(r#"{"service_timeout":5}"#),
        [r#"service_timeout: duration "5" has no unit; write for example "5s" or "5ms""#]
    );
}

#[test]
fn value_out_of_range_is_told_with_the_range() {
    assert_eq!(
        problems(r#"{"drain_interval":"1ms","buffer_size":0,"health":{"unhealthy_ratio":1.5}}"#),
        [
            "drain_interval: 1ms is out of range; write a value from 100ms to 1m",
            "buffer_size: 0 is out of range; write a value from 1 to 1000000",
            "health::unhealthy_ratio: 1.5 is out of range; write a value from 0 to 1",
        ]
    );
}

#[test]
fn every_problem_is_reported() {
    assert_eq!(
        problems(r#"{"name":1,"enable_ebpf":"yes","emission_mode":"partial","watch_namespaces":"a"}"#),
        [
            "name: is 1, but text belongs here",
            r#"watch_namespaces: is "a", but a list belongs here"#,
            r#"enable_ebpf: is "yes", but true or false belongs here"#,
            r#"emission_mode: unknown value "partial"; write one of incremental, full"#,
        ]
    );
}

#[test]
fn degraded_above_unhealthy_is_refused() {
    assert_eq!(
        problems(r#"{"health":{"degraded_ratio":0.9}}"#),
        [
            "health::degraded_ratio: 0.9 is more than unhealthy_ratio (0.5); a degraded service fails less than an unhealthy one"
        ]
    );
}

#[test]
fn better_sooner_than_unhealthy_is_refused() {
    assert_eq!(
        problems(r#"{"health":{"better_after":"1s"}}"#),
        [
            "health::better_after: 1s is less than unhealthy_after (2s); what is unhealthy must hold longer to be called better than to be called unhealthy"
        ]
    );
}

#[test]
fn thresholds_of_health_that_say_nothing_are_refused() {
    assert_eq!(
        problems(
            r#"{"health":{"window":"0s","flap_window":"0s","flap_changes":1,"degraded_ready_ratio":-0.1,"degraded_slow_ratio":2}}"#
        ),
        [
            "health::window: 0s is out of range; write a value from 1s to 1h",
            "health::degraded_slow_ratio: 2 is out of range; write a value from 0 to 1",
            "health::degraded_ready_ratio: -0.1 is out of range; write a value from 0 to 1",
            "health::flap_changes: 1 is out of range; write a value from 2 to 64",
            "health::flap_window: 0s is out of range; write a value from 1s to 1h",
        ]
    );
}

#[test]
fn broken_json_says_where() {
    assert_eq!(problems("{\n\"name\":}"), ["settings: not valid JSON: expected value at line 2 column 8"]);
    assert_eq!(problems("[]"), ["is a list, but a map of settings belongs here"]);
    assert_eq!(
        problems(r#"{"name":"a","name":"b"}"#),
        [
            r#"settings: not valid JSON: key "name" stands twice in one map; remove one of them at line 1 column 18"#
        ]
    );
}

#[test]
fn a_cluster_instance_counts_nothing_itself() {
    assert!(!Settings::from_json(br#"{"role":"cluster"}"#).unwrap().enable_ebpf);
    let refused = Settings::from_json(br#"{"role":"cluster","enable_ebpf":true}"#).unwrap_err();
    assert!(refused.to_string().contains("run an agent on this machine, too"), "{refused}");
}

#[test]
fn a_type_of_events_that_there_is_not_is_refused_with_those_that_there_are() {
    let told = problems(r#"{"events":["basic","connection.gone"]}"#);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]
            .starts_with(r#"events: unknown type of events "connection.gone"; write some of all, basic, "#)
    );
}

#[test]
fn a_share_of_edges_is_from_none_to_all() {
    assert_eq!(
        problems(r#"{"connection_sampling_ratio":10}"#),
        ["connection_sampling_ratio: 10 is out of range; write a value from 0 to 1"]
    );
}

#[test]
fn an_agent_keeps_nothing_of_what_was_told() {
    let refused = Settings::from_json(br#"{"role":"agent","state_dir":"/var/lib/servicemap"}"#).unwrap_err();
    assert!(refused.to_string().contains("set it for the cluster instance"), "{refused}");
}

#[test]
fn a_branch_of_the_cgroup_tree_is_an_absolute_path() {
    let refused = Settings::from_json(br#"{"cgroup_root":"kubepods.slice"}"#).unwrap_err();
    assert!(refused.to_string().contains("does not begin with"), "{refused}");
}

#[test]
fn a_named_range_that_is_none_is_refused() {
    assert_eq!(
        problems(r#"{"named_ranges":{"office":["192.0.2.0/33","office.example.com",""]}}"#),
        [
            r#"named_ranges::office: "192.0.2.0/33" is no range of addresses; write one such as "10.96.0.0/12""#,
            r#"named_ranges::office: "office.example.com" is no range of addresses; write one such as "10.96.0.0/12""#,
            r#"named_ranges::office: "" is no range of addresses; write one such as "10.96.0.0/12""#,
        ]
    );
}

#[test]
fn a_named_range_with_bits_beyond_its_prefix_is_refused() {
    assert_eq!(
        problems(r#"{"named_ranges":{"office":["192.0.2.7/24"]}}"#),
        [
            r#"named_ranges::office: "192.0.2.7/24" has bits beyond its prefix; write "192.0.2.0/24", or a longer prefix"#
        ]
    );
}

#[test]
fn a_range_with_two_names_or_twice_under_one_is_refused() {
    assert_eq!(
        problems(
            r#"{"named_ranges":{"a":["192.0.2.0/24","192.0.2.0/24"],"b":["::ffff:192.0.2.0/120","192.0.2.0/25"]}}"#
        ),
        [
            r#"named_ranges::a: "192.0.2.0/24" stands twice; remove one of them"#,
            r#"named_ranges::b: "::ffff:192.0.2.0/120" is named "a" already; remove one of them"#,
        ]
    );
}

#[test]
fn a_name_of_a_range_looks_like_nothing_else_in_the_map() {
    for name in ["", "~other", "a/b", "a\\nb"] {
        let told = problems(&format!(r#"{{"named_ranges":{{"{name}":["192.0.2.0/24"]}}}}"#));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("is no name for a range; write 1 to 253 characters"), "{told:?}");
    }
    assert!(problems(r#"{"named_ranges":{"Büro Nord (VPN)":["192.0.2.0/24"]}}"#).is_empty());
}

#[test]
fn named_ranges_of_another_form_are_refused() {
    assert_eq!(
        problems(r#"{"named_ranges":["192.0.2.0/24"]}"#),
        ["named_ranges: is a list, but a map of names to lists belongs here"]
    );
    assert_eq!(
        problems(r#"{"named_ranges":{"office":"192.0.2.0/24"}}"#),
        [r#"named_ranges::office: is "192.0.2.0/24", but a list of texts belongs here"#]
    );
}

#[test]
fn more_named_ranges_than_are_kept_are_refused() {
    let texts: Vec<_> =
        (0..20_001_u32).map(|n| format!("\"10.{}.{}.{}\"", n >> 16, (n >> 8) & 255, n & 255)).collect();
    let json = format!(r#"{{"named_ranges":{{"many":[{}]}}}}"#, texts.join(","));
    assert_eq!(problems(&json), ["named_ranges: has 20001 ranges; write at most 20000"]);
}
