//! Who is let in: the real binary, asked with every kind of token, for every
//! view, signed with every algorithm, sent in every way.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::gateway::Gateway;
use crate::support::http::{Response, request};
use crate::types::names_in;

mod issuer;
mod log;
mod matrix;
mod origins;
mod prolonged;
mod prolonged_ways;
mod rotation;
mod streams;

const ISSUER: &str = "https://issuer.example";
pub const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys");

/// An algorithm with the file of the key that signs, and of the one that verifies.
const ALGORITHMS: [(Algorithm, &str, &str); 4] = [
    (Algorithm::HS256, "hs256.txt", "hs256.txt"),
    (Algorithm::RS256, "rs256.pem", "rs256.pub.pem"),
    (Algorithm::ES256, "es256.pem", "es256.pub.pem"),
    (Algorithm::EdDSA, "eddsa.pem", "eddsa.pub.pem"),
];

fn read(file: &str) -> Vec<u8> {
    std::fs::read(format!("{KEYS}/{file}")).expect(file)
}

fn signing_key(algorithm: Algorithm, file: &str) -> EncodingKey {
    let bytes = read(file);
    match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(bytes.trim_ascii_end()),
        Algorithm::RS256 => EncodingKey::from_rsa_pem(&bytes).expect("RSA"),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&bytes).expect("EC"),
        _ => EncodingKey::from_ed_pem(&bytes).expect("Ed25519"),
    }
}

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("1970");
    since.as_secs()
}

/// Good claims for these views.
pub fn claims(views: &[&str]) -> Value {
    json!({
        "iss": ISSUER,
        "aud": "viewcast",
        "exp": now() + 600,
        "viewcast": { "views": views },
    })
}

pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let map = claims.as_object_mut().expect("an object");
    match value {
        Value::Null => drop(map.remove(name)),
        value => drop(map.insert(name.to_owned(), value)),
    }
    claims
}

fn signed(algorithm: Algorithm, file: &str, claims: &Value) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &signing_key(algorithm, file),
    )
    .expect("signs")
}

/// A token signed with the secret.
pub fn token(claims: &Value) -> String {
    signed(Algorithm::HS256, "hs256.txt", claims)
}

/// What has a gateway take our issuer's tokens, verified by `key`: a flag and
/// its value.
pub fn taking_tokens(key: [&str; 2]) -> Vec<&str> {
    let taken = [
        "--auth",
        "jwt",
        "--jwt-issuer",
        ISSUER,
        "--jwt-audience",
        "viewcast",
    ];
    [&taken[..], &key].concat()
}

/// The demo on a free port of an address, with these arguments.
fn demo_on<'a>(address: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["demo", "--tick", "50ms", "--listen", address], more].concat()
}

fn gateway_with(verifying: &str, more: &[&str]) -> Gateway {
    let file = format!("{KEYS}/{verifying}");
    let mut arguments = taking_tokens(["--jwt-key-file", &file]);
    arguments.extend_from_slice(more);
    let gateway = Gateway::demo(&arguments);
    gateway.await_ready();
    gateway
}

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Header,
    Cookie,
    Query,
}

fn ask(gateway: &Gateway, path: &str, way: Way, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let cookie = format!("a=b; viewcast_token={token}; c=d");
    let query = format!("{path}?access_token={token}");
    // A stream's head is read and no more; of the rest the head is asked for.
    let method = if path.ends_with("/stream") {
        "GET"
    } else {
        "HEAD"
    };
    match way {
        Way::Header => request(gateway.address, method, path, &[("Authorization", &bearer)]),
        Way::Cookie => request(gateway.address, method, path, &[("Cookie", &cookie)]),
        Way::Query => request(gateway.address, method, &query, &[]),
    }
}

#[test]
fn access_is_refused_in_json_that_does_not_tell_what_there_is() {
    let gateway = gateway_with("hs256.txt", &[]);
    let token = token(&claims(&["counter"]));
    let get = |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        request(gateway.address, "GET", path, &[("Authorization", &bearer)])
    };
    let told = |path: &str, token: &str| {
        let mut response = get(path, token);
        let (status, body) = (response.status, response.json());
        assert!(
            body["error"].is_string() && body["hint"].is_string(),
            "{body}"
        );
        (status, body)
    };
    // One that is there, one that is not, the default one: the same words.
    let there = told("/top10/stream", &token);
    assert_eq!(there.0, 403);
    for path in [
        "/nosuch/stream",
        "/view/stream",
        "/top10",
        "/nosuch",
        "/%3Cb%3E",
        "/view",
    ] {
        assert_eq!(told(path, &token), there, "{path}");
    }
    let challenge = get("/top10", &token);
    let challenge = challenge.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    let bad = told("/top10/stream", "x");
    assert_eq!(bad.0, 401);
    for path in ["/nosuch/stream", "/counter", "/views", "/views.d.ts"] {
        assert_eq!(told(path, "x"), bad, "{path}");
    }
    let list = get("/views", &token).json();
    let names: Vec<_> = list["views"].as_array().expect("a list").iter().collect();
    assert_eq!(names.len(), 1, "{list}");
    assert_eq!(names[0]["name"], "counter");
    let mut types = get("/views.d.ts", &token);
    assert_eq!(types.header("cache-control"), Some("private, no-cache"));
    assert_eq!(names_in(&types.text()), ["counter"]);
    // Granted by name, but not there: that may be told.
    let granted = self::token(&claims(&["nosuch"]));
    assert_eq!(get("/nosuch/stream", &granted).status, 404);
}

#[test]
fn access_to_what_tells_of_no_view_needs_no_token() {
    let gateway = gateway_with("hs256.txt", &[]);
    for path in [
        "/",
        "/assets/viewcast.js",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/favicon.ico",
    ] {
        assert_eq!(
            request(gateway.address, "GET", path, &[]).status,
            200,
            "{path}"
        );
    }
    let ready = request(gateway.address, "GET", "/readyz", &[]).text();
    assert!(!ready.contains("top10"), "{ready}");
    for path in [
        "/views",
        "/views.d.ts",
        "/top10",
        "/top10/stream",
        "/top10/sql",
        "/view/stream",
        "/nosuch",
    ] {
        let response = request(gateway.address, "GET", path, &[]);
        assert_eq!(response.status, 401, "{path}");
        let challenge = response.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"viewcast\""));
    }
}

#[test]
fn access_with_several_tokens_in_one_place_is_refused() {
    let gateway = gateway_with("hs256.txt", &["--allow-url-token", "--jwt-cookie", "t"]);
    let good = token(&claims(&["*"]));
    let bearer = format!("Bearer {good}");
    let cookie = format!("t={good}");
    let other = cookie.replace("t=", "viewcast_token=");
    let twice = format!("t={good}; t={good}");
    let query = format!("/top10?access_token={good}");
    let query_twice = format!("{query}&access_token={good}");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);
    let table: &[Case] = &[
        ("/top10", &[("Authorization", &bearer)], 200),
        (
            "/top10",
            &[("Authorization", &bearer), ("Authorization", &bearer)],
            400,
        ),
        (
            "/top10",
            &[("Authorization", "Basic YTpi"), ("Authorization", &bearer)],
            400,
        ),
        ("/top10", &[("Cookie", &twice)], 400),
        ("/top10", &[("Cookie", &cookie), ("Cookie", &cookie)], 400),
        (&query_twice, &[], 400),
        // A bad token in the header is not made good by a good one elsewhere.
        (
            "/top10",
            &[("Authorization", "Bearer x"), ("Cookie", &cookie)],
            401,
        ),
        (&query, &[("Authorization", "Bearer x")], 401),
        ("/top10?access_token=x", &[("Cookie", &cookie)], 401),
        (
            "/top10",
            &[("Authorization", "Bearer"), ("Cookie", &cookie)],
            401,
        ),
        // Another scheme is for somebody else.
        (
            "/top10",
            &[("Authorization", "Basic YTpi"), ("Cookie", &cookie)],
            200,
        ),
        ("/top10", &[("Authorization", "Basic YTpi")], 401),
        ("/top10", &[("Cookie", &other)], 401),
    ];
    for (path, headers, status) in table {
        let stream = path.replace("/top10", "/top10/stream");
        for path in [*path, &stream] {
            let response = request(gateway.address, "GET", path, headers);
            assert_eq!(response.status, *status, "{path} {headers:?}");
        }
    }
}

#[test]
fn access_to_metrics_is_granted_apart() {
    let gateway = gateway_with("hs256.txt", &[]);
    let status = |token: &str| ask(&gateway, "/metrics", Way::Header, token).status;
    let nested = with(claims(&[]), "viewcast", json!({ "metrics": true }));
    let flat = with(claims(&[]), "viewcast.metrics", json!(true));
    assert_eq!((status(&token(&nested)), status(&token(&flat))), (200, 200));
    let no = with(claims(&["*"]), "viewcast.metrics", json!(false));
    assert_eq!(
        (status(&token(&claims(&["*"]))), status(&token(&no))),
        (403, 403)
    );
    assert_eq!(status("x"), 401);
    assert_eq!(request(gateway.address, "GET", "/metrics", &[]).status, 401);
    let open = Gateway::demo(&[]);
    assert_eq!(request(open.address, "GET", "/metrics", &[]).status, 200);
}

#[test]
fn access_allows_for_clocks_that_differ_a_little() {
    let gateway = gateway_with("hs256.txt", &[]);
    let status = |name: &str, at: u64| {
        let token = token(&with(claims(&["*"]), name, json!(at)));
        ask(&gateway, "/top10", Way::Header, &token).status
    };
    assert_eq!(status("nbf", now() + 10), 200);
    assert_eq!(status("nbf", now() + 60), 401);
    assert_eq!(status("exp", now() - 10), 200);
    assert_eq!(status("exp", now() - 60), 401);
    let expired = token(&with(claims(&["*"]), "exp", json!(now() - 60)));
    let response = ask(&gateway, "/top10", Way::Header, &expired);
    let challenge = response.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains("error_description=\"expired\""),
        "{challenge}"
    );
}

/// How long a test may believe that a token of this many seconds is good still.
const SOON: Duration = Duration::from_secs(3);
