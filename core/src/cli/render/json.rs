//! The map as JSON: the format that `docs/map.md` and `docs/map.schema.json` describe.

use serde::Serialize;
use servicemap_map::model::Snapshot;

/// The map as JSON, ended by a newline: one line for programs, indented for people.
pub(crate) fn json(snapshot: &Snapshot, indented: bool) -> Result<String, serde_json::Error> {
    document(snapshot, indented)
}

/// Anything as JSON, in the same way.
pub(crate) fn document(value: &impl Serialize, indented: bool) -> Result<String, serde_json::Error> {
    let mut text = if indented { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json as value};
    use servicemap_map::model::{Cause, Causes, HealthStatus, Service, ServiceId};

    use super::super::sample;
    use super::*;

    const SCHEMA: &str = include_str!("../../../../docs/map.schema.json");

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    /// Turns away properties that the schema does not name: readers must ignore those, but we may not write any.
    fn closed(mut schema: Value) -> Value {
        fn close(node: &mut Value) {
            if let Some(object) = node.as_object_mut() {
                if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                    object.insert("additionalProperties".to_owned(), false.into());
                }
                object.values_mut().for_each(close);
            } else if let Some(list) = node.as_array_mut() {
                list.iter_mut().for_each(close);
            }
        }
        close(&mut schema);
        schema
    }

    fn faults(schema: &Value, document: &Value) -> Vec<String> {
        let validator =
            jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap();
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path)).collect()
    }

    fn document(snapshot: &Snapshot) -> Value {
        serde_json::from_str(&json(snapshot, false).unwrap()).unwrap()
    }

    #[test]
    fn the_schema_is_one() {
        jsonschema::meta::validate(&schema()).unwrap();
    }

    #[test]
    fn the_schema_describes_all_that_is_written() {
        for snapshot in [sample::empty(), sample::shop(), sample::odd()] {
            assert_eq!(faults(&closed(schema()), &document(&snapshot)), Vec::<String>::new());
        }
    }

    #[test]
    fn the_schema_describes_causes() {
        let mut snapshot = sample::shop();
        let [first, second] = [0, 1].map(|number| snapshot.services[number].id.clone());
        let cause = |service: &ServiceId, distance, via| Cause {
            service: service.clone(),
            status: HealthStatus::Unhealthy,
            distance,
            via,
            root: distance == 2,
        };
        let mut service = Service::clone(&snapshot.services[2]);
        let listed = vec![cause(&first, 1, None), cause(&second, 2, Some(first.clone()))];
        service.health.causes = Causes { listed, more: 3 };
        snapshot.services[2] = service.into();
        let written = document(&snapshot);
        assert_eq!(written["services"][2]["health"]["causes"][1]["via"], value!(first.to_string()));
        assert_eq!(faults(&closed(schema()), &written), Vec::<String>::new());
    }

    #[test]
    fn the_schema_turns_away_what_is_no_map() {
        let good = document(&sample::shop());
        for (pointer, wrong) in [
            ("/version", value!(2)),
            ("/at", value!("yesterday")),
            ("/services/0/type", value!("Pod")),
            ("/services/0/health/status", value!("fine")),
            ("/connections/0/port", value!(65_536)),
            ("/connections/0/opened", value!(-1)),
            ("/connections/0/failed/refused", value!("many")),
            ("/connections/0/protocol", value!("udp")),
            ("/connections/0/source/name", value!(null)),
            ("/gaps", value!({})),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = wrong;
            assert_ne!(faults(&schema(), &bad), Vec::<String>::new(), "{pointer} was taken");
        }
    }

    #[test]
    fn every_property_is_required_or_said_to_be_missing_at_times() {
        let good = document(&sample::shop());
        for key in good.as_object().unwrap().keys() {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(key);
            assert_ne!(faults(&schema(), &bad), Vec::<String>::new(), "a map without {key} was taken");
        }
    }

    #[test]
    fn programs_get_one_line() {
        let text = json(&sample::odd(), false).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(json(&sample::odd(), true).unwrap().lines().count() > 100);
    }
}
