//! What watching a cluster costs: the first list of 10,000 pods and 1,000 Services, what they take in memory, and how long
//! it is from an event of a watch to the event that a consumer reads. Prints figures and asserts nothing.
//!
//! The API server is one of our own over loopback, in the same process: it has the objects ready as JSON, as large as real
//! ones (a pod is 10 kB, of which 40 % are managed fields), and does nothing but write them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where something fails"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use servicemap::map::model::EventType;
use servicemap::{Initial, Next, Observer, Settings};
use tokio::sync::mpsc;

const PODS: usize = 10_000;
const SERVICES: usize = 1_000;
const PODS_A_SERVICE: usize = PODS / SERVICES;
/// Services that are made one after the other while it watches.
const EVENTS: usize = 500;
const PATIENCE: Duration = Duration::from_mins(1);

/// The objects, and the open watch of Services.
struct Cluster {
    lists: BTreeMap<&'static str, Vec<String>>,
    services: Mutex<Option<mpsc::UnboundedSender<Bytes>>>,
}

fn main() {
    let cluster = Arc::new(Cluster { lists: lists(), services: Mutex::new(None) });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let kubeconfig = kubeconfig(listener.local_addr().unwrap().port());
    let app = axum::Router::new().fallback(answer).with_state(cluster.clone());
    runtime.spawn(async move { axum::serve(listener, app).await });

    let settings = Settings {
        enable_ebpf: false,
        enable_k8s_discovery: Some(true),
        kube_config: Some(kubeconfig.path().to_string_lossy().into_owned()),
        ..Settings::default()
    };
    let observer = Observer::new(settings);
    let before = resident();
    let started = Instant::now();
    observer.start().unwrap();
    assert!(observer.wait_ready(PATIENCE));
    let took = started.elapsed();
    println!("first lists, {PODS} pods and {SERVICES} Services, until the map is ready: {took:.2?}");
    let grown = resident().saturating_sub(before);
    println!(
        "resident memory grew by {:.1} MiB: {} bytes a pod, with its share of Services and slices",
        f64::from(u32::try_from(grown >> 10).unwrap()) / 1024.0,
        grown / PODS
    );
    let decode = &observer.readings().processing["decode"];
    println!("decoding an object: {:.1} µs", micros(decode.sum) / decode.count() as f64);

    let mut times: Vec<Duration> = (0..EVENTS).map(|n| one_event(&observer, &cluster, n)).collect();
    times.sort_unstable();
    let at = |share: usize| micros(times[EVENTS * share / 100]);
    println!("from the API server's write to the event: {:.0} µs (p50), {:.0} µs (p99)", at(50), at(99));
    observer.shutdown(PATIENCE).unwrap();
}

/// Makes a Service and waits until its discovery is told.
fn one_event(observer: &Observer, cluster: &Cluster, n: usize) -> Duration {
    let name = format!("new-{n}");
    let mut consumer = observer.consumer(Initial::Nothing);
    // The consumer begins at the end of the log with its first call.
    let _ = observer.next(&mut consumer, 1, Duration::ZERO);
    let line = format!("{{\"type\":\"ADDED\",\"object\":{}}}\n", service(&name, 200_000 + n));
    let open = cluster.services.lock().unwrap().clone().expect("Services are watched");
    let sent = Instant::now();
    open.send(line.into()).unwrap();
    loop {
        let Next::Batch { batch, .. } = observer.next(&mut consumer, 100, PATIENCE) else {
            panic!("no event")
        };
        let discovered = batch.events.iter().filter(|event| event.event_type == EventType::ServiceDiscovered);
        if discovered.map(|event| &*event.subject).any(|subject| subject == format!("service:shop/{name}")) {
            return sent.elapsed();
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
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
        let (sender, mut receiver) = mpsc::unbounded_channel::<Bytes>();
        // The watches of all others stay open and silent.
        let silent = sender.clone();
        if path == "/api/v1/services" {
            *cluster.services.lock().unwrap() = Some(sender);
        }
        let events = futures_util::stream::poll_fn(move |context| {
            let _open = &silent;
            receiver.poll_recv(context).map(|event| event.map(Ok::<_, std::convert::Infallible>))
        });
        return Body::from_stream(events).into_response();
    }
    let empty = Vec::new();
    let objects = cluster.lists.get(path).unwrap_or(&empty);
    let from = query.get("continue").map_or(0, |token| token.parse().unwrap());
    let limit: usize = query["limit"].parse().unwrap();
    let items = &objects[from..objects.len().min(from + limit)];
    let next = from + items.len();
    let next = if next < objects.len() { next.to_string() } else { String::new() };
    format!(
        r#"{{"kind":"List","metadata":{{"resourceVersion":"1000000","continue":"{next}"}},"items":[{}]}}"#,
        items.join(",")
    )
    .into_response()
}

fn lists() -> BTreeMap<&'static str, Vec<String>> {
    let services = (0..SERVICES).map(|n| service(&format!("s{n}"), n)).collect();
    BTreeMap::from([
        ("/api/v1/pods", (0..PODS).map(pod).collect()),
        ("/api/v1/services", services),
        ("/apis/discovery.k8s.io/v1/endpointslices", (0..SERVICES).map(slice).collect()),
        ("/apis/apps/v1/replicasets", (0..SERVICES).map(replica_set).collect()),
    ])
}

fn address(n: usize) -> String {
    format!("10.{}.{}.{}", 1 + (n >> 16), (n >> 8) & 255, n & 255)
}

fn service(name: &str, n: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop","uid":"{n:08x}-0000-4000-8000-000000000001","resourceVersion":"{n}",
            "labels":{{"app":"{name}"}},"managedFields":[{{"manager":"kubectl","fieldsV1":{{"f:spec":{{"f:ports":{{}}}}}}}}]}},
            "spec":{{"type":"ClusterIP","clusterIP":"10.96.{}.{}","clusterIPs":["10.96.{}.{}"],"selector":{{"app":"{name}"}},
            "ports":[{{"name":"http","protocol":"TCP","port":80,"targetPort":8080}}]}},"status":{{"loadBalancer":{{}}}}}}"#,
        (n >> 8) & 255,
        n & 255,
        (n >> 8) & 255,
        n & 255,
    )
    .replace('\n', "")
}

fn replica_set(n: usize) -> String {
    format!(
        r#"{{"metadata":{{"name":"s{n}-5d4f9c7b","namespace":"shop","uid":"rs-{n}","resourceVersion":"{n}",
            "ownerReferences":[{{"kind":"Deployment","name":"s{n}","uid":"d-{n}","controller":true}}]}}}}"#
    )
}

fn uid(n: usize) -> String {
    format!("{n:08x}-1111-4111-8111-{n:012x}")
}

fn slice(n: usize) -> String {
    let endpoints: Vec<_> = (0..PODS_A_SERVICE)
        .map(|one| n * PODS_A_SERVICE + one)
        .map(|pod| {
            format!(
                r#"{{"addresses":["{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"nodeName":"n{}",
                    "targetRef":{{"kind":"Pod","namespace":"shop","name":"p{pod}","uid":"{}"}},"zone":"z1"}}"#,
                address(pod),
                pod % 100,
                uid(pod)
            )
        })
        .collect();
    format!(
        r#"{{"metadata":{{"name":"s{n}-x","namespace":"shop","resourceVersion":"{n}",
            "labels":{{"kubernetes.io/service-name":"s{n}"}}}},"addressType":"IPv4","endpoints":[{}],
            "ports":[{{"name":"http","protocol":"TCP","port":8080}}]}}"#,
        endpoints.join(",")
    )
}

fn pod(n: usize) -> String {
    let service = n / PODS_A_SERVICE;
    let mut managed = String::new();
    for field in 0..75 {
        let _ = write!(managed, r#""f:field-number-{field}":{{".":{{}},"f:value":{{}},"f:name":{{}}}},"#);
    }
    let mut environment = String::new();
    for variable in 0..60 {
        let _ = write!(
            environment,
            r#"{{"name":"VARIABLE_{variable}","value":"a value of some length {variable}"}},"#
        );
    }
    format!(
        r#"{{"metadata":{{"name":"s{service}-5d4f9c7b-{n:05x}","generateName":"s{service}-5d4f9c7b-","namespace":"shop",
            "uid":"{uid}","resourceVersion":"{n}","labels":{{"app":"s{service}","pod-template-hash":"5d4f9c7b"}},
            "annotations":{{"prometheus.io/scrape":"true","checksum/config":"{n:064x}"}},
            "ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"s{service}-5d4f9c7b","uid":"rs-{service}","controller":true}}],
            "managedFields":[{{"manager":"kubelet","operation":"Update","fieldsV1":{{{managed}"f:end":{{}}}}}}]}},
            "spec":{{"nodeName":"n{node}","serviceAccountName":"default","volumes":[{{"name":"token","projected":{{"sources":[]}}}}],
            "containers":[{{"name":"app","image":"registry.example.com/shop/app:1.2.3","env":[{environment}{{"name":"LAST","value":"x"}}],
              "ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"resources":{{"requests":{{"cpu":"100m"}}}}}},
              {{"name":"proxy","image":"registry.example.com/proxy:4.5.6"}}]}},
            "status":{{"phase":"Running","podIP":"{ip}","podIPs":[{{"ip":"{ip}"}}],"startTime":"2026-11-24T10:00:05Z",
            "conditions":[{{"type":"Ready","status":"True"}}],
            "containerStatuses":[{{"name":"app","containerID":"containerd://{n:064x}"}},{{"name":"proxy","containerID":"containerd://{m:064x}"}}]}}}}"#,
        uid = uid(n),
        node = n % 100,
        ip = address(n),
        m = n + 1_000_000,
    )
}
