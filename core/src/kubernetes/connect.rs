//! Finds the cluster's configuration and makes a client of it.
//!
//! The client is kube's with a transport of our own below it: HTTP/2 where TLS negotiates it, so that all watches share one
//! connection whose peer is asked for a sign of life while nothing comes, and TCP keepalive for the rest. A peer that is
//! dead is noticed within [`PING_INTERVAL`] + [`PING_TIMEOUT`], not when the kernel gives up after a quarter of an hour.

use std::path::Path;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing came for this long is asked for a sign of life …
const PING_INTERVAL: Duration = Duration::from_secs(4);
/// … and is dead when none comes within this time.
const PING_TIMEOUT: Duration = Duration::from_secs(4);
/// TCP probes that may stay unanswered, a second apart.
const PROBES: u32 = 3;
/// Connections without a request are closed after this long, before API servers do (90 s).
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Where the account of a pod is.
const ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Set in every pod.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file that was given cannot be used.
    #[error("kube_config {path:?} cannot be used: {reason}: give the path of a readable kubeconfig file")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The usual file cannot be used.
    #[error("the kubeconfig cannot be used: {0}: mend the file that KUBECONFIG names, or ~/.kube/config")]
    Kubeconfig(String),
    /// A pod's own account cannot be used.
    #[error("the account of this pod cannot be used: {0}: mount it (automountServiceAccountToken: true)")]
    InCluster(String),
    /// There is neither.
    #[error(
        "no cluster: this is no pod with an account, and there is no kubeconfig: set kube_config, or leave \
         enable_k8s_discovery out"
    )]
    Nowhere,
    /// The configuration does not lead to a client.
    #[error(
        "the cluster's configuration cannot be used: {0}: mend it, kubectl version shows whether it works"
    )]
    Client(String),
}

/// A configuration, and where it is from.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) config: Config,
    /// The account of the pod in which this process runs.
    pub(super) in_cluster: bool,
}

/// The configuration to use: the given file, else the account of the pod, else the usual kubeconfig.
pub(super) async fn find(kube_config: Option<&str>) -> Result<Found, ConnectError> {
    if let Some(path) = kube_config {
        let failed = |reason: String| ConnectError::File { path: path.to_owned(), reason };
        let file = Kubeconfig::read_from(path).map_err(|error| failed(error.to_string()))?;
        let config = from_file(file).await.map_err(failed)?;
        return Ok(Found { config, in_cluster: false });
    }
    if std::env::var_os(SERVICE_HOST).is_some() && Path::new(ACCOUNT_TOKEN).exists() {
        let config = Config::incluster().map_err(|error| ConnectError::InCluster(chain(&error)))?;
        return Ok(Found { config, in_cluster: true });
    }
    let file = match Kubeconfig::from_env() {
        Ok(Some(file)) => file,
        Ok(None) => match usual_file() {
            Some(path) => {
                Kubeconfig::read_from(path).map_err(|error| ConnectError::Kubeconfig(chain(&error)))?
            }
            None => return Err(ConnectError::Nowhere),
        },
        Err(error) => return Err(ConnectError::Kubeconfig(chain(&error))),
    };
    let config = from_file(file).await.map_err(ConnectError::Kubeconfig)?;
    Ok(Found { config, in_cluster: false })
}

async fn from_file(file: Kubeconfig) -> Result<Config, String> {
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(|error| chain(&error))
}

fn usual_file() -> Option<std::path::PathBuf> {
    let path = std::env::home_dir()?.join(".kube/config");
    path.exists().then_some(path)
}

/// A client. Each has its own connections, so that one with many watches does not fill those of another.
pub(super) fn client(config: &Config) -> Result<Client, ConnectError> {
    let failed = |error: kube::Error| ConnectError::Client(chain(&error));
    // With two cryptography providers in the process rustls would not know which to use.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(PING_INTERVAL));
    tcp.set_keepalive_interval(Some(Duration::from_secs(1)));
    tcp.set_keepalive_retries(Some(PROBES));
    tcp.set_tcp_user_timeout(Some(PING_INTERVAL + PING_TIMEOUT));
    let tls = config.rustls_client_config().map_err(failed)?;
    let mut connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name
            .clone()
            .try_into()
            .map_err(|_| ConnectError::Client(format!("tls-server-name {name:?} is no name of a server")))?;
        connector = connector.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name));
    }
    let connector = connector.enable_http1().enable_http2().wrap_connector(tcp);
    let transport: hyper_util::client::legacy::Client<_, Body> =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(failed)?)
        .layer(config.extra_headers_layer().map_err(failed)?)
        .map_err(BoxError::from)
        .service(transport);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// An error with what caused it, in one line. That of the transport's pool only says which of its steps failed.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut told: Vec<String> = Vec::new();
    for cause in causes.filter(|cause| !cause.is::<hyper_util::client::legacy::Error>()) {
        let text = cause.to_string();
        if !told.iter().any(|known| known.contains(&text)) {
            told.push(text);
        }
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}
