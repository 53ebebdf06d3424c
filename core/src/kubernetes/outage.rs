//! Whether the API server answers at all: said once for all watches, not once for each of them.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::api::CallError;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_on: Mutex<bool>,
}

impl Outage {
    /// A watch cannot reach the server, and not for the first time.
    pub(super) fn failed(&self, error: &CallError) {
        if !self.set(true) {
            tracing::warn!("{error}; the map stays as it was, and follows as soon as the server is back");
        }
    }

    /// A watch was answered.
    pub(super) fn answered(&self) {
        if self.set(false) {
            tracing::warn!("the API server answers again");
        }
    }

    /// Sets whether it is on; returns whether it was.
    fn set(&self, is_on: bool) -> bool {
        let mut known = self.is_on.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut known, is_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let outage = Outage::default();
        assert!(!outage.set(true) && outage.set(true), "the second failure is the same outage");
        assert!(outage.set(false) && !outage.set(false));
    }
}
