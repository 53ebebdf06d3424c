//! Maps made for the tests of drawings: one with every mark, and large ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use servicemap_map::model::{
    Connection, Failures, FlowTotals, HealthReason, HealthStatus, Service, ServiceRef, ServiceType,
    SinglePointOfFailure, Snapshot,
};

use super::sample::{edge, named, service, snapshot};

fn because(of: &ServiceRef, status: HealthStatus, reason: HealthReason) -> Arc<Service> {
    let mut service = Arc::unwrap_or_clone(service(of, status));
    service.health.reasons = vec![reason];
    Arc::new(service)
}

fn opened(opened: u64, active: u64) -> FlowTotals {
    FlowTotals { opened, active, ..FlowTotals::default() }
}

/// A shop in a cluster: all kinds, all healths, a cycle, a single point of failure, failures, several ports between two.
pub(super) fn cluster() -> Snapshot {
    let [web, cart, orders, stock] =
        ["web", "cart", "orders", "stock"].map(|name| named("shop", name, ServiceType::ClusterIP));
    let ingress = named("ingress", "nginx", ServiceType::LoadBalancer);
    let worker = named("shop", "mail-worker", ServiceType::Workload);
    let database = named("data", "postgres", ServiceType::Headless);
    let cache = named("data", "redis", ServiceType::ClusterIP);
    let payments = named("payments", "gateway", ServiceType::ClusterIP);
    let bank = named("", "api.bank.example", ServiceType::External);
    let mail = named("", "smtp.mail.example", ServiceType::External);
    let node = named("", "worker-1", ServiceType::Node);
    let failing = |refused, opened| FlowTotals {
        opened,
        failed: Failures { refused, ..Failures::default() },
        ..FlowTotals::default()
    };
    let mut snapshot = snapshot(
        "worker-1",
        vec![
            service(&ingress, HealthStatus::Healthy),
            service(&web, HealthStatus::Healthy),
            service(&cart, HealthStatus::Healthy),
            service(&orders, HealthStatus::Healthy),
            service(&stock, HealthStatus::Healthy),
            service(&worker, HealthStatus::Unknown),
            service(&database, HealthStatus::Healthy),
            because(&cache, HealthStatus::Unhealthy, HealthReason::NoEndpoints),
            service(&payments, HealthStatus::Degraded),
            service(&bank, HealthStatus::Healthy),
            service(&mail, HealthStatus::Unknown),
            service(&node, HealthStatus::Unknown),
        ],
        vec![
            edge(&ingress, &web, 8080, opened(48_210, 64), 60),
            edge(&web, &cart, 8080, opened(21_004, 12), 60),
            edge(&web, &orders, 8080, opened(9_310, 8), 60),
            edge(&web, &orders, 9090, opened(60, 0), 60),
            edge(&cart, &cache, 6379, failing(4_113, 0), 60),
            edge(&cart, &database, 5432, opened(310, 20), 60),
            edge(&orders, &stock, 8080, opened(4_002, 3), 60),
            edge(&stock, &orders, 8443, opened(87, 1), 60),
            edge(&orders, &database, 5432, opened(512, 40), 60),
            edge(&stock, &database, 5432, opened(255, 16), 60),
            edge(&orders, &payments, 443, failing(62, 1_440), 60),
            edge(&payments, &bank, 443, opened(1_390, 2), 60),
            edge(&worker, &mail, 587, opened(3, 0), 60),
            edge(&node, &web, 8080, opened(60, 0), 60),
        ],
    );
    snapshot.observer.cluster = "shop-eu".into();
    snapshot.topology.cycles = vec![vec![orders.id().to_string(), stock.id().to_string()]];
    snapshot.topology.single_points_of_failure = vec![SinglePointOfFailure {
        service: database.id().to_string(),
        dependents: 6,
        entry_points: 2,
        separates: false,
    }];
    snapshot
}

/// So many services, evenly in so many namespaces, each needing the next two of its namespace and each seventh one of
/// a namespace with half the number; each hundredth is unhealthy, each fortieth talks to something outside.
pub(super) fn large(services: usize, namespaces: usize) -> Snapshot {
    let place = |index: usize| {
        named(
            &format!("team-{:03}", index % namespaces),
            &format!("service-{index:05}"),
            ServiceType::ClusterIP,
        )
    };
    let all: Vec<ServiceRef> = (0..services).map(place).collect();
    let outside = named("", "api.example", ServiceType::External);
    let mut listed = vec![service(&outside, HealthStatus::Unknown)];
    let mut connections: Vec<Arc<Connection>> = Vec::new();
    for (index, from) in all.iter().enumerate() {
        let status = if index % 100 == 7 { HealthStatus::Unhealthy } else { HealthStatus::Healthy };
        listed.push(service(from, status));
        let above = (index % 7 == 0).then_some(index % namespaces / 2);
        for to in [Some(index + namespaces), Some(index + 2 * namespaces), above] {
            if let Some(to) = to.and_then(|to| all.get(to)).filter(|to| *to != from) {
                connections.push(edge(from, to, 8080, opened(index as u64, 1), 60));
            }
        }
        if index % 40 == 0 {
            connections.push(edge(from, &outside, 443, opened(5, 0), 60));
        }
    }
    snapshot("large", listed, connections)
}

/// Names that a language of drawings could take for its own.
pub(super) const HOSTILE: [&str; 16] = [
    "end",
    "graph",
    "subgraph x",
    "a\"b\\",
    "\\",
    "\\N \\G \\l",
    "&amp; &#39; &quot",
    "<b>bold</b><img src=x onerror=alert(1)>",
    "</script><!--",
    "`md` **md** _md_ [md](x)",
    "my-style:#35; a:#b;",
    "classDef healthy fill:red;",
    "--> n1 %% {{x}} |x|",
    "line\nbreak\r\n\u{2028}",
    "日本語 \u{202e} é 🚀",
    "1. list",
];

/// Each as a service in a namespace of the same name, that talks to the next.
pub(super) fn named_all(names: &[String]) -> Snapshot {
    let distinct: BTreeSet<&String> = names.iter().collect();
    let all: Vec<_> = distinct.into_iter().map(|name| named(name, name, ServiceType::ClusterIP)).collect();
    let connections = all.windows(2).map(|pair| edge(&pair[0], &pair[1], 80, opened(1, 1), 60)).collect();
    snapshot("host", all.iter().map(|name| service(name, HealthStatus::Healthy)).collect(), connections)
}

/// A name that is not empty: of any characters, or of those that mean something to a language of drawings.
pub(super) fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\"\\\\<>&#;%`|{}:.\\[\\]() a-z0-9-]{1,80}"]
        .prop_filter("empty", |name| !name.is_empty())
}
