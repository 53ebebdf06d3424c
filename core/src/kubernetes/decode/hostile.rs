//! Objects that nobody would send: no input may panic, and what cannot be read is an error.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{POD, RESOURCES, SERVICE, SLICE};
use super::*;

/// Names of fields that are read, so that values of the wrong kind reach every decoder.
const FIELDS: [&str; 34] = [
    "metadata",
    "spec",
    "status",
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "ownerReferences",
    "annotations",
    "ports",
    "port",
    "nodePort",
    "protocol",
    "clusterIP",
    "clusterIPs",
    "loadBalancer",
    "ingress",
    "endpoints",
    "addresses",
    "conditions",
    "targetRef",
    "subsets",
    "containers",
    "containerPort",
    "podIPs",
    "startTime",
    "containerStatuses",
    "containerID",
    "rules",
    "http",
    "paths",
    "backend",
    "policyTypes",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
        "[0-9a-f:./-]{0,20}".prop_map(Value::from),
        Just(Value::from("10.1.0.5")),
        Just(Value::from("2026-11-24T10:00:05Z")),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let field = prop::sample::select(&FIELDS[..]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(field, inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_object_panics(object in value()) {
        let json = object.to_string();
        for resource in RESOURCES {
            let _ = item(resource, &json, &mut Names::default());
        }
        let _ = (resource_version(&json), uid(&json));
    }

    #[test]
    fn no_damage_to_an_object_panics(
        which in 0..3_usize,
        place in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        removed in 0..8_usize,
    ) {
        let whole = [POD, SERVICE, SLICE][which].as_bytes();
        let at = place.index(whole.len());
        let rest = whole.get(at + removed..).unwrap_or_default();
        let damaged = [&whole[..at], &bytes, rest].concat();
        let json = String::from_utf8_lossy(&damaged);
        for resource in RESOURCES {
            let _ = item(resource, &json, &mut Names::default());
        }
    }

    #[test]
    fn what_is_read_is_known_by_its_own_name(name in "[a-z0-9-]{1,20}", namespace in "[a-z0-9-]{0,20}") {
        let json = json!({"metadata": {"name": name, "namespace": namespace, "uid": name}}).to_string();
        for resource in RESOURCES {
            let key = item(resource, &json, &mut Names::default()).unwrap().key;
            let by_uid = Key::Uid(name.as_str().into());
            prop_assert!(key == by_uid || key == Key::Name(namespace.as_str().into(), name.as_str().into()));
        }
    }
}

#[test]
fn an_object_that_is_nested_without_end_is_an_error() {
    let deep = "[".repeat(100_000);
    for resource in RESOURCES {
        assert!(item(resource, &format!("{{\"metadata\":{deep}"), &mut Names::default()).is_err());
        // Where nobody reads it, it is skipped without a stack.
        let unread = format!("{{\"unread\":{deep}{}}}", "]".repeat(100_000));
        assert!(item(resource, &unread, &mut Names::default()).is_ok(), "{resource:?}");
    }
}
