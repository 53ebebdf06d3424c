//! What consumers of a real observer see; facts are put into its map by hand, so that no kernel side is needed.

use std::net::Ipv4Addr;
use std::time::Duration;

use servicemap_map::model::{
    AddressClass, Direction, EventType, Fact, FactBody, FlowDelta, FlowKey, Gap, GapReason, MachineId,
    Origin, SourceId, Timestamp,
};

use super::{Consumer, Initial, Next, Observer, ObserverError};
use crate::recording::{self, Ending, Recorder};
use crate::settings::Settings;

/// Far longer than anything takes here; no test waits for it to pass.
const SOON: Duration = Duration::from_secs(20);

fn observer(change: impl FnOnce(&mut Settings)) -> Observer {
    let mut settings =
        Settings { enable_ebpf: false, enable_k8s_discovery: Some(false), ..Settings::default() };
    settings.map.min_emit_interval = Duration::ZERO;
    change(&mut settings);
    Observer::new(settings)
}

fn started(change: impl FnOnce(&mut Settings)) -> Observer {
    let observer = observer(change);
    observer.start().unwrap();
    assert!(observer.wait_ready(SOON));
    observer
}

/// Makes events, one each.
fn happen(observer: &Observer, count: usize) {
    for _ in 0..count {
        let at = observer.shared.now();
        let gap = Gap { reason: GapReason::FlowMapFull, count: 1, healed: false, at };
        let origin = Origin { source: SourceId::Host, sequence: 0 };
        let mut inner = observer.shared.lock();
        inner.map.apply(Fact { at, origin, body: FactBody::Gap(gap) });
        inner.map.advance(at);
    }
    observer.shared.notify();
}

fn next(observer: &Observer, consumer: &mut Consumer) -> Next {
    observer.next(consumer, 100, SOON)
}

#[test]
fn a_consumer_that_starts_with_a_snapshot_gets_it_first_and_then_what_comes() {
    let observer = started(|_| {});
    happen(&observer, 1);
    let mut consumer = observer.consumer(Initial::Snapshot).unwrap();
    let Next::Batch { batch, snapshot: Some(snapshot) } = next(&observer, &mut consumer) else { panic!() };
    assert!(batch.events.is_empty());
    assert_eq!((snapshot.sequence, snapshot.gaps.len()), (1, 1));
    happen(&observer, 1);
    let Next::Batch { batch, snapshot: None } = next(&observer, &mut consumer) else { panic!() };
    assert_eq!((batch.first, batch.next, batch.events.len()), (2, 3, 1));
}

/// A program that listens: a service that comes, for the debounce window too.
fn listener_comes(observer: &Observer, program: &str) {
    let at = observer.shared.now();
    let key = FlowKey {
        machine: MachineId::OWN,
        generation: 0,
        cgroup: 1,
        netns: 1,
        direction: Direction::Listen,
        local_class: AddressClass::Other,
        remote: Ipv4Addr::UNSPECIFIED.into(),
        port: 80,
        program: program.into(),
        folded: false,
    };
    let delta = FlowDelta { first: at, last: at, opened: 1, ..FlowDelta::nothing(key) };
    let mut inner = observer.shared.lock();
    inner.map.apply(Fact {
        at,
        origin: Origin { source: SourceId::Host, sequence: 0 },
        body: FactBody::Flow(delta),
    });
    inner.map.advance(at);
}

#[test]
fn a_snapshot_within_a_window_has_told_what_waits_for_it_and_wakes_those_who_wait_for_that() {
    let observer = started(|settings| settings.map.debounce_window = SOON);
    let mut waiting = observer.consumer(Initial::Nothing).unwrap();
    assert!(matches!(observer.next(&mut waiting, 100, Duration::ZERO), Next::Timeout));
    listener_comes(&observer, "web");
    let Next::Batch { batch, .. } = next(&observer, &mut waiting) else { panic!() };
    assert_eq!(batch.events[0].event_type, EventType::ServiceDiscovered);
    let mut starting = observer.consumer(Initial::Snapshot).unwrap();
    let Next::Batch { snapshot: Some(snapshot), .. } = next(&observer, &mut starting) else { panic!() };
    let Next::Batch { batch, .. } = observer.next(&mut waiting, 100, Duration::ZERO) else { panic!() };
    let told: Vec<_> = batch.events.iter().map(|event| event.event_type).collect();
    assert_eq!(told, [EventType::TopologyChanged]);
    assert_eq!(snapshot.sequence, batch.next - 1, "the snapshot has all that was told");
    assert!(matches!(observer.next(&mut starting, 100, Duration::ZERO), Next::Timeout));
}

#[test]
fn initial_events_come_in_batches_no_larger_than_asked_for() {
    let observer = started(|_| {});
    for reason in [GapReason::FlowMapFull, GapReason::MapBound, GapReason::FlowMapFull] {
        let at = Timestamp::from_nanos(1);
        let gap = Gap { reason, count: 1, healed: false, at };
        let origin = Origin { source: SourceId::Host, sequence: 0 };
        observer.shared.lock().map.apply(Fact { at, origin, body: FactBody::Gap(gap) });
    }
    happen(&observer, 1);
    let mut consumer = observer.consumer(Initial::Events).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let Next::Batch { batch, .. } = observer.next(&mut consumer, 1, SOON) else { panic!() };
        seen.extend(batch.events.iter().map(|event| (event.event_type, event.initial)));
    }
    assert_eq!(seen, [(EventType::CaptureGap, true); 3]);
    assert!(matches!(observer.next(&mut consumer, 1, Duration::ZERO), Next::Timeout));
}

#[test]
fn a_consumer_that_falls_behind_is_told_how_much_it_missed_and_gets_a_snapshot() {
    let observer = started(|settings| settings.map.buffer_size = 2);
    let mut consumer = observer.consumer(Initial::Nothing).unwrap();
    assert!(matches!(observer.next(&mut consumer, 100, Duration::ZERO), Next::Timeout));
    happen(&observer, 5);
    let Next::Batch { batch, snapshot: Some(snapshot) } = next(&observer, &mut consumer) else { panic!() };
    assert_eq!((batch.lost, batch.first, batch.events.len()), (3, 4, 2));
    assert_eq!(snapshot.sequence, 5);
    happen(&observer, 1);
    assert!(matches!(next(&observer, &mut consumer), Next::Batch { snapshot: None, .. }), "it has caught up");
}

#[test]
fn a_wake_ends_one_wait_also_one_that_begins_later() {
    let observer = started(|_| {});
    let mut consumer = observer.consumer(Initial::Nothing).unwrap();
    observer.wake();
    assert!(matches!(next(&observer, &mut consumer), Next::Woken));
    assert!(matches!(observer.next(&mut consumer, 1, Duration::ZERO), Next::Timeout));
}

#[test]
fn a_wait_without_end_ends_with_the_observer() {
    let observer = started(|_| {});
    let mut consumer = observer.consumer(Initial::Nothing).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| observer.next(&mut consumer, 1, Duration::MAX));
        observer.shutdown(Duration::MAX).unwrap();
        assert!(matches!(waiting.join().unwrap(), Next::Ended));
    });
    assert!(observer.wait_ready(Duration::MAX), "it was ready before it ended");
}

#[test]
fn what_waits_to_be_told_is_told_before_the_end() {
    let observer = started(|settings| settings.map.min_emit_interval = Duration::from_hours(1));
    let mut consumer = observer.consumer(Initial::Nothing).unwrap();
    assert!(matches!(observer.next(&mut consumer, 1, Duration::ZERO), Next::Timeout));
    happen(&observer, 2);
    observer.shutdown(SOON).unwrap();
    let Next::Batch { batch, .. } = next(&observer, &mut consumer) else { panic!() };
    assert_eq!(batch.events.len(), 2, "the second one had an hour to wait");
    assert!(matches!(next(&observer, &mut consumer), Next::Ended));
}

#[test]
fn an_observer_starts_once_and_may_be_shut_down_at_any_time() {
    let never_started = observer(|_| {});
    let mut consumer = never_started.consumer(Initial::Events).unwrap();
    never_started.shutdown(SOON).unwrap();
    assert!(matches!(next(&never_started, &mut consumer), Next::Ended));
    assert!(!never_started.wait_ready(SOON));

    let observer = started(|_| {});
    assert!(observer.is_running());
    assert!(matches!(observer.start(), Err(ObserverError::AlreadyStarted(_))));
    observer.shutdown(SOON).unwrap();
    observer.shutdown(SOON).unwrap();
    assert!(!observer.is_running());
    assert!(matches!(observer.start(), Err(ObserverError::AlreadyStarted(_))));
}

/// All that a map has told, and how it ended up, as bytes.
fn told(map: &servicemap_map::ServiceMap, now: Timestamp) -> (Vec<String>, String) {
    let mut cursor = map.log().cursor_at_start();
    let events = map.log().read(&mut cursor, usize::MAX).events;
    let lines = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    (lines, serde_json::to_string(&map.snapshot(now)).unwrap())
}

#[test]
fn a_recorded_observer_is_replayed_to_what_it_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.jsonl");
    let (recorder, writing) = Recorder::create(&path, false).unwrap();
    let mut settings =
        Settings { enable_ebpf: false, enable_k8s_discovery: Some(false), ..Settings::default() };
    settings.map.min_emit_interval = Duration::ZERO;
    let observer = Observer::recorded(settings, recorder);
    observer.start().unwrap();
    assert!(observer.wait_ready(SOON));
    happen(&observer, 3);
    for _ in 0..100 {
        // Nothing is due, and none of it is written.
        observer.shared.tell(Vec::new());
    }
    observer.shutdown(SOON).unwrap();
    let steps = writing.finish(SOON).unwrap();
    assert!(steps < 100, "{steps}");

    let (header, mut steps) = recording::open(&path).unwrap();
    let mut map = header.map();
    let mut now = header.started_at;
    while let Some(step) = steps.step().unwrap() {
        now = step.now().unwrap_or(now);
        step.take(&mut map);
    }
    assert_eq!(steps.ending(), Ending::Finished);
    let run = told(&observer.shared.lock().map, now);
    assert_eq!(run.0.len(), 3);
    assert_eq!(told(&map, now), run);
}

#[test]
fn a_consumer_gets_the_types_that_it_asks_for_and_no_holes() {
    let observer = started(|_| {});
    let only = |event_type| servicemap_map::model::EventTypes::of(&[event_type]);
    let mut gaps = observer.consumer_of(Initial::Nothing, only(EventType::CaptureGap)).unwrap();
    let mut others = observer.consumer_of(Initial::Nothing, only(EventType::HealthChanged)).unwrap();
    for consumer in [&mut gaps, &mut others] {
        assert!(matches!(observer.next(consumer, 100, Duration::ZERO), Next::Timeout));
    }
    happen(&observer, 3);
    assert!(matches!(observer.next(&mut others, 100, Duration::ZERO), Next::Timeout), "none of its type");
    let Next::Batch { batch, .. } = next(&observer, &mut gaps) else { panic!() };
    assert_eq!((batch.first, batch.next, batch.lost, batch.events.len()), (1, 4, 0, 3));
    happen(&observer, 2);
    observer.shutdown(SOON).unwrap();
    assert!(matches!(next(&observer, &mut others), Next::Ended));
}

#[test]
fn a_batch_begins_where_the_last_one_ended_whatever_was_skipped_in_between() {
    let observer = started(|settings| settings.map.emission_mode = servicemap_map::EmissionMode::Full);
    let types = servicemap_map::model::EventTypes::of(&[EventType::TopologyChanged]);
    let mut consumer = observer.consumer_of(Initial::Nothing, types).unwrap();
    assert!(matches!(observer.next(&mut consumer, 100, Duration::ZERO), Next::Timeout));
    happen(&observer, 3);
    assert!(matches!(observer.next(&mut consumer, 100, Duration::ZERO), Next::Timeout), "all were skipped");
    happen(&observer, 2);
    let later = observer.shared.now() + observer.settings.map.full_snapshot_interval;
    observer.shared.lock().map.advance(later);
    observer.shared.notify();
    let Next::Batch { batch, snapshot: None } = next(&observer, &mut consumer) else { panic!() };
    assert_eq!((batch.first, batch.lost, batch.events.len()), (1, 0, 1));
    assert_eq!(batch.next, batch.events[0].sequence + 1);
}

#[test]
fn ten_times_as_many_consumers_as_may_be_are_refused_with_the_mend() {
    let observer = observer(|settings| settings.max_consumers = 3);
    let mut seated: Vec<_> = (0..3).map(|_| observer.consumer(Initial::Nothing).unwrap()).collect();
    for _ in 3..30 {
        let refused = observer.consumer(Initial::Nothing).unwrap_err().to_string();
        assert!(refused.starts_with("3 consumers take events already"), "{refused}");
        assert!(refused.ends_with("set max_consumers higher"), "{refused}");
    }
    seated.pop();
    observer.consumer(Initial::Nothing).unwrap();
}
