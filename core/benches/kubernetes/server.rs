//! An API server of our own over loopback, in the same process: it has the objects ready as JSON and does nothing but
//! write them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;

/// The objects, and the open watch of Services.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    lists: BTreeMap<&'static str, Vec<String>>,
    services: Mutex<Option<mpsc::UnboundedSender<Bytes>>>,
}

impl Cluster {
    pub(crate) fn new(lists: BTreeMap<&'static str, Vec<String>>) -> Arc<Self> {
        Arc::new(Self { lists, services: Mutex::default() })
    }

    /// Serves it; returns the kubeconfig of its clients.
    pub(crate) fn serve(self: Arc<Self>, runtime: &tokio::runtime::Runtime) -> tempfile::NamedTempFile {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let kubeconfig = kubeconfig(listener.local_addr().unwrap().port());
        let app = axum::Router::new().fallback(answer).with_state(self);
        runtime.spawn(async move { axum::serve(listener, app).await });
        kubeconfig
    }

    /// Writes an event into the watch of Services.
    pub(crate) fn tell(&self, kind: &str, service: &str) {
        let line = format!("{{\"type\":\"{kind}\",\"object\":{service}}}\n");
        let open = self.services.lock().unwrap().clone().expect("Services are watched");
        open.send(line.into()).unwrap();
    }

    /// Whether Services are watched.
    pub(crate) fn is_watched(&self) -> bool {
        self.services.lock().unwrap().is_some()
    }
}

fn kubeconfig(port: u16) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    std::fs::write(file.path(), text).unwrap();
    file
}

async fn answer(
    State(cluster): State<Arc<Cluster>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let path = request.uri().path();
    if path == "/version" {
        return r#"{"gitVersion":"v1.37.2"}"#.into_response();
    }
    if path == "/apis/discovery.k8s.io" {
        return r#"{"versions":[{"version":"v1"}]}"#.into_response();
    }
    if path == "/apis/discovery.k8s.io/v1" {
        return r#"{"resources":[{"name":"endpointslices"}]}"#.into_response();
    }
    if path.matches('/').count() == 2 && path.starts_with("/apis/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    if query.contains_key("watch") {
        return watch(&cluster, path);
    }
    let empty = Vec::new();
    let objects = cluster.lists.get(path).unwrap_or(&empty);
    let from = query.get("continue").map_or(0, |token| token.parse().unwrap());
    let limit: usize = query["limit"].parse().unwrap();
    let items = &objects[from..objects.len().min(from + limit)];
    let next = from + items.len();
    let next = if next < objects.len() { next.to_string() } else { String::new() };
    let page = format!(
        r#"{{"kind":"List","metadata":{{"resourceVersion":"1000000","continue":"{next}"}},"items":[{}]}}"#,
        items.join(",")
    );
    // What connections have read into stays with them, and is not to be counted.
    ([(CONNECTION, "close")], page).into_response()
}

/// A watch that stays open: of Services it tells what it is told, all others are silent.
fn watch(cluster: &Cluster, path: &str) -> Response {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Bytes>();
    let silent = sender.clone();
    if path == "/api/v1/services" {
        *cluster.services.lock().unwrap() = Some(sender);
    }
    let events = futures_util::stream::poll_fn(move |context| {
        let _open = &silent;
        receiver.poll_recv(context).map(|event| event.map(Ok::<_, std::convert::Infallible>))
    });
    Body::from_stream(events).into_response()
}
