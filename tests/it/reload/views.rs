//! Views begin, end and change with the settings, and no stream of another view
//! notices.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Operated, server};
use crate::support::follower::Follower;
use crate::support::gateway::{PATIENCE, wait_for};
use crate::support::http::get;
use crate::support::joined::Joined;
use crate::support::materialize::{Materialize, row};
use crate::support::sse::Stream;

fn settings(views: &str) -> String {
    format!("view = {{ {views} }}\n")
}

/// Waits until a path is answered so.
#[track_caller]
fn await_status(operated: &Operated, path: &str, status: u16) {
    let address = operated.gateway.address;
    wait_for(path, || get(address, path).status == status);
}

/// Reads a stream to its end; the reason in its last event, which is `gone`.
fn reason(mut stream: Stream) -> String {
    let mut last = None;
    let deadline = Instant::now() + PATIENCE;
    while let Some(event) = stream.next() {
        assert!(Instant::now() < deadline, "it goes on");
        last = Some(event);
    }
    let last = last.expect("an event");
    assert_eq!(last.name, "gone", "{last:?}");
    let data: Value = serde_json::from_str(&last.data).expect("JSON");
    data["reason"].as_str().expect("words").to_owned()
}

/// Opens a view's stream and reads its base.
fn open(operated: &Operated, path: &str) -> Stream {
    let mut stream = Stream::open(operated.gateway.address, path);
    while stream.next().expect("a base").name != "base" {}
    stream
}

/// Reads a stream that goes on until it says this.
fn read_until(stream: &mut Stream, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !stream.next().expect("it goes on").data.contains(text) {
        assert!(Instant::now() < deadline, "never said: {text}");
    }
}

/// What `/views` lists.
fn listed(operated: &Operated) -> Vec<Value> {
    let body = get(operated.gateway.address, "/views").json();
    body["views"].as_array().expect("a list").clone()
}

fn names(operated: &Operated) -> Vec<String> {
    let listed = listed(operated);
    let names = listed.iter().map(|view| view["name"].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

/// Whoever follows a view that no reload touches has each change, and one base.
fn commit(server: &Materialize, client: &mut Follower<'_>, n: &str) {
    let at = server.commit("v", vec![(row([n]), 1)]);
    client.reach(at);
}

#[test]
fn reload_begins_ends_and_changes_views_while_another_goes_on() {
    let server = server();
    server.create_view("x", &[("n", "integer"), ("m", "integer")]);
    server.commit("x", vec![(row(["1", "2"]), 1)]);
    let operated = Operated::start(&server, &settings("v = {}, w = {}"), &[]);
    let mut client = Follower::join(&server, &operated.gateway, "v");

    // One ends, one begins.
    let ended = open(&operated, "/w/stream");
    let told = operated.reload(&settings("x = {}, v = {}"));
    assert!(
        told.contains("changed: views begun: x, views ended: w"),
        "{told}"
    );
    assert_eq!(
        reason(ended),
        "this gateway does not serve the view any more"
    );
    await_status(&operated, "/x", 200);
    assert_eq!(get(operated.gateway.address, "/w/stream").status, 404);
    assert_eq!(names(&operated), ["x", "v"]);
    server.wait_until("w is not read", |server| server.streams("w") == 0);
    commit(&server, &mut client, "1");

    // Other words change nothing else.
    let mut described = open(&operated, "/x/stream");
    let told = operated.reload(&settings("x = { description = \"What it is\" }, v = {}"));
    assert!(told.contains("views described in other words: x"), "{told}");
    wait_for("the words", || {
        listed(&operated)[0]["description"] == json!("What it is")
    });
    server.commit("x", vec![(row(["3", "4"]), 1)]);
    read_until(&mut described, "{\"n\":3,\"m\":4}");

    // Each other change is another view under the name.
    for (round, (views, path)) in [
        ("columns = [\"n\"]", "/x"),
        ("columns = [\"n\"], filter = [\"n\"]", "/x?n=eq.1"),
        ("columns = [\"n\"], relation = \"w\"", "/x"),
    ]
    .into_iter()
    .enumerate()
    {
        let old = open(&operated, "/x/stream");
        let told = operated.reload(&settings(&format!("x = {{ {views} }}, v = {{}}")));
        assert!(told.contains("views served in another way: x"), "{told}");
        assert_eq!(
            reason(old),
            "this gateway serves the view in another way now"
        );
        await_status(&operated, path, 200);
        assert_eq!(names(&operated), ["x", "v"]);
        commit(&server, &mut client, &round.to_string());
    }
    assert_eq!(client.table.bases, 1);
}

#[test]
fn reload_that_ends_a_view_leaves_the_others_of_a_stream() {
    let server = server();
    let operated = Operated::start(&server, &settings("v = {}, w = {}"), &[]);
    let path = "/stream?view=v&view=w";
    let mut joined = Joined::default();
    let mut stream = joined.open(operated.gateway.address, path);
    joined.read_until(&mut stream, |_| true);
    operated.reload(&settings("v = {}"));
    await_status(&operated, "/w", 404);
    for n in ["1", "2"] {
        let last = server.commit("v", vec![(row([n]), 1)]);
        joined.read_until(&mut stream, |joined| joined.time >= Some(last));
        assert!(joined.gone.contains(&"w".to_owned()));
        // Who comes back is let in.
        stream = joined.open(operated.gateway.address, path);
        joined.read_until(&mut stream, |_| true);
    }
    assert_eq!(joined.bases["v"], 1);
}

#[test]
fn reload_of_a_view_that_is_not_there_ends_no_gateway() {
    let server = server();
    let operated = Operated::start(&server, &settings("v = {}"), &[]);
    let mut client = Follower::join(&server, &operated.gateway, "v");
    let both = settings("v = {}, late = {}");
    operated.reload(&both);
    let process = &operated.gateway.process;
    process.await_log("view \"late\" is not served: ");
    await_status(&operated, "/late", 404);
    commit(&server, &mut client, "1");
    // It is looked for at the next reload, though the file is the same.
    server.create_view("late", &[("n", "integer")]);
    operated.hang_up();
    await_status(&operated, "/late", 200);
    commit(&server, &mut client, "2");
}

#[test]
fn reload_of_a_patterns_table_changes_its_views_and_other_patterns_take_a_restart() {
    let server = server();
    let pattern = |more: &str| settings(&format!("\"public.*\" = {{ {more} }}"));
    let flags = ["--catalog-interval", "100ms"];
    let operated = Operated::start(&server, &pattern(""), &flags);
    let path = "/public.v/stream";
    let old = open(&operated, path);
    let told = operated.reload(&pattern("filter = [\"n\"]"));
    assert!(
        told.contains("views served in another way: public.*"),
        "{told}"
    );
    assert_eq!(
        reason(old),
        "this gateway serves the view in another way now"
    );
    await_status(&operated, "/public.v?n=eq.0", 200);

    // One that is also named by itself, and no more.
    let old = open(&operated, path);
    let named = "\"public.*\" = { filter = [\"n\"] }, \"public.v\" = { description = \"V\" }";
    let told = operated.reload(&settings(named));
    assert!(told.contains("views begun: public.v"), "{told}");
    assert_eq!(
        reason(old),
        "this gateway serves the view in another way now"
    );
    await_status(&operated, "/public.v", 200);
    assert_eq!(names(&operated), ["public.v", "public.w"]);
    let old = open(&operated, path);
    operated.reload(&pattern("filter = [\"n\"]"));
    assert_eq!(reason(old), "this gateway does not serve the view any more");
    await_status(&operated, "/public.v?n=eq.0", 200);

    let mut goes_on = open(&operated, path);
    let told = operated.reload(&settings("w = {}"));
    assert!(
        told.contains("patterns of view changed in the file"),
        "{told}"
    );
    await_status(&operated, "/w", 200);
    server.commit("v", vec![(row(["7"]), 1)]);
    read_until(&mut goes_on, "\"n\":7");
}
