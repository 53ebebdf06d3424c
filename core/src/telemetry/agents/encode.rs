//! Records to OTLP.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use servicemap_map::agents::{FlowRecord, Record, RecordBody, StateRecord};
use servicemap_map::model::{AddressClass, Direction, Gap, ObserverInfo, Severity};

use super::{ENCODING, SCOPE, names};
use crate::telemetry::otlp::{self, SCHEMA_URL, attribute, flag, integer, text};

/// Records in as few requests as it takes for the records of each to be at most `max_bytes` long.
pub fn requests(
    records: &[Record],
    observer: &ObserverInfo,
    max_bytes: usize,
) -> Vec<ExportLogsServiceRequest> {
    let groups = otlp::pack(records.iter().map(log_record).collect(), max_bytes);
    groups.into_iter().map(|records| request(records, observer)).collect()
}

fn request(log_records: Vec<LogRecord>, observer: &ObserverInfo) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope {
        name: SCOPE.to_owned(),
        version: observer.version.to_string(),
        ..InstrumentationScope::default()
    };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, schema_url: SCHEMA_URL.to_owned() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(otlp::resource(observer)),
            scope_logs,
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

fn log_record(record: &Record) -> LogRecord {
    let head = &record.head;
    let mut attributes = vec![
        integer(names::ENCODING, ENCODING),
        text(names::MACHINE, &*head.machine),
        text(names::RUN, head.run.to_string()),
        integer(names::RUN_STARTED, head.run_started_at.as_nanos()),
        integer(names::SEQUENCE, head.sequence),
    ];
    let event_name = match &record.body {
        RecordBody::Flow(flow) => {
            flow_attributes(flow, &mut attributes);
            names::EVENT_FLOW
        }
        RecordBody::State(state) => {
            state_attributes(state, &mut attributes);
            names::EVENT_STATE
        }
        RecordBody::Gap(gap) => {
            gap_attributes(gap, &mut attributes);
            names::EVENT_GAP
        }
    };
    LogRecord {
        event_name: event_name.to_owned(),
        time_unix_nano: record.at.as_nanos(),
        observed_time_unix_nano: record.at.as_nanos(),
        severity_number: Severity::Info as i32,
        attributes,
        ..LogRecord::default()
    }
}

fn flow_attributes(record: &FlowRecord, out: &mut Vec<KeyValue>) {
    let FlowRecord { totals, since, cgroup_path, own_netns, netns_name, netns_cgroup } = record;
    let key = &totals.key;
    out.extend([
        text(names::DIRECTION, direction(key.direction)),
        text(names::LOCAL_CLASS, local_class(key.local_class)),
        text(names::REMOTE, key.remote.to_string()),
        integer(names::PORT, key.port.into()),
        text(names::PROGRAM, &*key.program),
        integer(names::CGROUP, key.cgroup),
        integer(names::NETNS, key.netns.into()),
        integer(names::SINCE, *since),
        integer(names::FIRST, totals.first.as_nanos()),
        integer(names::LAST, totals.last.as_nanos()),
    ]);
    if key.folded {
        out.push(flag(names::FOLDED, true));
    }
    out.extend(cgroup_path.as_ref().map(|path| text(names::CGROUP_PATH, &**path)));
    out.extend(own_netns.map(|netns| integer(names::OWN_NETNS, netns.into())));
    out.extend(netns_name.as_ref().map(|name| text(names::NETNS_NAME, &**name)));
    out.extend(netns_cgroup.as_ref().map(|home| {
        text(if home.unified { names::NETNS_CGROUP } else { names::NETNS_CGROUP_V1 }, &*home.path)
    }));
    // What is zero is left out.
    let counters = [
        (names::GENERATION, key.generation.into()),
        (names::OPENED, totals.opened),
        (names::PREEXISTING, totals.preexisting),
        (names::CLOSED, totals.closed),
        (names::REFUSED, totals.failed.refused),
        (names::TIMEOUT, totals.failed.timeout),
        (names::UNREACHABLE, totals.failed.unreachable),
        (names::RESET, totals.failed.reset),
        (names::OTHER, totals.failed.other),
        (names::CUT, totals.cut),
        (names::ABANDONED, totals.abandoned),
        (names::BYTES_SENT, totals.bytes_sent),
        (names::BYTES_RECEIVED, totals.bytes_received),
        (names::RETRANSMITS, totals.retransmits),
    ];
    out.extend(
        counters.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| integer(name, count)),
    );
    out.extend(totals.rtt_us.map(|rtt| integer(names::RTT, rtt.into())));
    if let Some(connect) = &totals.connect {
        let counts = connect.counts.iter().map(|count| i64::try_from(*count).unwrap_or(i64::MAX));
        out.push(array(names::CONNECT_COUNTS, counts.map(Value::IntValue)));
        out.push(integer(names::CONNECT_SUM, connect.sum_us));
    }
    if let Some(example) = &totals.example {
        out.extend([
            integer(names::EXAMPLE_PID, example.pid.into()),
            integer(names::EXAMPLE_UID, example.uid.into()),
            text(names::EXAMPLE_ADDRESS, example.local_address.to_string()),
            integer(names::EXAMPLE_PORT, example.local_port.into()),
            integer(names::EXAMPLE_COOKIE, example.cookie),
        ]);
        if totals.foreign_local {
            out.push(flag(names::EXAMPLE_FOREIGN, true));
        }
    }
}

fn state_attributes(state: &StateRecord, out: &mut Vec<KeyValue>) {
    let interval = u64::try_from(state.interval.as_millis()).unwrap_or(u64::MAX);
    out.extend([
        text(names::VERSION, &*state.version),
        integer(names::INTERVAL, interval),
        integer(names::FLOWS, state.flows),
    ]);
    out.extend(state.full_from.map(|from| integer(names::FULL_FROM, from)));
    let addresses = state.addresses.iter().map(|(netns, address)| format!("{netns} {address}"));
    out.push(array(names::ADDRESSES, addresses.map(Value::StringValue)));
}

fn gap_attributes(gap: &Gap, out: &mut Vec<KeyValue>) {
    out.extend([
        text(names::GAP_REASON, gap.reason.as_str()),
        integer(names::GAP_COUNT, gap.count),
        flag(names::GAP_HEALED, gap.healed),
    ]);
}

fn array(name: &str, values: impl Iterator<Item = Value>) -> KeyValue {
    let values = values.map(|value| AnyValue { value: Some(value) }).collect();
    attribute(name, Value::ArrayValue(ArrayValue { values }))
}

/// The word for a direction.
pub(super) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
        Direction::Listen => "listen",
    }
}

/// The word for a class of local addresses.
pub(super) const fn local_class(class: AddressClass) -> &'static str {
    match class {
        AddressClass::Loopback => "loopback",
        AddressClass::LinkLocal => "link_local",
        AddressClass::Other => "other",
    }
}
