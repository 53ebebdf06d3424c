//! Where sources put facts: the only way from a source to the map.

use servicemap_map::model::{Fact, SourceId, Timestamp};

/// Takes facts from a source; any thread may tell.
pub(crate) trait FactSink: Send + Sync {
    /// The time by the clock of the map: instants of facts are told in it.
    fn now(&self) -> Timestamp;

    /// Applies facts and tells what follows from them, before it returns.
    fn tell(&self, facts: Vec<Fact>);

    /// The source cannot be had for now: the map does not wait for what existed when it began.
    fn give_up(&self, source: SourceId);
}
