//! What is worth telling, and when: significance, debounce, deduplication, and the log that consumers read by cursor.

mod compose;
mod differences;
mod initial;
mod log;
mod memory;
mod noting;
mod pace;
mod sampling;
mod teller;
mod window;

pub use log::{Batch, Cursor, EventLog};

pub(crate) use teller::Teller;
