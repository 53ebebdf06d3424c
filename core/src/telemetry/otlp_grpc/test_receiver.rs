//! An OTLP receiver for tests: a real gRPC server in this process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use tokio::sync::Notify;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::{Request, Response, Status};

/// How long tests wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

type Headers = Vec<(String, String)>;

/// A receiver that answers what the test put into its list, then with success, and keeps every request.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    answers: Arc<Mutex<VecDeque<Result<ExportLogsServiceResponse, Status>>>>,
    pub(crate) logs: Arc<Mutex<Vec<(ExportLogsServiceRequest, Headers)>>>,
    pub(crate) metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    came: Arc<Notify>,
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let headers = ["x-token", "grpc-encoding", "user-agent"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), request.metadata().get(key)?.to_str().ok()?.to_owned())))
            .collect();
        self.logs.lock().unwrap().push((request.into_inner(), headers));
        self.came.notify_one();
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| Ok(ExportLogsServiceResponse::default())).map(Response::new)
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().push(request.into_inner());
        self.came.notify_one();
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Receiver {
    pub(crate) fn answering(
        answers: impl IntoIterator<Item = Result<ExportLogsServiceResponse, Status>>,
    ) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    pub(crate) fn routes(&self, mut server: Server) -> Router {
        let (gzip, zstd) = (CompressionEncoding::Gzip, CompressionEncoding::Zstd);
        let logs = LogsServiceServer::new(self.clone()).accept_compressed(gzip).accept_compressed(zstd);
        let metrics = MetricsServiceServer::new(self.clone()).accept_compressed(gzip).accept_compressed(zstd);
        server.add_service(logs).add_service(metrics)
    }

    pub(crate) fn listen(&self, server: Server) -> SocketAddr {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        tokio::spawn(self.routes(server).serve_with_incoming(incoming));
        address
    }

    pub(crate) async fn wait_for_requests(&self, count: usize) {
        let all_came = async {
            while self.logs.lock().unwrap().len() + self.metrics.lock().unwrap().len() < count {
                self.came.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, all_came).await.expect("the requests came in time");
    }
}
