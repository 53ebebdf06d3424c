use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use std::time::Duration;

use servicemap_map::agents::{FlowRecord, Head, Record, RecordBody, StateRecord};
use servicemap_map::model::{
    AddressClass, ConnectLatency, ContainerCgroup, Direction, Failures, FlowDelta, FlowKey, Gap, GapReason,
    MachineId, RunId, SocketExample, Timestamp,
};
use uuid::Uuid;

use super::{RefusedError, decode, names, requests};
use crate::telemetry::fixtures;

fn record(body: RecordBody) -> Record {
    let head = Head {
        machine: "one".into(),
        run: RunId(Uuid::from_u128(7)),
        run_started_at: Timestamp::from_nanos(1_800_000_000_000_000_000),
        sequence: 42,
    };
    Record { head, at: Timestamp::from_nanos(1_800_000_001_000_000_000), body }
}

fn flow() -> FlowRecord {
    FlowRecord {
        totals: FlowDelta {
            key: FlowKey {
                machine: MachineId::OWN,
                cgroup: 4_242,
                netns: 4_026_532_281,
                direction: Direction::Outbound,
                local_class: AddressClass::Other,
                remote: "2001:db8::1".parse().unwrap(),
                port: 443,
                program: "curl".into(),
                folded: true,
                generation: 3,
            },
            opened: 1,
            preexisting: 2,
            closed: 3,
            failed: Failures { refused: 4, timeout: 5, unreachable: 6, reset: 7, other: 8 },
            cut: 9,
            abandoned: 10,
            bytes_sent: 11,
            bytes_received: 12,
            retransmits: 13,
            rtt_us: Some(14),
            connect: Some(Box::new(ConnectLatency { counts: [1, 2, 3, 4, 5, 6, 7, 8], sum_us: 9 })),
            first: Timestamp::from_nanos(1_800_000_000_500_000_000),
            last: Timestamp::from_nanos(1_800_000_000_900_000_000),
            example: Some(SocketExample {
                pid: 15,
                uid: 16,
                local_address: "2001:db8::2".parse().unwrap(),
                local_port: 50_000,
                cookie: 17,
            }),
            foreign_local: true,
        },
        since: 40,
        cgroup_path: Some("/system.slice/a.service".into()),
        own_netns: Some(4_026_531_833),
        netns_name: Some("blue".into()),
        netns_cgroup: Some(ContainerCgroup { path: "/docker/4f1c".into(), unified: true }),
    }
}

fn all() -> Vec<Record> {
    let state = StateRecord {
        version: "0.1.0".into(),
        interval: Duration::from_secs(5),
        full_from: Some(40),
        flows: 2,
        addresses: vec![(1, "192.0.2.1".parse().unwrap()), (2, "2001:db8::2".parse().unwrap())],
    };
    let at = Timestamp::from_nanos(1_800_000_001_000_000_000);
    let gap = Gap { reason: GapReason::FlowMapFull, count: 9, healed: true, at };
    let v1 = Some(ContainerCgroup { path: "/docker/4f1c".into(), unified: false });
    let own = FlowRecord { own_netns: None, netns_name: None, cgroup_path: None, netns_cgroup: v1, ..flow() };
    vec![
        record(RecordBody::Flow(Box::new(flow()))),
        record(RecordBody::Flow(Box::new(own))),
        record(RecordBody::State(state)),
        record(RecordBody::Gap(gap)),
    ]
}

fn log_records() -> Vec<LogRecord> {
    let mut requests = requests(&all(), &fixtures::observer(), usize::MAX);
    requests.remove(0).resource_logs.remove(0).scope_logs.remove(0).log_records
}

/// What becomes of a record after a change of its attributes.
fn changed(index: usize, change: impl FnOnce(&mut Vec<KeyValue>)) -> Result<Record, RefusedError> {
    let mut record = log_records().remove(index);
    change(&mut record.attributes);
    let mut request = requests(&all(), &fixtures::observer(), usize::MAX).remove(0);
    request.resource_logs[0].scope_logs[0].log_records = vec![record];
    let (mut records, refused) = decode(request);
    records.pop().ok_or_else(|| refused.first.unwrap())
}

fn set(attributes: &mut [KeyValue], name: &str, value: Value) {
    let found = attributes.iter_mut().find(|one| one.key == name).unwrap();
    found.value = Some(AnyValue { value: Some(value) });
}

#[test]
fn what_is_encoded_is_decoded_as_it_was() {
    let request = requests(&all(), &fixtures::observer(), usize::MAX).remove(0);
    let (records, refused) = decode(request);
    assert_eq!(records, all());
    assert_eq!(refused.count, 0);
}

#[test]
fn requests_are_at_most_so_long() {
    assert_eq!(requests(&all(), &fixtures::observer(), 1).len(), all().len());
}

#[test]
fn unknown_attributes_are_ignored_and_missing_counters_are_zero() {
    let with_unknown = changed(0, |attributes| {
        attributes.push(KeyValue { key: "servicemap.flow.new".to_owned(), ..KeyValue::default() });
        attributes.retain(|one| one.key != names::OPENED);
    });
    let RecordBody::Flow(flow) = with_unknown.unwrap().body else { unreachable!() };
    assert_eq!((flow.totals.opened, flow.totals.closed), (0, 3));
}

#[test]
fn another_encoding_is_refused_with_a_sentence() {
    let refused = changed(0, |attributes| set(attributes, names::ENCODING, Value::IntValue(2))).unwrap_err();
    assert_eq!(refused, RefusedError::Encoding(2));
    assert!(refused.to_string().contains("encoding 2, but this version reads encoding 1"));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_name() {
    for (index, name) in
        [(0, names::REMOTE), (0, names::PORT), (1, names::DIRECTION), (2, names::RUN), (3, names::MACHINE)]
    {
        let missing = changed(index, |attributes| attributes.retain(|one| one.key != name));
        assert_eq!(missing.unwrap_err(), RefusedError::Missing(name));
        let wrong = changed(index, |attributes| set(attributes, name, Value::DoubleValue(0.5)));
        assert_eq!(wrong.unwrap_err(), RefusedError::Invalid(name));
    }
    let negative = changed(0, |attributes| set(attributes, names::OPENED, Value::IntValue(-1)));
    assert_eq!(negative.unwrap_err(), RefusedError::Invalid(names::OPENED));
    let huge = changed(0, |attributes| set(attributes, names::PORT, Value::IntValue(65_536)));
    assert_eq!(huge.unwrap_err(), RefusedError::Invalid(names::PORT));
}

#[test]
fn log_records_of_others_are_refused_and_counted() {
    let mut request = requests(&all(), &fixtures::observer(), usize::MAX).remove(0);
    for record in &mut request.resource_logs[0].scope_logs[0].log_records {
        record.event_name = "browser.click".to_owned();
    }
    let (records, refused) = decode(request);
    assert!(records.is_empty());
    assert_eq!((refused.count, refused.first), (4, Some(RefusedError::Other("browser.click".to_owned()))));
}

#[test]
fn whatever_is_changed_or_cut_nothing_panics() {
    use prost::Message as _;
    let bytes = requests(&all(), &fixtures::observer(), usize::MAX).remove(0).encode_to_vec();
    let mut random = fastrand::Rng::with_seed(7);
    let mut taken = 0;
    for _ in 0..5_000 {
        let mut bytes = bytes.clone();
        for _ in 0..random.usize(1..4) {
            let index = random.usize(..bytes.len());
            // Mostly letters: what is no text is refused before it gets here.
            bytes[index] = if random.u8(..4) == 0 { random.u8(..) } else { random.u8(b' '..b'~') };
        }
        if random.u8(..10) == 0 {
            bytes.truncate(random.usize(..bytes.len()));
        }
        let Ok(request) = prost::Message::decode(&*bytes) else { continue };
        let (records, refused) = decode(request);
        taken += records.len() + usize::try_from(refused.count).unwrap();
    }
    assert!(taken > 100, "{taken}");
}
