//! Connect latency: how long clients waited between their SYN and the established connection.

use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Connect latencies as the kernel sorted them: a histogram with fixed bounds, so that its size never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectLatency {
    /// Connections that took at most as long as the bound of the same index, and longer than the one before; the last
    /// count has no bound. Not cumulative.
    pub counts: [u64; Self::BOUNDS_US.len() + 1],
    /// Sum of all latencies in microseconds.
    pub sum_us: u64,
}

impl ConnectLatency {
    /// Upper bounds in microseconds: a loopback handshake takes some 50 µs, one in a data centre 0.5 ms, one around the
    /// world 250 ms, and the first SYN is repeated after 1 s.
    pub const BOUNDS_US: [u64; 7] = [250, 1_000, 5_000, 25_000, 100_000, 500_000, 2_500_000];

    /// The same bounds in seconds.
    pub const BOUNDS_S: [f64; 7] = [0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5];

    /// Number of connections.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Number of connections that took longer than a time, which should be one of the bounds.
    pub fn longer_than(&self, time: Duration) -> u64 {
        let ends = Self::BOUNDS_US.iter().take_while(|bound| u128::from(**bound) <= time.as_micros()).count();
        self.counts.iter().skip(ends).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; Self::BOUNDS_US.len() + 1]
    }

    /// Adds another histogram to this one.
    pub fn add(&mut self, more: &Self) {
        for (count, more) in self.counts.iter_mut().zip(more.counts) {
            *count = count.saturating_add(more);
        }
        self.sum_us = self.sum_us.saturating_add(more.sum_us);
    }
}

impl Serialize for ConnectLatency {
    /// With its bounds, so that a reader need not know them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ConnectLatency", 4)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("sum_us", &self.sum_us)?;
        fields.serialize_field("bounds_us", &Self::BOUNDS_US)?;
        fields.serialize_field("counts", &self.counts)?;
        fields.end()
    }
}

/// Without what follows from the bounds, which stay what they are: as recordings have it.
pub(super) mod lean {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ConnectLatency;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Lean {
        counts: [u64; ConnectLatency::BOUNDS_US.len() + 1],
        sum_us: u64,
    }

    #[expect(clippy::ref_option, reason = "serde's with wants a reference to the field")]
    pub(in crate::model) fn serialize<S: Serializer>(
        latency: &Option<Box<ConnectLatency>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let lean = |latency: &ConnectLatency| Lean { counts: latency.counts, sum_us: latency.sum_us };
        latency.as_deref().map(lean).serialize(serializer)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Box<ConnectLatency>>, D::Error> {
        let latency = Option::<Lean>::deserialize(deserializer)?;
        Ok(latency.map(|Lean { counts, sum_us }| Box::new(ConnectLatency { counts, sum_us })))
    }
}
