//! One gRPC connection, and how a request is delivered over it.

use std::error::Error;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use prost::bytes::{BufMut as _, Bytes};
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::retry::{Backoff, Verdict, verdict};
use super::{Payload, Settings, Signal};

/// Largest answer that is read: OTLP's own bound.
const MAX_RESPONSE_BYTES: usize = 4 << 20;
/// Characters of a server's message that are shown.
const MAX_SHOWN: usize = 200;

/// The endpoint cannot be reached, or not in this way.
#[derive(Debug, thiserror::Error)]
pub enum UnreachableError {
    /// No connection.
    #[error("cannot reach {endpoint:?}: {reason}; {mend}")]
    Connect {
        /// The endpoint.
        endpoint: String,
        /// What the system says.
        reason: String,
        /// What to do.
        mend: &'static str,
    },
    /// A file that TLS needs cannot be read.
    #[error(
        "cannot read the file {path:?} that \"tls\" names: {source}; correct its path or its permissions"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Settings that passed the check and yet cannot be used.
    #[error("cannot use {endpoint:?}: {reason}; correct \"endpoint\" or \"tls\"")]
    Settings {
        /// The endpoint.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
}

/// A connection to a receiver; it comes back by itself when it breaks.
#[derive(Debug)]
pub struct Connection {
    id: String,
    settings: Settings,
    channel: Channel,
}

impl Connection {
    /// Connects to the endpoint, within the timeout of one attempt. `id` stands before messages. With settings that try
    /// for ever an endpoint that is not there yet is no error: it is said, and requests wait for it.
    pub async fn open(id: &str, settings: Settings) -> Result<Self, UnreachableError> {
        let endpoint = endpoint(&settings)?;
        let channel = match connect(&endpoint, &settings).await {
            Ok(channel) => channel,
            Err(error) if settings.retry.is_endless() => {
                tracing::warn!("{id}: {error}; it is waited for, because max_elapsed_time is 0");
                endpoint.connect_lazy()
            }
            Err(error) => return Err(error),
        };
        Ok(Self { id: id.to_owned(), settings, channel })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a request until it was taken, refused for good, or its time is over. Says so in the log where it is lost.
    pub(super) async fn deliver(&self, signal: Signal, payload: Payload) {
        let began = Instant::now();
        let mut backoff = Backoff::new(&self.settings.retry);
        let mut failed = false;
        loop {
            let status = match self.attempt(signal, payload.bytes.clone()).await {
                Ok(answer) => {
                    if failed {
                        let outage = began.elapsed();
                        tracing::info!("{}: {} are sent again after {outage:.1?}", self.id, signal.as_str());
                    }
                    return self.taken(signal, &answer);
                }
                Err(status) => status,
            };
            // The server's own words may hold anything: they are for people who look closely.
            tracing::debug!("{}: {}: {}", self.id, status.code(), shown(status.message()));
            let Verdict::Retry(asked) = verdict(&status) else {
                return self.lost(signal, &payload, &status, "which does not pass by itself");
            };
            let Some(wait) = backoff.next(began.elapsed(), asked, fastrand::f64()) else {
                return self.lost(signal, &payload, &status, "and its time is over");
            };
            tracing::warn!(
                "{}: sending {} failed ({}); next attempt in {wait:.1?}",
                self.id,
                signal.as_str(),
                status.code()
            );
            failed = true;
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, signal: Signal, bytes: Bytes) -> Result<PartialSuccess, Status> {
        let attempt = async {
            match signal {
                Signal::Logs => {
                    const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
                    let answer: ExportLogsServiceResponse = self.call(PATH, bytes).await?;
                    let partial = answer.partial_success.unwrap_or_default();
                    Ok(PartialSuccess {
                        rejected: partial.rejected_log_records,
                        message: partial.error_message,
                    })
                }
                Signal::Metrics => {
                    const PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
                    let answer: ExportMetricsServiceResponse = self.call(PATH, bytes).await?;
                    let partial = answer.partial_success.unwrap_or_default();
                    Ok(PartialSuccess {
                        rejected: partial.rejected_data_points,
                        message: partial.error_message,
                    })
                }
            }
        };
        match tokio::time::timeout(self.settings.timeout, attempt).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded(format!("no answer within {:?}", self.settings.timeout))),
        }
    }

    async fn call<R: Message + Default + 'static>(
        &self,
        path: &'static str,
        bytes: Bytes,
    ) -> Result<R, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_RESPONSE_BYTES);
        if let Some(encoding) = self.settings.compression.encoding() {
            grpc = grpc.send_compressed(encoding).accept_compressed(encoding);
        }
        grpc.ready().await.map_err(|error| Status::unavailable(innermost(&error)))?;
        let mut request = Request::new(bytes);
        for (key, value) in &self.settings.headers {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        let answer = grpc.unary(request, PathAndQuery::from_static(path), EncodedCodec(PhantomData)).await?;
        Ok(answer.into_inner())
    }

    /// A partial success is never sent again: what was refused would be refused again, the rest would be there twice.
    fn taken(&self, signal: Signal, answer: &PartialSuccess) {
        let PartialSuccess { rejected, message } = answer;
        if *rejected > 0 {
            tracing::warn!(
                "{}: the receiver refused {rejected} items of {}: {}",
                self.id,
                signal.as_str(),
                shown(message)
            );
        } else if !message.is_empty() {
            tracing::warn!("{}: the receiver warns about {}: {}", self.id, signal.as_str(), shown(message));
        }
    }

    fn lost(&self, signal: Signal, payload: &Payload, status: &Status, why: &str) {
        tracing::error!(
            "{}: {} items of {} are lost: the receiver answered {}, {why}; its own words are logged at level debug",
            self.id,
            payload.items,
            signal.as_str(),
            status.code()
        );
    }
}

struct PartialSuccess {
    rejected: i64,
    message: String,
}

async fn connect(endpoint: &Endpoint, settings: &Settings) -> Result<Channel, UnreachableError> {
    let unreachable = |reason| UnreachableError::Connect {
        endpoint: settings.endpoint.clone(),
        reason,
        mend: if settings.secure() {
            "start the receiver there or correct \"endpoint\"; if it speaks without TLS, set tls: {insecure: true}"
        } else {
            "start the receiver there or correct \"endpoint\""
        },
    };
    tokio::time::timeout(settings.timeout, endpoint.connect())
        .await
        .map_err(|_| unreachable(format!("no connection within {:?}", settings.timeout)))?
        .map_err(|error| unreachable(innermost(&error)))
}

fn endpoint(settings: &Settings) -> Result<Endpoint, UnreachableError> {
    let unusable =
        |reason: String| UnreachableError::Settings { endpoint: settings.endpoint.clone(), reason };
    let mut endpoint = Endpoint::from(settings.uri().map_err(unusable)?)
        .user_agent(concat!("servicemap/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| unusable(error.to_string()))?
        .connect_timeout(settings.timeout)
        .tcp_keepalive(Some(Duration::from_secs(30)));
    if settings.secure() {
        endpoint = endpoint.tls_config(tls(settings)?).map_err(|error| unusable(innermost(&error)))?;
    }
    Ok(endpoint)
}

fn tls(settings: &Settings) -> Result<ClientTlsConfig, UnreachableError> {
    let files = &settings.tls;
    let mut tls = ClientTlsConfig::new().with_native_roots();
    if let Some(path) = &files.ca_file {
        tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
    }
    if let (Some(certificate), Some(key)) = (&files.cert_file, &files.key_file) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    if let Some(name) = &files.server_name_override {
        tls = tls.domain_name(name);
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, UnreachableError> {
    std::fs::read(path).map_err(|source| UnreachableError::File { path: path.to_owned(), source })
}

/// The cause of all causes: what the system or the TLS library said.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Text from outside, on one line and bounded.
fn shown(message: &str) -> String {
    let (shown, rest) = message.split_at(message.floor_char_boundary(MAX_SHOWN));
    format!("{shown:?}{}", if rest.is_empty() { "" } else { " …" })
}

/// Sends bytes that are encoded already, so that an attempt costs no second encoding; decodes the answer.
struct EncodedCodec<R>(PhantomData<R>);

impl<R: Message + Default + 'static> Codec for EncodedCodec<R> {
    type Encode = Bytes;
    type Decode = R;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<R> Encoder for EncodedCodec<R> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, bytes: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(bytes);
        Ok(())
    }
}

impl<R: Message + Default> Decoder for EncodedCodec<R> {
    type Item = R;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<R>, Status> {
        R::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(format!("the answer is no OTLP: {error}")))
    }
}
