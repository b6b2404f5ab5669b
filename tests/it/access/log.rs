//! What is told to whom: the log, and `check-config`.

use serde_json::json;

use super::{KEYS, Way, ask, claims, demo_on, now, read, taking_tokens, token, with};
use crate::support::gateway::{Gateway, Process};
use crate::support::http::request;

#[test]
fn access_log_has_a_line_for_each_request_and_no_token() {
    let file = format!("{KEYS}/hs256.txt");
    let mut arguments = demo_on("127.0.0.1:0", &taking_tokens(["--jwt-key-file", &file]));
    arguments.push("--allow-url-token");
    // Everything that everybody ever logs, of HTTP/1 at least.
    let process = Process::start_with(&arguments, &[("RUST_LOG", "trace")]);
    let gateway = Gateway::of(process);
    let good = token(&claims(&["*"]));
    let bad = good.replace('.', ".X");
    for token in [&good, &bad] {
        for way in [Way::Header, Way::Cookie, Way::Query] {
            ask(&gateway, "/top10/stream", way, token);
        }
    }
    request(gateway.address, "GET", "/views?x=1", &[]);
    let line = gateway
        .process
        .await_log("127.0.0.1 GET /views HTTP/1.1 401");
    assert!(line.contains("viewcast::access"), "{line}");
    gateway.process.await_log("GET /top10/stream HTTP/1.1 200");
    gateway
        .process
        .await_log("no access: signature is not right");
    let secret = String::from_utf8(read("hs256.txt")).expect("text");
    let signature = |token: &str| token.rsplit('.').next().expect("a part").to_owned();
    for line in gateway.process.log() {
        for secret in [
            secret.trim(),
            &signature(&good),
            &signature(&bad),
            "access_token",
        ] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

/// An operator who has given issuer and gateway two keys sees it without asking.
#[test]
fn access_that_is_refused_by_a_mistake_is_warned_of_once() {
    let file = format!("{KEYS}/hs256.txt");
    let arguments = demo_on("127.0.0.1:0", &taking_tokens(["--jwt-key-file", &file]));
    let gateway = Gateway::of(Process::start(&arguments));
    let bad = token(&claims(&["*"])).replace('.', ".X");
    let expired = token(&with(claims(&["*"]), "exp", json!(now() - 600)));
    for token in [&expired, &bad, &bad] {
        ask(&gateway, "/top10", Way::Header, token);
    }
    let warned = gateway.process.await_log("a token was refused: ");
    assert!(warned.contains("signature is not right"), "{warned}");
    ask(
        &gateway,
        "/top10",
        Way::Header,
        &token(&with(claims(&["*"]), "aud", json!("x"))),
    );
    let other = "a token was refused: token is for another audience";
    gateway.process.await_log(other);
    let log = gateway.process.log();
    let lines = log
        .iter()
        .filter(|line| line.contains("a token was refused"));
    assert_eq!(lines.count(), 2, "{log:#?}");
}

#[test]
fn access_elsewhere_without_tokens_is_warned_of_and_with_them_is_not() {
    let warned = "anyone there may read the views";
    let open = Process::start(&["demo", "--listen", "0.0.0.0:0"]);
    open.await_log(warned);
    let file = format!("{KEYS}/hs256.txt");
    let taken = taking_tokens(["--jwt-key-file", &file]);
    let closed = Process::start(&demo_on("0.0.0.0:0", &taken));
    closed.await_log("listening on");
    assert!(!closed.log().iter().any(|line| line.contains(warned)));
}
