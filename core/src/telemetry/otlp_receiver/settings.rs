//! Settings of the receiver: the Collector's names and defaults.

use crate::settings::reader::Section;

/// The ports of OTLP; loopback unless configured.
const GRPC_ENDPOINT: &str = "127.0.0.1:4317";
const HTTP_ENDPOINT: &str = "127.0.0.1:4318";

/// Settings of the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `address:port` for OTLP/gRPC; `None` where it is not spoken.
    pub grpc: Option<String>,
    /// `address:port` for OTLP/HTTP; `None` where it is not spoken.
    pub http: Option<String>,
}

impl Settings {
    /// Reads the receiver's section.
    pub fn read(section: &mut Section<'_, '_>) -> Self {
        let settings = section.section("protocols", |section| Self {
            grpc: protocol(section, "grpc", GRPC_ENDPOINT),
            http: protocol(section, "http", HTTP_ENDPOINT),
        });
        if settings == Self::default() {
            section.problem(
                "protocols",
                "must name at least one protocol; write for example protocols: {grpc: {}}",
            );
        }
        settings
    }
}

/// The endpoint of a protocol that is named, whether or not anything is said of it.
fn protocol(section: &mut Section<'_, '_>, name: &'static str, default: &str) -> Option<String> {
    let is_named = section.has(name);
    let endpoint = section.section(name, |section| {
        let endpoint = section.text("endpoint").unwrap_or_else(|| default.to_owned());
        let port = endpoint.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) {
            let message = format!("{endpoint:?} is not address:port; write for example {default:?}");
            section.problem("endpoint", message);
        }
        endpoint
    });
    is_named.then_some(endpoint)
}
