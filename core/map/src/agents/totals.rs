//! Arithmetic with the counters of flows.

use crate::model::{ConnectLatency, FlowDelta, Timestamp};

/// Connections that are open.
pub(super) fn open(totals: &FlowDelta) -> u64 {
    totals.opened.saturating_sub(totals.closed)
}

/// Adds what was counted later.
pub(super) fn add(totals: &mut FlowDelta, more: &FlowDelta) {
    each(totals, more, u64::saturating_add);
    totals.rtt_us = more.rtt_us.or(totals.rtt_us);
    if let Some(connect) = &more.connect {
        totals.connect.get_or_insert_default().add(connect);
    }
    let known = |at: &Timestamp| *at != Timestamp::ZERO;
    totals.first = [totals.first, more.first].into_iter().filter(known).min().unwrap_or_default();
    totals.last = totals.last.max(more.last);
    if totals.example.is_none() {
        totals.example.clone_from(&more.example);
        totals.foreign_local = more.foreign_local;
    }
}

/// What was counted since some earlier totals of the same flow. Counters never go back: what does is taken as unchanged.
pub(super) fn since(totals: &FlowDelta, before: &FlowDelta) -> FlowDelta {
    let mut delta = totals.clone();
    each(&mut delta, before, u64::saturating_sub);
    if let (Some(connect), Some(before)) = (&mut delta.connect, &before.connect) {
        subtract(connect, before);
    }
    delta.connect = delta.connect.filter(|connect| !connect.is_empty());
    // An old round-trip time that is told again would look like a new one.
    delta.rtt_us = totals.rtt_us.filter(|rtt| before.rtt_us != Some(*rtt));
    if before.last != Timestamp::ZERO {
        delta.first = before.last.min(totals.last);
    }
    delta
}

/// Whether anything was counted.
pub(super) fn is_nothing(delta: &FlowDelta) -> bool {
    let counted = [
        delta.opened,
        delta.closed,
        delta.failed.total(),
        delta.cut,
        delta.abandoned,
        delta.bytes_sent,
        delta.bytes_received,
        delta.retransmits,
    ];
    counted.iter().all(|count| *count == 0)
}

fn each(totals: &mut FlowDelta, other: &FlowDelta, of: impl Fn(u64, u64) -> u64) {
    let pairs = [
        (&mut totals.opened, other.opened),
        (&mut totals.preexisting, other.preexisting),
        (&mut totals.closed, other.closed),
        (&mut totals.failed.refused, other.failed.refused),
        (&mut totals.failed.timeout, other.failed.timeout),
        (&mut totals.failed.unreachable, other.failed.unreachable),
        (&mut totals.failed.reset, other.failed.reset),
        (&mut totals.failed.other, other.failed.other),
        (&mut totals.cut, other.cut),
        (&mut totals.abandoned, other.abandoned),
        (&mut totals.bytes_sent, other.bytes_sent),
        (&mut totals.bytes_received, other.bytes_received),
        (&mut totals.retransmits, other.retransmits),
    ];
    for (count, other) in pairs {
        *count = of(*count, other);
    }
}

fn subtract(connect: &mut ConnectLatency, before: &ConnectLatency) {
    for (count, before) in connect.counts.iter_mut().zip(before.counts) {
        *count = count.saturating_sub(before);
    }
    connect.sum_us = connect.sum_us.saturating_sub(before.sum_us);
}
