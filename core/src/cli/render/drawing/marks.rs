//! What the analysis of the graph says about single services.

use std::collections::HashMap;

use servicemap_map::model::SnapshotTopology;

/// What is marked on a service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// The cycle that it is in, by its number, and how many members that has.
    pub(super) cycle: Option<(usize, usize)>,
    /// Services that fail without it, where it is a single point of failure.
    pub(super) dependents: Option<u64>,
}

/// Marks by id.
pub(super) struct Marks<'a>(HashMap<&'a str, Mark>);

impl<'a> Marks<'a> {
    pub(super) fn new(topology: &'a SnapshotTopology) -> Self {
        let mut marks: HashMap<&str, Mark> = HashMap::new();
        for (number, members) in topology.cycles.iter().enumerate() {
            for member in members {
                marks.entry(member).or_default().cycle = Some((number, members.len()));
            }
        }
        for point in &topology.single_points_of_failure {
            marks.entry(&point.service).or_default().dependents = Some(point.dependents);
        }
        Self(marks)
    }

    pub(super) fn of(&self, id: &str) -> Mark {
        self.0.get(id).copied().unwrap_or_default()
    }
}
