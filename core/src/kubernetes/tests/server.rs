//! A small API server: lists by pages, watches in chunks, versions, and everything that can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Paths of lists.
pub(super) const SERVICES: &str = "/api/v1/services";
pub(super) const PODS: &str = "/api/v1/pods";
pub(super) const NODES: &str = "/api/v1/nodes";
pub(super) const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
pub(super) const ENDPOINTS: &str = "/api/v1/endpoints";
pub(super) const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";
pub(super) const JOBS: &str = "/apis/batch/v1/jobs";
pub(super) const CIDRS: &str = "/apis/networking.k8s.io/v1/servicecidrs";

/// See the module.
pub(super) struct Server {
    runtime: Runtime,
    shared: Arc<Shared>,
    port: u16,
    serving: Option<JoinHandle<()>>,
}

struct Shared {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
}

/// What the server has, and how it behaves.
#[derive(Default)]
pub(super) struct World {
    version: u64,
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    history: Vec<(u64, String, Value)>,
    /// Versions before this one are forgotten.
    compacted: u64,
    /// How a version that is too old is said: as an event of the watch, or as the answer itself.
    pub(super) gone_as_answer: bool,
    /// API groups and versions with their resources.
    pub(super) served: BTreeMap<(&'static str, &'static str), Vec<&'static str>>,
    /// Lists and watches of these paths are forbidden.
    pub(super) denied: BTreeSet<&'static str>,
    /// Only watches of these are forbidden.
    pub(super) denied_watches: BTreeSet<&'static str>,
    /// So many requests are answered with 429.
    pub(super) busy: usize,
    /// What those say in `Retry-After`.
    pub(super) retry_after: Option<u64>,
    /// So many requests of this path are answered with 500.
    pub(super) broken: BTreeMap<&'static str, usize>,
    /// Watches begin, but nothing comes, not even their end.
    pub(super) hung: bool,
    /// All requests so far: path and query.
    pub(super) requests: Vec<(String, BTreeMap<String, String>)>,
    /// `Accept` of the requests of a path.
    pub(super) accepts: BTreeMap<String, String>,
}

impl Server {
    /// A server of an empty cluster.
    pub(super) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut world = World { version: 100, ..World::default() };
        world.served.insert(("discovery.k8s.io", "v1"), vec!["endpointslices"]);
        world.served.insert(("networking.k8s.io", "v1"), vec!["servicecidrs", "ingresses"]);
        let shared = Arc::new(Shared { world: Mutex::new(world), changed: watch::Sender::new(0) });
        let mut server = Self { runtime, shared, port: 0, serving: None };
        server.start();
        server
    }

    /// Begins to listen, at the port that it had before if it had one.
    pub(super) fn start(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(("127.0.0.1", self.port))).unwrap();
        self.port = listener.local_addr().unwrap().port();
        let app = axum::Router::new().fallback(answer).with_state(self.shared.clone());
        self.serving = Some(self.runtime.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = hyper_util::service::TowerToHyperService::new(app.clone());
                connections.spawn(async move {
                    let io = hyper_util::rt::TokioIo::new(stream);
                    let _ =
                        hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new())
                            .serve_connection(io, service)
                            .await;
                });
            }
        }));
    }

    /// Stops at once: connections are reset, nobody listens.
    pub(super) fn kill(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = self.runtime.block_on(serving);
    }

    /// A kubeconfig that leads to it.
    pub(super) fn kubeconfig(&self) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        });
        file.write_all(config.to_string().as_bytes()).unwrap();
        file
    }

    /// What it has, and how it behaves.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }

    /// Makes or changes an object.
    pub(super) fn set(&self, path: &str, object: Value) {
        self.world().set(path, object);
        self.shared.changed.send_modify(|changes| *changes += 1);
    }

    /// Deletes an object.
    pub(super) fn delete(&self, path: &str, name: &str) {
        self.world().delete(path, name);
        self.shared.changed.send_modify(|changes| *changes += 1);
    }

    /// Tells the watches of a path the version, and nothing else.
    pub(super) fn bookmark(&self, path: &str) {
        let mut world = self.world();
        let version = world.next();
        let object = json!({"metadata": {"resourceVersion": version.to_string()}});
        world.history.push((version, path.to_owned(), json!({"type": "BOOKMARK", "object": object})));
        drop(world);
        self.shared.changed.send_modify(|changes| *changes += 1);
    }

    /// Forgets all versions before now.
    pub(super) fn compact(&self) {
        let mut world = self.world();
        world.compacted = world.next();
        world.history.clear();
    }

    /// Queries of the requests of a path.
    pub(super) fn queries(&self, path: &str) -> Vec<BTreeMap<String, String>> {
        let world = self.world();
        world.requests.iter().filter(|(asked, _)| asked == path).map(|(_, query)| query.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

impl World {
    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// The version of everything.
    pub(super) fn list_version(&self) -> String {
        self.version.to_string()
    }

    pub(super) fn set(&mut self, path: &str, mut object: Value) {
        let version = self.next();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let objects = self.objects.entry(path.to_owned()).or_default();
        let known = objects.insert(key(&object), object.clone());
        let kind = if known.is_some() { "MODIFIED" } else { "ADDED" };
        self.history.push((version, path.to_owned(), json!({"type": kind, "object": object})));
    }

    pub(super) fn delete(&mut self, path: &str, name: &str) {
        let version = self.next();
        let objects = self.objects.get_mut(path).unwrap();
        let key = objects.iter().find(|(_, one)| one["metadata"]["name"] == name).unwrap().0.clone();
        let mut object = objects.remove(&key).unwrap();
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.history.push((version, path.to_owned(), json!({"type": "DELETED", "object": object})));
    }

    fn list(&self, path: &str, query: &BTreeMap<String, String>) -> Value {
        let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
        let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
        let empty = BTreeMap::new();
        let objects = self.objects.get(path).unwrap_or(&empty);
        let selected = |object: &&Value| match query.get("fieldSelector").and_then(|it| it.split_once('=')) {
            Some(("metadata.name", name)) => object["metadata"]["name"] == name,
            _ => true,
        };
        let items: Vec<_> = objects.values().filter(selected).skip(from).take(limit).cloned().collect();
        let next = from + items.len();
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if next < objects.len() {
            metadata["continue"] = json!(next.to_string());
        }
        json!({"kind": "List", "metadata": metadata, "items": items})
    }
}

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{}/{}", metadata["namespace"], metadata["name"])
}

fn failure(code: u16, message: &str) -> Response {
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": message});
    (StatusCode::from_u16(code).unwrap(), axum::Json(status)).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let is_watch = query.get("watch").is_some_and(|watch| watch == "true");
    let mut world = shared.world.lock().unwrap();
    world.requests.push((path.clone(), query.clone()));
    let accept = request.headers().get("accept").map(|it| it.to_str().unwrap().to_owned());
    world.accepts.insert(path.clone(), accept.unwrap_or_default());
    if path == "/version" {
        return axum::Json(json!({"gitVersion": "v1.37.2", "major": "1", "minor": "37"})).into_response();
    }
    if world.busy > 0 {
        world.busy -= 1;
        let mut response =
            (StatusCode::TOO_MANY_REQUESTS, "Too many requests, please try again later.").into_response();
        if let Some(wait) = world.retry_after {
            response.headers_mut().insert("Retry-After", wait.into());
        }
        return response;
    }
    let denied = world.denied.contains(&*path) || is_watch && world.denied_watches.contains(&*path);
    if denied {
        return failure(403, &format!("{path} is forbidden: User \"u\" cannot do that"));
    }
    if let Some(left) = world.broken.get_mut(&*path).filter(|left| **left > 0) {
        *left -= 1;
        return failure(500, "etcdserver: leader changed");
    }
    if let Some(answer) = discovery(&world, &path) {
        return answer;
    }
    if !is_watch {
        return axum::Json(world.list(&path, &query)).into_response();
    }
    let from: u64 = query["resourceVersion"].parse().unwrap();
    if from < world.compacted {
        if world.gone_as_answer {
            return failure(410, "too old resource version");
        }
        let status = json!({"kind": "Status", "code": 410, "message": "too old resource version"});
        return Body::from(format!("{}\n", json!({"type": "ERROR", "object": status}))).into_response();
    }
    drop(world);
    let seconds = query["timeoutSeconds"].parse().unwrap();
    Body::from_stream(events(shared, path, from, Duration::from_secs(seconds))).into_response()
}

fn discovery(world: &World, path: &str) -> Option<Response> {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["apis", group] => {
            let versions: Vec<_> = world.served.keys().filter(|(known, _)| known == group).collect();
            if versions.is_empty() {
                return Some(failure(404, "the server could not find the requested resource"));
            }
            let versions: Vec<_> = versions.iter().map(|(_, version)| json!({"version": version})).collect();
            Some(axum::Json(json!({"kind": "APIGroup", "versions": versions})).into_response())
        }
        ["apis", group, version] => {
            let found = world.served.iter().find(|((g, v), _)| g == group && v == version);
            let Some((_, resources)) = found else { return Some(failure(404, "not found")) };
            let names: Vec<_> = resources.iter().map(|name| json!({"name": name})).collect();
            Some(axum::Json(json!({"kind": "APIResourceList", "resources": names})).into_response())
        }
        _ => None,
    }
}

/// Events of a path from a version on.
fn events(
    shared: Arc<Shared>,
    path: String,
    from: u64,
    length: Duration,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    let changed = shared.changed.subscribe();
    let end = tokio::time::Instant::now() + length;
    futures_util::stream::unfold((shared, changed, from), move |(shared, mut changed, mut from)| {
        let path = path.clone();
        async move {
            loop {
                changed.borrow_and_update();
                let world_hung = {
                    let world = shared.world.lock().unwrap();
                    let new = world.history.iter().filter(|(version, of, _)| *of == path && *version > from);
                    let lines =
                        new.fold(String::new(), |lines, (_, _, event)| lines + &event.to_string() + "\n");
                    if !lines.is_empty() && !world.hung {
                        from = world.version;
                        drop(world);
                        return Some((Ok(Bytes::from(lines)), (shared, changed, from)));
                    }
                    world.hung
                };
                if world_hung {
                    std::future::pending::<()>().await;
                }
                tokio::select! {
                    _ = changed.changed() => {}
                    () = tokio::time::sleep_until(end) => return None,
                }
            }
        }
    })
}

/// A Service `shop/NAME`.
pub(super) fn service(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("service-{name}")},
           "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{"port": 80}]}})
}

/// A pod `shop/NAME` with the UID `NAME`, owned by a ReplicaSet or whatever else is said.
pub(super) fn pod(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owner =
        owner.map(|(kind, name)| json!({"kind": kind, "name": name, "uid": name, "controller": true}));
    let owners: Vec<_> = owner.into_iter().collect();
    json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "ownerReferences": owners},
           "spec": {"nodeName": "n1"}, "status": {"phase": "Running", "podIP": "10.1.0.5"}})
}

/// An owner of pods with the UID `NAME`, owned itself by whatever is said.
pub(super) fn owner(name: &str, top: Option<(&str, &str)>) -> Value {
    pod(name, top)
}
