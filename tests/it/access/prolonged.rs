//! A stream goes on with a newer token of the same subject, that shows the same.

use serde_json::{Value, json};

use super::{SOON, claims, gateway_with, now, token, with};
use crate::support::gateway::Gateway;
use crate::support::http::request;
use crate::support::joined::Joined;
use crate::support::sse::Stream;
use crate::support::table::Table;

/// A token of this subject until then.
pub fn of(subject: &str, views: &[&str], end: u64) -> Value {
    let claims = with(claims(views), "sub", json!(subject));
    with(claims, "exp", json!(end))
}

pub fn bearer(claims: &Value) -> String {
    format!("Bearer {}", token(claims))
}

fn open(gateway: &Gateway, path: &str, claims: &Value) -> Stream {
    let authorization = bearer(claims);
    Stream::open_with(gateway.address, path, &[("Authorization", &authorization)])
}

/// What its response says that a stream is known by, and when it ends.
fn id_of(stream: &Stream) -> (String, u64) {
    let said = stream.response.header("viewcast-stream").expect("an id");
    let (id, left) = said.split_once("; expires_in=").expect("its end");
    (id.to_owned(), left.parse().expect("seconds"))
}

/// The status of a renewal, and its answer.
fn renew(gateway: &Gateway, path: &str, id: &str, claims: &Value) -> (u16, Value) {
    let authorization = bearer(claims);
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Viewcast-Stream", id),
        ("Content-Length", "0"),
    ];
    let mut answer = request(gateway.address, "POST", path, &headers);
    (answer.status, answer.json())
}

#[test]
fn access_is_prolonged_by_a_newer_token_without_a_reconnect() {
    let gateway = gateway_with("hs256.txt", &["--compress", "auto"]);
    let ends = now() + SOON.as_secs();
    let brief = of("a", &["*"], ends);
    let longer = of("a", &["counter", "user_edits"], ends + SOON.as_secs());
    let mut one = open(&gateway, "/user_edits/stream", &brief);
    let mut several = open(&gateway, "/stream?view=counter&view=user_edits", &brief);
    for (stream, path) in [
        (&one, "/user_edits/stream/token"),
        (&several, "/stream/token"),
    ] {
        let (id, left) = id_of(stream);
        assert!(left <= SOON.as_secs(), "{left}");
        let (status, answer) = renew(&gateway, path, &id, &longer);
        assert_eq!(status, 200, "{answer}");
        let left = answer["expires_in"].as_u64().expect("seconds");
        assert!(
            left > SOON.as_secs() && left <= 2 * SOON.as_secs(),
            "{left}"
        );
        let (status, answer) = renew(&gateway, path, &id, &longer);
        assert_eq!(status, 429, "{answer}");
    }
    // Base and deltas as before, no second base, and the end of the newer token.
    let mut table = Table::default();
    while let Some(event) = one.next() {
        table.apply(&event);
    }
    assert!(now() >= ends + SOON.as_secs() && table.deltas > 0);
    let mut joined = Joined::default();
    joined.read_to_end(&mut several);
    assert!(now() >= ends + SOON.as_secs() && joined.deltas > 0);
}

#[test]
fn access_is_prolonged_for_nobody_else_and_for_nothing_else() {
    let gateway = gateway_with("hs256.txt", &[]);
    let later = now() + 600;
    let stream = open(&gateway, "/counter/stream", &of("a", &["counter"], later));
    let (id, _) = id_of(&stream);
    let path = "/counter/stream/token";
    let unknown = renew(&gateway, path, &"0".repeat(32), &of("a", &["*"], later));
    assert_eq!(unknown.0, 404);
    // Of another subject, or of none, in the same words as what is not there.
    assert_eq!(renew(&gateway, path, &id, &of("b", &["*"], later)), unknown);
    assert_eq!(renew(&gateway, path, &id, &claims(&["*"])), unknown);
    for bad in ["", "x", &id[1..], &format!("{id}0"), "../../etc"] {
        assert_eq!(
            renew(&gateway, path, bad, &of("a", &["*"], later)),
            unknown,
            "{bad}"
        );
    }
    // Without the view, with other rows of it, or no good at all.
    let (status, _) = renew(&gateway, path, &id, &of("a", &["top10"], later));
    assert_eq!(status, 403);
    let rows = json!({ "views": ["counter"], "rows": { "counter": { "edits": ["1"] } } });
    let other = with(of("a", &[], later), "viewcast", rows);
    assert_eq!(renew(&gateway, path, &id, &other).0, 409);
    assert_eq!(
        renew(&gateway, path, &id, &of("a", &["*"], now() - 600)).0,
        401
    );
    let headers = [("Viewcast-Stream", id.as_str()), ("Content-Length", "0")];
    assert_eq!(request(gateway.address, "POST", path, &headers).status, 401);
    // What was refused has not counted as a renewal.
    assert_eq!(renew(&gateway, path, &id, &of("a", &["*"], later)).0, 200);
    // One that ends sooner shortens nothing, and a stream that is over is unknown.
    let ends = now() + SOON.as_secs();
    let mut brief = open(&gateway, "/counter/stream", &of("a", &["counter"], ends));
    let (id, left) = id_of(&brief);
    let (status, answer) = renew(&gateway, path, &id, &of("a", &["*"], now() + 1));
    assert_eq!(status, 200);
    assert!(
        answer["expires_in"].as_u64().expect("seconds") + 1 >= left,
        "{answer}"
    );
    while brief.next().is_some() {}
    assert_eq!(renew(&gateway, path, &id, &of("a", &["*"], later)), unknown);
}

#[test]
fn access_is_prolonged_by_post_alone_and_only_where_there_are_tokens() {
    let gateway = gateway_with("hs256.txt", &[]);
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = request(gateway.address, method, "/counter/stream/token", &[]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    let all = Gateway::demo(&["--view", "counter"]);
    all.await_ready();
    let stream = Stream::open(all.address, "/counter/stream");
    assert_eq!(stream.response.header("viewcast-stream"), None);
    let headers = [("Viewcast-Stream", "0"), ("Content-Length", "0")];
    assert_eq!(
        request(all.address, "POST", "/stream/token", &headers).status,
        404
    );
}
