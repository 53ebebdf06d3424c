//! What holds for the health of any service, whatever happens to it.

mod lab;

use std::time::Duration;

use lab::cluster::{PodObject, ServiceObject, SliceObject, pod, service, slice};
use lab::{Lab, at, client};
use proptest::prelude::*;
use servicemap_map::HealthSettings;
use servicemap_map::model::{EventData, Health, HealthStatus, KubernetesFact};

/// What may happen to the service.
#[derive(Clone, Debug)]
enum Happening {
    /// Attempts to connect, so many of which fail.
    Attempts(u64, u64),
    /// Which of its endpoints are ready, as bits.
    Ready(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0..40u64, 0..40u64).prop_map(|(made, failed)| Happening::Attempts(made, failed.min(made))),
        (0..16u8).prop_map(Happening::Ready),
    ]
}

/// So many tenths of a second pass before each.
fn history(most: usize) -> impl Strategy<Value = Vec<(u32, Happening)>> {
    prop::collection::vec((0..150u32, happening()), 1..most)
}

fn backend(number: u8) -> PodObject {
    pod("shop", &format!("api-{number}"), "api", &format!("10.1.1.{number}"))
}

fn endpoints(ready: u8) -> SliceObject {
    (0..4).fold(slice("shop", "api").port("", 8080), |slice, number| {
        let slice = slice.holds(&backend(number));
        if ready & (1 << number) == 0 { slice.not_ready() } else { slice }
    })
}

fn api() -> ServiceObject {
    service("shop", "api", "10.96.0.9").port("", 80)
}

fn shop() -> Lab {
    let mut lab = Lab::in_cluster();
    lab.runs(7, &pod("shop", "web-1", "web", "10.1.0.1"));
    lab.object(api());
    lab.object(endpoints(15));
    lab.settle();
    lab
}

fn happen(lab: &mut Lab, happening: &Happening) {
    match happening {
        Happening::Attempts(made, failed) => {
            let attempts = client("curl", "10.96.0.9", 80).in_cgroup(7);
            lab.tell(attempts.short(made - failed).refused(*failed));
        }
        Happening::Ready(ready) => lab.object(endpoints(*ready)),
    }
}

fn health(lab: &Lab) -> Health {
    lab.service("service:shop/api").health.clone()
}

/// The health of the service and of the edge to it, if that is there.
fn healths(lab: &Lab) -> (Health, Vec<Health>) {
    let snapshot = lab.snapshot();
    (health(lab), snapshot.connections.iter().map(|edge| edge.health.as_ref().clone()).collect())
}

fn hold(from: HealthStatus, to: HealthStatus) -> Duration {
    let settings = HealthSettings::default();
    match to {
        HealthStatus::Unhealthy => settings.unhealthy_after,
        HealthStatus::Degraded if from < to => settings.worse_after,
        _ => settings.better_after,
    }
}

proptest! {
    // Failing cases are shrunk and printed; they become tests with a name rather than files of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn no_status_takes_effect_before_it_has_held(history in history(40)) {
        let mut lab = shop();
        let mut tenths = 0;
        let mut status = health(&lab).status;
        let mut since = lab.now;
        for (pause, happening) in history {
            // Each tenth of a second is looked at; a status changes at most once in one.
            for _ in 0..pause {
                tenths += 1;
                lab.until(f64::from(tenths) / 10.0);
                let now = health(&lab).status;
                if now != status {
                    // What held began after the last change, unless a worse one was on trial already.
                    let held = hold(status, now);
                    let changed = lab.now;
                    prop_assert!(changed >= at(0.0) + held, "{status:?} to {now:?} at {changed}");
                    if now < status {
                        prop_assert!(changed >= since + held, "{status:?} to {now:?} at {changed}");
                    }
                    (status, since) = (now, changed);
                }
            }
            happen(&mut lab, &happening);
        }
        for event in lab.events() {
            if let EventData::Health(change) = &event.data {
                let held = hold(change.from, change.to).min(hold(HealthStatus::Healthy, change.to));
                prop_assert!(event.observed_at >= event.at + held, "{event:?}");
            }
        }
    }

    #[test]
    fn the_order_of_attempts_and_objects_of_one_moment_does_not_show(
        (attempts, shuffled) in prop::collection::vec((1..40u64, 0..40u64), 1..12)
            .prop_flat_map(|attempts| (Just(attempts.clone()), Just(attempts).prop_shuffle())),
        ready in 0..16u8,
        slice_first in any::<bool>(),
    ) {
        let end = |attempts: Vec<(u64, u64)>, slice_first: bool| {
            let mut lab = shop();
            lab.until(40.0);
            if slice_first {
                lab.object(endpoints(ready));
            }
            for (made, failed) in attempts {
                happen(&mut lab, &Happening::Attempts(made, failed.min(made)));
            }
            if !slice_first {
                lab.object(endpoints(ready));
            }
            let mut seen = Vec::new();
            for second in [40, 42, 45, 50, 69, 70, 71, 99, 130] {
                lab.until(f64::from(second));
                seen.push(healths(&lab));
            }
            seen
        };
        prop_assert_eq!(end(attempts, slice_first), end(shuffled, !slice_first));
    }

    #[test]
    fn objects_that_are_told_twice_change_nothing(history in history(30)) {
        let run = |times: usize| {
            let mut lab = shop();
            let mut tenths = 0;
            let mut seen = Vec::new();
            for (pause, happening) in &history {
                tenths += pause;
                lab.until(f64::from(tenths) / 10.0);
                happen(&mut lab, happening);
                if let Happening::Ready(ready) = happening {
                    for _ in 1..times {
                        let objects: [KubernetesFact; 2] = [endpoints(*ready).into(), api().into()];
                        for object in objects {
                            lab.object(object);
                        }
                    }
                }
                lab.settle();
                seen.push(healths(&lab));
            }
            (seen, lab.news())
        };
        prop_assert_eq!(run(1), run(3));
    }

    #[test]
    fn whatever_happened_a_service_that_works_again_is_healthy_in_the_end(history in history(40)) {
        let mut lab = shop();
        let mut tenths = 0;
        for (pause, happening) in history {
            tenths += pause;
            lab.until(f64::from(tenths) / 10.0);
            happen(&mut lab, &happening);
        }
        happen(&mut lab, &Happening::Ready(15));
        // Failures are forgotten after a minute, flaps after five; that has to hold for half a minute.
        lab.until(f64::from(tenths) / 10.0 + 331.0);
        prop_assert_eq!(health(&lab).status, HealthStatus::Healthy);
    }
}
