//! Entities by small typed number: half the size of a pointer, and no borrow between them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// Number of a `T` in its [`Slots`]. Given again once its `T` is gone.
pub(crate) struct Id<T>(NonZeroU32, PhantomData<fn() -> T>);

impl<T> Id<T> {
    fn new(index: usize) -> Option<Self> {
        let number = u32::try_from(index).ok()?.checked_add(1)?;
        Some(Self(NonZeroU32::new(number)?, PhantomData))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Places of a page. A row that grew in one piece would be moved, and a quarter of it be empty.
const PAGE: usize = 256;

/// A growing row of `T` in which freed places are used again.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// All but the last one are full.
    pages: Vec<Vec<Option<T>>>,
    free: Vec<Id<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts a `T` in. `None` when four billion are in already.
    pub(crate) fn insert(&mut self, value: T) -> Option<Id<T>> {
        if let Some(id) = self.free.pop() {
            *self.place_mut(id)? = Some(value);
            return Some(id);
        }
        let id = Id::new(self.places())?;
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(Some(value)),
            // The first one grows: few maps are large.
            None => self.pages.push(vec![Some(value)]),
            Some(_) => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(Some(value));
                self.pages.push(page);
            }
        }
        Some(id)
    }

    /// Takes a `T` out.
    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let value = self.place_mut(id)?.take()?;
        self.free.push(id);
        Some(value)
    }

    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        self.pages.get(id.index() / PAGE)?.get(id.index() % PAGE)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.place_mut(id)?.as_mut()
    }

    fn place_mut(&mut self, id: Id<T>) -> Option<&mut Option<T>> {
        self.pages.get_mut(id.index() / PAGE)?.get_mut(id.index() % PAGE)
    }

    fn places(&self) -> usize {
        let full = self.pages.len().saturating_sub(1);
        full * PAGE + self.pages.last().map_or(0, Vec::len)
    }

    pub(crate) fn len(&self) -> usize {
        self.places() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.pages
            .iter()
            .flatten()
            .enumerate()
            .filter_map(|(index, place)| Some((Id::new(index)?, place.as_ref()?)))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_number_when_pages_are_added() {
        let mut slots = Slots::default();
        let ids: Vec<_> = (0..3 * PAGE).map(|value| slots.insert(value).unwrap()).collect();
        let found = ids.iter().map(|id| slots.get(*id).copied());
        assert!(found.eq((0..3 * PAGE).map(Some)));
        assert!(slots.iter().map(|(id, _)| id).eq(ids));
        assert_eq!(slots.len(), 3 * PAGE);
    }

    #[test]
    fn a_freed_place_is_used_again() {
        let mut slots = Slots::default();
        let a = slots.insert("a").unwrap();
        let b = slots.insert("b").unwrap();
        assert_eq!(slots.remove(a), Some("a"));
        assert_eq!(slots.remove(a), None);
        assert_eq!(slots.insert("c"), Some(a));
        assert_eq!((slots.get(a), slots.get(b), slots.len()), (Some(&"c"), Some(&"b"), 2));
        assert_eq!(slots.iter().map(|(_, value)| *value).collect::<Vec<_>>(), ["c", "b"]);
    }
}
