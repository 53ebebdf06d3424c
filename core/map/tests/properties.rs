//! What holds for any facts at all.

mod lab;

use std::collections::{BTreeMap, BTreeSet};

use lab::{HOST, Lab, at, client, ip, listener, server};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use servicemap_map::MapSettings;
use servicemap_map::model::{
    Connection, Direction, EventData, EventType, Fact, FactBody, FlowDelta, Origin, Side, SourceId,
};

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

fn apply(lab: &mut Lab, (second, body): Told, sequence: u64) {
    let at = at(f64::from(second));
    let body = match body {
        FactBody::Flow(delta) => FactBody::Flow(FlowDelta { first: at, last: at, ..delta }),
        other => other,
    };
    let origin = Origin { source: SourceId::Capture, sequence };
    lab.map.apply(Fact { at, origin, body });
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
