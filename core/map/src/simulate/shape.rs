//! What a simulated cluster is made of: which services there are, and who depends on whom.
//!
//! Services stand in layers, from those that users see to those that keep data, and depend on deeper ones; a few
//! dependencies go the other way, so that there are cycles. How many depend on a service follows Zipf's law, as in the call
//! graphs that large operators have published: nearly everybody calls a few services, and most have a caller or two.

use std::sync::Arc;

use fastrand::Rng;

use crate::collections::HashSet;

/// Namespaces of the first services, ten each; those after them have a number.
const NAMESPACES: [&str; 10] = [
    "shop", "billing", "search", "accounts", "catalog", "shipping", "support", "reports", "media", "platform",
];
/// Services of a namespace, by layer.
const NAMES: [&str; 10] =
    ["web", "gateway", "api", "orders", "cart", "users", "pricing", "queue", "cache", "db"];
/// One dependency in so many may go to the same layer or a shallower one.
const AGAINST_LAYERS: u32 = 50;
/// So often a pair that fits is sought at random, before the next free one is taken.
const TRIES: usize = 32;

/// Namespace and name of a service by its number.
pub(super) fn name(number: usize) -> (Arc<str>, &'static str) {
    let (group, place) = (number / NAMES.len(), number % NAMES.len());
    let (round, which) = (group / NAMESPACES.len(), group % NAMESPACES.len());
    let namespace = NAMESPACES.get(which).copied().unwrap_or_default();
    let namespace = if round == 0 { namespace.into() } else { format!("{namespace}-{}", round + 1).into() };
    (namespace, NAMES.get(place).copied().unwrap_or_default())
}

/// Layer of a service by its number: 0 is what users see.
fn layer(service: usize) -> usize {
    service % NAMES.len()
}

/// Chooses who depends on whom, no pair twice.
#[derive(Debug)]
pub(super) struct Pairs {
    services: usize,
    /// Services by how many depend on them, and the sums of their weights.
    ranked: Vec<usize>,
    weights: Vec<f64>,
    taken: HashSet<(usize, usize)>,
    /// Where the next free pair is sought once chance does not find one.
    next: usize,
}

impl Pairs {
    pub(super) fn new(services: usize, rng: &mut Rng) -> Self {
        let mut ranked: Vec<usize> = (0..services).collect();
        rng.shuffle(&mut ranked);
        // Only division and addition: their results are the same on every machine.
        let weights = (1..=services).scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        });
        Self { services, weights: weights.collect(), ranked, taken: HashSet::default(), next: 0 }
    }

    /// A pair that was not chosen yet; `None` once all were.
    pub(super) fn choose(&mut self, rng: &mut Rng) -> Option<(usize, usize)> {
        let against = rng.u32(..AGAINST_LAYERS) == 0;
        for _ in 0..TRIES {
            let (source, destination) = (rng.usize(..self.services), self.destination(rng)?);
            let fits = source != destination && (against || layer(source) < layer(destination));
            if fits && self.taken.insert((source, destination)) {
                return Some((source, destination));
            }
        }
        while self.next < self.services * self.services {
            let pair = (self.next / self.services, self.next % self.services);
            self.next += 1;
            if pair.0 != pair.1 && self.taken.insert(pair) {
                return Some(pair);
            }
        }
        None
    }

    /// Notes a pair that somebody else chose; false where it was chosen before.
    pub(super) fn take(&mut self, pair: (usize, usize)) -> bool {
        self.taken.insert(pair)
    }

    fn destination(&self, rng: &mut Rng) -> Option<usize> {
        let point = rng.f64() * self.weights.last()?;
        let rank = self.weights.partition_point(|sum| *sum <= point);
        self.ranked.get(rank).or(self.ranked.last()).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(services: usize, count: usize) -> Vec<(usize, usize)> {
        let mut rng = Rng::with_seed(7);
        let mut pairs = Pairs::new(services, &mut rng);
        std::iter::from_fn(|| pairs.choose(&mut rng)).take(count).collect()
    }

    #[test]
    fn services_have_names_of_their_own() {
        assert_eq!(name(2), ("shop".into(), "api"));
        assert_eq!(name(19), ("billing".into(), "db"));
        assert_eq!(name(100), ("shop-2".into(), "web"));
    }

    #[test]
    fn every_pair_is_chosen_once_and_no_service_depends_on_itself() {
        let all = pairs(12, usize::MAX);
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (12 * 11, 12 * 11));
        assert!(all.iter().all(|(source, destination)| source != destination));
    }

    #[test]
    fn a_few_services_have_most_callers() {
        let mut callers: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, destination) in pairs(1_000, 5_000) {
            *callers.entry(destination).or_default() += 1;
        }
        let mut counts: Vec<_> = callers.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let most: usize = counts.iter().take(100).sum();
        assert!(most > 2_500, "a tenth of the services has {most} of 5,000 callers");
        assert!(counts[counts.len() / 2] <= 3, "half of them have more than three");
    }

    #[test]
    fn most_dependencies_go_to_deeper_layers_and_a_few_do_not() {
        let against = pairs(1_000, 5_000).iter().filter(|(a, b)| layer(*a) >= layer(*b)).count();
        assert!((1..250).contains(&against), "{against} of 5,000");
    }
}
