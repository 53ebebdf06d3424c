//! Writes the two headers of the C ABI into the directory that is its argument: `ffi/headers.sh` calls it.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: headers DIRECTORY")?);
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR"));

    let config = cbindgen::Config::from_file(source.join("cbindgen.toml"))?;
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(source.join("src/lib.rs"))
        .generate()?
        .write_to_file(directory.join("servicemap.h"));

    let path = directory.join("servicemap_events.h");
    servicemap::events::write_header(&path)?;
    let header = std::fs::read_to_string(&path)?;
    std::fs::write(&path, shorten(&header))?;
    Ok(())
}

/// safer-ffi repeats a page about Rust slices at each slice type, and marks every comment with `\brief`.
fn shorten(header: &str) -> String {
    let mut short = header.replace("/** \\brief\n", "/**\n");
    while let (Some(start), Some(end)) = (short.find(SLICE_PAGE_START), short.find(SLICE_PAGE_END)) {
        if end < start {
            break;
        }
        short.replace_range(start..end + SLICE_PAGE_END.len(), "Consecutive entries.");
    }
    short.replace("extern \\\"C\\\"", "extern \"C\"")
}

const SLICE_PAGE_START: &str = "`&'lt [T]` but with a guaranteed";
const SLICE_PAGE_END: &str = "use the `Option< slice_ptr<_> >` type.";
