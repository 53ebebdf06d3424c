//! Settings of the exporter: the Collector's names and defaults.

use std::path::PathBuf;
use std::time::Duration;

use servicemap_map::model::EventTypes;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::transport::Uri;

use super::RetrySettings;
use crate::settings::event_types;
use crate::settings::reader::Section;
use crate::settings::tree::Value;

/// Requests that wait while the endpoint does not answer. A request has up to 512 events (about 400 KB), so the default
/// of 1,000 bounds memory to some 400 MB in the worst case, as in the Collector.
const DEFAULT_QUEUE_SIZE: usize = 1_000;
/// How long one attempt may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// gzip.
    #[default]
    Gzip,
    /// Zstandard: faster and smaller, where the receiver has it.
    Zstd,
    /// Not at all.
    None,
}

impl Compression {
    pub(super) const fn encoding(self) -> Option<CompressionEncoding> {
        match self {
            Self::Gzip => Some(CompressionEncoding::Gzip),
            Self::Zstd => Some(CompressionEncoding::Zstd),
            Self::None => None,
        }
    }
}

/// How the connection is secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Without TLS; an endpoint with `https://` or `http://` decides by itself.
    pub insecure: bool,
    /// Certificates of the authorities to trust, beside the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// The client's certificate (PEM).
    pub cert_file: Option<PathBuf>,
    /// The client's key (PEM).
    pub key_file: Option<PathBuf>,
    /// Name that the server's certificate must have instead of the endpoint's host.
    pub server_name_override: Option<String>,
}

/// How requests wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// With a queue, what does not fit into it is dropped and counted. Without one, whoever has a request waits until
    /// it is sent.
    pub enabled: bool,
    /// Requests that fit into it.
    pub queue_size: usize,
}

/// Settings of the exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `host:port`, with `https://` or `http://` before it or not.
    pub endpoint: String,
    /// TLS.
    pub tls: TlsSettings,
    /// Compression.
    pub compression: Compression,
    /// Sent with every request. Values are never logged.
    pub headers: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What happens when one fails.
    pub retry: RetrySettings,
    /// How requests wait.
    pub queue: QueueSettings,
    /// Types of events that it gets; `None` for those of the receiver.
    pub events: Option<EventTypes>,
}

impl Settings {
    /// Reads the exporter's section.
    pub fn read(section: &mut Section<'_, '_>) -> Self {
        let settings = Self {
            endpoint: section.text("endpoint").unwrap_or_default(),
            tls: section.section("tls", read_tls),
            compression: section
                .choice(
                    "compression",
                    &[("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("none", Compression::None)],
                )
                .unwrap_or_default(),
            headers: read_headers(section),
            timeout: section
                .duration("timeout", Duration::from_millis(1)..=Duration::from_hours(1))
                .unwrap_or(DEFAULT_TIMEOUT),
            retry: section.section("retry_on_failure", RetrySettings::read),
            events: event_types(section),
            queue: section.section("sending_queue", |section| QueueSettings {
                enabled: section.flag("enabled").unwrap_or(true),
                queue_size: section.count("queue_size", 1..=1_000_000).unwrap_or(DEFAULT_QUEUE_SIZE),
            }),
        };
        if let Err(message) = settings.uri() {
            section.problem("endpoint", message);
        }
        settings
    }

    /// Whether the connection has TLS.
    pub fn secure(&self) -> bool {
        match self.endpoint.split_once("://") {
            Some((scheme, _)) => scheme == "https",
            None => !self.tls.insecure,
        }
    }

    /// The endpoint as a URI.
    pub(super) fn uri(&self) -> Result<Uri, String> {
        const EXAMPLE: &str = "write for example \"127.0.0.1:4317\"";
        if self.endpoint.is_empty() {
            return Err(format!("requires a non-empty \"endpoint\"; {EXAMPLE}"));
        }
        let authority = match self.endpoint.split_once("://") {
            Some(("http" | "https", authority)) => authority,
            Some((scheme, _)) => {
                return Err(format!("scheme {scheme:?} is unknown; write http:// or https://, or none"));
            }
            None => &self.endpoint,
        };
        let scheme = if self.secure() { "https" } else { "http" };
        let uri = format!("{scheme}://{}", authority.trim_end_matches('/'));
        match uri.parse::<Uri>() {
            Ok(uri)
                if uri.port().is_some()
                    && uri.path() == "/"
                    && uri.host().is_some_and(|host| !host.is_empty()) =>
            {
                Ok(uri)
            }
            _ => Err(format!("{:?} is not host:port; {EXAMPLE}", self.endpoint)),
        }
    }
}

fn read_tls(section: &mut Section<'_, '_>) -> TlsSettings {
    let tls = TlsSettings {
        insecure: section.flag("insecure").unwrap_or(false),
        ca_file: section.text("ca_file").map(PathBuf::from),
        cert_file: section.text("cert_file").map(PathBuf::from),
        key_file: section.text("key_file").map(PathBuf::from),
        server_name_override: section.text("server_name_override"),
    };
    if tls.cert_file.is_some() != tls.key_file.is_some() {
        section.problem("cert_file", "cert_file and key_file belong together; set both or none");
    }
    tls
}

fn read_headers(section: &mut Section<'_, '_>) -> Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)> {
    let Some(node) = section.node("headers") else { return Vec::new() };
    let Value::Map(entries) = &node.value else {
        section.problem(
            "headers",
            format!("is {}, but a map of header names to values belongs here", node.value.describe()),
        );
        return Vec::new();
    };
    let mut headers = Vec::new();
    for entry in entries {
        let name = &entry.key.name;
        let Value::Text(value) = &entry.node.value else {
            section.problem(
                "headers",
                format!("header {name:?} is {}, but text belongs here", entry.node.value.describe()),
            );
            continue;
        };
        match (name.to_ascii_lowercase().parse(), value.parse()) {
            (Ok(key), Ok(value)) => headers.push((key, value)),
            (Err(_), _) => section.problem(
                "headers",
                format!("{name:?} is no name of a header; write letters, digits and hyphens"),
            ),
            (_, Err(_)) => section.problem(
                "headers",
                format!("the value of header {name:?} has characters other than visible ASCII"),
            ),
        }
    }
    headers
}
