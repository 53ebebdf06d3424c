//! What OTLP logs and metrics have in common: resource, scope and attributes.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use servicemap_map::model::ObserverInfo;

/// Name of the instrumentation scope, and of the observer as a service.
pub(super) const NAME: &str = "servicemap";
/// Which names the attributes have; it changes when one of them does.
pub(super) const SCHEMA_URL: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/telemetry/0.1.0");

/// An attribute with any value.
pub(super) fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A text attribute.
pub(super) fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A whole number; numbers beyond `i64` are shown as the largest one.
pub(super) fn integer(key: impl Into<String>, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// A number that need not be whole.
pub(super) fn double(key: impl Into<String>, value: f64) -> KeyValue {
    attribute(key, Value::DoubleValue(value))
}

/// A flag.
pub(super) fn flag(key: impl Into<String>, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

/// Texts in a row.
pub(super) fn texts(key: impl Into<String>, values: impl Iterator<Item = String>) -> KeyValue {
    let text = |value| AnyValue { value: Some(Value::StringValue(value)) };
    attribute(key, Value::ArrayValue(ArrayValue { values: values.map(text).collect() }))
}

/// Describes the observer, never what it saw.
pub(super) fn resource(observer: &ObserverInfo) -> Resource {
    let mut attributes = vec![
        text("service.name", NAME),
        text("service.version", &*observer.version),
        // A run is one instance: no two of them may share it, not even two observers of one machine.
        text("service.instance.id", observer.run_id.to_string()),
        text("host.name", &*observer.host),
        text("telemetry.distro.name", NAME),
        text("telemetry.distro.version", &*observer.version),
    ];
    if !observer.cluster.is_empty() {
        attributes.push(text("k8s.cluster.name", &*observer.cluster));
    }
    if !observer.cluster_uid.is_empty() {
        attributes.push(text("k8s.cluster.uid", &*observer.cluster_uid));
    }
    Resource { attributes, ..Resource::default() }
}

/// The scope of everything that Servicemap says.
pub(super) fn scope(observer: &ObserverInfo) -> InstrumentationScope {
    InstrumentationScope {
        name: NAME.to_owned(),
        version: observer.version.to_string(),
        ..InstrumentationScope::default()
    }
}

/// The type that Kubernetes itself has for a Service: a headless one is a `ClusterIP` Service without an address.
pub(super) fn kubernetes_type(service_type: &str) -> &str {
    if service_type == "Headless" { "ClusterIP" } else { service_type }
}

/// Puts messages into as few groups as it takes for each to be at most `max_bytes` long, or to have one message.
pub(super) fn pack<M: prost::Message>(messages: Vec<M>, max_bytes: usize) -> Vec<Vec<M>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut group_bytes = 0;
    for message in messages {
        let bytes = message.encoded_len();
        if !group.is_empty() && group_bytes + bytes > max_bytes {
            groups.push(std::mem::take(&mut group));
            group_bytes = 0;
        }
        group_bytes += bytes;
        group.push(message);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}
