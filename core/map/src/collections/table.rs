//! Objects by a key that they say themselves.

use std::hash::{BuildHasher as _, Hash, Hasher};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::RandomState;

/// Something that says its own key.
pub(crate) trait Keyed {
    /// What it is looked for by.
    type Key: Hash + ?Sized;

    /// Whether this is its key.
    fn has_key(&self, key: &Self::Key) -> bool;

    /// Hashes its key, as the key itself does.
    fn hash_key(&self, hasher: &mut impl Hasher);
}

/// A hash table of objects. A place in it, of which up to half are empty, is a pointer: keys are not kept beside the objects
/// that have them.
#[derive(Debug)]
pub(crate) struct Table<T> {
    places: HashTable<Box<T>>,
    state: RandomState,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: HashTable::new(), state: RandomState::default() }
    }
}

impl<T: Keyed> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().map(Box::as_ref)
    }

    pub(crate) fn get(&self, key: &T::Key) -> Option<&T> {
        self.places.find(self.state.hash_one(key), |one| one.has_key(key)).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, key: &T::Key) -> Option<&mut T> {
        self.places.find_mut(self.state.hash_one(key), |one| one.has_key(key)).map(Box::as_mut)
    }

    pub(crate) fn contains_key(&self, key: &T::Key) -> bool {
        self.get(key).is_some()
    }

    /// Puts an object in, in the place of the one that has its key: this one, by which it is looked for.
    pub(crate) fn insert(&mut self, key: &T::Key, value: T) {
        let Self { places, state } = self;
        let hash = |one: &T| {
            let mut hasher = state.build_hasher();
            one.hash_key(&mut hasher);
            hasher.finish()
        };
        match places.entry(state.hash_one(key), |one| one.has_key(key), |one| hash(one)) {
            Entry::Occupied(mut known) => **known.get_mut() = value,
            Entry::Vacant(place) => {
                place.insert(Box::new(value));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &T::Key) -> Option<T> {
        let known = self.places.find_entry(self.state.hash_one(key), |one| one.has_key(key)).ok()?;
        Some(*known.remove().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(String, u32);

    impl Keyed for Named {
        type Key = str;

        fn has_key(&self, key: &str) -> bool {
            self.0 == key
        }

        fn hash_key(&self, hasher: &mut impl Hasher) {
            self.0.hash(hasher);
        }
    }

    #[test]
    fn objects_are_found_by_what_they_say_themselves() {
        let mut table = Table::default();
        // As many as make it grow several times.
        for n in 0..1000 {
            table.insert(n.to_string().as_str(), Named(n.to_string(), n));
        }
        table.insert("7", Named("7".to_owned(), 70));
        assert_eq!((table.len(), table.values().count()), (1000, 1000));
        assert_eq!(table.get("7").map(|one| one.1), Some(70));
        assert_eq!(table.remove("7").map(|one| one.1), Some(70));
        assert!(!table.contains_key("7") && table.remove("7").is_none());
        assert!(
            (0..1000).filter(|n| *n != 7).all(|n| table.get(&n.to_string()).is_some_and(|one| one.1 == n))
        );
    }
}
