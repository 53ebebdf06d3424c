//! The `prometheus` exporter: serves `/metrics`, rendered anew for each scrape.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use servicemap_map::model::Readings;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::prometheus::{Format, encode};
use crate::settings::reader::Section;

/// Prometheus' own port and this one are the same by tradition of this tool's users; loopback unless configured.
const DEFAULT_ENDPOINT: &str = "127.0.0.1:9090";
/// A port that is proposed when the configured one is taken: OpenTelemetry's own choice for such exporters.
const OTHER_ENDPOINT: &str = "127.0.0.1:9464";

/// Settings of the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `address:port` to listen on.
    pub endpoint: String,
}

impl Settings {
    /// Reads the exporter's section.
    pub fn read(section: &mut Section<'_, '_>) -> Self {
        let endpoint = section.text("endpoint").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let port = endpoint.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) {
            section.problem(
                "endpoint",
                format!("{endpoint:?} is not address:port; write for example {DEFAULT_ENDPOINT:?}"),
            );
        }
        Self { endpoint }
    }
}

/// The endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {endpoint:?}: {reason}; set \"endpoint\" to {mend}")]
pub struct ListenError {
    endpoint: String,
    reason: String,
    mend: String,
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Begins to listen.
    pub async fn bind(settings: &Settings) -> Result<Self, ListenError> {
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ListenError {
                endpoint: settings.endpoint.clone(),
                reason: "another program has this port".to_owned(),
                mend: format!("a free port, for example {OTHER_ENDPOINT:?}"),
            },
            std::io::ErrorKind::PermissionDenied => ListenError {
                endpoint: settings.endpoint.clone(),
                reason: "this user may not open this port".to_owned(),
                mend: format!("a port above 1023, for example {OTHER_ENDPOINT:?}"),
            },
            _ => ListenError {
                endpoint: settings.endpoint.clone(),
                reason: error.to_string(),
                mend: format!("an address of this machine and a port, for example {DEFAULT_ENDPOINT:?}"),
            },
        };
        let listener = TcpListener::bind(&settings.endpoint).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is true. `readings` is called for each scrape, on a thread that may block.
    pub async fn serve(
        self,
        max_edge_series: usize,
        readings: impl Fn() -> Readings + Send + Sync + 'static,
        mut shutdown: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let readings = Arc::new(readings);
        let metrics = move |headers: HeaderMap| {
            let readings = readings.clone();
            async move { scrape(&headers, max_edge_series, move || readings()).await }
        };
        let router = Router::new().route("/metrics", get(metrics));
        let stopped = async move {
            // An error says that the sender is gone: a stop, too.
            let _ = shutdown.wait_for(|stop| *stop).await;
        };
        axum::serve(self.listener, router).with_graceful_shutdown(stopped).await
    }
}

async fn scrape(
    headers: &HeaderMap,
    max_edge_series: usize,
    readings: impl FnOnce() -> Readings + Send + 'static,
) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::from_accept(accept);
    let rendered = tokio::task::spawn_blocking(move || encode(readings(), max_edge_series, format)).await;
    if let Ok(Ok(text)) = rendered {
        ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
    } else {
        tracing::error!("metrics could not be rendered for a scrape");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// How long running scrapes may take when the server stops.
pub const DRAIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::telemetry::fixtures;

    async fn get(address: SocketAddr, path: &str, accept: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn any_port() -> Settings {
        Settings { endpoint: "127.0.0.1:0".to_owned() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn scrape_gets_the_format_it_asks_for() {
        let server = Server::bind(&any_port()).await.unwrap();
        let address = server.address();
        let (stop, shutdown) = watch::channel(false);
        let serving = tokio::spawn(server.serve(10, fixtures::readings, shutdown));

        let text = get(address, "/metrics", "text/plain").await;
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
        assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{text}");
        assert!(text.contains("# TYPE services_discovered_total counter"), "{text}");

        let open_metrics = get(address, "/metrics", "application/openmetrics-text").await;
        assert!(
            open_metrics.contains("content-type: application/openmetrics-text; version=1.0.0"),
            "{open_metrics}"
        );
        assert!(open_metrics.contains("# EOF"), "{open_metrics}");

        assert!(get(address, "/", "").await.starts_with("HTTP/1.1 404"));
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn busy_port_is_told_with_another_one() {
        let first = Server::bind(&any_port()).await.unwrap();
        let endpoint = first.address().to_string();
        let error = Server::bind(&Settings { endpoint: endpoint.clone() }).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on \"{endpoint}\": another program has this port; set \"endpoint\" to a free port, for \
                 example \"127.0.0.1:9464\""
            )
        );
    }
}
