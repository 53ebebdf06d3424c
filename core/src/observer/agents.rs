//! The observer's part in a cluster of agents: an agent's facts are noted for its records, and the records that a cluster
//! instance gets become facts.

use std::time::{Duration, Instant};

use servicemap_map::ServiceMap;
use servicemap_map::agents::{Book, FULL_REPORT_EVERY, INTERVALS_UNTIL_LOST, Ledger, Record};
use servicemap_map::model::{AgentStatistics, Fact, FactBody, Origin, RunId, SourceId, Timestamp};

use super::shared::{Inner, Shared, deadline};
use crate::settings::{Role, Settings};

/// How long a cluster instance waits at most for the machines that the cluster has, before it tells what exists: longer than
/// two full reports of an agent, shorter than anybody waits for a pod to become ready.
const LONGEST_GRACE: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub(super) enum Part {
    /// There are no agents.
    Alone,
    /// This is one.
    Agent(Box<Book>),
    /// Agents tell this one.
    Cluster(Box<Cluster>),
}

/// What agents told.
#[derive(Debug)]
pub(super) struct Cluster {
    ledger: Ledger,
    /// When the map is ready at the latest; `None` once the agents' door has said so.
    grace_ends: Option<Timestamp>,
}

impl Part {
    pub(super) fn new(settings: &Settings, run: RunId, now: Timestamp) -> Self {
        match settings.role {
            Role::AllInOne => Self::Alone,
            Role::Agent => Self::Agent(Box::new(Book::new(
                settings.map.host.clone(),
                run,
                now,
                settings.map.version.clone(),
                settings.report_interval,
                settings.map.max_flows,
            ))),
            Role::Cluster => {
                let grace = (settings.report_interval * INTERVALS_UNTIL_LOST).min(LONGEST_GRACE);
                let ledger = Ledger::new(settings.map.max_flows);
                Self::Cluster(Box::new(Cluster { ledger, grace_ends: Some(now + grace) }))
            }
        }
    }

    /// Notes facts of this machine. True when an agent has something to tell at once.
    pub(super) fn note(&mut self, facts: &[Fact]) -> bool {
        let Self::Agent(book) = self else { return false };
        for fact in facts {
            book.note(fact);
        }
        book.has_news()
    }

    /// What agents told since this was last asked, and who is not heard any more.
    pub(super) fn facts(&mut self, map: &ServiceMap, now: Timestamp) -> Vec<Fact> {
        let Self::Cluster(cluster) = self else { return Vec::new() };
        cluster.ledger.advance(now);
        let mut facts = cluster.ledger.take_facts();
        if cluster.grace_ends.is_some_and(|end| now >= end || cluster.has_heard_all(map)) {
            cluster.grace_ends = None;
            let origin = Origin { source: SourceId::Agents, sequence: 0 };
            facts.push(Fact { at: now, origin, body: FactBody::Ready(SourceId::Agents) });
        }
        facts
    }

    pub(super) fn statistics(&self) -> Option<AgentStatistics> {
        match self {
            Self::Cluster(cluster) => Some(cluster.ledger.statistics()),
            Self::Alone | Self::Agent(_) => None,
        }
    }
}

impl Cluster {
    fn has_heard_all(&self, map: &ServiceMap) -> bool {
        let mut nodes = map.node_names().peekable();
        nodes.peek().is_some() && nodes.all(|node| self.ledger.is_complete(node))
    }
}

/// When an agent tells: what is new at once, what changed at each interval, everything at every second one.
#[derive(Debug)]
pub struct Reporter {
    interval: Duration,
    due: Instant,
    reports: u64,
    /// A report that says that everything was found has been made.
    told_all: bool,
    ended: bool,
}

impl Reporter {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, due: Instant::now(), reports: 0, told_all: false, ended: false }
    }

    /// The next records, waiting at most `timeout`; empty when nothing is to be told yet, `None` after the last ones.
    pub(super) fn next(&mut self, shared: &Shared, timeout: Duration) -> Option<Vec<Record>> {
        let until = deadline(timeout);
        let mut inner = shared.lock();
        loop {
            if self.ended {
                return None;
            }
            let records = self.try_next(&mut inner, shared.now());
            if !records.is_empty() {
                return Some(records);
            }
            let (back, in_time) = shared.wait(inner, until.min(self.due));
            inner = back;
            if !in_time && Instant::now() >= until {
                return Some(Vec::new());
            }
        }
    }

    fn try_next(&mut self, inner: &mut Inner, now: Timestamp) -> Vec<Record> {
        self.ended = inner.ended;
        let Part::Agent(book) = &mut inner.part else {
            self.ended = true;
            return Vec::new();
        };
        let found_all = book.is_complete() && !self.told_all;
        let is_due = Instant::now() >= self.due;
        if !(found_all || is_due || self.ended) {
            return if book.has_news() { book.news(now) } else { Vec::new() };
        }
        self.told_all |= found_all;
        self.due = Instant::now() + self.interval;
        let full = found_all || self.reports.is_multiple_of(FULL_REPORT_EVERY);
        self.reports += 1;
        book.report(now, full)
    }
}

/// Takes records into the ledger; what follows from them is told with the map's next facts.
pub(super) fn take(inner: &mut Inner, records: Vec<Record>, now: Timestamp) {
    if let Part::Cluster(cluster) = &mut inner.part {
        for record in records {
            cluster.ledger.take(record, now);
        }
    }
}
