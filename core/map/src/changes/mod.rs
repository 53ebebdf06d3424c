//! What is worth telling, and when: significance, debounce, deduplication, and the log that consumers read by cursor.

mod log;

pub use log::{Batch, Cursor, EventLog};
