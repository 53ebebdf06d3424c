//! Collections with the crate's hasher: keyed at random, faster than std's on our short keys.

mod row;
mod table;

pub(crate) use foldhash::fast::RandomState;
pub(crate) use row::Row;
pub(crate) use table::{Keyed, Table};

pub(crate) type HashMap<K, V> = hashbrown::HashMap<K, V, RandomState>;
pub(crate) type HashSet<K> = hashbrown::HashSet<K, RandomState>;
