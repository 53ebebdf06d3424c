//! OTLP to records. What comes over the network may be anything: nothing here panics, and what cannot be read is refused
//! with a reason.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use servicemap_map::agents::{
    FlowRecord, Head, MAX_REPORTED_ADDRESSES, REPORT_INTERVAL, Record, RecordBody, StateRecord,
};
use servicemap_map::model::{
    AddressClass, ConnectLatency, ContainerCgroup, Direction, Failures, FlowDelta, FlowKey, Gap, GapReason,
    MachineId, RunId, SocketExample, Timestamp,
};
use uuid::Uuid;

use super::{ENCODING, encode, names};

/// Longest text that is kept: a cgroup's path may have 4,096 bytes (`PATH_MAX`).
const MAX_TEXT: usize = 4_096;

/// Why a log record is no record of an agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedError {
    /// It is something else.
    #[error(
        "a log record with the event name {0:?} is no record of a Servicemap agent: send only those whose scope is \"servicemap.agent\" here"
    )]
    Other(String),
    /// It is written in another way.
    #[error(
        "the record has encoding {0}, but this version reads encoding 1: run agents and cluster instance of versions that are one minor version apart at most"
    )]
    Encoding(i64),
    /// Something is not there.
    #[error(
        "the record has no {0:?}, without which it means nothing: look which processor on the way removes it"
    )]
    Missing(&'static str),
    /// Something is not what it should be.
    #[error("the record's {0:?} is not what belongs there: look which processor on the way changes it")]
    Invalid(&'static str),
}

/// Log records that are none of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// Why, of the first one.
    pub first: Option<RefusedError>,
}

/// The agents' records of a request, and what was refused.
pub fn decode(request: ExportLogsServiceRequest) -> (Vec<Record>, Refused) {
    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    let mut records = Vec::new();
    let mut refused = Refused::default();
    for record in scopes.flat_map(|scope| scope.log_records) {
        match read(record) {
            Ok(record) => records.push(record),
            Err(error) => {
                refused.count += 1;
                refused.first.get_or_insert(error);
            }
        }
    }
    (records, refused)
}

fn read(record: LogRecord) -> Result<Record, RefusedError> {
    let body: fn(&Attributes) -> Result<RecordBody, RefusedError> = match record.event_name.as_str() {
        names::EVENT_FLOW => |attributes| Ok(RecordBody::Flow(Box::new(flow(attributes)?))),
        names::EVENT_STATE => |attributes| Ok(RecordBody::State(state(attributes)?)),
        names::EVENT_GAP => |attributes| Ok(RecordBody::Gap(gap(attributes)?)),
        other => return Err(RefusedError::Other(other.chars().take(100).collect())),
    };
    let at = Timestamp::from_nanos(record.time_unix_nano);
    let attributes = Attributes::new(record.attributes);
    match attributes.integer(names::ENCODING)? {
        Some(encoding) if u64::try_from(encoding) == Ok(ENCODING) => {}
        Some(encoding) => return Err(RefusedError::Encoding(encoding)),
        None => return Err(RefusedError::Missing(names::ENCODING)),
    }
    let run = attributes.need_text(names::RUN)?;
    let head = Head {
        machine: attributes.need_text(names::MACHINE)?.into(),
        run: RunId(Uuid::parse_str(run).map_err(|_| RefusedError::Invalid(names::RUN))?),
        run_started_at: Timestamp::from_nanos(attributes.need(names::RUN_STARTED)?),
        sequence: attributes.need(names::SEQUENCE)?,
    };
    let body = body(&attributes)?;
    let at = match &body {
        RecordBody::Gap(gap) => Record { head, at, body: RecordBody::Gap(Gap { at, ..gap.clone() }) },
        RecordBody::Flow(_) | RecordBody::State(_) => Record { head, at, body },
    };
    Ok(at)
}

fn flow(attributes: &Attributes) -> Result<FlowRecord, RefusedError> {
    let count = |name| attributes.count(name);
    let totals = FlowDelta {
        key: key(attributes)?,
        opened: count(names::OPENED)?,
        preexisting: count(names::PREEXISTING)?,
        closed: count(names::CLOSED)?,
        failed: Failures {
            refused: count(names::REFUSED)?,
            timeout: count(names::TIMEOUT)?,
            unreachable: count(names::UNREACHABLE)?,
            reset: count(names::RESET)?,
            other: count(names::OTHER)?,
        },
        cut: count(names::CUT)?,
        abandoned: count(names::ABANDONED)?,
        bytes_sent: count(names::BYTES_SENT)?,
        bytes_received: count(names::BYTES_RECEIVED)?,
        retransmits: count(names::RETRANSMITS)?,
        rtt_us: attributes.small(names::RTT)?,
        connect: connect(attributes)?,
        first: Timestamp::from_nanos(count(names::FIRST)?),
        last: Timestamp::from_nanos(count(names::LAST)?),
        example: example(attributes)?,
        foreign_local: attributes.flag(names::EXAMPLE_FOREIGN)?,
    };
    Ok(FlowRecord {
        totals,
        since: count(names::SINCE)?,
        cgroup_path: attributes.text(names::CGROUP_PATH)?.map(Arc::from),
        own_netns: attributes.small(names::OWN_NETNS)?,
        netns_name: attributes.text(names::NETNS_NAME)?.map(Arc::from),
        netns_cgroup: netns_cgroup(attributes)?,
    })
}

fn netns_cgroup(attributes: &Attributes) -> Result<Option<ContainerCgroup>, RefusedError> {
    let home = |name, unified| {
        let path = attributes.text(name)?;
        Ok(path.map(|path| ContainerCgroup { path: path.into(), unified }))
    };
    Ok(home(names::NETNS_CGROUP, true)?.or(home(names::NETNS_CGROUP_V1, false)?))
}

fn key(attributes: &Attributes) -> Result<FlowKey, RefusedError> {
    let directions = [Direction::Outbound, Direction::Inbound, Direction::Listen];
    let classes = [AddressClass::Loopback, AddressClass::LinkLocal, AddressClass::Other];
    Ok(FlowKey {
        machine: MachineId::OWN,
        cgroup: attributes.count(names::CGROUP)?,
        netns: attributes.small(names::NETNS)?.unwrap_or(0),
        direction: attributes.word(names::DIRECTION, &directions.map(|one| (encode::direction(one), one)))?,
        local_class: attributes
            .word(names::LOCAL_CLASS, &classes.map(|one| (encode::local_class(one), one)))?,
        remote: attributes
            .address(names::REMOTE)?
            .ok_or(RefusedError::Missing(names::REMOTE))?
            .to_canonical(),
        port: attributes.small(names::PORT)?.ok_or(RefusedError::Missing(names::PORT))?,
        program: attributes.text(names::PROGRAM)?.unwrap_or_default().into(),
        folded: attributes.flag(names::FOLDED)?,
        generation: attributes.small(names::GENERATION)?.unwrap_or(0),
    })
}

fn connect(attributes: &Attributes) -> Result<Option<Box<ConnectLatency>>, RefusedError> {
    let Some(counts) = attributes.array(names::CONNECT_COUNTS)? else { return Ok(None) };
    let mut connect = ConnectLatency { sum_us: attributes.count(names::CONNECT_SUM)?, ..Default::default() };
    for (count, value) in connect.counts.iter_mut().zip(counts) {
        let Some(Value::IntValue(value)) = value.value else {
            return Err(RefusedError::Invalid(names::CONNECT_COUNTS));
        };
        *count = u64::try_from(value).map_err(|_| RefusedError::Invalid(names::CONNECT_COUNTS))?;
    }
    Ok(Some(Box::new(connect)))
}

fn example(attributes: &Attributes) -> Result<Option<SocketExample>, RefusedError> {
    let Some(local_address) = attributes.address(names::EXAMPLE_ADDRESS)? else { return Ok(None) };
    Ok(Some(SocketExample {
        pid: attributes.small(names::EXAMPLE_PID)?.unwrap_or(0),
        uid: attributes.small(names::EXAMPLE_UID)?.unwrap_or(0),
        local_address,
        local_port: attributes.small(names::EXAMPLE_PORT)?.unwrap_or(0),
        cookie: attributes.count(names::EXAMPLE_COOKIE)?,
    }))
}

fn state(attributes: &Attributes) -> Result<StateRecord, RefusedError> {
    let interval = attributes.count(names::INTERVAL)?;
    let invalid = || RefusedError::Invalid(names::ADDRESSES);
    let mut addresses = Vec::new();
    for value in attributes.array(names::ADDRESSES)?.into_iter().flatten().take(MAX_REPORTED_ADDRESSES) {
        let Some(Value::StringValue(pair)) = &value.value else { return Err(invalid()) };
        let (netns, address) = pair.split_once(' ').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        addresses.push((netns.parse().map_err(|_| invalid())?, address));
    }
    Ok(StateRecord {
        version: attributes.text(names::VERSION)?.unwrap_or_default().into(),
        interval: if interval == 0 { REPORT_INTERVAL } else { Duration::from_millis(interval) },
        full_from: Some(attributes.count(names::FULL_FROM)?).filter(|from| *from > 0),
        flows: attributes.count(names::FLOWS)?,
        addresses,
    })
}

fn gap(attributes: &Attributes) -> Result<Gap, RefusedError> {
    let reason = attributes.need_text(names::GAP_REASON)?;
    // One that a later version has, and this one does not know, is a loss all the same.
    let reason = GapReason::ALL.into_iter().find(|known| known.as_str() == reason);
    Ok(Gap {
        reason: reason.unwrap_or(GapReason::SourceUnavailable),
        count: attributes.count(names::GAP_COUNT)?,
        healed: attributes.flag(names::GAP_HEALED)?,
        at: Timestamp::ZERO,
    })
}

/// The attributes of a record by name; of two with one name the last.
struct Attributes(HashMap<String, Value>);

impl Attributes {
    fn new(attributes: Vec<KeyValue>) -> Self {
        let values = attributes.into_iter().filter_map(|one| Some((one.key, one.value?.value?)));
        Self(values.collect())
    }

    fn integer(&self, name: &'static str) -> Result<Option<i64>, RefusedError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::IntValue(value)) => Ok(Some(*value)),
            // Some engines turn whole numbers into text on the way.
            Some(Value::StringValue(text)) => text.parse().map(Some).map_err(|_| RefusedError::Invalid(name)),
            Some(_) => Err(RefusedError::Invalid(name)),
        }
    }

    /// Zero where it is not there.
    fn count(&self, name: &'static str) -> Result<u64, RefusedError> {
        let value = self.integer(name)?.unwrap_or(0);
        u64::try_from(value).map_err(|_| RefusedError::Invalid(name))
    }

    fn need(&self, name: &'static str) -> Result<u64, RefusedError> {
        if self.0.contains_key(name) { self.count(name) } else { Err(RefusedError::Missing(name)) }
    }

    fn small<T: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<T>, RefusedError> {
        let value = self.integer(name)?;
        value.map(|value| T::try_from(value).map_err(|_| RefusedError::Invalid(name))).transpose()
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, RefusedError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::StringValue(text)) if text.len() <= MAX_TEXT => Ok(Some(text)),
            Some(_) => Err(RefusedError::Invalid(name)),
        }
    }

    fn need_text(&self, name: &'static str) -> Result<&str, RefusedError> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or(RefusedError::Missing(name))
    }

    fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<T, RefusedError> {
        let text = self.need_text(name)?;
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or(RefusedError::Invalid(name))
    }

    fn address(&self, name: &'static str) -> Result<Option<IpAddr>, RefusedError> {
        self.text(name)?.map(|text| text.parse().map_err(|_| RefusedError::Invalid(name))).transpose()
    }

    fn flag(&self, name: &'static str) -> Result<bool, RefusedError> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::BoolValue(value)) => Ok(*value),
            Some(_) => Err(RefusedError::Invalid(name)),
        }
    }

    fn array(&self, name: &'static str) -> Result<Option<&[AnyValue]>, RefusedError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::ArrayValue(array)) => Ok(Some(&array.values)),
            Some(_) => Err(RefusedError::Invalid(name)),
        }
    }
}
