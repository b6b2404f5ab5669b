//! What is told to whom: the log, and `check-config`.

use super::{KEYS, Way, ask, claims, demo_on, read, taking_tokens, token};
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
