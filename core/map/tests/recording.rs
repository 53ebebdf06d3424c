//! A recording makes the map again that it was made of, and is pleasant to write by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod lab;

use std::net::IpAddr;
use std::time::Duration;

use lab::cluster::{
    headless, ingress, namespace as namespace_of, node, pod, policy, scope, selector, service, slice, uid,
};
use lab::{HOST, START, at, client, ip, listener, server};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use servicemap_map::model::{
    AddressRange, BackendPort, ContainerCgroup, Fact, FactBody, FlowDelta, Gap, GapReason, IngressKind,
    Known, KnownDependency, KubernetesFact, LabelExpression, LabelOperator, LabelSelector, MachineId, Origin,
    PodPhase, PolicyPeer, PolicyPort, RunId, ServiceId, ServiceKind, SourceId,
};
use servicemap_map::record::{Header, Line, ReadError, Reader, Recording, Step, write_line};
use servicemap_map::{
    EmissionMode, EnvironmentRule, EnvironmentSettings, MapSettings, NamedRanges, ServiceMap,
};
use uuid::Uuid;

const PODS: &[&str] = &["10.1.0.2", "10.1.0.3", "fd00:1::2"];
const REMOTES: &[&str] = &["127.0.0.1", "10.1.0.2", "10.1.0.3", "10.96.0.1", "203.0.113.5", "fd00:1::2"];
const NAMES: &[&str] = &["a", "b", "käse \"x\"\n"];
const PORTS: &[u16] = &[80, 8080, 30_080];
const SOURCES: &[SourceId] = &[
    SourceId::Capture,
    SourceId::Host,
    SourceId::Kubernetes,
    SourceId::Agents,
    SourceId::Agent(MachineId(7)),
];

fn flow() -> impl Strategy<Value = FactBody> {
    let key = (select(REMOTES), select(PORTS), select(NAMES), 0..3u8, 0..3u32, 0..4u64);
    let counts = (0..4u64, 0..4u64, 0..9u64, 0..12u64, any::<bool>());
    (key, counts, option::of(1..99u32), option::of(0..30u16)).prop_map(|(key, counts, rtt_us, first)| {
        let (remote, port, program, kind, netns, cgroup) = key;
        let (opened, closed, refused, bytes, has_more) = counts;
        let delta = match kind {
            0 => client(program, remote, port).refused(refused),
            1 => server(program, remote, port),
            _ => listener(program, remote, port),
        };
        let delta = delta.in_namespace(netns).in_cgroup(cgroup).bytes(bytes, bytes);
        let mut delta = delta.opened(opened).closed(closed);
        if has_more {
            delta = delta.from(remote, bytes).connected_fast(opened).of_generation(netns).cut(closed);
        }
        let (first, last) = first.map_or_else(Default::default, |second| {
            (at(f64::from(second)), at(f64::from(second) + 0.000_000_5))
        });
        let delta: FlowDelta = delta.into();
        FactBody::Flow(FlowDelta { rtt_us, first, last, foreign_local: has_more, abandoned: bytes, ..delta })
    })
}

fn host() -> impl Strategy<Value = FactBody> {
    let place = (select(REMOTES), select(NAMES), 1..4u32, any::<bool>());
    (place, 0..7u8, select(SOURCES)).prop_map(|((address, name, netns, flag), kind, source)| match kind {
        0 => FactBody::Address { netns, address: ip(address), present: flag },
        1 => FactBody::NetworkNamespace { netns, name: flag.then(|| name.into()) },
        2 => FactBody::Cgroup { id: netns.into(), path: format!("/system.slice/{name}.service").into() },
        3 => {
            let cgroup = ContainerCgroup { path: "/docker/0123".into(), unified: flag };
            FactBody::NamespaceCgroup { netns, cgroup: (netns > 1).then_some(cgroup) }
        }
        4 => FactBody::Machine { name: name.into(), observed_since: flag.then_some(START) },
        5 => FactBody::MachineGone,
        _ if flag => FactBody::Ready(source),
        _ => FactBody::Gap(Gap { reason: GapReason::FlowMapFull, count: 3, healed: flag, at: START }),
    })
}

fn by_expression(operator: LabelOperator) -> LabelSelector {
    let expression = LabelExpression { key: "app".to_owned(), operator, values: vec!["a".to_owned()] };
    LabelSelector { match_expressions: vec![expression], ..LabelSelector::default() }
}

fn peers(name: &str) -> [PolicyPeer; 2] {
    let range = |text| AddressRange::parse(text).unwrap();
    [
        PolicyPeer::Pods {
            pods: Some(selector(&[("app", name)])),
            namespaces: Some(by_expression(LabelOperator::NotIn)),
        },
        PolicyPeer::Block { range: range("10.0.0.0/8"), except: vec![range("fd00::/8")] },
    ]
}

fn object() -> impl Strategy<Value = KubernetesFact> {
    (select(NAMES), select(NAMES), select(PODS), select(PORTS), 0..20u8).prop_map(
        |(name, other, address, port, kind)| {
            let namespace = name.into();
            let one = pod("shop", name, other, address).label("app", name).names_port("http", port);
            match kind {
                0 | 1 => one.started(START).into(),
                2 => one.on_host("far").not_ready().phase(PodPhase::Pending).into(),
                3 => service("shop", name, "10.96.0.1").port("web", port).selects("app", name).into(),
                4 => service("shop", name, "10.96.0.1").node_port(port, 30_080).created(START).into(),
                5 => service("shop", name, "10.96.0.1").external_name("example.com").into(),
                6 => headless("shop", name).label("tier", other).external_ip("203.0.113.5").into(),
                7 | 8 => slice("shop", name).port("web", port).holds(&one).in_zone("z").into(),
                9 => slice("shop", name).by_hand(address).not_ready().into(),
                10 => node("far", "172.16.0.2"),
                11 => namespace_of("shop", &[("env", other)]),
                12 => {
                    let backend = BackendPort::Name("web".into());
                    ingress("shop", name, "shop.example").leads_to("shop", other, Some(backend)).into()
                }
                13 => {
                    let mut route = ingress("shop", name, "shop.example");
                    route.0.kind = IngressKind::HttpRoute;
                    route
                        .leads_to("shop", other, None)
                        .leads_to("shop", other, Some(BackendPort::Number(port)))
                        .into()
                }
                14 => {
                    let ports =
                        [PolicyPort::Range { first: port, last: port }, PolicyPort::Named("web".into())];
                    policy("shop", name, &[("app", name)])
                        .lets_in(&peers(name), &ports)
                        .restricts_egress()
                        .into()
                }
                15 => KubernetesFact::PodGone { uid: uid(name).into() },
                16 => KubernetesFact::ServiceGone { namespace: "shop".into(), name: namespace },
                17 => KubernetesFact::NetworkPolicyGone { namespace: "shop".into(), name: namespace },
                18 => KubernetesFact::IngressGone {
                    kind: IngressKind::HttpRoute,
                    namespace: "shop".into(),
                    name: namespace,
                },
                _ => scope(true),
            }
        },
    )
}

fn fact() -> impl Strategy<Value = (SourceId, u64, FactBody)> {
    let body = prop_oneof![
        4 => flow(),
        2 => host(),
        4 => object().prop_map(|object| FactBody::Kubernetes(Box::new(object))),
    ];
    (select(SOURCES), prop_oneof![3 => Just(0), 1 => 1..9u64], body)
}

fn known() -> Known {
    let id = |name| ServiceId::new(ServiceKind::Process, "box", name);
    let dependency = KnownDependency {
        source: id("a"),
        destination: id("b"),
        first_seen: START,
        last_seen: START,
        crosses_environments: true,
    };
    Known { dependencies: vec![dependency] }
}

/// What an observer does: facts, then the time, again and again.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let round = (prop::collection::vec(fact(), 0..6), 0..20_000_000_000u64, 0..12u8);
    prop::collection::vec(round, 1..14).prop_map(|rounds| {
        let mut now = START;
        let mut steps = vec![Step::Remember(known()), Step::Expect(SourceId::Capture)];
        for (facts, pause, turn) in rounds {
            now = now + Duration::from_nanos(pause);
            match turn {
                0 => steps.push(Step::GiveUp(SourceId::Kubernetes)),
                1 => steps.push(Step::Expect(SourceId::Agents)),
                3 => steps.push(Step::Keep(now)),
                2 => steps.extend([SourceId::Capture, SourceId::Kubernetes].map(|source| {
                    let origin = Origin { source, sequence: 0 };
                    Step::Apply(Fact { at: now, origin, body: FactBody::Ready(source) })
                })),
                _ => {}
            }
            steps.extend(facts.into_iter().map(|(source, sequence, body)| {
                Step::Apply(Fact { at: now, origin: Origin { source, sequence }, body })
            }));
            steps.push(Step::Advance(now));
        }
        steps.push(Step::Flush(now));
        steps.push(Step::Finish(now + Duration::from_secs(1)));
        steps
    })
}

fn header() -> Header {
    let mut named_ranges = NamedRanges::default();
    named_ranges.insert("office".into(), AddressRange::parse("203.0.113.0/24").unwrap()).unwrap();
    let settings = MapSettings {
        host: "box".into(),
        connection_timeout: Duration::from_millis(12_500),
        emission_mode: EmissionMode::Full,
        named_ranges,
        environments: EnvironmentSettings {
            namespace_label: Some("env".into()),
            rules: vec![EnvironmentRule::new("prod", "shop/a*"), EnvironmentRule::new("test", "te?t-*")],
        },
        ..MapSettings::default()
    };
    Header::new(settings, RunId(Uuid::from_u128(42)), START)
}

fn written(header: &Header, steps: &[Step]) -> String {
    let mut out = Vec::new();
    write_line(&mut out, header).unwrap();
    for step in steps {
        write_line(&mut out, step).unwrap();
    }
    String::from_utf8(out).unwrap()
}

/// All that was told, and the map, as bytes.
fn told(map: &ServiceMap) -> (Vec<String>, String) {
    let mut cursor = map.log().cursor_at_start();
    let events = map.log().read(&mut cursor, usize::MAX).events;
    let lines = events.iter().map(|event| serde_json::to_string(event).unwrap());
    (lines.collect(), serde_json::to_string(&map.snapshot(at(1_000.0))).unwrap())
}

fn replayed(header: &Header, steps: &[Step]) -> ServiceMap {
    Recording { header: header.clone(), steps: steps.to_vec() }.replay()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_recording_is_read_as_it_was_written(steps in steps()) {
        let text = written(&header(), &steps);
        let read = Recording::parse(&text).unwrap();
        prop_assert_eq!(&read.header, &header());
        prop_assert_eq!(&read.steps, &steps);
        prop_assert_eq!(written(&read.header, &read.steps), text);
    }

    #[test]
    fn a_replay_tells_what_the_run_told_byte_for_byte(steps in steps()) {
        let mut run = header().map();
        for step in steps.clone() {
            match step {
                Step::Expect(source) => run.expect(source),
                Step::GiveUp(source) => run.give_up(source),
                Step::Apply(fact) => run.apply(fact),
                Step::Advance(now) => run.advance(now),
                Step::Remember(known) => run.remember(known),
                Step::Keep(now) => drop(run.known(now)),
                Step::Flush(now) => run.flush(now),
                Step::Finish(now) => run.finish(now),
            }
        }
        let replay = Recording::parse(&written(&header(), &steps)).unwrap().replay();
        prop_assert_eq!(told(&run), told(&replay));
    }

    #[test]
    fn bytes_that_are_no_recording_are_refused_and_nothing_worse(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
    ) {
        let mut reader = Reader::default();
        for line in &lines {
            let _ = reader.read(line);
        }
        let _ = Recording::parse(&String::from_utf8_lossy(&lines.concat()));
    }

    /// A letter of a good recording changed, put in or taken out.
    #[test]
    fn recordings_with_a_wrong_letter_are_read_or_refused(
        steps in steps(),
        place in any::<prop::sample::Index>(),
        letter in any::<u8>(),
        kind in 0..3u8,
    ) {
        let mut bytes = written(&header(), &steps).into_bytes();
        let place = place.index(bytes.len());
        match kind {
            0 => bytes[place] = letter,
            1 => bytes.insert(place, letter),
            _ => drop(bytes.remove(place)),
        }
        let mut reader = Reader::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if reader.read(line).is_err() {
                break;
            }
        }
    }
}

#[test]
fn two_replays_tell_the_same() {
    let steps = incident().steps;
    let (one, other) = (replayed(&header(), &steps), replayed(&header(), &steps));
    assert_eq!(told(&one), told(&other));
    assert!(!told(&one).0.is_empty());
}

/// Written by hand, with no more than it takes.
const BY_HAND: &str = r#"
# A client of a database that is gone.
{"servicemap_recording":1,"started_at":"2027-01-15T08:00:00Z","settings":{"host":"box","min_emit_interval":"0s"}}

{"expect":"host"}
{"at":"2027-01-15T08:00:00Z","network_namespace":{"netns":1}}
{"at":"2027-01-15T08:00:00Z","cgroup":{"id":7,"path":"/system.slice/shop.service"}}
{"at":"2027-01-15T08:00:00Z","ready":"host"}
{"advance":"2027-01-15T08:00:00Z"}
{"at":"2027-01-15T09:00:10+01:00","flow":{"key":{"direction":"outbound","remote":"203.0.113.5","port":5432,"cgroup":7,"netns":1},"failed":{"refused":12}}}
{"finish":"2027-01-15T08:00:20Z"}
"#;

fn incident() -> Recording {
    Recording::parse(BY_HAND).unwrap()
}

#[test]
fn an_incident_is_written_by_hand_with_no_more_than_it_takes() {
    let map = incident().replay();
    let shown = map.snapshot(at(20.0));
    let edges: Vec<_> = shown.connections.iter().map(|edge| edge.edge.key()).collect();
    assert_eq!(edges, ["box/shop.service->/203.0.113.5:5432/tcp"]);
    assert_eq!(shown.connections[0].first_seen, at(10.0), "the fact's instant stands in for the flow's");
    assert_eq!(shown.connections[0].totals.failed.refused, 12);
    let mut cursor = map.log().cursor_at_start();
    let events = map.log().read(&mut cursor, usize::MAX).events;
    assert!(events.iter().any(|event| event.event_type.as_str() == "connection.failed"), "{events:?}");
}

#[test]
fn facts_are_of_the_source_that_usually_tells_them() {
    let source = |line: &str| match serde_json::from_str(line).unwrap() {
        Step::Apply(fact) => fact.origin.source,
        other => panic!("{other:?} is no fact"),
    };
    let at = r#"{"at":"2027-01-15T08:00:00Z","#;
    assert_eq!(source(&format!(r#"{at}"machine_gone":null}}"#)), SourceId::Host);
    assert_eq!(source(&format!(r#"{at}"ready":"agents"}}"#)), SourceId::Agents);
    assert_eq!(source(&format!(r#"{at}"kubernetes":{{"pod_gone":{{"uid":"u"}}}}}}"#)), SourceId::Kubernetes);
    let other = format!(r#"{at}"from":{{"agent":7}},"cgroup":{{"id":1,"path":"/"}}}}"#);
    assert_eq!(source(&other), SourceId::Agent(MachineId(7)));
}

#[test]
fn a_line_says_no_more_than_it_has_to() {
    let origin = Origin { source: SourceId::Capture, sequence: 3 };
    let delta = FlowDelta { first: START, last: START, ..client("curl", "10.0.0.1", 80).opened(1).into() };
    let lines = [
        Step::Expect(SourceId::Capture),
        Step::Apply(Fact { at: START, origin, body: FactBody::Flow(delta) }),
        Step::Advance(START),
    ];
    let text = written(&header(), &lines);
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            r#"{"expect":"capture"}"#,
            concat!(
                r#"{"at":"2027-01-15T08:00:00.000000000Z","sequence":3,"#,
                r#""flow":{"key":{"cgroup":1,"netns":1,"direction":"outbound","remote":"10.0.0.1","port":80,"program":"curl"},"#,
                r#""opened":1,"first":"2027-01-15T08:00:00.000000000Z","last":"2027-01-15T08:00:00.000000000Z"}}"#
            ),
            r#"{"advance":"2027-01-15T08:00:00.000000000Z"}"#,
        ]
    );
}

const HEADER: &str = "{\"servicemap_recording\":1,\"started_at\":\"2027-01-15T08:00:00Z\"}\n";

fn refusal(text: &str) -> String {
    Recording::parse(text).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line_and_why() {
    for (steps, line, why) in [
        ("hello", 2, "expected value, column 1"),
        ("[]", 2, "invalid type: sequence, expected an object that is a step of a recording"),
        ("{}", 2, "it says neither a fact, nor `remember`, `expect`"),
        ("# a comment\n\n{\"advance\":\"yesterday\"}", 4, "\"yesterday\" is no instant"),
        ("{\"advance\":\"2027-01-15T08:00:00Z\",\"expect\":\"host\"}", 2, "this one does two"),
        ("{\"at\":\"2027-01-15T08:00:00Z\",\"flows\":{}}", 2, "unknown variant `flows`, expected one of"),
        ("{\"cgroup\":{\"id\":1,\"path\":\"/\"}}", 2, "missing field `at`"),
        ("{\"at\":\"2027-01-15T08:00:00Z\",\"expect\":\"host\"}", 2, "are of facts only"),
        (
            "{\"at\":\"2027-01-15T08:00:00Z\",\"cgroup\":{\"id\":1,\"path\":\"/\",\"nmae\":1}}",
            2,
            "unknown field `nmae`, expected `id` or `path`",
        ),
        (
            "{\"at\":\"2027-01-15T08:00:00Z\",\"kubernetes\":{\"pod\":{\"naem\":\"a\"}}}",
            2,
            "unknown field `naem`, expected one of `namespace`",
        ),
    ] {
        let error = refusal(&format!("{HEADER}{steps}\n"));
        assert!(error.starts_with(&format!("line {line} is no step of a recording: ")), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn what_is_no_recording_is_told_how_one_begins() {
    assert!(refusal("").starts_with("the recording is empty"));
    let error = refusal("{\"type\":\"service.discovered\"}\n");
    assert!(error.starts_with("line 1 is not the header of a recording (missing field"), "{error}");
    let error =
        refusal("{\"servicemap_recording\":1,\"started_at\":\"2027-01-15T08:00:00Z\",\"setings\":{}}\n");
    assert!(error.contains("unknown field `setings`"), "{error}");
    let error = refusal(&HEADER.replace("}\n", ",\"settings\":{\"debounce_window\":\"2\"}}\n"));
    assert!(error.contains("is no length of time"), "{error}");
}

#[test]
fn a_later_format_is_refused_before_anything_of_it_is_read() {
    let error = refusal("{\"servicemap_recording\":2,\"began\":\"today\"}\n");
    assert!(
        error.starts_with("the recording has format 2 and this Servicemap reads up to format 1"),
        "{error}"
    );
}

#[test]
fn nothing_comes_after_the_last_step() {
    let finish = "{\"finish\":\"2027-01-15T08:00:00Z\"}\n";
    let error = refusal(&format!("{HEADER}{finish}{finish}"));
    assert!(error.starts_with("line 3 follows `finish`"), "{error}");
}

#[test]
fn a_recording_that_was_cut_off_is_read_up_to_its_last_complete_line() {
    let text = format!("{HEADER}{{\"expect\":\"host\"}}\n{{\"advance\":\"2027-01-15T08:0");
    let read = Recording::parse(&text).unwrap();
    assert_eq!(read.steps, [Step::Expect(SourceId::Host)]);
    let more = format!("{text}\n{{\"expect\":\"host\"}}\n");
    assert!(matches!(Recording::parse(&more), Err(ReadError::CutOff { line: 3 })), "something follows it");
    let wrong = format!("{HEADER}{{\"advance\":7}}");
    assert!(matches!(Recording::parse(&wrong), Err(ReadError::NoStep { line: 2, .. })), "it is complete");
}

#[test]
fn addresses_are_text_and_times_have_a_zone() {
    let line = r#"{"at":"2027-01-15T08:00:00Z","address":{"netns":1,"address":"fd00::1"}}"#;
    let Step::Apply(fact) = serde_json::from_str(line).unwrap() else { panic!() };
    let address: IpAddr = "fd00::1".parse().unwrap();
    assert_eq!(fact.body, FactBody::Address { netns: HOST, address, present: true });
    assert!(serde_json::from_str::<Step>(r#"{"advance":"2027-01-15T08:00:00"}"#).is_err());
}

#[test]
fn a_reader_says_what_each_line_is() {
    let mut reader = Reader::default();
    assert_eq!(reader.read(b"# comment\r\n").unwrap(), Line::Nothing);
    assert!(matches!(reader.read(HEADER.as_bytes()).unwrap(), Line::Header(_)));
    assert_eq!(
        reader.read(b" {\"expect\":\"host\"}\r\n").unwrap(),
        Line::Step(Box::new(Step::Expect(SourceId::Host)))
    );
    assert_eq!((reader.line(), reader.is_finished()), (3, false));
    reader.read(b"{\"finish\":\"2027-01-15T08:00:00Z\"}").unwrap();
    assert!(reader.is_finished());
}
