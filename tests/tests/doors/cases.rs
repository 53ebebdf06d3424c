//! The cases that each door is put through.

use servicemap_tests::agent::{TOLD, wait_until_attached};
use servicemap_tests::edge::Edge;
use servicemap_tests::netns::Family;
use servicemap_tests::peers::{Stage, host_name};
use servicemap_tests::process::Process;
use servicemap_tests::wait::until;

/// Connections that a case opens: more than one, so that a count is more than "seen".
pub const CONNECTIONS: u32 = 3;

/// A door that observes: something with a process that counts, at which edges can be read.
pub trait Door {
    /// The process that counts connections.
    fn process(&mut self) -> &mut Process;
    /// Waits until what happens from now on is new to the door.
    fn wait_until_observing(&mut self) {
        wait_until_attached(self.process());
    }
    /// The edges that can be read at the door by now.
    fn edges(&mut self) -> Vec<Edge>;
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The family of the connections.
    pub family: Family,
    /// They are open before anything observes.
    pub before_the_start: bool,
}

/// What was done and seen, for what a door has to say beyond the edge.
pub struct Seen<D> {
    /// The door, still observing; the connections are still open.
    pub door: D,
    /// The edge as it was read.
    pub edge: Edge,
    /// Keeps the connections open while the test looks at the door.
    _open: (Stage, Process, Process),
}

/// Opens connections, starts the door before or after, and waits until the door shows exactly this edge.
pub fn put_through<D: Door>(case: Case, start: impl FnOnce() -> D) -> Seen<D> {
    let stage = Stage::set();
    let server = stage.serve(case.family);
    let (mut door, client) = if case.before_the_start {
        let client = stage.hold(server.address, CONNECTIONS);
        (start(), client)
    } else {
        let mut door = start();
        door.wait_until_observing();
        (door, stage.hold(server.address, CONNECTIONS))
    };
    let name = |service: String| format!("{}/{service}", host_name());
    let expected = Edge {
        source: name(stage.client_name()),
        destination: name(stage.server_name()),
        port: server.address.port(),
        opened: CONNECTIONS.into(),
    };
    wait_for_edge(&mut door, &expected);
    assert_no_other_edge(&mut door, &expected);
    Seen { door, edge: expected, _open: (stage, client, server.process) }
}

fn wait_for_edge<D: Door>(door: &mut D, expected: &Edge) {
    let found = until(TOLD, || {
        // Order matters: what was printed before the end must still count.
        let ended = door.process().ended().is_some();
        let found = door.edges().contains(expected);
        (found || ended).then_some(found)
    });
    let related: Vec<Edge> = door.edges().into_iter().filter(|edge| edge.port == expected.port).collect();
    let process = door.process();
    assert!(
        found == Some(true),
        "{expected:?} did not appear within {TOLD:?}; at that port: {related:?}\n{process:?}"
    );
}

/// Nothing else at that port, above all not the same connections counted the other way round or at the other end.
fn assert_no_other_edge<D: Door>(door: &mut D, expected: &Edge) {
    let ours = |edge: &Edge| [&edge.source, &edge.destination].contains(&&expected.source);
    let others: Vec<Edge> = door.edges().into_iter().filter(|edge| ours(edge) && edge != expected).collect();
    assert!(others.is_empty(), "besides {expected:?} there is {others:?}");
}

/// The cases as tests of a door whose `start` is given.
#[macro_export]
macro_rules! cases {
    ($start:expr) => {
        #[test]
        fn a_new_connection_appears() {
            servicemap_tests::require!(servicemap_tests::skip::Need::Root, servicemap_tests::skip::Need::Btf);
            let case =
                $crate::cases::Case { family: servicemap_tests::netns::Family::V4, before_the_start: false };
            $crate::cases::put_through(case, $start);
        }

        #[test]
        fn a_connection_opened_before_the_start_appears() {
            servicemap_tests::require!(servicemap_tests::skip::Need::Root, servicemap_tests::skip::Need::Btf);
            let case =
                $crate::cases::Case { family: servicemap_tests::netns::Family::V4, before_the_start: true };
            $crate::cases::put_through(case, $start);
        }

        #[test]
        fn an_ipv6_connection_appears() {
            servicemap_tests::require!(servicemap_tests::skip::Need::Root, servicemap_tests::skip::Need::Btf);
            let case =
                $crate::cases::Case { family: servicemap_tests::netns::Family::V6, before_the_start: false };
            $crate::cases::put_through(case, $start);
        }
    };
}
