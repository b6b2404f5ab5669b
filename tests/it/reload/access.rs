//! Who may see what is another one: streams that were let in by what counts no
//! more end, all others go on.

use std::time::Instant;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{APP, OTHER, Operated, server};
use crate::support::follower::Follower;
use crate::support::gateway::PATIENCE;
use crate::support::http::request;
use crate::support::materialize::row;
use crate::support::sse::Stream;

const SECRETS: [&str; 2] = [
    "the first secret of thirty-two bytes",
    "another secret of thirty-two bytes!!",
];

fn key(secret: &str) -> EncodingKey {
    EncodingKey::from_secret(secret.as_bytes())
}

/// A token for every view, signed with a secret.
fn bearer(secret: &str, audience: Value) -> String {
    let claims = json!({
        "iss": "i", "aud": audience, "exp": 4_000_000_000_u64, "viewcast.views": ["*"],
    });
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key(secret));
    format!("Bearer {}", token.expect("signs"))
}

fn key_set(secret: &str) -> String {
    let key = Jwk::from_encoding_key(&key(secret), Algorithm::HS256).expect("a JWK");
    json!({ "keys": [key] }).to_string()
}

/// Reads a stream to its end, which is between two events, and at once: it is not
/// only found out when there is something to send, or by chance.
fn to_its_end(mut stream: Stream) {
    let begun = Instant::now();
    while stream.next().is_some() {
        assert!(begun.elapsed() < PATIENCE / 2, "it goes on");
    }
    assert!(begun.elapsed() < PATIENCE / 2, "it ended late");
}

/// Opens a stream and reads its base.
fn open(operated: &Operated, path: &str, headers: &[(&str, &str)]) -> Stream {
    let mut stream = Stream::open_with(operated.gateway.address, path, headers);
    while !stream.next().expect("a base").name.ends_with("base") {}
    stream
}

fn status(operated: &Operated, bearer: &str) -> u16 {
    let headers = [("Authorization", bearer)];
    request(operated.gateway.address, "GET", "/v", &headers).status
}

#[test]
fn reload_of_a_key_ends_the_streams_of_its_tokens_and_no_other() {
    for setting in ["jwt_key_file", "jwt_jwks"] {
        let server = server();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let write = |secret: &str| {
            let text = match setting {
                "jwt_key_file" => secret.to_owned(),
                _ => key_set(secret),
            };
            std::fs::write(&path, text).expect("written");
        };
        write(SECRETS[0]);
        let settings = format!(
            "view = [\"v\", \"w\"]\nauth = \"jwt\"\njwt_issuer = \"i\"\njwt_audience = \"a\"\n\
             {setting} = {:?}\nfilter = [\"v:n\"]\nheartbeat = \"5m\"\n",
            path.display().to_string()
        );
        let operated = Operated::start(&server, &settings, &[]);
        let [old, new] = SECRETS.map(|secret| bearer(secret, json!("a")));
        let headers = [("Authorization", old.as_str())];
        let paths = ["/v/stream", "/v/stream?n=eq.0", "/stream?view=v&view=w"];
        let streams = paths.map(|path| open(&operated, path, &headers));
        // A reload that changes nothing of it ends none.
        operated.hang_up();
        assert_eq!(status(&operated, &old), 200);
        write(SECRETS[1]);
        operated.hang_up();
        operated
            .gateway
            .process
            .await_log("their token or origin counts no more: 3");
        streams.into_iter().for_each(to_its_end);
        assert_eq!(
            (status(&operated, &old), status(&operated, &new)),
            (401, 200)
        );
        let headers = [("Authorization", new.as_str())];
        let stream = Stream::open_with(operated.gateway.address, "/v/stream", &headers);
        let mut client = Follower::of(&server, "v", stream);
        for n in ["1", "2"] {
            let at = server.commit("v", vec![(row([n]), 1)]);
            client.reach(at);
            operated.hang_up();
        }
    }
}

#[test]
fn reload_of_an_audience_ends_the_streams_of_other_tokens() {
    let server = server();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    std::fs::write(&path, SECRETS[0]).expect("written");
    let settings = |audience: &str| {
        format!(
            "view = [\"v\"]\nauth = \"jwt\"\njwt_issuer = \"i\"\njwt_audience = {audience:?}\n\
             jwt_key_file = {:?}\n",
            path.display().to_string()
        )
    };
    let operated = Operated::start(&server, &settings("a"), &[]);
    let [one, both] = [json!("a"), json!(["a", "b"])].map(|it| bearer(SECRETS[0], it));
    let ends = open(&operated, "/v/stream", &[("Authorization", &one)]);
    let goes_on = Stream::open_with(
        operated.gateway.address,
        "/v/stream",
        &[("Authorization", &both)],
    );
    let mut goes_on = Follower::of(&server, "v", goes_on);
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    goes_on.reach(at);
    let told = operated.reload(&settings("b"));
    assert!(told.contains("changed: jwt_audience"), "{told}");
    to_its_end(ends);
    assert_eq!(
        (status(&operated, &one), status(&operated, &both)),
        (401, 200)
    );
    let at = server.commit("v", vec![(row(["2"]), 1)]);
    goes_on.reach(at);
    // Who asks for tokens is decided at the start.
    let told = operated.reload("view = [\"v\"]\n");
    assert!(told.contains("auth, jwt"), "{told}");
    assert_eq!(
        (status(&operated, &one), status(&operated, &both)),
        (401, 200)
    );
}

#[test]
fn reload_of_rules_of_rows_shows_nobody_what_they_do_not_let_be_seen() {
    let server = server();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    std::fs::write(&path, SECRETS[0]).expect("written");
    let settings = |rows: &str| {
        format!(
            "view = {{ v = {{ {rows} }} }}\nauth = \"jwt\"\njwt_issuer = \"i\"\n\
             jwt_audience = \"a\"\njwt_key_file = {:?}\n",
            path.display().to_string()
        )
    };
    let operated = Operated::start(&server, &settings(""), &[]);
    let token = bearer(SECRETS[0], json!("a"));
    let mut stream = open(&operated, "/v/stream", &[("Authorization", &token)]);
    operated.reload(&settings("rows = { n = \"claim:customer\" }"));
    let deadline = Instant::now() + PATIENCE / 2;
    let mut last = String::new();
    while let Some(event) = stream.next() {
        assert!(Instant::now() < deadline, "it goes on");
        last = event.name;
    }
    assert_eq!(last, "gone");
    // The token does not say whose rows they are.
    assert_eq!(status(&operated, &token), 403);
}

#[test]
fn reload_of_origins_ends_the_streams_of_pages_that_may_read_no_more() {
    let server = server();
    let settings = |origin: &str| format!("view = [\"v\"]\nallow_origin = [{origin:?}]\n");
    let operated = Operated::start(&server, &settings(APP), &[]);
    let page = open(&operated, "/v/stream", &[("Origin", APP)]);
    let mut client = Follower::join(&server, &operated.gateway, "v");
    operated.reload(&settings(OTHER));
    to_its_end(page);
    let at = server.commit("v", vec![(row(["1"]), 1)]);
    client.reach(at);
}
