//! A cluster of agents: what each machine's agent counts becomes records ([`Book`], on the agent's side), and records of
//! any number of agents become facts of one map ([`Ledger`], on the cluster instance's side).
//!
//! Records are carried by whatever carries OTLP log records, which may repeat, reorder, delay and lose them. So the counters
//! in them are **cumulative**: since the agent's run began to count the flow. A repeated or older record changes nothing, and
//! a lost one is made good by the next. Either side may restart: an agent begins a new run, in which connections that
//! are still open come again as `preexisting` and are matched with those of the run before; a new cluster instance gets
//! everything that the agents still hold with their next full report.

mod book;
mod ledger;
mod machine;
mod record;
mod totals;

use std::time::Duration;

pub use book::Book;
pub use ledger::Ledger;
pub use record::{FlowRecord, Head, Record, RecordBody, StateRecord};

/// Time between two reports of an agent where nothing else is set.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Every so many reports is a full one, with all flows that the agent holds: with the default interval a cluster instance
/// that has lost something is right again within 10 s.
pub const FULL_REPORT_EVERY: u64 = 2;

/// A machine is observed as long as its agent was heard within so many of its intervals.
pub const INTERVALS_UNTIL_LOST: u32 = 3;

/// How long agents hold a flow that is idle and has no open connection. Twice the default time that an edge lives without
/// one, and more: a cluster instance that begins within it gets the edge's whole history.
pub const IDLE_FLOWS_HELD: Duration = Duration::from_mins(2);

/// Addresses that a report names: 16 for each of the 256 pods that a node has at most.
pub const MAX_REPORTED_ADDRESSES: usize = 4_096;
