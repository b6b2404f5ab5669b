//! A tail of a view that is well, on servers of both generations.

use viewcast::model::position::Timestamp;

use crate::support::materialize::{Generation, Materialize, row};
use crate::tail_support::Tailed;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

fn server(generation: Generation) -> Materialize {
    let server = Materialize::start(generation);
    server.create_view("v", &COLUMNS);
    server
}

fn follows(generation: Generation) {
    let server = server(generation);
    server.commit("v", vec![(row(["1", "x"]), 2), (row(["2", "y\t\\\n"]), 1)]);
    let mut tailed = Tailed::start(&server, "v");
    tailed.until("snapshot", |it| it.view.is_some());
    tailed.same_as(&server, "v", server.now());
    for n in 0..20 {
        let n = n.to_string();
        let at = server.commit("v", vec![(row([&n, "z"]), 3), (vec![None, None], 1)]);
        tailed.same_as(&server, "v", at);
    }
    let at = server.commit("v", vec![(row(["1", "x"]), -1), (row(["0", "z"]), -3)]);
    tailed.same_as(&server, "v", at);
    assert_eq!(
        tailed
            .told
            .iter()
            .filter(|kind| **kind == "snapshot")
            .count(),
        1
    );
    assert!(!tailed.told.contains(&"lost"));
}

#[test]
fn tail_follows_a_modern_server() {
    follows(Generation::Modern);
}

#[test]
fn tail_follows_an_old_server() {
    follows(Generation::Old);
}

#[test]
fn tail_of_empty_view_gets_its_base_on_either_generation() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let mut tailed = Tailed::start(&server, "v");
        tailed.until("snapshot", |it| it.view.is_some());
        assert!(tailed.rows().is_empty());
        let at = server.commit("v", vec![(row(["1", "x"]), 1)]);
        tailed.same_as(&server, "v", at);
    }
}

#[test]
fn tail_of_idle_old_view_without_progress_gets_its_base() {
    let server = server(Generation::Old);
    server.withhold_progress(true);
    server.commit("v", vec![(row(["1", "x"]), 2), (row(["2", "y"]), 1)]);
    let mut tailed = Tailed::start(&server, "v");
    tailed.same_as(&server, "v", server.now());
    let at = server.commit("v", vec![(row(["1", "x"]), -1)]);
    tailed.same_as(&server, "v", at);
    let statements = server.statements();
    let counts = statements.iter().filter(|sql| sql.contains(" AS OF "));
    assert!(counts.count() >= 2);
}

#[test]
fn tail_of_constant_view_is_complete() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        server.commit("v", vec![(row(["1", "x"]), 2)]);
        server.set_constant("v");
        let mut tailed = Tailed::start(&server, "v");
        tailed.until("complete", |it| it.told.contains(&"complete"));
        // A newer server is asked twice before it is believed.
        let mut told = tailed.told.clone();
        told.dedup();
        assert_eq!(told, ["described", "snapshot", "complete"]);
        assert_eq!(tailed.rows(), server.contents_at("v", server.now()));
        let end = tailed.timestamp() == Timestamp::MAX.get();
        assert_eq!(end, generation == Generation::Old);
    }
}

#[test]
fn tail_of_constant_empty_view_is_complete() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        server.set_constant("v");
        let mut tailed = Tailed::start(&server, "v");
        tailed.until("complete", |it| it.told.contains(&"complete"));
        assert!(tailed.view.is_some() && tailed.rows().is_empty());
    }
}
