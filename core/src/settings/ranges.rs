//! Ranges of addresses: those of the cluster, and those outside that have a name.

use std::sync::Arc;

use servicemap_map::NamedRanges;
use servicemap_map::model::AddressRange;

use super::reader::{Section, join};

/// Ranges with names: as many as the largest public lists have (a cloud's own, about 10,000), at 100 bytes each.
const MAX_NAMED_RANGES: usize = 20_000;

/// Bytes of a name: as long as a DNS name, which is what it stands in for.
const MAX_NAME: usize = 253;

/// Reads `cluster_ranges`.
pub(super) fn cluster_ranges(section: &mut Section<'_, '_>) -> Vec<AddressRange> {
    let texts = section.texts("cluster_ranges").unwrap_or_default();
    let mut ranges = Vec::with_capacity(texts.len());
    for text in texts {
        match AddressRange::parse(&text) {
            Some(range) => ranges.push(range),
            None => section.problem("cluster_ranges", no_range(&text)),
        }
    }
    ranges
}

/// Reads `named_ranges`.
pub(super) fn named_ranges(section: &mut Section<'_, '_>) -> NamedRanges {
    const KEY: &str = "named_ranges";
    let mut ranges = NamedRanges::default();
    let mut left_out = 0_usize;
    for (name, texts) in section.named_texts(KEY).unwrap_or_default() {
        if !is_name(&name) {
            let message = format!(
                "{name:?} is no name for a range; write 1 to {MAX_NAME} characters that are neither \"/\" nor control characters and do not begin with \"~\""
            );
            section.problem(KEY, message);
            continue;
        }
        let path = join(KEY, &name);
        let name: Arc<str> = name.into();
        for text in texts {
            if ranges.len() >= MAX_NAMED_RANGES {
                left_out += 1;
                continue;
            }
            let known = match read(&text) {
                Ok(range) => ranges.insert(name.clone(), range),
                Err(message) => {
                    section.problem(&path, message);
                    continue;
                }
            };
            match known {
                Ok(()) => {}
                Err(known) if known == name => {
                    section.problem(&path, format!("{text:?} stands twice; remove one of them"));
                }
                Err(known) => {
                    section
                        .problem(&path, format!("{text:?} is named {known:?} already; remove one of them"));
                }
            }
        }
    }
    if left_out > 0 {
        let message = format!("has {} ranges; write at most {MAX_NAMED_RANGES}", ranges.len() + left_out);
        section.problem(KEY, message);
    }
    ranges
}

/// A name must not look like one of the map's own (`~other`), nor break a connection's key (`ns/a->ns/b:port/tcp`).
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('~')
        && !name.contains(|letter: char| letter == '/' || letter.is_control())
}

/// A range whose text has no bits beyond its prefix: those would be a typing error in one or the other.
fn read(text: &str) -> Result<AddressRange, String> {
    let range = AddressRange::parse(text).ok_or_else(|| no_range(text))?;
    let first = range.first();
    if first == range {
        Ok(range)
    } else {
        Err(format!("{text:?} has bits beyond its prefix; write \"{first}\", or a longer prefix"))
    }
}

fn no_range(text: &str) -> String {
    format!("{text:?} is no range of addresses; write one such as \"10.96.0.0/12\"")
}
