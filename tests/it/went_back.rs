//! The upstream's time goes back while a view is gone. When the view is there
//! again, it is the same object at an earlier time; a position from before is
//! of other contents, also once time has come as far again.

use std::time::{Duration, Instant};

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];
const HOUR_MS: u64 = 3_600_000;

/// A server whose time is five hours, and its gateway for `v`.
fn begin(more: &[&str]) -> (Materialize, Gateway) {
    let server = Materialize::start(Generation::Modern);
    for name in ["v", "w"] {
        server.create_view(name, &COLUMNS);
        server.commit(name, vec![(row(["1", name]), 1)]);
    }
    server.tick_after(5 * HOUR_MS);
    let url = server.url();
    let mut arguments = vec!["--upstream", &url, "--heartbeat", "200ms"];
    arguments.extend(["--catalog-interval", "100ms"]);
    arguments.extend(more);
    let gateway = Gateway::start(&arguments);
    gateway.await_ready();
    (server, gateway)
}

/// The id of a client of the view that was told that it is gone.
fn id_of_before(server: &Materialize, mut client: Stream, take_away: impl Fn()) -> String {
    client.expect("base");
    server.tick();
    take_away();
    let gone = loop {
        let event = client.next().expect("gone before the end");
        if event.name == "gone" {
            break event;
        }
    };
    client.last_id.clone().unwrap_or_else(|| panic!("{gone:?}"))
}

/// Restores the server from a backup of four hours ago.
fn go_back(server: &Materialize) {
    let contents = |n: &str, name: &str| (name.to_owned(), vec![(row([n, "restored"]), 1)]);
    server.rewind(HOUR_MS, &[contents("2", "v"), contents("3", "w")]);
}

fn incarnation(id: &str) -> &str {
    id.split('-').nth(1).expect("a position")
}

/// The view is back at the earlier time, and goes on to a later one than the
/// position from before. Nobody is to believe that.
fn check(server: &Materialize, gateway: &Gateway, path: &str, id: &str) {
    let mut back = Follower::of(server, "v", Stream::open(gateway.address, path));
    server.tick_every(Duration::from_millis(20));
    while back.table.timestamp.is_none() {
        back.step();
    }
    assert!(back.table.timestamp < Some(2 * HOUR_MS), "{:?}", back.table);
    // Another gateway may not have noticed: what is given out now must not look as if
    // it were from before. Here it is good.
    let own = back.stream.last_id.clone().expect("an id");
    assert_ne!(incarnation(&own), incarnation(id));
    back.stream = Stream::resume(gateway.address, path, &own);
    back.reach(server.commit("v", vec![(row(["6", "resumed"]), 1)]));
    server.commit_after(HOUR_MS, "v", vec![(row(["4", "later"]), 1)]);
    let at = server.tick_after(5 * HOUR_MS);
    back.reach(at);
    let reached = back.stream.last_id.clone().expect("an id");
    assert_eq!(incarnation(&reached), incarnation(id));
    let known = [("If-None-Match", &*format!("\"{id}\""))];
    let rows = request(
        gateway.address,
        "GET",
        path.trim_end_matches("/stream"),
        &known,
    );
    assert_eq!(rows.status, 200, "the rows have changed since {id}");
    let mut returned = Stream::resume(gateway.address, path, id);
    let first = loop {
        let event = returned.next().expect("the stream goes on");
        if event.name == "base" || event.name == "delta" {
            break event;
        }
    };
    assert_eq!(first.name, "base", "{first:?} behind {id}");
    // What is given out now is believed.
    let id = back.stream.last_id.clone().expect("an id");
    back.stream = Stream::resume(gateway.address, path, &id);
    let at = server.commit("v", vec![(row(["5", "last"]), 1)]);
    back.reach(at);
}

#[test]
fn went_back_while_the_view_had_another_name() {
    let (server, gateway) = begin(&["--view", "v"]);
    let client = Stream::open(gateway.address, "/v/stream");
    let id = id_of_before(&server, client, || server.rename("v", "once_v"));
    go_back(&server);
    server.rename("v", "v");
    check(&server, &gateway, "/v/stream", &id);
}

#[test]
fn went_back_while_the_name_meant_another_view() {
    let (server, gateway) = begin(&["--view", "v"]);
    let mut client = Stream::open(gateway.address, "/v/stream");
    client.expect("base");
    let id = client.last_id.clone().expect("an id");
    server.swap("v", "w");
    while !client.next().expect("it goes on").data.contains("\"w\"") {
        server.tick();
    }
    go_back(&server);
    server.swap("v", "w");
    // Until the swap is noticed it is the other one, at the earlier time.
    let is_back = || {
        let rows = get(gateway.address, "/v").text();
        server.tick();
        rows.contains("\"n\":2")
    };
    let end = Instant::now() + PATIENCE;
    while !is_back() {
        assert!(Instant::now() < end, "never back");
    }
    check(&server, &gateway, "/v/stream", &id);
}

#[test]
fn went_back_while_the_view_was_too_large() {
    let (server, gateway) = begin(&["--view", "v", "--max-view-bytes", "1KiB"]);
    let client = Stream::open(gateway.address, "/v/stream");
    let id = id_of_before(&server, client, || {
        server.commit("v", vec![(row(["1", "large"]), 1_000)]);
    });
    go_back(&server);
    check(&server, &gateway, "/v/stream", &id);
}

#[test]
fn went_back_while_a_pattern_did_not_find_the_view() {
    let (server, gateway) = begin(&["--view", "public.*"]);
    let path = "/public.v/stream";
    let await_status = |status| {
        let end = Instant::now() + PATIENCE;
        while get(gateway.address, "/public.v").status != status {
            assert!(Instant::now() < end, "never {status}");
        }
    };
    let client = Stream::open(gateway.address, path);
    let id = id_of_before(&server, client, || server.set_schema("v", "blue"));
    await_status(404);
    go_back(&server);
    server.set_schema("v", "public");
    await_status(200);
    check(&server, &gateway, path, &id);
}
