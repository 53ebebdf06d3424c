//! A cluster in which incidents happen, and the transcript of what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use servicemap_map::MapSettings;
use servicemap_map::model::{Event, EventData, FactBody, Severity, SourceId, TopologyChange};
use servicemap_map::record::{Header, Step, write_line};

use crate::lab::cluster::{PodObject, node, pod, scope, service, slice};
use crate::lab::{Delta, HOST, Lab, at, client};

/// Pods of the world run on these, in turn.
pub(crate) const NODES: [&str; 2] = ["node-1", "node-2"];

/// The incident begins after this many seconds of ordinary life: every status has settled.
const BEFORE: u32 = 60;

struct Member {
    pod: PodObject,
    cgroup: u64,
    /// Its endpoint is told as ready.
    ready: bool,
    /// It runs, calls others and answers.
    alive: bool,
}

struct Workload {
    address: String,
    port: u16,
    pods: BTreeMap<String, Member>,
}

/// Seconds between two looks at the calls that were made, as between two drains of the kernel's counters.
const DRAIN: u32 = 5;

/// Services `namespace/name`, their pods, and who calls whom: each pod that runs once a second.
pub(crate) struct World {
    pub(crate) lab: Lab,
    services: BTreeMap<String, Workload>,
    calls: BTreeSet<(String, String)>,
    pods_made: u16,
    /// Everything that was told since the incident began.
    transcript: Vec<String>,
    second: u32,
}

impl World {
    pub(crate) fn with(change: impl FnOnce(&mut MapSettings)) -> Self {
        // What is recorded stays the same from version to version.
        let mut settings = MapSettings { version: "incident".into(), ..MapSettings::default() };
        change(&mut settings);
        let mut lab = Lab::starting(settings);
        lab.recording = Some(vec![Step::Expect(SourceId::Capture)]);
        let mut world = Self {
            lab,
            services: BTreeMap::new(),
            calls: BTreeSet::new(),
            pods_made: 0,
            transcript: Vec::new(),
            second: 0,
        };
        world.lab.state(FactBody::NetworkNamespace { netns: HOST, name: None });
        world.lab.object(scope(false));
        for (number, name) in NODES.into_iter().enumerate() {
            world.lab.object(node(name, &format!("172.16.0.{}", number + 1)));
        }
        world
    }

    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A Service with so many pods that are ready.
    pub(crate) fn runs(&mut self, name: &str, port: u16, pods: u16) {
        let (namespace, short) = split(name);
        let address = format!("10.96.0.{}", self.services.len() + 1);
        self.lab.object(service(namespace, short, &address).port("", port).selects("app", short));
        self.services.insert(name.to_owned(), Workload { address, port, pods: BTreeMap::new() });
        for number in 1..=pods {
            self.starts(name, &format!("{short}-{number}"));
        }
        self.tell_slice(name);
    }

    /// One more pod, which is ready; its slice is not yet told.
    pub(crate) fn starts(&mut self, name: &str, pod_name: &str) {
        let (namespace, short) = split(name);
        let number = self.pods_made;
        self.pods_made += 1;
        let address = format!("10.1.{}.{}", number / 200, number % 200 + 1);
        let on = if number.is_multiple_of(2) { NODES[0] } else { NODES[1] };
        let pod = pod(namespace, pod_name, short, &address).label("app", short).on_node(on);
        let cgroup = 1_000 + u64::from(number);
        self.lab.runs(cgroup, &pod);
        self.workload(name)
            .pods
            .insert(pod_name.to_owned(), Member { pod, cgroup, ready: true, alive: true });
    }

    /// A pod is deleted; its slice is not yet told.
    pub(crate) fn ends(&mut self, name: &str, pod_name: &str) {
        self.workload(name).pods.remove(pod_name);
        self.lab.pod_gone(pod_name);
    }

    /// Pods of a Service whose names a test picks are ready, or not, from now on.
    pub(crate) fn set_ready(&mut self, name: &str, ready: bool, which: impl Fn(&str) -> bool) {
        let members = self.workload(name).pods.iter_mut().filter(|(name, _)| which(name));
        let mut told = Vec::new();
        for (_, member) in members {
            member.ready = ready;
            member.pod.0.ready = ready;
            told.push(member.pod.clone());
        }
        for pod in told {
            self.lab.object(pod);
        }
        self.tell_slice(name);
    }

    /// The slice of a Service as it is now.
    pub(crate) fn tell_slice(&mut self, name: &str) {
        let (namespace, short) = split(name);
        let workload = self.workload(name);
        let mut object = slice(namespace, short).port("", workload.port);
        for member in workload.pods.values() {
            object = object.holds(&member.pod);
            if !member.ready {
                object = object.not_ready();
            }
        }
        self.lab.object(object);
    }

    /// From now on each pod of `from` calls `to` every second.
    pub(crate) fn calls(&mut self, from: &str, to: &str) {
        self.calls.insert((from.to_owned(), to.to_owned()));
    }

    /// What runs on a node stops without a word: it calls nobody and answers nobody.
    pub(crate) fn loses_power(&mut self, node: &str) {
        for member in self.services.values_mut().flat_map(|workload| workload.pods.values_mut()) {
            member.alive &= &*member.pod.0.node != node;
        }
    }

    /// Names of a Service's pods that run no more.
    pub(crate) fn dead(&mut self, name: &str) -> Vec<String> {
        let pods = self.workload(name).pods.iter();
        pods.filter(|(_, member)| !member.alive).map(|(name, _)| name.clone()).collect()
    }

    /// The sources have told what there is, and a minute of ordinary life passes, of which nothing is kept.
    pub(crate) fn begins(&mut self) {
        self.lab.state(FactBody::Ready(SourceId::Capture));
        self.lab.state(FactBody::Ready(SourceId::Kubernetes));
        self.second = 0;
        self.live(BEFORE);
        self.lab.events();
    }

    /// Life goes on until a second of the incident.
    pub(crate) fn until(&mut self, second: u32) {
        self.live(BEFORE + second);
    }

    fn live(&mut self, until: u32) {
        while self.second < until {
            if self.second.is_multiple_of(DRAIN) {
                for (from, to) in self.calls.clone() {
                    self.call(&from, &to);
                }
            }
            self.second += 1;
            self.lab.until(f64::from(self.second));
        }
    }

    /// Each pod of `from` that runs calls `to`. Those of its pods that are told as ready are asked in turn.
    fn call(&mut self, from: &str, to: &str) {
        let callers = self.workload(from).pods.values().filter(|member| member.alive);
        let callers: Vec<u64> = callers.map(|member| member.cgroup).collect();
        let Workload { address, port, pods } = self.workload(to);
        let (address, port) = (address.clone(), *port);
        let asked: Vec<bool> =
            pods.values().filter(|member| member.ready).map(|member| member.alive).collect();
        let (_, program) = split(from);
        let calls = u64::from(DRAIN);
        for (turn, cgroup) in callers.into_iter().enumerate() {
            let answered = asked.iter().cycle().skip(turn).take(DRAIN as usize).filter(|alive| **alive);
            let answered = answered.count() as u64;
            let attempts = client(program, &address, port).in_cgroup(cgroup).short(answered);
            self.lab.tell(if asked.is_empty() {
                attempts.refused(calls)
            } else {
                attempts.timed_out(calls - answered)
            });
        }
    }

    /// A connection attempt that a test describes, by the first pod of a Service.
    pub(crate) fn pod_tells(&mut self, from: &str, delta: Delta) {
        let Some(cgroup) = self.workload(from).pods.values().map(|member| member.cgroup).next() else {
            unreachable!("{from} has no pod")
        };
        self.lab.tell(delta.in_cgroup(cgroup));
    }

    /// The address of a Service.
    pub(crate) fn address(&mut self, name: &str) -> String {
        self.workload(name).address.clone()
    }

    /// What was told since this was last asked: seconds since the incident began, severity, and the rest in short.
    pub(crate) fn told(&mut self) -> Vec<String> {
        let begin = at(f64::from(BEFORE));
        let line = |event: &Event| {
            let after = event.observed_at.since(begin).as_secs_f64();
            let learning = if event.learning { " (learning)" } else { "" };
            format!("{after:5.1}s {} {}{learning}", word(event.severity), in_short(event))
        };
        let told: Vec<String> = self.lab.events().iter().map(|event| line(event)).collect();
        self.transcript.extend(told.iter().cloned());
        told
    }

    /// The incident is over. What happened and what was told are the files of this name in `tests/incidents/` of the
    /// repository, from which anybody can replay it.
    pub(crate) fn recorded_as(mut self, name: &str) {
        self.lab.take(Step::Finish(self.lab.now));
        self.told();
        let mut recording = Vec::new();
        let written = write_line(&mut recording, &header(&self.lab.header)).and_then(|()| {
            self.lab.recording.iter().flatten().try_for_each(|step| write_line(&mut recording, step))
        });
        assert!(written.is_ok(), "{written:?}");
        let mut told = self.transcript.join("\n");
        told.push('\n');
        is_file(&format!("{name}.jsonl"), &recording);
        is_file(&format!("{name}.told"), told.as_bytes());
    }

    fn workload(&mut self, name: &str) -> &mut Workload {
        let Some(workload) = self.services.get_mut(name) else { unreachable!("no service {name}") };
        workload
    }
}

fn split(name: &str) -> (&str, &str) {
    let Some(parts) = name.split_once('/') else { unreachable!("{name} has no namespace") };
    parts
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warn => "WARN",
    }
}

fn in_short(event: &Event) -> String {
    let head = format!("{} {}", event.event_type, event.subject);
    match &event.data {
        EventData::Health(change) => {
            let reasons: Vec<_> = change.reasons.iter().map(|reason| reason.as_str()).collect();
            let causes: Vec<_> =
                change
                    .service
                    .health
                    .causes
                    .listed
                    .iter()
                    .map(|cause| {
                        if cause.root {
                            format!("{} (root)", cause.service)
                        } else {
                            cause.service.to_string()
                        }
                    })
                    .collect();
            let because =
                if causes.is_empty() { String::new() } else { format!(" because of {}", causes.join(", ")) };
            let (from, to) = (change.from.as_str(), change.to.as_str());
            format!("{head} {from} -> {to}: {}{because}", reasons.join(", "))
        }
        EventData::Topology(change) => format!("{}{}", event.event_type, topology(change)),
        _ => head,
    }
}

fn topology(change: &TopologyChange) -> String {
    let parts = [
        (" +", &change.services_added),
        (" -", &change.services_removed),
        (" +", &change.connections_added),
        (" -", &change.connections_removed),
    ];
    parts
        .into_iter()
        .flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign}{name}")))
        .collect()
}

/// A header without the settings that are as they always are: a setting that is new changes no recording.
fn header(header: &Header) -> Value {
    let (Ok(mut line), Ok(usual)) =
        (serde_json::to_value(header), serde_json::to_value(MapSettings::default()))
    else {
        unreachable!("settings are plain data")
    };
    if let Some(settings) = line.get_mut("settings").and_then(Value::as_object_mut) {
        settings.retain(|name, value| usual.get(name) != Some(value));
    }
    line
}

/// Holds a text against a file of the repository; writes it instead where `UPDATE_INCIDENTS` is set.
fn is_file(name: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/incidents").join(name);
    if std::env::var_os("UPDATE_INCIDENTS").is_some() {
        assert!(std::fs::write(&path, text).is_ok(), "cannot write {}", path.display());
    }
    let is_same = std::fs::read(&path).is_ok_and(|kept| kept == text);
    assert!(is_same, "{} differs: see tests/incidents/README.md for how to write it anew", path.display());
}
