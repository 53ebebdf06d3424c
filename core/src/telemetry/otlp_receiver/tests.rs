use std::sync::Mutex;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use servicemap_map::agents::{Book, Record};
use servicemap_map::model::{RunId, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::*;
use crate::telemetry::agents::requests;
use crate::telemetry::fixtures;

type Taken = Arc<Mutex<Vec<Record>>>;

async fn receiver() -> ([SocketAddr; 2], Taken, watch::Sender<bool>) {
    let any = || Some("127.0.0.1:0".to_owned());
    let server = Server::bind(&Settings { grpc: any(), http: any() }).await.unwrap();
    let addresses = server.addresses().map(Option::unwrap);
    let taken = Taken::default();
    let into = taken.clone();
    let sink: Sink = Arc::new(move |records| into.lock().unwrap().extend(records));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move { server.serve("receivers::otlp", sink, stopped).await });
    (addresses, taken, stop)
}

fn records() -> Vec<Record> {
    let now = Timestamp::from_nanos(1_800_000_000_000_000_000);
    let run = RunId(Uuid::from_u128(1));
    Book::new("one".into(), run, now, "0.1.0".into(), Duration::from_secs(5), 10).report(now, false)
}

fn request() -> ExportLogsServiceRequest {
    requests(&records(), &fixtures::observer(), usize::MAX).remove(0)
}

#[tokio::test]
async fn records_come_over_grpc_and_the_rest_is_refused_with_a_count_and_a_reason() {
    let ([grpc, _], taken, _stop) = receiver().await;
    let mut client = LogsServiceClient::connect(format!("http://{grpc}")).await.unwrap();
    let mut mixed = request();
    let logs = &mut mixed.resource_logs[0].scope_logs[0].log_records;
    let mut other = logs[0].clone();
    other.event_name = "browser.click".to_owned();
    logs.push(other);
    let answer = client.export(mixed).await.unwrap().into_inner();
    let refused = answer.partial_success.unwrap();
    assert_eq!(refused.rejected_log_records, 1);
    assert!(refused.error_message.contains("browser.click"));
    assert_eq!(*taken.lock().unwrap(), records());
    let answer = client.export(request()).await.unwrap().into_inner();
    assert_eq!(answer, ExportLogsServiceResponse::default());
}

async fn post_to(http: SocketAddr, content_type: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(http).await.unwrap();
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn records_come_over_http_as_protobuf_and_in_no_other_way() {
    let ([_, http], taken, _stop) = receiver().await;
    let body = request().encode_to_vec();
    assert!(post_to(http, PROTOBUF, &body).await.starts_with("HTTP/1.1 200"));
    assert_eq!(*taken.lock().unwrap(), records());
    assert!(post_to(http, "application/json", &body).await.starts_with("HTTP/1.1 415"));
    assert!(post_to(http, PROTOBUF, b"nonsense").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it() {
    let ([grpc, _], _, _stop) = receiver().await;
    let settings = Settings { grpc: Some(grpc.to_string()), http: None };
    let error = Server::bind(&settings).await.unwrap_err().to_string();
    assert!(error.contains(&grpc.to_string()) && error.contains("a free port"), "{error}");
}
