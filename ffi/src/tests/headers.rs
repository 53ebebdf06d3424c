//! Writes the two headers of the C ABI into `$SERVICEMAP_HEADERS`: `ffi/headers.sh` runs it. A test and no program,
//! because only the crate's own tests can link a crate that is built as libraries for C alone.

use std::path::{Path, PathBuf};

#[test]
fn write() {
    let directory = std::env::var_os("SERVICEMAP_HEADERS").expect("ffi/headers.sh says where to write");
    let directory = PathBuf::from(directory);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));

    let config = cbindgen::Config::from_file(source.join("cbindgen.toml")).unwrap();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(source.join("src/lib.rs"))
        .generate()
        .unwrap()
        .write_to_file(directory.join("servicemap.h"));

    let path = directory.join("servicemap_events.h");
    safer_ffi::headers::builder()
        .with_guard("SERVICEMAP_EVENTS_H")
        .with_banner(BANNER)
        .to_file(&path)
        .unwrap()
        .generate()
        .unwrap();
    let header = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, shorten(&header)).unwrap();
}

/// First lines of `servicemap_events.h`.
const BANNER: &str = "\
// Typed events of Servicemap: the batches of kind EVENTS of servicemap.h, read in place. Generated: do not edit.
//
// servicemap_batch_t and servicemap_error_t are the types servicemap_batch and servicemap_error of servicemap.h.
// Rows hold no pointers: text is an offset and a length into the view's arena, a range is a first index and a count into
// one of the view's lists, whose pointers are never NULL. Layouts of rows change only with SERVICEMAP_ABI_VERSION.
";

/// safer-ffi repeats a page about Rust slices at each slice type, and marks every comment with `\brief`.
fn shorten(header: &str) -> String {
    let mut short = header.replace("/** \\brief\n", "/**\n");
    while let (Some(start), Some(end)) = (short.find(SLICE_PAGE_START), short.find(SLICE_PAGE_END)) {
        assert!(start < end, "safer-ffi writes its page about slices in another way now");
        short.replace_range(start..end + SLICE_PAGE_END.len(), "Consecutive entries.");
    }
    short.replace("extern \\\"C\\\"", "extern \"C\"")
}

const SLICE_PAGE_START: &str = "`&'lt [T]` but with a guaranteed";
const SLICE_PAGE_END: &str = "use the `Option< slice_ptr<_> >` type.";
