//! What the gateway's own role may not read: named, and found by a pattern.

use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    for name in ["open", "secret"] {
        server.create_view(name, &[("n", "integer")]);
        server.commit(name, vec![(row(["1"]), 1)]);
    }
    server.deny("secret", true);
    server
}

fn names(gateway: &Gateway) -> Vec<String> {
    let list = get(gateway.address, "/views").json();
    let views = list["views"].as_array().expect("a list").iter();
    let name = |view: &serde_json::Value| view["name"].as_str().expect("a name").to_owned();
    views.map(name).collect()
}

/// How often a question was asked.
fn asked(server: &Materialize, sql: &str) -> usize {
    server.statements().iter().filter(|it| *it == sql).count()
}

/// The lines that are more than information and name the view.
fn complaints(gateway: &Gateway) -> Vec<String> {
    let mut log = gateway.process.log();
    log.retain(|line| line.contains("secret") && !line.contains("INFO"));
    log
}

const QUESTION: &str = "SELECT * FROM \"public\".\"secret\" LIMIT 0";

#[test]
fn pattern_leaves_out_what_the_role_may_not_read_until_it_is_granted() {
    let server = server();
    let gateway = Gateway::start(&["--upstream", &server.url(), "--view", "public.*"]);
    // Ready without it, and the other is served.
    gateway.await_ready();
    assert_eq!(names(&gateway), ["public.open"]);
    let mut open = Stream::open(gateway.address, "/public.open/stream");
    assert_eq!(open.expect("base").data, "[{\"n\":1}]");
    assert_eq!(get(gateway.address, "/public.secret/stream").status, 404);
    // The catalog is read again and again; that is asked for now and then,
    // and told once.
    let end = Instant::now() + PATIENCE;
    while asked(&server, QUESTION) < 2 {
        assert!(Instant::now() < end, "never asked for again");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let lists = "SELECT id, name, type FROM mz_catalog.mz_objects WHERE schema_id = 'u3'";
    assert!(asked(&server, lists) > asked(&server, QUESTION));
    let told = complaints(&gateway);
    assert_eq!(told.len(), 1, "{told:#?}");
    for part in [
        "WARN",
        "view \"public.secret\" is left out of its pattern",
        "permission denied for VIEW",
        "Grant the role SELECT on it",
    ] {
        assert!(told[0].contains(part), "{told:#?} lacks {part:?}");
    }
    assert!(server.copies().iter().all(|sql| !sql.contains("secret")));
    server.deny("secret", false);
    gateway
        .process
        .await_log("view \"public.secret\": found in the catalog");
    let end = Instant::now() + PATIENCE;
    while get(gateway.address, "/public.secret/stream").status == 404 {
        assert!(Instant::now() < end, "not served");
    }
    let mut granted = Stream::open(gateway.address, "/public.secret/stream");
    assert_eq!(granted.expect("base").data, "[{\"n\":1}]");
    server.commit("open", vec![(row(["2"]), 1)]);
    while !open.expect("delta").data.contains("{\"n\":2}") {}
}

#[test]
fn view_by_name_that_the_role_may_not_read_is_told_once_with_what_to_grant() {
    let server = server();
    let url = server.url();
    let arguments = ["--upstream", &url, "--view", "secret", "--view", "open"];
    let gateway = Gateway::start(&[&arguments[..], &["--reconnect-max", "100ms"]].concat());
    let mut open = Stream::open(gateway.address, "/open/stream");
    open.expect("base");
    let question = "SELECT * FROM \"secret\" LIMIT 0";
    server.wait_until("retries", |server| asked(server, question) >= 6);
    let told = complaints(&gateway);
    let errors: Vec<_> = told
        .iter()
        .filter(|line| line.contains("ERROR viewcast"))
        .collect();
    assert_eq!(errors.len(), 1, "{told:#?}");
    assert!(
        errors[0].contains("permission denied for VIEW"),
        "{errors:?}"
    );
    assert!(
        errors[0].contains("Grant the role SELECT on it"),
        "{errors:?}"
    );
    assert!(told.len() <= 2, "{told:#?}");
    assert_eq!(get(gateway.address, "/readyz").status, 503);
    server.deny("secret", false);
    gateway.await_ready();
}
