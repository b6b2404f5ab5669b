//! A name that is given to another view with the same columns (`ALTER SCHEMA ...
//! SWAP`): one delta, and nobody needs a base.

use std::time::Instant;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request};
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::{Event, Stream};
use crate::support::table::position;
use crate::support::unpack::Dictionary;

const COLUMNS: [(&str, &str); 2] = [("id", "integer"), ("name", "text")];

/// `blue` has rows 1 and 2, `green` 2 and 3.
fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    for (name, ids) in [("v", ["1", "2"]), ("green", ["2", "3"]), ("w", ["7", "8"])] {
        server.create_view(name, &COLUMNS);
        let rows = ids.map(|id| (row([id, if id == "3" { "c" } else { "a" }]), 1));
        server.commit(name, rows.to_vec());
    }
    server
}

fn gateway(server: &Materialize) -> Gateway {
    gateway_with(server, &[])
}

fn gateway_with(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    let mut arguments = vec!["--upstream", &url, "--view", "v", "--view", "w"];
    arguments.extend(["--filter", "v:name", "--heartbeat", "200ms"]);
    arguments.extend(["--catalog-interval", "100ms"]);
    arguments.extend(more);
    Gateway::start(&arguments)
}

/// The next event of a stream, and then a tick of the server's clock: what is read
/// anew is told when time goes on.
fn next(server: &Materialize, stream: &mut Stream) -> Event {
    let event = stream.next().expect("the stream goes on");
    server.tick();
    event
}

/// The next event that is no heartbeat and no word on the upstream.
fn news(server: &Materialize, stream: &mut Stream) -> Event {
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "nothing new");
        let event = next(server, stream);
        if !event.is_noise() {
            return event;
        }
    }
}

fn id(event: &Event) -> &str {
    event.id.as_deref().expect("an id")
}

const BASE: &str = "[{\"id\":1,\"name\":\"a\"},{\"id\":2,\"name\":\"a\"}]";
const GREEN: &str = "[{\"id\":2,\"name\":\"a\"},{\"id\":3,\"name\":\"c\"}]";
const TO_GREEN: &str =
    "[{\"delete\":{\"id\":1,\"name\":\"a\"}},{\"insert\":{\"id\":3,\"name\":\"c\"}}]";
const TO_BLUE: &str =
    "[{\"delete\":{\"id\":3,\"name\":\"c\"}},{\"insert\":{\"id\":1,\"name\":\"a\"}}]";

#[test]
fn swapped_view_is_one_delta_and_so_is_the_way_back() {
    let server = server();
    let gateway = gateway(&server);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let base = news(&server, &mut stream);
    assert_eq!((base.name.as_str(), base.data.as_str()), ("base", BASE));
    let mut incarnations = vec![position(id(&base)).1];
    for expected in [TO_GREEN, TO_BLUE, TO_GREEN] {
        server.swap("v", "green");
        let delta = news(&server, &mut stream);
        assert_eq!(
            (delta.name.as_str(), delta.data.as_str()),
            ("delta", expected)
        );
        incarnations.push(position(id(&delta)).1);
    }
    assert_ne!(incarnations[0], incarnations[1]);
    assert_eq!(incarnations[0], incarnations[2], "the same view again");
    assert_eq!(incarnations[1], incarnations[3]);
    // Rows as they are now, for who asks once and for who comes now.
    let mut rows = request(gateway.address, "GET", "/v", &[]);
    assert_eq!(rows.text(), GREEN);
}

#[test]
fn swapped_view_is_gone_on_with_from_positions_of_both() {
    let server = server();
    let gateway = gateway(&server);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let blue = news(&server, &mut stream);
    server.swap("v", "green");
    let green = news(&server, &mut stream);
    assert_eq!(green.data, TO_GREEN);
    server.commit("green", vec![(row(["9", "x"]), 1)]);
    let later = news(&server, &mut stream);
    let insert = "[{\"insert\":{\"id\":9,\"name\":\"x\"}}]";
    assert_eq!(later.data, insert);
    let resumed = |gateway: &Gateway, id: &str| {
        let mut stream = Stream::resume(gateway.address, "/v/stream", id);
        let first = news(&server, &mut stream);
        (first.name, first.data)
    };
    let delta = |data: &str| ("delta".to_owned(), data.to_owned());
    assert_eq!(resumed(&gateway, id(&blue)), delta(TO_GREEN));
    assert_eq!(resumed(&gateway, id(&green)), delta(insert));
    // Where the time of the one is given for the other, nothing is proven.
    let (blue_at, blue_of) = position(id(&blue));
    let (later_at, later_of) = position(id(&later));
    for wrong in [
        format!("{later_at}-{blue_of}"),
        format!("{blue_at}-{later_of}"),
    ] {
        assert_eq!(resumed(&gateway, &wrong).0, "base", "{wrong}");
    }
    // A gateway that has never seen it otherwise.
    let other = self::gateway(&server);
    let mut second = Stream::open(other.address, "/v/stream");
    let base = news(&server, &mut second);
    assert_eq!(position(id(&base)).1, later_of);
    assert_eq!(resumed(&other, id(&blue)).0, "base");
    server.commit("green", vec![(row(["9", "x"]), -1)]);
    let gone = "[{\"delete\":{\"id\":9,\"name\":\"x\"}}]";
    assert_eq!(resumed(&gateway, id(&base)), delta(gone), "good in both");
}

#[test]
fn swapped_view_is_one_delta_in_a_window_and_among_others() {
    let server = server();
    let gateway = gateway(&server);
    let mut stream = Stream::open(gateway.address, "/v/stream?name=eq.a");
    assert_eq!(news(&server, &mut stream).data, BASE);
    let mut idle = Stream::open(gateway.address, "/v/stream?name=eq.nobody");
    let none = news(&server, &mut idle);
    assert_eq!(none.data, "[]");
    let mut joined = Joined::default();
    let mut all = joined.open(gateway.address, "/stream?view=v&view=w");
    joined.read_until(&mut all, |it| it.shown.len() == 2);
    server.swap("v", "green");
    let delta = news(&server, &mut stream);
    assert_eq!(delta.data, "[{\"delete\":{\"id\":1,\"name\":\"a\"}}]");
    let is_green = |it: &Joined| {
        let rows = it.shown.get("v");
        rows.is_some_and(|rows| rows.keys().any(|row| row.contains("\"c\"")))
    };
    let end = Instant::now() + PATIENCE;
    while !(joined.apply(&next(&server, &mut all)) && is_green(&joined)) {
        assert!(Instant::now() < end, "the other one is never shown");
    }
    assert_eq!(joined.bases.get("v"), Some(&1));
    assert_eq!(joined.bases.get("w"), Some(&1));
    // Of whom nothing has changed goes on, too, by an id of before.
    let mut again = Stream::resume(gateway.address, "/v/stream?name=eq.nobody", id(&none));
    server.commit("green", vec![(row(["5", "nobody"]), 1)]);
    let insert = news(&server, &mut again);
    assert_eq!(insert.data, "[{\"insert\":{\"id\":5,\"name\":\"nobody\"}}]");
    assert_eq!(news(&server, &mut idle), insert);
}

#[test]
fn swapped_rows_are_another_entity() {
    let server = server();
    let gateway = gateway(&server);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    news(&server, &mut stream);
    let tag_of = |path: &str| {
        let rows = request(gateway.address, "GET", path, &[]);
        rows.header("etag").expect("a tag").to_owned()
    };
    let paths = ["/v", "/v?name=eq.c", "/v?name=eq.b"];
    let tags = paths.map(tag_of);
    server.swap("v", "green");
    assert_eq!(news(&server, &mut stream).data, TO_GREEN);
    for ((path, tag), expected) in paths.iter().zip(&tags).zip([200, 200, 304]) {
        let rows = request(gateway.address, "GET", path, &[("If-None-Match", tag)]);
        assert_eq!(rows.status, expected, "{path}");
    }
}

/// It is made of the other view's rows. Streams that are compressed with it go on.
#[test]
fn swapped_view_offers_its_dictionary_no_more() {
    let server = server();
    let gateway = gateway_with(&server, &["--compress", "auto"]);
    gateway.await_ready();
    let (address, path) = (gateway.address, "/v/stream");
    let dictionary = Dictionary::fetch(address, "v");
    let mut stream = Stream::open_with_dictionary(address, path, &dictionary, &[]);
    assert_eq!(news(&server, &mut stream).data, BASE);
    for expected in [TO_GREEN, TO_BLUE] {
        server.swap("v", "green");
        assert_eq!(news(&server, &mut stream).data, expected);
        assert_eq!(get(address, "/v/dictionary").status, 404);
        let answer = request(address, "GET", path, &dictionary.headers());
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
    }
}
