//! The arena: every text of a batch once, one after another.

use std::collections::HashMap;

use super::rows::{Range, Text};
use crate::boundary::Failure;
use crate::status::Status;

/// Collects texts; equal ones are kept once.
#[derive(Debug, Default)]
pub(super) struct Strings {
    arena: Vec<u8>,
    known: HashMap<Box<str>, Text>,
    /// Texts that are part of a list.
    list: Vec<Text>,
}

impl Strings {
    /// The place of a text.
    pub(super) fn text(&mut self, text: &str) -> Result<Text, Failure> {
        if let Some(known) = self.known.get(text) {
            return Ok(*known);
        }
        let place = Text { offset: index(self.arena.len())?, len: index(text.len())? };
        self.arena.extend_from_slice(text.as_bytes());
        // The end must be addressable too.
        index(self.arena.len())?;
        self.known.insert(text.into(), place);
        Ok(place)
    }

    /// The place of several texts.
    pub(super) fn texts<T: AsRef<str>>(
        &mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Range, Failure> {
        let first = self.list.len();
        for text in texts {
            let place = self.text(text.as_ref())?;
            self.list.push(place);
        }
        range(first, self.list.len())
    }

    /// The arena and the list of texts.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<Text>) {
        (self.arena, self.list)
    }
}

/// Entries `first..end` of a list.
pub(super) fn range(first: usize, end: usize) -> Result<Range, Failure> {
    Ok(Range { first: index(first)?, count: index(end.saturating_sub(first))? })
}

/// A position as the rows have it.
pub(super) fn index(position: usize) -> Result<u32, Failure> {
    u32::try_from(position).map_err(|_| {
        Failure::new(Status::System, format!("a batch has {position} bytes or rows; rows can point to 4 GiB"))
    })
}
