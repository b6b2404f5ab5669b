//! Which of the two languages a server is spoken to: found out by its version,
//! or told; and the system's own relations in both.

use crate::support::gateway::Gateway;
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::pgwire;
use crate::support::sse::Stream;
use crate::support::standin::StandIn;
use crate::support::table::rows_of;

const QUESTION: &str = "SELECT mz_version()";

fn server(generation: Generation, version: &str) -> Materialize {
    let server = Materialize::start(generation);
    let rows = [vec![Some(version.to_owned())]];
    server.answer(QUESTION, pgwire::rows(&["mz_version"], &rows), usize::MAX);
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["1"]), 1)]);
    server
}

/// The COPY that a gateway with these arguments asks the server for.
fn asked(server: &Materialize, more: &[&str]) -> String {
    let url = server.url();
    let arguments = [&["--upstream", &url, "--view", "v"], more].concat();
    let gateway = Gateway::start(&arguments);
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/v/stream");
    assert_eq!(stream.expect("base").data, "[{\"n\":1}]");
    server.copies().pop().expect("a COPY")
}

#[test]
fn dialect_is_found_out_by_the_version() {
    let by_id = "SUBSCRIBE [u1 AS \"materialize\".\"public\".\"v\"]";
    for (generation, version, asked_for) in [
        (Generation::Old, "v0.5.2 (abc)", "TAIL \"v\""),
        (Generation::Old, "v0.26.6 (abc)", "TAIL \"v\""),
        (Generation::Modern, "v0.27.0 (abc)", by_id),
        (Generation::Modern, "v27.1.0-rc.2 (abc)", by_id),
    ] {
        let server = server(generation, version);
        let copy = asked(&server, &[]);
        assert!(
            copy.starts_with(&format!("COPY ({asked_for} ")),
            "{version}: {copy}"
        );
    }
}

#[test]
fn dialect_that_is_told_overrides_what_the_version_says() {
    for (generation, version, name) in [
        (Generation::Old, "v27.0.0 (a fork of the old one)", "tail"),
        (
            Generation::Modern,
            "v0.7.0 (a fork of the new one)",
            "subscribe",
        ),
        (Generation::Modern, "no version at all", "subscribe"),
    ] {
        let server = server(generation, version);
        let copy = asked(&server, &["--dialect", name]);
        assert!(copy.to_lowercase().contains(&format!("({name} ")), "{copy}");
        assert!(
            !server.statements().contains(&QUESTION.to_owned()),
            "asked all the same"
        );
    }
}

#[test]
fn dialect_of_a_version_that_nobody_knows_is_asked_of_the_operator() {
    for (version, why) in [
        ("no version at all", "unknown Materialize version"),
        ("v0.5.1 (abc)", "is too old: 0.5.2 is the first"),
    ] {
        let server = server(Generation::Modern, version);
        let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "v"]);
        let line = gateway.process.await_log(why);
        assert!(
            line.contains("Set the dialect to \"tail\" or \"subscribe\""),
            "{line}"
        );
        assert_eq!(get(gateway.address, "/readyz").status, 503);
        assert_eq!(server.copies().len(), 0);
    }
}

#[test]
fn system_relations_are_streamed_as_others_are() {
    for dialect in ["subscribe", "tail"] {
        let stand_in = StandIn::start(&["--seed-edits", "10", "--dialect", dialect]);
        let (views, frontiers) = ("mz_catalog.mz_views", "mz_internal.mz_frontiers");
        let gateway = Gateway::start(&[
            "--upstream",
            &stand_in.url,
            "--view",
            views,
            "--view",
            frontiers,
        ]);
        for (view, column) in [(views, "name"), (frontiers, "object_id")] {
            let mut stream = Stream::open(gateway.address, &format!("/{view}/stream"));
            let rows = rows_of(&stream.expect("base").data);
            assert!(rows.len() > 3, "{dialect} {view}: {rows:?}");
            let column = format!("\"{column}\":");
            assert!(rows.keys().all(|row| row.contains(&column)), "{rows:?}");
        }
    }
}
