//! Against a real gRPC server in this process.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use servicemap_map::model::{EventData, EventType, HealthStatus, ServiceType, Severity};
use tokio::runtime::Handle;
use tonic::Status;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use super::test_receiver::{PATIENCE, Receiver};
use super::*;
use crate::settings::LabelFilter;
use crate::settings::tree::{Node, Value};
use crate::telemetry::{encode_logs, encode_metrics, fixtures};

fn settings(json: &str) -> Settings {
    let node: Node = serde_json::from_str(json).unwrap();
    let mut problems = Vec::new();
    let mut section = crate::settings::reader::Section::new(&node, "", &mut problems);
    let settings = Settings::read(&mut section);
    section.finish();
    assert_eq!(problems, []);
    settings
}

fn quick(address: SocketAddr) -> Settings {
    let mut settings = settings(&format!(
        r#"{{"endpoint":"{address}","tls":{{"insecure":true}},"headers":{{"X-Token":"t"}}}}"#
    ));
    settings.retry.initial_interval = Duration::from_millis(5);
    settings
}

fn logs_payload() -> (Payload, ExportLogsServiceRequest) {
    let service =
        fixtures::service(fixtures::HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let event = fixtures::event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let encoded = encode_logs(&[event], None, &fixtures::observer(), &LabelFilter::default());
    let request = prost::Message::decode(&*encoded.bytes).unwrap();
    (Payload { bytes: encoded.bytes.into(), items: encoded.items }, request)
}

async fn connect(settings: Settings) -> Arc<Connection> {
    Arc::new(Connection::open("otlp_grpc", settings).await.unwrap())
}

async fn send_logs(settings: Settings) -> ExportLogsServiceRequest {
    let (payload, request) = logs_payload();
    let (queue, sending) = start(connect(settings).await, Signal::Logs, &Handle::current());
    queue.push(payload);
    drop(queue);
    sending.finish(PATIENCE).await;
    request
}

#[tokio::test]
async fn logs_arrive_as_they_were_encoded_with_headers_and_gzip() {
    let receiver = Receiver::default();
    let sent = send_logs(quick(receiver.listen(Server::builder()))).await;
    let got = receiver.logs.lock().unwrap().clone();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].0, sent);
    let headers = &got[0].1;
    assert!(headers.contains(&("x-token".to_owned(), "t".to_owned())), "{headers:?}");
    assert!(headers.contains(&("grpc-encoding".to_owned(), "gzip".to_owned())), "{headers:?}");
    assert!(
        headers.iter().any(|(key, value)| key == "user-agent" && value.starts_with("servicemap/")),
        "{headers:?}"
    );
}

#[tokio::test]
async fn compression_is_the_configured_one() {
    for (compression, expected) in [(Compression::Zstd, Some("zstd")), (Compression::None, None)] {
        let receiver = Receiver::default();
        let settings = Settings { compression, ..quick(receiver.listen(Server::builder())) };
        let sent = send_logs(settings).await;
        let got = receiver.logs.lock().unwrap().clone();
        assert_eq!(got[0].0, sent);
        let encoding =
            got[0].1.iter().find(|(key, _)| key == "grpc-encoding").map(|(_, value)| value.as_str());
        assert_eq!(encoding, expected);
    }
}

#[tokio::test]
async fn metrics_arrive_at_the_metrics_service() {
    let receiver = Receiver::default();
    let connection = connect(quick(receiver.listen(Server::builder()))).await;
    let encoded = encode_metrics(&fixtures::readings(), 10);
    let sent: ExportMetricsServiceRequest = prost::Message::decode(&*encoded.bytes).unwrap();
    let (queue, sending) = start(connection, Signal::Metrics, &Handle::current());
    queue.push(Payload { bytes: encoded.bytes.into(), items: encoded.items });
    drop(queue);
    sending.finish(PATIENCE).await;
    assert_eq!(*receiver.metrics.lock().unwrap(), [sent]);
}

#[tokio::test]
async fn unavailable_receiver_gets_the_same_request_until_it_takes_it() {
    let receiver = Receiver::answering([Err(Status::unavailable("busy")), Err(Status::unavailable("busy"))]);
    let sent = send_logs(quick(receiver.listen(Server::builder()))).await;
    let got: Vec<_> = receiver.logs.lock().unwrap().iter().map(|(request, _)| request.clone()).collect();
    assert_eq!(got, [sent.clone(), sent.clone(), sent]);
}

#[tokio::test]
async fn refusal_for_good_is_not_sent_again() {
    let receiver = Receiver::answering([Err(Status::invalid_argument("no"))]);
    send_logs(quick(receiver.listen(Server::builder()))).await;
    assert_eq!(receiver.logs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn partial_success_is_not_sent_again() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 1, error_message: "too old".to_owned() };
    let receiver = Receiver::answering([Ok(ExportLogsServiceResponse { partial_success: Some(partial) })]);
    send_logs(quick(receiver.listen(Server::builder()))).await;
    assert_eq!(receiver.logs.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn later_requests_wait_for_earlier_ones() {
    let receiver = Receiver::answering([Err(Status::unavailable("busy"))]);
    let (queue, sending) =
        start(connect(quick(receiver.listen(Server::builder()))).await, Signal::Logs, &Handle::current());
    let (first, request) = logs_payload();
    let empty = encode_logs(&[], None, &fixtures::observer(), &LabelFilter::default());
    queue.push(first);
    queue.push(Payload { bytes: empty.bytes.into(), items: 0 });
    drop(queue);
    sending.finish(PATIENCE).await;
    let got: Vec<_> = receiver.logs.lock().unwrap().iter().map(|(request, _)| request.clone()).collect();
    assert_eq!(got.len(), 3);
    assert_eq!(got[..2], [request.clone(), request]);
}

#[tokio::test]
async fn restarted_receiver_is_found_again() {
    let receiver = Receiver::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let first =
        tokio::spawn(receiver.routes(Server::builder()).serve_with_incoming_shutdown(incoming, async {
            let _ = stopped.await;
        }));
    let (queue, sending) = start(connect(quick(address)).await, Signal::Logs, &Handle::current());
    queue.push(logs_payload().0);
    receiver.wait_for_requests(1).await;
    stop.send(()).unwrap();
    first.await.unwrap().unwrap();

    queue.push(logs_payload().0);
    let incoming = TcpIncoming::bind(address).unwrap();
    tokio::spawn(receiver.routes(Server::builder()).serve_with_incoming(incoming));
    receiver.wait_for_requests(2).await;
    drop(queue);
    sending.finish(PATIENCE).await;
}

#[tokio::test]
async fn unreachable_endpoint_is_told_with_reason_and_mend() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Connection::open("otlp_grpc", quick(unused)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach \"{unused}\": Connection refused (os error 111); start the receiver there or correct \"endpoint\""
        )
    );
}

#[tokio::test]
async fn endpoint_that_is_not_there_yet_is_waited_for_when_it_is_tried_for_ever() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = quick(address);
    settings.retry.max_elapsed_time = Duration::ZERO;
    let (queue, sending) = start(connect(settings).await, Signal::Logs, &Handle::current());
    queue.push(logs_payload().0);
    let receiver = Receiver::default();
    let incoming = TcpIncoming::bind(address).unwrap();
    tokio::spawn(receiver.routes(Server::builder()).serve_with_incoming(incoming));
    receiver.wait_for_requests(1).await;
    drop(queue);
    sending.finish(PATIENCE).await;
}

#[tokio::test]
async fn receiver_without_tls_is_told_with_the_way_to_switch_it_off() {
    let receiver = Receiver::default();
    let address = receiver.listen(Server::builder());
    let error =
        Connection::open("otlp_grpc", settings(&format!(r#"{{"endpoint":"{address}"}}"#))).await.unwrap_err();
    assert!(error.to_string().ends_with("if it speaks without TLS, set tls: {insecure: true}"), "{error}");
}

#[tokio::test]
async fn missing_certificate_file_is_named() {
    let settings = settings(r#"{"endpoint":"127.0.0.1:4317","tls":{"ca_file":"/nowhere/ca.pem"}}"#);
    let error = Connection::open("otlp_grpc", settings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the file \"/nowhere/ca.pem\" that \"tls\" names: No such file or directory (os error 2); correct its \
         path or its permissions"
    );
}

/// A self-signed certificate for `localhost`, by the `openssl` command.
fn certificate(directory: &std::path::Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(directory)
        .output();
    let made = made.is_ok_and(|output| output.status.success());
    made.then(|| {
        (
            std::fs::read(directory.join("cert.pem")).unwrap(),
            std::fs::read(directory.join("key.pem")).unwrap(),
        )
    })
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[tokio::test]
async fn tls_trusts_the_configured_authority_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let Some((certificate, key)) = certificate(directory.path()) else {
        assert!(std::env::var_os("CI").is_none(), "openssl is not installed");
        eprintln!("SKIPPED: the openssl command is not installed (Debian: apt-get install openssl)");
        return;
    };
    let receiver = Receiver::default();
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
    let address = receiver.listen(Server::builder().tls_config(tls).unwrap());
    let endpoint = format!("localhost:{}", address.port());
    let ca = directory.path().join("cert.pem");

    let trusting = settings(&format!(r#"{{"endpoint":"{endpoint}","tls":{{"ca_file":{ca:?}}}}}"#));
    let sent = send_logs(trusting).await;
    assert_eq!(receiver.logs.lock().unwrap()[0].0, sent);

    let distrusting = settings(&format!(r#"{{"endpoint":"{endpoint}"}}"#));
    let error = Connection::open("otlp_grpc", distrusting).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}

fn problems(json: &str) -> Vec<String> {
    let node: Node =
        if json.is_empty() { Node::bare(Value::Null) } else { serde_json::from_str(json).unwrap() };
    let mut problems = Vec::new();
    let mut section = crate::settings::reader::Section::new(&node, "exporters::otlp_grpc", &mut problems);
    Settings::read(&mut section);
    section.finish();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn endpoint_is_required_and_has_a_host_and_a_port() {
    assert_eq!(
        problems(""),
        [
            "exporters::otlp_grpc::endpoint: requires a non-empty \"endpoint\"; write for example \"127.0.0.1:4317\""
        ]
    );
    for endpoint in ["localhost", ":4317", "http://:4317"] {
        assert_eq!(
            problems(&format!(r#"{{"endpoint":"{endpoint}"}}"#)),
            [format!(
                "exporters::otlp_grpc::endpoint: {endpoint:?} is not host:port; write for example \"127.0.0.1:4317\""
            )]
        );
    }
    assert_eq!(
        problems(r#"{"endpoint":"ftp://localhost:1"}"#),
        ["exporters::otlp_grpc::endpoint: scheme \"ftp\" is unknown; write http:// or https://, or none"]
    );
}

#[test]
fn scheme_of_the_endpoint_decides_about_tls() {
    for (json, secure) in [
        (r#"{"endpoint":"h:1"}"#, true),
        (r#"{"endpoint":"h:1","tls":{"insecure":true}}"#, false),
        (r#"{"endpoint":"https://h:1","tls":{"insecure":true}}"#, true),
        (r#"{"endpoint":"http://h:1/"}"#, false),
    ] {
        assert_eq!(settings(json).secure(), secure, "{json}");
    }
}

#[test]
fn defaults_are_the_collectors() {
    let settings = settings(r#"{"endpoint":"h:1"}"#);
    assert_eq!(settings.compression, Compression::Gzip);
    assert_eq!(settings.timeout, Duration::from_secs(5));
    assert_eq!(settings.queue, QueueSettings { enabled: true, queue_size: 1_000 });
    assert_eq!(settings.retry, RetrySettings::default());
}

#[test]
fn mistakes_are_told_all_together() {
    assert_eq!(
        problems(
            r#"{"endpoint":"h:1","compression":"snappy","headers":{"a b":"c"},"sending_queue":{"num_consumers":4},
                "retry_on_failure":{"max_elapsed_time":"10s"},"tls":{"cert_file":"x"}}"#
        ),
        [
            "exporters::otlp_grpc::tls::cert_file: cert_file and key_file belong together; set both or none",
            "exporters::otlp_grpc::compression: unknown value \"snappy\"; write one of gzip, zstd, none",
            "exporters::otlp_grpc::headers: \"a b\" is no name of a header; write letters, digits and hyphens",
            "exporters::otlp_grpc::retry_on_failure::max_elapsed_time: is less than initial_interval or max_interval; make it \
             longer, or 0 for no end",
            "exporters::otlp_grpc::sending_queue: unknown key \"num_consumers\"; known keys are enabled, queue_size",
        ]
    );
}
