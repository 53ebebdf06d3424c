//! Small sets.

/// A set of a few, sorted, in as much room as they need: a tree has room for eleven as soon as there is one.
#[derive(Debug)]
pub(crate) struct Row<T>(Vec<T>);

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Row<T> {
    pub(crate) fn insert(&mut self, value: T) {
        if let Err(place) = self.0.binary_search(&value) {
            if self.0.len() == self.0.capacity() {
                // Many rows have one or two, and those that have thousands are not to be copied for each.
                self.0.reserve_exact(1 + self.0.len() / 8);
            }
            self.0.insert(place, value);
        }
    }

    pub(crate) fn remove(&mut self, value: &T) {
        if let Ok(place) = self.0.binary_search(value) {
            self.0.remove(place);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a Row<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_sorted_and_has_each_once() {
        let mut row = Row::default();
        for value in [3, 1, 2, 3, 1] {
            row.insert(value);
        }
        assert_eq!(row.iter().collect::<Vec<_>>(), [&1, &2, &3]);
        row.remove(&2);
        row.remove(&7);
        assert_eq!(row.iter().collect::<Vec<_>>(), [&1, &3]);
    }

    #[test]
    fn a_row_of_a_few_has_no_spare_room() {
        let mut row = Row::default();
        for value in 0..8 {
            row.insert(value);
        }
        assert_eq!(row.0.capacity(), 8);
    }
}
