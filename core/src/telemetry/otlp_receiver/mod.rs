//! The `otlp` receiver: takes the records of agents over OTLP/gRPC and OTLP/HTTP (protobuf) and hands them on.
//!
//! Log records that are none of an agent are refused as OTLP has it: the rest of the request is taken, and the answer says
//! how many were refused and why.

mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use servicemap_map::agents::Record;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

pub use settings::Settings;

use super::agents::{Refused, decode};

/// Largest request: what gRPC receivers take by default, the Collector too.
const MAX_REQUEST_BYTES: usize = 4 << 20;

/// Requests of one connection that are handled at a time: an agent sends one after another.
const MAX_CONCURRENT: usize = 16;

/// A connection that says nothing for so long is asked whether it is still there, so that those of nodes that went away
/// without a word do not stay for ever.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// What OTLP/HTTP calls protobuf.
const PROTOBUF: &str = "application/x-protobuf";

/// Takes records; may block.
pub type Sink = Arc<dyn Fn(Vec<Record>) + Send + Sync>;

/// An endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {endpoint:?}: {source}; set \"endpoint\" to an address of this machine and a free port"
)]
pub struct ListenError {
    endpoint: String,
    source: std::io::Error,
}

/// Endpoints that listen and do not answer yet.
#[derive(Debug)]
pub struct Server {
    grpc: Option<TcpListener>,
    http: Option<TcpListener>,
}

impl Server {
    /// Begins to listen.
    pub async fn bind(settings: &Settings) -> Result<Self, ListenError> {
        Ok(Self { grpc: listen(settings.grpc.as_ref()).await?, http: listen(settings.http.as_ref()).await? })
    }

    /// Where it listens: gRPC, HTTP.
    pub fn addresses(&self) -> [Option<SocketAddr>; 2] {
        [&self.grpc, &self.http].map(|listener| listener.as_ref()?.local_addr().ok())
    }

    /// Takes requests until `shutdown` is true or its sender is gone.
    pub async fn serve(self, id: &str, sink: Sink, shutdown: watch::Receiver<bool>) -> std::io::Result<()> {
        let receiver = Receiver { id: id.into(), sink, refused: Arc::default() };
        let grpc = serve_grpc(self.grpc, receiver.clone(), stopped(shutdown.clone()));
        let http = serve_http(self.http, receiver, stopped(shutdown));
        tokio::try_join!(grpc, http).map(|_| ())
    }
}

async fn listen(endpoint: Option<&String>) -> Result<Option<TcpListener>, ListenError> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    let failed = |source| ListenError { endpoint: endpoint.clone(), source };
    TcpListener::bind(endpoint).await.map(Some).map_err(failed)
}

async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // An error says that the sender is gone: a stop, too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn serve_grpc(
    listener: Option<TcpListener>,
    receiver: Receiver,
    stopped: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let service = LogsServiceServer::new(receiver)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd);
    let mut server = tonic::transport::Server::builder()
        .concurrency_limit_per_connection(MAX_CONCURRENT)
        .http2_keepalive_interval(Some(KEEPALIVE));
    server
        .add_service(service)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped)
        .await
        .map_err(std::io::Error::other)
}

async fn serve_http(
    listener: Option<TcpListener>,
    receiver: Receiver,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let router = axum::Router::new()
        .route("/v1/logs", post(export_http))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(receiver);
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

#[derive(Clone)]
struct Receiver {
    id: Arc<str>,
    sink: Sink,
    refused: Arc<AtomicU64>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Receiver {
    /// `None` where the sink has panicked: a defect of ours.
    async fn take(&self, request: ExportLogsServiceRequest) -> Option<ExportLogsServiceResponse> {
        let receiver = self.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let (records, refused) = decode(request);
            (receiver.sink)(records);
            receiver.answer(&refused)
        });
        taken.await.ok()
    }

    fn answer(&self, refused: &Refused) -> ExportLogsServiceResponse {
        let Some(error) = &refused.first else { return ExportLogsServiceResponse::default() };
        let before = self.refused.fetch_add(refused.count, Ordering::Relaxed);
        let count = before.saturating_add(refused.count);
        // When it begins, and each time that the number has doubled.
        if before == 0 || before.ilog2() != count.ilog2() {
            tracing::warn!("{}: {count} log records were refused so far: {error}", self.id);
        }
        ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: i64::try_from(refused.count).unwrap_or(i64::MAX),
                error_message: error.to_string(),
            }),
        }
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let answer = self.take(request.into_inner()).await;
        answer
            .map(Response::new)
            .ok_or_else(|| Status::unavailable("the records could not be taken; send them again"))
    }
}

async fn export_http(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> HttpResponse {
    let has = |name: header::HeaderName, value: &str| {
        headers.get(name).and_then(|found| found.to_str().ok()).is_some_and(|found| found.starts_with(value))
    };
    if !has(header::CONTENT_TYPE, PROTOBUF) || headers.contains_key(header::CONTENT_ENCODING) {
        let sentence = "send OTLP as application/x-protobuf without compression here, or over gRPC\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence).into_response();
    }
    let Ok(request) = ExportLogsServiceRequest::decode(body) else {
        return (StatusCode::BAD_REQUEST, "the body is no ExportLogsServiceRequest\n").into_response();
    };
    match receiver.take(request).await {
        Some(answer) => ([(header::CONTENT_TYPE, PROTOBUF)], answer.encode_to_vec()).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
