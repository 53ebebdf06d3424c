//! Causes: of a service that is not well, which of those that it depends on are not well either.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::model::{Cause, Causes, HealthStatus, ServiceId};

/// Services at which a search for causes stops, so that a snapshot of a cluster in which everything fails stays cheap. What
/// is farther away than a thousand other causes helps nobody.
const MOST_SEARCHED: usize = 1_000;

/// The services that are not well, and which of them depend on which.
#[derive(Debug, Default)]
pub(crate) struct Ailing {
    graph: DiGraph<(ServiceId, HealthStatus), ()>,
    index: BTreeMap<ServiceId, NodeIndex>,
    /// Where chains end: what these depend on is well, but for what depends on them in turn.
    ends: BTreeSet<NodeIndex>,
}

/// How a search came to a service.
#[derive(Clone, Copy)]
struct Way {
    distance: u32,
    via: NodeIndex,
}

impl Ailing {
    pub(crate) fn new(
        services: impl IntoIterator<Item = (ServiceId, HealthStatus)>,
        dependencies: impl IntoIterator<Item = (ServiceId, ServiceId)>,
    ) -> Self {
        let mut graph = DiGraph::new();
        let services: BTreeMap<_, _> = services.into_iter().collect();
        let index: BTreeMap<_, _> =
            services.into_iter().map(|(id, status)| (id.clone(), graph.add_node((id, status)))).collect();
        let arrow = |(from, to)| Some((*index.get(&from)?, *index.get(&to)?));
        let arrows: BTreeSet<_> = dependencies.into_iter().filter_map(arrow).collect();
        for (from, to) in arrows {
            graph.add_edge(from, to, ());
        }
        let mut ends = BTreeSet::new();
        for component in kosaraju_scc(&graph) {
            let members: BTreeSet<_> = component.into_iter().collect();
            let leads_out =
                members.iter().flat_map(|node| graph.neighbors(*node)).any(|to| !members.contains(&to));
            if !leads_out {
                ends.extend(members);
            }
        }
        Self { graph, index, ends }
    }

    /// The causes of a service's not being well; none of one that is well.
    pub(crate) fn causes_of(&self, service: &ServiceId) -> Causes {
        let Some(start) = self.index.get(service) else { return Causes::default() };
        let ways = self.search(*start);
        let mut found: Vec<_> =
            ways.iter().filter_map(|(node, way)| self.cause(*node, *way, *start)).collect();
        let more = found.len().saturating_sub(Causes::MOST);
        if more > 0 {
            found.sort_by_key(|cause| (!cause.root, cause.distance));
            found.truncate(Causes::MOST);
        }
        found.sort_by(|a, b| (a.distance, &a.service).cmp(&(b.distance, &b.service)));
        Causes { listed: found, more: more as u64 }
    }

    /// Everything that a service depends on, in the order of the nodes, which is that of the identities.
    fn search(&self, start: NodeIndex) -> BTreeMap<NodeIndex, Way> {
        let mut ways = BTreeMap::new();
        let mut open = VecDeque::from([(start, 0)]);
        while let Some((node, distance)) = open.pop_front() {
            let mut needed: Vec<_> = self.graph.neighbors(node).filter(|next| *next != start).collect();
            needed.sort_unstable();
            for next in needed {
                if ways.len() < MOST_SEARCHED && !ways.contains_key(&next) {
                    ways.insert(next, Way { distance: distance + 1, via: node });
                    open.push_back((next, distance + 1));
                }
            }
        }
        ways
    }

    fn cause(&self, node: NodeIndex, way: Way, start: NodeIndex) -> Option<Cause> {
        let (service, status) = self.graph.node_weight(node)?.clone();
        let via = self.graph.node_weight(way.via).filter(|_| way.via != start).map(|(id, _)| id.clone());
        Some(Cause { service, status, distance: way.distance, via, root: self.ends.contains(&node) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceKind;

    fn id(name: &str) -> ServiceId {
        ServiceId::new(ServiceKind::Service, "shop", name)
    }

    /// `a>b` is a dependency between two that are unhealthy.
    fn ailing(dependencies: &[&str]) -> Ailing {
        let pairs: Vec<_> = dependencies
            .iter()
            .map(|pair| pair.split_once('>').unwrap())
            .map(|(a, b)| (id(a), id(b)))
            .collect();
        let services = pairs.iter().flat_map(|(a, b)| [a.clone(), b.clone()]);
        Ailing::new(services.map(|id| (id, HealthStatus::Unhealthy)), pairs.clone())
    }

    /// `distance name`, with ` via name` and ` root`.
    fn causes(ailing: &Ailing, of: &str) -> Vec<String> {
        let lines = ailing.causes_of(&id(of)).listed.into_iter().map(|cause| {
            let via = cause.via.map(|via| format!(" via {}", via.name)).unwrap_or_default();
            let root = if cause.root { " root" } else { "" };
            format!("{} {}{via}{root}", cause.distance, cause.service.name)
        });
        lines.collect()
    }

    #[test]
    fn the_cause_of_a_chain_is_at_its_end_with_the_way_to_it() {
        let ailing = ailing(&["web>api", "api>orders", "orders>db"]);
        assert_eq!(causes(&ailing, "web"), ["1 api", "2 orders via api", "3 db via orders root"]);
        assert_eq!(causes(&ailing, "orders"), ["1 db root"]);
        assert!(causes(&ailing, "db").is_empty());
    }

    #[test]
    fn of_several_ways_the_shortest_counts() {
        let ailing = ailing(&["web>api", "api>db", "web>db"]);
        assert_eq!(causes(&ailing, "web"), ["1 api", "1 db root"]);
    }

    #[test]
    fn in_a_circle_each_is_a_cause_of_the_others_and_never_of_itself() {
        let ailing = ailing(&["a>b", "b>c", "c>a"]);
        assert_eq!(causes(&ailing, "a"), ["1 b root", "2 c via b root"]);
    }

    #[test]
    fn what_depends_on_a_service_is_no_cause() {
        let ailing = ailing(&["web>db", "api>db"]);
        assert!(causes(&ailing, "db").is_empty());
        assert!(causes(&ailing, "unknown").is_empty());
    }

    #[test]
    fn of_many_causes_the_ends_and_the_nearest_are_listed_and_the_rest_counted() {
        let mut dependencies: Vec<_> = (0..20).map(|number| format!("web>s{number:02}")).collect();
        dependencies.push("s19>db".to_owned());
        dependencies.extend((0..19).map(|number| format!("s{number:02}>s19")));
        let dependencies: Vec<_> = dependencies.iter().map(String::as_str).collect();
        let ailing = ailing(&dependencies);
        let causes = ailing.causes_of(&id("web"));
        assert_eq!((causes.listed.len(), causes.more), (Causes::MOST, 11));
        assert_eq!(causes.listed.last().map(|cause| cause.service.clone()), Some(id("db")));
        assert_eq!(causes.listed.first().map(|cause| cause.service.clone()), Some(id("s00")));
    }
}
