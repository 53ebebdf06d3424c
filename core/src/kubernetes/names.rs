//! Texts that many objects share (namespaces, nodes, owners, ports, labels) are kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use servicemap_map::model::{ContainerPort, Labels};

/// Looks for texts that nobody holds any more begin at this size: below it they cost nothing.
const SMALLEST_SWEEP: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Shared<Arc<str>>,
    rows: Shared<Labels>,
    ports: Shared<Arc<[ContainerPort]>>,
}

impl Names {
    /// The one copy of a text.
    pub(super) fn text(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.texts.kept.get(text.as_str()) {
            return known.clone();
        }
        self.texts.keep(text.into(), |text| Arc::strong_count(text) > 1)
    }

    /// A row of labels of which there is hardly another one, with texts that many have.
    pub(super) fn own_labels(&mut self, labels: impl IntoIterator<Item = (String, String)>) -> Labels {
        labels.into_iter().map(|(name, value)| (self.text(name), self.text(value))).collect()
    }

    /// The one copy of a row of labels.
    pub(super) fn labels(&mut self, labels: impl IntoIterator<Item = (String, String)>) -> Labels {
        let labels = self.own_labels(labels);
        match self.rows.kept.get(&labels) {
            Some(known) => known.clone(),
            None => self.rows.keep(labels, Labels::is_shared),
        }
    }

    /// The one copy of a row of ports.
    pub(super) fn ports(&mut self, ports: Vec<ContainerPort>) -> Arc<[ContainerPort]> {
        match self.ports.kept.get(ports.as_slice()) {
            Some(known) => known.clone(),
            None => self.ports.keep(ports.into(), |ports| Arc::strong_count(ports) > 1),
        }
    }
}

/// Values of which one copy is kept as long as somebody else holds it.
#[derive(Debug)]
struct Shared<T> {
    kept: HashSet<T>,
    /// Size at which to look for what nobody holds: looking costs as much as twice the values that came since.
    sweep_at: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { kept: HashSet::new(), sweep_at: SMALLEST_SWEEP }
    }
}

impl<T: Clone + Eq + Hash> Shared<T> {
    fn keep(&mut self, value: T, is_held: impl Fn(&T) -> bool) -> T {
        if self.kept.len() >= self.sweep_at {
            self.kept.retain(is_held);
            self.sweep_at = SMALLEST_SWEEP.max(self.kept.len() * 2);
        }
        self.kept.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_and_rows_are_one() {
        let mut names = Names::default();
        let (one, other) = (names.text("web".to_owned()), names.text("web".to_owned()));
        assert!(Arc::ptr_eq(&one, &other));
        let mut row = || names.labels([("app".to_owned(), "web".to_owned())]);
        let (one, other) = (row(), row());
        assert!(one.is_shared() && one == other);
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut names = Names::default();
        let held = names.text("held".to_owned());
        for n in 0..10 * SMALLEST_SWEEP {
            names.text(n.to_string());
            names.labels([("n".to_owned(), n.to_string())]);
        }
        assert!(names.texts.kept.len() <= 4 * SMALLEST_SWEEP, "{}", names.texts.kept.len());
        assert!(names.rows.kept.len() <= 4 * SMALLEST_SWEEP, "{}", names.rows.kept.len());
        assert!(Arc::ptr_eq(&held, &names.text("held".to_owned())));
    }
}
