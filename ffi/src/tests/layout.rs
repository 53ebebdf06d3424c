//! The committed headers and this library mean the same bytes: a C compiler compares sizes, offsets and numbers.

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use crate::events::{ConnectionRow, DependencyRow, EventRow, ExposureRow, ServiceRow, TopologyRow, View};
use crate::memory::{Bytes, Slice};
use crate::observer::ObserverStatus;
use crate::status::Status;

#[test]
fn a_c_compiler_sees_the_layouts_and_numbers_of_this_library() {
    let mut unit = String::from("#include \"servicemap.h\"\n#include \"servicemap_events.h\"\n");
    let mut same = |expression: &str, value: i64| {
        writeln!(unit, "_Static_assert({expression} == {value}, \"{expression}\");").unwrap();
    };
    same("SERVICEMAP_ABI_VERSION", crate::SERVICEMAP_ABI_VERSION.into());
    for status in Status::ALL {
        same(&format!("SERVICEMAP_STATUS_{}", screaming(&format!("{status:?}"))), status as i64);
    }
    for (expression, value) in [
        ("sizeof(servicemap_status)", size_of::<Status>()),
        ("sizeof(servicemap_slice)", size_of::<Slice>()),
        ("sizeof(servicemap_bytes)", size_of::<Bytes>()),
        ("sizeof(servicemap_observer_status_t)", size_of::<ObserverStatus>()),
        ("offsetof(servicemap_observer_status_t, message)", offset_of!(ObserverStatus, message)),
        ("sizeof(servicemap_events_view_t)", size_of::<View<'_>>()),
        ("offsetof(servicemap_events_view_t, events)", offset_of!(View<'_>, events)),
        ("offsetof(servicemap_events_view_t, arena)", offset_of!(View<'_>, arena)),
        ("sizeof(servicemap_event_t)", size_of::<EventRow>()),
        ("offsetof(servicemap_event_t, sequence)", offset_of!(EventRow, sequence)),
        ("offsetof(servicemap_event_t, subject)", offset_of!(EventRow, subject)),
        ("sizeof(servicemap_event_service_t)", size_of::<ServiceRow>()),
        ("offsetof(servicemap_event_service_t, exposed_by)", offset_of!(ServiceRow, exposed_by)),
        ("sizeof(servicemap_event_exposure_t)", size_of::<ExposureRow>()),
        ("sizeof(servicemap_event_dependency_t)", size_of::<DependencyRow>()),
        ("sizeof(servicemap_event_topology_t)", size_of::<TopologyRow>()),
        ("sizeof(servicemap_event_connection_t)", size_of::<ConnectionRow>()),
        ("offsetof(servicemap_event_connection_t, opened)", offset_of!(ConnectionRow, opened)),
        ("offsetof(servicemap_event_connection_t, port)", offset_of!(ConnectionRow, port)),
    ] {
        same(expression, i64::try_from(value).unwrap());
    }

    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("layout.c");
    std::fs::write(&source, unit).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include");
    let compiled = Command::new(std::env::var_os("CC").unwrap_or("cc".into()))
        .args(["-std=c11", "-fsyntax-only", "-I"])
        .args([&include, &source])
        .output()
        .expect("a C compiler is needed: install gcc or set CC");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

/// `NullPointer` as `NULL_POINTER`.
fn screaming(name: &str) -> String {
    let mut result = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            result.push('_');
        }
        result.push(letter.to_ascii_uppercase());
    }
    result
}
