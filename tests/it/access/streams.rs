//! A stream ends when its token does.

use std::time::Instant;

use serde_json::json;

use super::{SOON, claims, gateway_with, now, token, with};
use crate::support::http::request;
use crate::support::joined::Joined;
use crate::support::sse::Stream;
use crate::support::table::Table;

#[test]
fn access_that_expires_ends_the_stream_between_two_events() {
    let gateway = gateway_with("hs256.txt", &[]);
    let until = |end: u64| format!("Bearer {}", token(&with(claims(&["*"]), "exp", json!(end))));
    let ends = now() + SOON.as_secs();
    let (brief, lasting) = (until(ends), until(now() + 600));
    let open = |bearer: &str| {
        let headers = [("Authorization", bearer)];
        Stream::open_with(gateway.address, "/user_edits/stream", &headers)
    };
    let mut bystander = open(&lasting);
    let mut seen = Table::default();
    seen.apply(&bystander.expect("base"));

    let begun = Instant::now();
    let mut stream = open(&brief);
    let mut table = Table::default();
    table.apply(&stream.expect("base"));
    // `next` fails the test where a stream ends inside an event.
    while let Some(event) = stream.next() {
        table.apply(&event);
    }
    assert!(
        stream.retry_ms.is_some(),
        "a client is told when to come back"
    );
    assert!(table.deltas > 0, "it was served until then");
    println!("ended after {:?}", begun.elapsed());
    assert!(now() >= ends, "not before its time");

    // Back at once, the client goes on while the leeway lasts; others never
    // noticed.
    let last = stream.last_id.expect("an id");
    let headers = [("Authorization", brief.as_str()), ("Last-Event-ID", &last)];
    let mut again = Stream::open_with(gateway.address, "/user_edits/stream", &headers);
    table.apply(&again.expect("delta"));
    let before = seen.deltas;
    seen.read_until(&mut bystander, |table| table.deltas > before + 2);
}

#[test]
fn access_to_several_views_needs_all_of_them_and_expires() {
    let gateway = gateway_with("hs256.txt", &[]);
    let bearer = |views: &[&str], end: u64| {
        let claims = with(claims(views), "exp", json!(end));
        format!("Bearer {}", token(&claims))
    };
    let later = now() + 600;
    for (views, query, status) in [
        (&["top10"][..], "view=top10&view=counter", 403),
        // What is not granted is refused first, there or not.
        (&["top10", "nope"], "view=nope&view=counter", 403),
        (&["top10", "nope"], "view=nope&view=unknown", 403),
        (&["top10", "nope"], "view=nope&view=top10", 404),
        (&["top10", "counter"], "view=top10&view=counter", 200),
    ] {
        let headers = [("Authorization", &*bearer(views, later))];
        let path = format!("/stream?{query}");
        let answer = request(gateway.address, "GET", &path, &headers);
        assert_eq!(answer.status, status, "{views:?} {query}");
    }
    let none = request(gateway.address, "GET", "/stream?view=top10", &[]);
    assert_eq!(none.status, 401);
    let ends = now() + SOON.as_secs();
    let headers = [("Authorization", &*bearer(&["*"], ends))];
    let path = "/stream?view=counter&view=user_edits";
    let mut stream = Stream::open_with(gateway.address, path, &headers);
    let mut joined = Joined::default();
    while let Some(event) = stream.next() {
        joined.apply(&event);
    }
    assert!(joined.deltas > 0 && now() >= ends, "served until then");
}
