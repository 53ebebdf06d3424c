//! An edge as a door shows it: what all doors have in common.

use std::collections::BTreeMap;

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

    /// From a line of the C and the Go example: `… NS/NAME -> NS/NAME:PORT opened=N …`. Lines about other things, and
    /// those without a count, are none.
    pub fn from_line(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" -> ")?;
        let source = before.rsplit(' ').next()?;
        let mut words = after.split(' ');
        // From behind: an address as a name has colons, too.
        let (destination, port) = words.next()?.rsplit_once(':')?;
        let opened = words.next()?.strip_prefix("opened=")?;
        Some(Self {
            source: source.to_owned(),
            destination: destination.to_owned(),
            port: port.parse().ok()?,
            opened: opened.parse().ok()?,
        })
    }

    /// The edges in such lines, each as its last line has it.
    pub fn from_lines(lines: &[String]) -> Vec<Self> {
        let mut last = BTreeMap::new();
        for edge in lines.iter().filter_map(|line| Self::from_line(line)) {
            last.insert((edge.source.clone(), edge.destination.clone(), edge.port), edge);
        }
        last.into_values().collect()
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

    #[test]
    fn the_last_line_of_an_edge_counts() {
        let lines = [
            "7 service.discovered host/nginx (Process) unknown [0.0.0.0]:80",
            "8 connection.established host/curl -> host/nginx:80 opened=1 active=0 failed=0",
            "9 connection.established (initial) host/curl -> /2001:db8::1:443 opened=2 active=2 failed=0",
            "10 health.changed host/nginx unknown -> healthy",
            "11 connection.established host/curl -> host/nginx:80 opened=4 active=0 failed=0",
        ];
        let edge = |destination: &str, port, opened| Edge {
            source: "host/curl".into(),
            destination: destination.into(),
            port,
            opened,
        };
        let expected = [edge("/2001:db8::1", 443, 2), edge("host/nginx", 80, 4)];
        assert_eq!(Edge::from_lines(&lines.map(str::to_owned)), expected);
    }
}
