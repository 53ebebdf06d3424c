use std::sync::Arc;
use std::sync::mpsc;

use servicemap_map::model::{EventData, EventType, HealthStatus, ServiceType, Severity};
use tokio::runtime::Handle;
use tonic::transport::Server;

use super::*;
use crate::telemetry::fixtures;
use crate::telemetry::otlp_grpc::test_receiver::{PATIENCE, Receiver as OtlpReceiver};
use crate::telemetry::otlp_grpc::{self, Connection, Sending, Signal};

async fn sink(receiver: &OtlpReceiver, signal: Signal) -> (Sink, Sending) {
    let address = receiver.listen(Server::builder());
    let node = serde_json::from_str(&format!(r#"{{"endpoint":"http://{address}"}}"#)).unwrap();
    let mut problems = Vec::new();
    let mut section = crate::settings::reader::Section::new(&node, "", &mut problems);
    let settings = otlp_grpc::Settings::read(&mut section);
    assert_eq!(problems, []);
    let connection = Connection::open("test", settings).await.unwrap();
    let (queue, sending) = otlp_grpc::start(Arc::new(connection), signal, &Handle::current());
    (Sink::Otlp(queue), sending)
}

fn names(receiver: &OtlpReceiver) -> Vec<String> {
    let requests = receiver.logs.lock().unwrap();
    let records =
        requests.iter().flat_map(|(request, _)| &request.resource_logs[0].scope_logs[0].log_records);
    records.map(|record| record.event_name.clone()).collect()
}

#[tokio::test]
async fn events_and_snapshots_reach_the_receiver_until_the_observer_ends() {
    let service =
        fixtures::service(fixtures::HOST, "nginx.service", ServiceType::Process, HealthStatus::Healthy);
    let event = fixtures::event(EventType::ServiceDiscovered, Severity::Info, EventData::Service(service));
    let snapshot = Some(Arc::new(fixtures::snapshot()));
    let batch = |events| Batch { first: 1, next: 2, lost: 0, events };
    let mut answers = vec![
        Next::Batch { batch: batch(Vec::new()), snapshot },
        Next::Timeout,
        Next::Woken,
        Next::Batch { batch: batch(vec![event]), snapshot: None },
        Next::Ended,
    ]
    .into_iter();

    let receiver = OtlpReceiver::default();
    let (sink, sending) = sink(&receiver, Signal::Logs).await;
    let pumped = tokio::task::spawn_blocking(move || {
        pump_logs(|| answers.next().unwrap(), fixtures::observer, &LabelFilter::default(), &[sink]);
    });
    pumped.await.unwrap();
    sending.finish(PATIENCE).await;
    assert_eq!(names(&receiver), ["servicemap.snapshot", "servicemap.service.discovered"]);
}

#[tokio::test]
async fn metrics_are_sent_at_once_and_a_last_time_at_the_end() {
    let receiver = OtlpReceiver::default();
    let (sink, sending) = sink(&receiver, Signal::Metrics).await;
    let (stop, stopped) = mpsc::channel();
    let hour = Duration::from_hours(1);
    let pumped =
        tokio::task::spawn_blocking(move || pump_metrics(fixtures::readings, &stopped, hour, 10, &[sink]));
    receiver.wait_for_requests(1).await;
    drop(stop);
    pumped.await.unwrap();
    sending.finish(PATIENCE).await;
    assert_eq!(receiver.metrics.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn metrics_are_sent_at_every_interval() {
    let receiver = OtlpReceiver::default();
    let (sink, sending) = sink(&receiver, Signal::Metrics).await;
    let (stop, stopped) = mpsc::channel();
    let interval = Duration::from_millis(5);
    let pumped = tokio::task::spawn_blocking(move || {
        pump_metrics(fixtures::readings, &stopped, interval, 10, &[sink]);
    });
    receiver.wait_for_requests(5).await;
    drop(stop);
    pumped.await.unwrap();
    sending.finish(PATIENCE).await;
}
