//! With a real observer (without the kernel side, so without root) and real peers.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tonic::transport;

use super::*;
use crate::pipeline::load;
use crate::telemetry::otlp_grpc::test_receiver::{PATIENCE, Receiver as OtlpReceiver};

fn config(exporters: &str, pipelines: &str) -> Config {
    let text = format!(
        "receivers: {{servicemap: {{enable_ebpf: false, collection_interval: 1s}}}}\n\
         exporters: {{{exporters}}}\n\
         service: {{pipelines: {{{pipelines}}}}}\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    load(&[file.path().to_owned()], &[]).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

const LOGS: &str = "logs: {receivers: [servicemap], exporters: [otlp_grpc]}";
const BOTH: &str = "logs: {receivers: [servicemap], exporters: [otlp_grpc]}, metrics: {receivers: [servicemap], exporters: [otlp_grpc]}";

fn instance(resource: Option<&Resource>) -> String {
    let attributes = &resource.unwrap().attributes;
    let id = attributes.iter().find(|attribute| attribute.key == "service.instance.id").unwrap();
    match id.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(id) => id.clone(),
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_observer_feeds_logs_and_metrics_until_the_shutdown() {
    let receiver = OtlpReceiver::default();
    let address = receiver.listen(transport::Server::builder());
    let (stop, shutdown) = watch::channel(false);
    let running =
        tokio::spawn(run(config(&format!("otlp_grpc: {{endpoint: 'http://{address}'}}"), BOTH), shutdown));
    // One snapshot and two collections at least: metrics come at every interval.
    receiver.wait_for_requests(3).await;
    stop.send(true).unwrap();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();

    let logs = receiver.logs.lock().unwrap();
    let first = &logs.first().unwrap().0.resource_logs[0];
    assert_eq!(first.scope_logs[0].log_records[0].event_name, "servicemap.snapshot");
    let metrics = receiver.metrics.lock().unwrap();
    let observed = &metrics.first().unwrap().resource_metrics[0];
    assert_eq!(instance(first.resource.as_ref()), instance(observed.resource.as_ref()));
}

#[tokio::test]
async fn endpoint_that_nobody_listens_on_ends_the_run_before_anything_is_observed() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_stop, shutdown) = watch::channel(false);
    let config = config(&format!("otlp_grpc: {{endpoint: 'http://{unused}'}}"), LOGS);
    let error = run(config, shutdown).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "exporters::otlp_grpc: cannot reach \"http://{unused}\": Connection refused (os error 111); start the receiver \
             there or correct \"endpoint\""
        )
    );
}

#[tokio::test]
async fn busy_port_ends_the_run() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_stop, shutdown) = watch::channel(false);
    let pipelines = "metrics: {receivers: [servicemap], exporters: [prometheus]}";
    let error = run(config(&format!("prometheus: {{endpoint: '{address}'}}"), pipelines), shutdown)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "exporters::prometheus: cannot listen on \"{address}\": another program has this port; set \"endpoint\" to a free \
             port, for example \"127.0.0.1:9464\""
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exporter_without_a_pipeline_is_not_opened() {
    let receiver = OtlpReceiver::default();
    let address = receiver.listen(transport::Server::builder());
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exporters = format!(
        "otlp_grpc: {{endpoint: 'http://{address}'}}, otlp_grpc/unused: {{endpoint: 'http://{unused}'}}"
    );
    let (stop, shutdown) = watch::channel(false);
    let running = tokio::spawn(run(config(&exporters, LOGS), shutdown));
    receiver.wait_for_requests(1).await;
    drop(stop);
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}
