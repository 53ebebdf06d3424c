//! What is counted about the calls to the API server, for metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use servicemap_map::model::DurationHistogram;

use super::api::Operation;

/// Calls by resource and operation (`list`, `watch`, `get`).
pub(crate) type ApiCalls = BTreeMap<(&'static str, &'static str), u64>;

/// Counters of one observer's calls; any thread may read.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: ApiCalls,
    decode: DurationHistogram,
    undecodable: u64,
}

impl Figures {
    /// A call is made.
    pub(super) fn call(&self, resource: &'static str, operation: Operation) {
        *self.lock().calls.entry((resource, operation.as_str())).or_default() += 1;
    }

    /// An object was decoded.
    pub(super) fn decoded(&self, took: Duration) {
        self.lock().decode.observe(took);
    }

    /// An object could not be decoded and was skipped. Returns how many there were before.
    pub(super) fn skipped(&self) -> u64 {
        let mut inner = self.lock();
        inner.undecodable += 1;
        inner.undecodable - 1
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> ApiCalls {
        self.lock().calls.clone()
    }

    /// How long decoding one object took.
    pub(crate) fn decode(&self) -> DurationHistogram {
        self.lock().decode.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
