//! Graphs from the literature, whose answers are known.

#![expect(clippy::many_single_char_names, reason = "the nodes have these names where they were published")]

use super::components::Components;
use super::{Graph, chains, single_points};

/// Edges by number, the second ends after each first one.
fn edges(adjacency: &[(u32, &[u32])]) -> Vec<(u32, u32)> {
    adjacency.iter().flat_map(|(from, to)| to.iter().map(move |to| (*from, *to))).collect()
}

fn graph(size: u32, open: bool, arrows: &[(u32, u32)]) -> Graph {
    let nodes = (0..size).map(|number| (format!("{number:02}"), open)).collect();
    Graph::new(nodes, arrows.iter().copied())
}

fn articulation(size: u32, adjacency: &[(u32, &[u32])]) -> Vec<u32> {
    single_points::articulation(&graph(size, false, &edges(adjacency))).into_iter().collect()
}

/// W. W. Zachary, An Information Flow Model for Conflict and Fission in Small Groups, 1977: only through the instructor
/// (member 1, here 0) does member 12 belong to the karate club.
#[test]
fn the_karate_club_of_zachary_hangs_together_by_its_instructor() {
    let club: [(u32, &[u32]); 26] = [
        (0, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31]),
        (1, &[2, 3, 7, 13, 17, 19, 21, 30]),
        (2, &[3, 7, 8, 9, 13, 27, 28, 32]),
        (3, &[7, 12, 13]),
        (4, &[6, 10]),
        (5, &[6, 10, 16]),
        (6, &[16]),
        (8, &[30, 32, 33]),
        (9, &[33]),
        (13, &[33]),
        (14, &[32, 33]),
        (15, &[32, 33]),
        (18, &[32, 33]),
        (19, &[33]),
        (20, &[32, 33]),
        (22, &[32, 33]),
        (23, &[25, 27, 29, 32, 33]),
        (24, &[25, 27, 31]),
        (25, &[31]),
        (26, &[29, 33]),
        (27, &[33]),
        (28, &[31, 33]),
        (29, &[32, 33]),
        (30, &[32, 33]),
        (31, &[32, 33]),
        (32, &[33]),
    ];
    assert_eq!(edges(&club).len(), 78);
    assert_eq!(articulation(34, &club), [0]);
}

/// D. Krackhardt, Assessing the Political Landscape, 1990: the tail of the kite hangs by Heather (7) and Ike (8).
#[test]
fn the_kite_of_krackhardt_has_two_articulation_points() {
    let kite: [(u32, &[u32]); 9] = [
        (0, &[1, 2, 3, 5]),
        (1, &[3, 4, 6]),
        (2, &[3, 5]),
        (3, &[4, 5, 6]),
        (4, &[6]),
        (5, &[6, 7]),
        (6, &[7]),
        (7, &[8]),
        (8, &[9]),
    ];
    assert_eq!(edges(&kite).len(), 18);
    assert_eq!(articulation(10, &kite), [7, 8]);
}

/// Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, figure 22.9 (third edition): the components {a, b, e},
/// {c, d}, {f, g} and {h}, of which each needs the next.
#[test]
fn the_components_of_the_textbook_are_a_chain() {
    let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7];
    let arrows = [
        (a, b),
        (b, c),
        (b, e),
        (b, f),
        (c, d),
        (c, g),
        (d, c),
        (d, h),
        (e, a),
        (e, f),
        (f, g),
        (g, f),
        (g, h),
        (h, h),
    ];
    let graph = graph(8, false, &arrows);
    let components = Components::new(&graph);
    let members: Vec<_> = (0..components.len()).map(|one| components.members(one)).collect();
    assert_eq!(members, [&[a, b, e][..], &[c, d], &[f, g], &[h]]);
    let steps = chains::steps(&graph, &components);
    let longest = chains::Chains::new(chains::Kind::Longest, &steps, components.len(), &[1; 14]);
    assert_eq!(longest.through(components.of(c)), [0, 1, 2, 3]);
}

/// T. Lengauer, R. E. Tarjan, A Fast Algorithm for Finding Dominators in a Flowgraph, 1979, figures 1 and 2: C dominates F,
/// G and J; D dominates L; G dominates J; the root R dominates all; nobody else dominates anybody.
#[test]
fn the_dominators_of_lengauer_and_tarjan_are_found() {
    let [r, a, b, c, d, e, f, g, h, i, j, k, l] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    // Failures go along the arrows of the flowgraph, so dependencies go against them. The arrow from K back to R changes no
    // dominator and is left out: R is to need nobody.
    let flow = [
        (r, a),
        (r, b),
        (r, c),
        (a, d),
        (b, a),
        (b, d),
        (b, e),
        (c, f),
        (c, g),
        (d, l),
        (e, h),
        (f, i),
        (g, i),
        (g, j),
        (h, e),
        (h, k),
        (i, k),
        (j, i),
        (k, i),
        (l, h),
    ];
    let dependencies: Vec<_> = flow.iter().map(|(from, to)| (*to, *from)).collect();
    let graph = graph(13, true, &dependencies);
    let dominated = single_points::dominated_entry_points(&graph, &Components::new(&graph));
    let expected = |node| match node {
        node if node == r => 12,
        node if node == c => 3,
        node if node == d || node == g => 1,
        _ => 0,
    };
    assert_eq!(dominated, (0..13).map(expected).collect::<Vec<u32>>());
}
