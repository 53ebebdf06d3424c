//! An edge as a door shows it: what all doors have in common.

use serde_json::Value;

/// One edge of the map, read at some door.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// `namespace/name` of the client.
    pub source: String,
    /// `namespace/name` of the server.
    pub destination: String,
    /// Port that the server offers.
    pub port: u16,
    /// Connections opened.
    pub opened: u64,
}

impl Edge {
    /// From a connection of the JSON map (`connections[]`), which JSON lines and the C ABI's snapshot share.
    pub fn from_map(connection: &Value) -> Option<Self> {
        let end = |key: &str| {
            let end = connection.get(key)?;
            Some(format!("{}/{}", end.get("namespace")?.as_str()?, end.get("name")?.as_str()?))
        };
        Some(Self {
            source: end("source")?,
            destination: end("destination")?,
            port: u16::try_from(connection.get("port")?.as_u64()?).ok()?,
            opened: connection.get("opened")?.as_u64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_of_the_json_map_is_an_edge() {
        let connection = json!({
            "source": {"namespace": "host", "name": "curl", "type": "Process"},
            "destination": {"namespace": "host", "name": "nginx", "type": "Process"},
            "protocol": "tcp", "port": 80, "opened": 3, "active": 0,
        });
        let edge = Edge { source: "host/curl".into(), destination: "host/nginx".into(), port: 80, opened: 3 };
        assert_eq!(Edge::from_map(&connection), Some(edge));
    }
}
