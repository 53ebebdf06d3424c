//! Loading: announcements, cgroups, memory, and what remains when it is over.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use servicemap_map::model::Direction;

use super::lab::{Lab, Sums, once, serve};
use crate::capture::{HookChoice, State, requirements};

#[test]
fn a_first_edge_wakes_and_a_known_one_does_not() {
    let Some(lab) = Lab::new("first_edge") else { return };
    let mut capture = lab.capture(HookChoice::Auto);
    let listener = lab.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listener.local_addr().unwrap();
    let server = serve(listener, 2);
    assert!(capture.poll(Duration::ZERO).new_flow, "the listener");
    let mut sums = Sums::default();
    sums.drain(&mut capture);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            lab.inside(|| once(to));
        });
        assert!(capture.poll(Duration::from_secs(20)).new_flow);
        assert!(begin.elapsed() < Duration::from_secs(10), "woken, not timed out");
    });
    std::thread::sleep(Duration::from_millis(100));
    sums.drain(&mut capture);
    capture.poll(Duration::ZERO);
    lab.inside(|| once(to));
    assert!(!capture.poll(Duration::from_millis(300)).new_flow, "the same flow again");
    server.join().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    sums.drain(&mut capture);
    assert_eq!(sums.lives(Direction::Outbound, to.port()), (2, 0, 2));
}

#[test]
fn a_new_cgroup_is_told_with_its_path() {
    let Some(lab) = Lab::new("new_cgroup") else { return };
    let Some(root) = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .iter()
        .find(|root| std::path::Path::new(root).join("cgroup.controllers").exists())
    else {
        return;
    };
    let mut capture = lab.capture(HookChoice::Auto);
    let name = format!("smcap-{}", std::process::id());
    let path = std::path::Path::new(root).join(&name);
    std::fs::create_dir(&path).unwrap();
    let id = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
    std::fs::remove_dir(&path).unwrap();
    let made = capture.poll(Duration::ZERO).cgroups;
    assert!(
        made.iter().any(|made| made.id == id && *made.path == *format!("/{name}")),
        "{made:?}, wanted {id}"
    );
}

#[test]
fn memory_stays_below_its_budget_and_dropping_detaches() {
    let Some(lab) = Lab::new("memory") else { return };
    for hook in [HookChoice::TpBtf, HookChoice::RawTp] {
        let capture = lab.capture(hook);
        let memory = capture.map_memory();
        assert!(memory > 1 << 20, "{memory}");
        assert!(memory <= 16 << 20, "{hook:?}: {memory} bytes of kernel maps");
        let name = capture.hook().program();
        let ours = || {
            aya::programs::loaded_programs()
                .flatten()
                .filter(|program| program.name_as_str() == Some(name))
                .count()
        };
        let before = ours();
        assert!(before >= 1);
        drop(capture);
        // Other tests load and drop the same program meanwhile: it is enough that ours can go.
        let begin = Instant::now();
        while ours() >= before && begin.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(ours() < before || before > 1);
    }
}

#[test]
fn requirements_are_met_here() {
    if Lab::new("requirements").is_none() {
        return;
    }
    for requirement in requirements() {
        assert_eq!(requirement.state, State::Ok, "{requirement:?}");
    }
}
