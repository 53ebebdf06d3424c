//! What holds for any facts at all.

mod lab;

use std::collections::{BTreeMap, BTreeSet};

use lab::{HOST, Lab, at, client, ip, listener, server};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use servicemap_map::MapSettings;
use servicemap_map::model::{
    Connection, Direction, EventData, EventType, Fact, FactBody, FlowDelta, Origin, Renaming, Side, Snapshot,
    SourceId, TopologyChange,
};
use servicemap_map::record::Step;

const NAMESPACES: &[u32] = &[HOST, 2, 3];
const PROGRAMS: &[&str] = &["a", "b", ""];
const ADDRESSES: &[&str] = &["127.0.0.1", "10.0.0.1", "10.0.0.2", "192.0.2.1", "::1", "fd00::1"];
const BOUND: &[&str] = &["0.0.0.0", "::", "127.0.0.1", "10.0.0.1"];
const PATHS: &[&str] = &["/", "/system.slice/x.service", "/user.slice/session-1.scope"];

/// A fact's body with the second at which it is true.
type Told = (u16, FactBody);

fn flow() -> impl Strategy<Value = FactBody> {
    let place = (select(NAMESPACES), select(PROGRAMS), 1..4u64, 80..83u16, 0..3u8);
    let counts = (0..4u64, 0..4u64, 0..12u64, 0..9u64);
    let addresses = (select(ADDRESSES), select(BOUND), option::of((select(ADDRESSES), 0..1000u64)));
    (place, counts, addresses, option::of(1..99u32)).prop_map(|(place, counts, addresses, rtt_us)| {
        let (netns, program, cgroup, port, kind) = place;
        let (opened, closed, refused, bytes) = counts;
        let (remote, bound, example) = addresses;
        let delta = match kind {
            0 => client(program, remote, port).refused(refused),
            1 => server(program, remote, port),
            _ => listener(program, bound, port),
        };
        let delta = delta.in_namespace(netns).in_cgroup(cgroup).bytes(bytes, bytes);
        let delta = delta.opened(opened).closed(closed);
        let delta = match example {
            Some((local, cookie)) => delta.from(local, cookie),
            None => delta,
        };
        FactBody::Flow(FlowDelta { rtt_us, ..delta.into() })
    })
}

fn body() -> impl Strategy<Value = FactBody> {
    prop_oneof![
        12 => flow(),
        2 => (select(NAMESPACES), select(ADDRESSES)).prop_map(|(netns, address)| FactBody::Address {
            netns,
            address: ip(address),
            present: true,
        }),
        1 => (1..4u64, select(PATHS)).prop_map(|(id, path)| FactBody::Cgroup { id, path: path.into() }),
        1 => (2..4u32).prop_map(|netns| FactBody::NetworkNamespace { netns, name: Some("red".into()) }),
    ]
}

fn facts(most: usize) -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec((0..20u16, body()), 1..most)
}

/// One path a cgroup: of two, the later would win, and order would matter.
fn without_contradiction(mut facts: Vec<Told>) -> Vec<Told> {
    let mut named = BTreeSet::new();
    facts.retain(|(_, body)| match body {
        FactBody::Cgroup { id, .. } => named.insert(*id),
        _ => true,
    });
    facts
}

/// Facts that are one story in whatever order they are told: nothing closes before it was opened, who listens goes on to, and
/// no address is in two namespaces.
fn one_story(mut facts: Vec<Told>) -> Vec<Told> {
    for (_, body) in &mut facts {
        match body {
            FactBody::Flow(delta) => {
                let listens = delta.key.direction == Direction::Listen;
                delta.key.netns = HOST;
                delta.opened += u64::from(listens);
                delta.closed = if listens { 0 } else { delta.closed.min(delta.opened) };
            }
            FactBody::Address { netns, .. } => *netns = HOST,
            _ => {}
        }
    }
    facts
}

fn apply(lab: &mut Lab, (second, body): Told, sequence: u64) {
    let at = at(f64::from(second));
    let body = match body {
        FactBody::Flow(delta) => FactBody::Flow(FlowDelta { first: at, last: at, ..delta }),
        other => other,
    };
    let origin = Origin { source: SourceId::Capture, sequence };
    lab.map.apply(Fact { at, origin, body });
}

/// What a consumer makes of `topology.changed`, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Followed {
    services: BTreeSet<String>,
    edges: BTreeSet<String>,
}

impl Followed {
    fn of(lab: &Lab) -> Self {
        let snapshot = lab.snapshot();
        Self {
            services: snapshot.services.iter().map(|service| service.id.path()).collect(),
            edges: snapshot.connections.iter().map(|connection| connection.edge.key()).collect(),
        }
    }

    /// Takes away what went, replaces former names, adds what came. Says what is wrong with an event, if anything is.
    fn follow(&mut self, change: &TopologyChange) -> Result<(), String> {
        let before = self.clone();
        for (there, gone) in
            [(&mut self.services, &change.services_removed), (&mut self.edges, &change.connections_removed)]
        {
            for one in gone {
                there.remove(one).then_some(()).ok_or_else(|| format!("{one} was not there"))?;
            }
        }
        for Renaming { from, to } in &change.renamed {
            self.services.remove(&from.path());
            self.services.insert(to.path());
            let renamed = |edge: &String| {
                let (source, rest) = edge.split_once("->").unwrap_or_default();
                let (destination, port) = rest.rsplit_once(':').unwrap_or_default();
                let now = |path: &str| if path == from.path() { to.path() } else { path.to_owned() };
                format!("{}->{}:{port}", now(source), now(destination))
            };
            self.edges = self.edges.iter().map(renamed).collect();
        }
        for (there, came) in
            [(&mut self.services, &change.services_added), (&mut self.edges, &change.connections_added)]
        {
            for one in came {
                there.insert(one.clone()).then_some(()).ok_or_else(|| format!("{one} was there"))?;
            }
        }
        let says_more = !change.renamed.is_empty() || !change.orphans_added.is_empty() || *self != before;
        let counts = (self.services.len() as u64, self.edges.len() as u64);
        if (change.service_count, change.connection_count) != counts {
            return Err(format!("{counts:?} are there, and it says {change:?}"));
        }
        let is_of_analysis = TopologyChange {
            services_added: Vec::new(),
            services_removed: Vec::new(),
            connections_added: Vec::new(),
            connections_removed: Vec::new(),
            renamed: Vec::new(),
            revision: 0,
            service_count: 0,
            connection_count: 0,
            service_count_before: 0,
            connection_count_before: 0,
            ..change.clone()
        } != TopologyChange::default();
        (says_more || is_of_analysis)
            .then_some(())
            .ok_or_else(|| format!("nothing changed, and it says {change:?}"))
    }

    fn follow_all(&mut self, lab: &mut Lab) -> Result<(), String> {
        let events = lab.events();
        let mut changes = events.iter().filter_map(|event| match &event.data {
            EventData::Topology(change) => Some(change),
            _ => None,
        });
        changes.try_for_each(|change| self.follow(change))
    }
}

/// Nothing ends by itself within an hour: what changes is what facts change.
fn lasting() -> Lab {
    Lab::with(|settings: &mut MapSettings| {
        settings.service_timeout = std::time::Duration::from_hours(1);
        settings.connection_timeout = std::time::Duration::from_hours(1);
        settings.orphan_after = std::time::Duration::from_hours(2);
    })
}

/// A map as JSON, without what depends on when it was looked at: how much was told by then, and health, since attempts that
/// were judged stay with whom they were judged for when a name becomes known later.
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of tests may panic")]
fn without_memory(snapshot: &Snapshot) -> Value {
    let mut map = serde_json::to_value(snapshot).unwrap();
    map["sequence"].take();
    for list in ["services", "connections"] {
        for one in map[list].as_array_mut().into_iter().flatten() {
            one["health"].take();
        }
    }
    map
}

fn active(connections: &[std::sync::Arc<Connection>]) -> BTreeMap<String, u64> {
    connections.iter().map(|connection| (connection.edge.key(), connection.totals.active)).collect()
}

proptest! {
    // Failing cases are shrunk and printed; they become tests with a name rather than files of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_order_of_facts_before_a_settling_does_not_show(
        (facts, shuffled) in facts(40)
            .prop_map(without_contradiction)
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
    ) {
        let settle = |facts: Vec<Told>| {
            let mut lab = Lab::new();
            for told in facts {
                apply(&mut lab, told, 0);
            }
            lab.now = at(20.0);
            lab.settle();
            serde_json::to_value(lab.snapshot()).unwrap()
        };
        prop_assert_eq!(settle(facts), settle(shuffled));
    }

    #[test]
    fn counter_facts_that_come_twice_change_nothing(facts in facts(30)) {
        let mut once = Lab::new();
        let mut twice = Lab::new();
        for (told, sequence) in facts.into_iter().zip(1..) {
            apply(&mut once, told.clone(), sequence);
            apply(&mut twice, told.clone(), sequence);
            apply(&mut twice, told, sequence);
        }
        for lab in [&mut once, &mut twice] {
            lab.now = at(20.0);
            lab.settle();
        }
        let json = |lab: &Lab| serde_json::to_value(lab.snapshot()).unwrap();
        prop_assert_eq!(json(&once), json(&twice));
    }

    /// Within one window the same facts lead to the same map in whatever order they come, also when the map is asked in
    /// between.
    #[test]
    fn the_order_of_facts_within_a_window_does_not_show(
        (facts, shuffled, asked) in facts(30)
            .prop_map(without_contradiction)
            .prop_map(one_story)
            .prop_flat_map(|facts| {
                let asked = prop::collection::vec(any::<bool>(), facts.len());
                (Just(facts.clone()), Just(facts).prop_shuffle(), asked)
            }),
    ) {
        let play = |facts: Vec<Told>, asked: &[bool]| {
            let mut lab = lasting();
            for ((_, body), ask) in facts.into_iter().zip(asked) {
                apply(&mut lab, (0, body), 0);
                if *ask {
                    lab.settle();
                }
            }
            lab.until(2.0);
            without_memory(&lab.snapshot())
        };
        let never = vec![false; facts.len()];
        prop_assert_eq!(play(facts, &never), play(shuffled, &asked));
    }

    #[test]
    fn facts_that_come_twice_tell_nothing_twice(facts in facts(30)) {
        let mut once = Lab::new();
        let mut twice = Lab::new();
        for (told, sequence) in facts.into_iter().zip(1..) {
            // What states something may come again under any number.
            let again = if matches!(told.1, FactBody::Flow(_)) { sequence } else { 0 };
            apply(&mut once, told.clone(), sequence);
            apply(&mut twice, told.clone(), sequence);
            apply(&mut twice, told, again);
        }
        for lab in [&mut once, &mut twice] {
            lab.now = at(20.0);
            lab.settle();
            lab.until(1000.0);
        }
        let told = |lab: &mut Lab| lab.events().iter().map(|event| (event.id, event.sequence)).collect::<Vec<_>>();
        prop_assert_eq!(told(&mut once), told(&mut twice));
    }

    /// A snapshot that a consumer gets, at any instant, and what is told after it, are any later snapshot.
    #[test]
    fn a_snapshot_and_the_changes_after_it_are_the_later_snapshot(
        before in facts(40),
        taken in 0..40u16,
        after in facts(40),
        later in prop::collection::vec(30..1500u16, 1..4),
    ) {
        let mut lab = Lab::new();
        for (_, body) in before {
            apply(&mut lab, (0, body), 0);
        }
        // Within a window and between two, after a part of what comes and goes.
        lab.until(f64::from(taken) / 10.0);
        lab.take(Step::Flush(lab.now));
        lab.events();
        let mut followed = Followed::of(&lab);
        let mut after = after;
        after.sort_by_key(|(second, _)| *second);
        for (second, body) in after {
            lab.until(f64::from(second + 4));
            apply(&mut lab, (second + 4, body), 0);
            lab.settle();
        }
        let mut later = later;
        later.sort_unstable();
        for second in later {
            // Until no window is open: expiry opens them at any time.
            let mut second = f64::from(second);
            lab.until(second);
            while lab.map.next_deadline().is_some_and(|due| due <= at(second + 2.0)) {
                second += 2.0;
                lab.until(second);
            }
            prop_assert_eq!(followed.follow_all(&mut lab), Ok(()));
            prop_assert_eq!(&followed, &Followed::of(&lab));
        }
    }

    /// Each fact changes the map or not; when its window has closed, exactly that was told.
    #[test]
    fn a_change_is_told_within_its_window_and_nothing_else_is(facts in facts(30)) {
        let mut lab = lasting();
        let mut followed = Followed::default();
        for (turn, (_, body)) in facts.into_iter().enumerate() {
            let second = u16::try_from(3 * turn).unwrap_or_default();
            lab.until(f64::from(second));
            apply(&mut lab, (second, body), 0);
            lab.until(f64::from(second + 2));
            prop_assert_eq!(followed.follow_all(&mut lab), Ok(()));
            prop_assert_eq!(&followed, &Followed::of(&lab));
        }
    }

    /// Replays the topology events from an empty map and compares with snapshots: no change without an event, no event
    /// without a change.
    #[test]
    fn topology_events_add_up_to_the_map(facts in facts(60)) {
        let mut lab = Lab::new();
        let (mut services, mut edges) = (BTreeSet::new(), BTreeSet::new());
        let mut facts = facts;
        facts.sort_by_key(|(second, _)| *second);
        for told in facts {
            lab.until(f64::from(told.0));
            apply(&mut lab, told, 0);
            lab.settle();
        }
        for second in [100.0, 1000.0] {
            lab.until(second);
            for event in lab.events() {
                let EventData::Topology(change) = &event.data else { continue };
                for added in &change.services_added {
                    prop_assert!(services.insert(added.clone()), "{} was there", added);
                }
                for removed in &change.services_removed {
                    prop_assert!(services.remove(removed), "{} was not there", removed);
                }
                for added in &change.connections_added {
                    prop_assert!(edges.insert(added.clone()), "{} was there", added);
                }
                for removed in &change.connections_removed {
                    prop_assert!(edges.remove(removed), "{} was not there", removed);
                }
                prop_assert_eq!(change.service_count, services.len() as u64);
                prop_assert_eq!(change.connection_count, edges.len() as u64);
            }
            let shown: BTreeSet<_> = lab.snapshot().services.iter().map(|service| service.id.path()).collect();
            prop_assert_eq!(&services, &shown);
            prop_assert_eq!(&edges, &lab.edges().into_iter().collect());
        }
    }

    /// Discovered and removed, established and expired, detected and removed take turns for each subject.
    #[test]
    fn coming_and_going_take_turns(facts in facts(60).prop_map(without_contradiction), timeout in 1..10u64) {
        let mut lab = Lab::with(|settings: &mut MapSettings| {
            settings.service_timeout = std::time::Duration::from_secs(timeout);
            settings.connection_timeout = std::time::Duration::from_secs(timeout / 2);
        });
        let mut facts = facts;
        facts.sort_by_key(|(second, _)| *second);
        for told in facts {
            lab.until(f64::from(told.0));
            apply(&mut lab, told, 0);
            lab.settle();
        }
        lab.until(500.0);
        let mut there = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for event in lab.events() {
            let subject = event.subject.clone();
            match event.event_type {
                EventType::ServiceDiscovered | EventType::DependencyDetected | EventType::ConnectionEstablished => {
                    prop_assert!(there.insert(subject), "twice: {event:?}");
                }
                EventType::ServiceRemoved | EventType::DependencyRemoved => {
                    prop_assert!(there.remove(&subject), "never came: {event:?}");
                }
                EventType::ConnectionExpired => {
                    there.remove(&subject);
                }
                _ => {}
            }
            prop_assert!(ids.insert(event.id.to_string()), "an id twice: {event:?}");
        }
        let shown = lab.services().len();
        let told = there.iter().filter(|subject| subject.contains(':') && !subject.contains("->")).count();
        prop_assert_eq!(shown, told);
    }

    /// What is open is open on exactly one edge, whatever was learned in which order about names.
    #[test]
    fn open_connections_are_counted_once_however_their_names_change(facts in facts(60)) {
        let mut lab = Lab::new();
        let mut facts = facts;
        facts.sort_by_key(|(second, _)| *second);
        let mut outbound = BTreeMap::new();
        for told in facts {
            if let FactBody::Flow(delta) = &told.1
                && delta.key.direction == Direction::Outbound
            {
                let open: &mut u64 = outbound.entry(delta.key.clone()).or_default();
                *open = (*open + delta.opened).saturating_sub(delta.closed);
            }
            lab.now = lab.now.max(at(f64::from(told.0)));
            apply(&mut lab, told, 0);
            lab.settle();
        }
        let shown = lab.snapshot().connections;
        let client_side: Vec<_> = shown
            .into_iter()
            .filter(|edge| edge.provenance.side == Side::Client)
            .collect();
        prop_assert_eq!(active(&client_side).values().sum::<u64>(), outbound.values().sum::<u64>());
    }
}
