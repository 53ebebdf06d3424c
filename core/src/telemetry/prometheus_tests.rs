use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::telemetry::fixtures;

fn text() -> String {
    encode(fixtures::readings(), 10, Format::Text).unwrap()
}

fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
}

#[test]
fn names_and_labels_are_the_documented_ones() {
    let text = text();
    for line in [
        r#"services_discovered_total{namespace="web-1",type="Process"} 5"#,
        r#"services_removed_total{namespace="web-1"} 2"#,
        r#"services_active{namespace="shop"} 1"#,
        r#"services_active{namespace=""} 1"#,
        r#"connections_tracked_total{source_ns="web-1",dest_ns="shop"} 6"#,
        r#"dependencies_detected_total{cross_namespace="true"} 9"#,
        r#"connections_active{protocol="tcp"} 1"#,
        r#"health_changes_total{service="shop/api",from_status="healthy",to_status="unhealthy"} 1"#,
        r#"unhealthy_services{namespace="shop"} 1"#,
        r#"unhealthy_services{namespace="web-1"} 0"#,
        r#"ebpf_events_total{event_type="connect"} 21"#,
        r#"ebpf_events_total{event_type="accept"} 22"#,
        r#"ebpf_events_total{event_type="close"} 23"#,
        r#"ebpf_events_total{event_type="fail"} 24"#,
        r#"ebpf_events_total{event_type="listen"} 25"#,
        r#"ebpf_events_total{event_type="lost"} 26"#,
        r#"processing_duration_ms_bucket{le="0.1",operation="drain"} 1"#,
        r#"processing_duration_ms_bucket{le="+Inf",operation="drain"} 3"#,
        r#"processing_duration_ms_count{operation="drain"} 3"#,
        r#"servicemap_build_info{version="0.1.0"} 1"#,
        r#"servicemap_gaps_total{reason="flow_map_full"} 11"#,
        "servicemap_facts_total 12",
        "servicemap_facts_repeated_total 13",
        "servicemap_events_total 14",
        "servicemap_events_sampled_out_total 17",
        r#"servicemap_bounded_total{bound="services"} 16"#,
        r#"servicemap_bounded_total{bound="flows"} 0"#,
        "servicemap_edges_left_out 0",
        r#"servicemap_capture_degraded_total{reason="folded"} 31"#,
        r#"servicemap_capture_degraded_total{reason="announced_late"} 32"#,
        r#"servicemap_capture_degraded_total{reason="ended_before_first_pass"} 33"#,
        r#"servicemap_capture_degraded_total{reason="cgroups_missed"} 34"#,
        r#"servicemap_capture_degraded_total{reason="generations_forgotten"} 35"#,
        r#"servicemap_capture_degraded_total{reason="refreshed_late"} 36"#,
        "servicemap_capture_mended_total 37",
        "servicemap_capture_residual_connections 2",
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn edges_have_series_with_both_ends_and_the_port() {
    let text = text();
    let edge = r#"source_namespace="web-1",source_name="curl",source_type="Process",destination_namespace="shop",destination_name="api",destination_type="ClusterIP",port="80""#;
    for line in [
        format!("servicemap_edge_connections_opened_total{{{edge}}} 1000"),
        format!("servicemap_edge_connections_failed_total{{{edge},reason=\"refused\"}} 3"),
        format!("servicemap_edge_connections_active{{{edge}}} 2"),
        format!("servicemap_edge_bytes_total{{{edge},direction=\"sent\"}} 5"),
        format!("servicemap_edge_bytes_total{{{edge},direction=\"received\"}} 6"),
        format!("servicemap_edge_retransmits_total{{{edge}}} 7"),
        format!("servicemap_edge_connect_seconds_bucket{{le=\"0.00025\",{edge}}} 998"),
        format!("servicemap_edge_connect_seconds_bucket{{le=\"0.001\",{edge}}} 999"),
        format!("servicemap_edge_connect_seconds_bucket{{le=\"2.5\",{edge}}} 999"),
        format!("servicemap_edge_connect_seconds_bucket{{le=\"+Inf\",{edge}}} 1000"),
        format!("servicemap_edge_connect_seconds_sum{{{edge}}} 3.5"),
        format!("servicemap_edge_connect_seconds_count{{{edge}}} 1000"),
    ] {
        assert_line(&text, &line);
    }
}

#[test]
fn text_format_describes_counters_by_their_sample_name() {
    let text = text();
    assert_line(&text, "# TYPE services_discovered_total counter");
    assert_line(&text, "# HELP services_discovered_total Services that came into the map.");
    assert_line(&text, "# TYPE k8s_api_calls_total counter");
    assert_line(&text, "# TYPE servicemap_build_info gauge");
    assert_line(&text, "# TYPE processing_duration_ms histogram");
    assert!(!text.contains("# EOF"));
}

#[test]
fn open_metrics_describes_counters_without_total_and_ends() {
    let text = encode(fixtures::readings(), 10, Format::OpenMetrics).unwrap();
    assert_line(&text, "# TYPE services_discovered counter");
    assert_line(&text, "# TYPE servicemap_build info");
    assert_line(&text, r#"services_removed_total{namespace="web-1"} 2"#);
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn label_values_cannot_break_out() {
    let mut readings = fixtures::readings();
    readings.statistics.services_removed = [("a\"} 1\nevil 2\\".into(), 3)].into();
    let text = encode(readings, 10, Format::Text).unwrap();
    assert_line(&text, r#"services_removed_total{namespace="a\"} 1\nevil 2\\"} 3"#);
}

#[test]
fn format_is_the_one_that_the_scraper_prefers() {
    for (accept, format) in [
        ("", Format::Text),
        ("*/*", Format::Text),
        ("text/plain", Format::Text),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        ),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Text),
        ("application/openmetrics-text;q=0", Format::Text),
    ] {
        assert_eq!(Format::from_accept(accept), format, "{accept}");
    }
}

/// `promtool` is not everywhere; `make test` installs it, and says so when it is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[test]
fn promtool_finds_nothing_but_the_abbreviated_unit() {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed");
        eprintln!("SKIPPED: promtool is not installed (Debian: apt-get install prometheus)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let findings = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert_eq!(findings.trim(), "processing_duration_ms metric names should not contain abbreviated units");
}
