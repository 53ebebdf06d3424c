//! The map as events, for a consumer that starts when much is there already.

use std::sync::Arc;

use super::Teller;
use super::compose::When;
use crate::model::{Event, EventType, Gap, Timestamp};
use crate::state::State;

impl Teller {
    /// What consumers were told of the map so far, as events marked `initial`: services, connections, those that fail,
    /// dependencies, gaps.
    pub(crate) fn initial(&self, state: &State, now: Timestamp) -> Vec<Arc<Event>> {
        let sequence = self.log.next_sequence() - 1;
        let services = state.told_services().map(|(at, service)| {
            self.composer.service(EventType::ServiceDiscovered, service, When { at, now })
        });
        let connections = state.told_connections().map(|(at, connection)| {
            self.composer.connection(EventType::ConnectionEstablished, connection, When { at, now })
        });
        let dependencies = state.told_dependencies().into_iter().map(|(at, dependency)| {
            self.composer.dependency(EventType::DependencyDetected, dependency, When { at, now })
        });
        let failing = state.told_failing().map(|(at, connection)| {
            self.composer.connection(EventType::ConnectionFailed, connection, When { at, now })
        });
        let gaps = self.told_gaps(state).into_iter().map(|gap| {
            let at = gap.at;
            self.composer.gap(gap, When { at, now })
        });
        let is_told = |event: &Event| self.sampler.keeps(&event.subject);
        let (connections, failing) = (connections.filter(is_told), failing.filter(is_told));
        let all = services.chain(connections).chain(failing).chain(dependencies).chain(gaps);
        all.map(|event| Arc::new(Event { initial: true, sequence, ..event })).collect()
    }

    /// Gaps without the part that waits for the end of its interval: the latest of each reason.
    fn told_gaps(&self, state: &State) -> Vec<Gap> {
        let mut waiting = self.gaps.clone();
        let mut gaps = state.gaps();
        for gap in gaps.iter_mut().rev() {
            let Some(later) = waiting.get_mut(&gap.reason).filter(|later| !later.healed) else { continue };
            let untold = later.count.min(gap.count);
            later.count -= untold;
            gap.count -= untold;
        }
        gaps.retain(|gap| gap.count > 0);
        gaps
    }
}
