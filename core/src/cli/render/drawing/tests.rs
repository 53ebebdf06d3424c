use super::super::pictures::{cluster, large};
use super::super::{dot, mermaid};
use super::*;

fn of(namespaces: &[&str]) -> View {
    View { namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(), unfolded: false }
}

fn nodes(drawing: &Drawing) -> impl Iterator<Item = &Node> {
    drawing.groups.iter().flat_map(|group| &group.nodes)
}

fn names(drawing: &Drawing) -> Vec<&str> {
    nodes(drawing).map(|node| node.lines[0].as_str()).collect()
}

fn says(drawing: &Drawing, line: &str) -> bool {
    drawing.title.iter().any(|said| said == line)
}

#[test]
fn what_fits_is_not_folded() {
    let limits = Limits { nodes: 12, links: 13 };
    let drawing = Drawing::new(&cluster(), &View::default(), limits);
    assert!(nodes(&drawing).all(|node| node.shape != Shape::Folded), "{:?}", names(&drawing));
    for less in [Limits { nodes: 11, ..limits }, Limits { links: 12, ..limits }] {
        let drawing = Drawing::new(&cluster(), &View::default(), less);
        assert_eq!(names(&drawing), ["data", "ingress", "payments", "shop", "nodes", "outside"]);
        assert!(says(&drawing, "folded by namespace: 12 services in 4 namespaces, nodes, outside"));
    }
}

#[test]
fn a_folded_namespace_says_what_is_in_it() {
    let drawing = Drawing::new(&cluster(), &View::default(), Limits { nodes: 6, links: 20 });
    let lines = |name: &str| nodes(&drawing).find(|node| node.lines[0] == name).map(|node| &node.lines[1..]);
    let data = ["namespace · 2 services", "✖ 1 unhealthy", "◆ 1 single point of failure"].map(str::to_owned);
    assert_eq!(lines("data"), Some(&data[..]));
    // Ports are told apart: two connections from web to orders.
    let shop = ["namespace · 5 services", "↻ 2 in cycles", "5 connections inside"].map(str::to_owned);
    assert_eq!(lines("shop"), Some(&shop[..]));
}

#[test]
fn a_namespace_that_is_asked_for_is_drawn_with_what_it_talks_to() {
    let drawing = Drawing::new(&cluster(), &of(&["payments"]), Limits::PICTURE);
    assert_eq!(names(&drawing), ["shop", "outside", "gateway"]);
    assert!(
        says(&drawing, "only payments and what it talks to; 4 services elsewhere"),
        "{:?}",
        drawing.title
    );
    assert!(says(&drawing, "folded by namespace: 7 services in 1 namespace, outside"), "{:?}", drawing.title);
    assert_eq!(drawing.links.len(), 2);
}

#[test]
fn everything_is_drawn_where_that_is_asked_for() {
    let view = View { unfolded: true, ..View::default() };
    let drawing = Drawing::new(&large(2_000, 10), &view, Limits::PICTURE);
    assert_eq!(nodes(&drawing).count(), 2_001);
}

#[test]
fn what_there_is_no_room_for_is_put_together_and_stated() {
    let drawing = Drawing::new(&large(3_000, 300), &View::default(), Limits { nodes: 20, links: 15 });
    assert_eq!((nodes(&drawing).count(), drawing.links.len()), (20, 15));
    let rest = nodes(&drawing).find(|node| node.lines[0] == "the rest").unwrap();
    // 301 places, of which 19 are drawn by themselves: the three with unhealthy services among them.
    assert!(drawing.title.iter().any(|line| line.contains("“the rest”: 282 nodes")), "{:?}", drawing.title);
    assert!(drawing.title.iter().any(|line| line.starts_with("left out: ")), "{:?}", drawing.title);
    assert_eq!(rest.health, HealthStatus::Healthy);
}

#[test]
fn no_service_is_lost_between_nodes() {
    let services = |node: &Node| -> u64 {
        let words = node.lines[1].split(' ').find_map(|word| word.replace(',', "").parse().ok());
        words.unwrap()
    };
    for limits in [Limits::PICTURE, Limits { nodes: 7, links: 3 }, Limits { nodes: 1, links: 0 }] {
        let drawing = Drawing::new(&large(3_000, 300), &View::default(), limits);
        assert_eq!(nodes(&drawing).map(services).sum::<u64>(), 3_001, "{limits:?}");
    }
}

#[test]
fn what_fails_and_what_goes_round_is_marked_on_arrows() {
    let drawing = Drawing::new(&cluster(), &View::default(), Limits::PICTURE);
    let id = |name: &str| &nodes(&drawing).find(|node| node.lines[0] == name).unwrap().id;
    let link = |from, to| {
        drawing.links.iter().find(|link| link.source == *id(from) && link.destination == *id(to)).unwrap()
    };
    assert_eq!(link("cart", "redis").failing, Failing::All);
    assert_eq!(link("orders", "gateway").failing, Failing::Some);
    assert!(link("orders", "stock").cyclic && link("stock", "orders").cyclic);
    assert!(!link("orders", "postgres").cyclic);
    assert!(link("nginx", "web").quarters > link("orders", "postgres").quarters);
    assert_eq!(link("web", "orders").lines, ["8080/tcp · 9,310 opened", "9090/tcp · 60 opened", "8 active"]);
}

#[test]
fn the_legend_explains_what_occurs_and_nothing_else() {
    let text =
        |drawing: &Drawing| drawing.legend.iter().flat_map(|node| node.lines.clone()).collect::<Vec<_>>();
    let drawing = Drawing::new(&large(30, 3), &View::default(), Limits::PICTURE);
    assert_eq!(text(&drawing), ["✖ unhealthy", "healthy", "unknown", "wider: more TCP connections"]);
}

#[test]
fn the_order_of_the_lists_does_not_matter() {
    let (sorted, mut shuffled) = (cluster(), cluster());
    shuffled.services.reverse();
    shuffled.connections.reverse();
    for view in [View::default(), of(&["shop"])] {
        assert_eq!(dot(&sorted, &view), dot(&shuffled, &view));
        assert_eq!(mermaid(&sorted, &view), mermaid(&shuffled, &view));
    }
}
