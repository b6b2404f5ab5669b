//! Limits on connections [P12], and on what a request may be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{request, send};
use crate::support::sse::Stream;

const CLIENT: &str = "X-Forwarded-For";

/// Asks for a stream that is expected to be refused; what it says instead.
fn refused(address: SocketAddr, path: &str, client: &str) -> String {
    let mut answer = request(address, "GET", path, &[(CLIENT, client)]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(answer.header("content-length"), None);
    let text = answer.text();
    // Twice: some clients take it only from a block that has data.
    let (first, event) = text.split_once("\n\n").expect("two blocks");
    let (retry, comment) = first.split_once("\n: ").expect("a comment");
    let retry = retry.strip_prefix("retry: ").expect("retry:");
    let retry: u64 = retry.parse().expect("ms");
    assert!((10_000..=30_000).contains(&retry), "{retry}");
    let data = event
        .strip_prefix(&format!("event: full\nretry: {retry}\ndata: "))
        .and_then(|rest| rest.strip_suffix("\n\n"))
        .unwrap_or_else(|| panic!("an event and the end: {text:?}"));
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["reason"], comment);
    comment.to_owned()
}

/// Opens a stream as soon as there is a place for it.
fn open_when_free(address: SocketAddr, path: &str, client: &str) -> Stream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = Stream::open_with(address, path, &[(CLIENT, client)]);
        if stream.next().is_some_and(|event| event.name == "base") {
            return stream;
        }
        assert!(Instant::now() < deadline, "no place was given back");
    }
}

#[test]
fn limits_each_is_answered_by_a_short_stream_and_places_are_given_back() {
    let gateway = Gateway::demo(&[
        "--max-connections",
        "5",
        "--max-connections-per-address",
        "2",
        "--max-connections-per-view",
        "3",
        "--trusted-proxy",
        "127.0.0.0/8",
    ]);
    let address = gateway.address;
    let open = |path: &str, client: &str| {
        let mut stream = Stream::open_with(address, path, &[(CLIENT, client)]);
        stream.expect("base");
        stream
    };
    let mut held = vec![
        open("/counter/stream", "192.0.2.1"),
        open("/counter/stream", "192.0.2.1"),
    ];
    // What a client writes itself is not believed; the proxy's word is.
    for spoofed in ["192.0.2.1", "198.51.100.7, 192.0.2.1"] {
        let reason = refused(address, "/top10/stream", spoofed);
        assert!(reason.contains("your address"), "{reason}");
    }
    held.push(open("/counter/stream", "192.0.2.2"));
    // By its other name it is the same view.
    for path in ["/counter/stream", "/%63ounter/stream"] {
        let reason = refused(address, path, "192.0.2.2");
        assert!(reason.contains("this view"), "{reason}");
    }
    held.push(open("/top10/stream", "192.0.2.2"));
    held.push(open("/top10/stream", "192.0.2.3"));
    let reason = refused(address, "/top10/stream", "192.0.2.4");
    assert!(reason.contains("this gateway"), "{reason}");

    // Everything that is no stream is served as ever.
    assert_eq!(request(address, "HEAD", "/top10/stream", &[]).status, 200);
    assert_eq!(request(address, "GET", "/top10", &[]).status, 200);
    // Who does not take a stream is told in its own words.
    let html = [("Accept", "text/html,application/json")];
    let mut answer = request(address, "GET", "/top10/stream", &html);
    assert_eq!(answer.status, 503);
    let after: u64 = answer
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .unwrap();
    assert!((10..=30).contains(&after), "{after}");
    assert_eq!(answer.json()["error"], "too many streams");

    // One leaves, and exactly one may come.
    held.remove(0);
    held.push(open_when_free(address, "/top10/stream", "192.0.2.1"));
    let reason = refused(address, "/top10/stream", "192.0.2.4");
    assert!(reason.contains("this gateway"), "{reason}");
}

#[test]
fn limits_without_a_trusted_proxy_headers_mean_nothing() {
    let gateway = Gateway::demo(&["--max-connections-per-address", "1"]);
    let mut stream = Stream::open_with(
        gateway.address,
        "/counter/stream",
        &[(CLIENT, "192.0.2.1"), ("Forwarded", "for=192.0.2.1")],
    );
    stream.expect("base");
    let reason = refused(gateway.address, "/counter/stream", "192.0.2.2");
    assert!(reason.contains("your address"), "{reason}");
}

/// As a client that ignores `retry` and comes back at once: it is told why each
/// time, and from the fourth time on the end is what it waits for.
#[test]
fn limits_who_never_waits_is_held_and_counted() {
    let gateway = Gateway::demo(&["--max-connections", "1"]);
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    stream.expect("base");
    let held = || {
        let text = request(gateway.address, "GET", "/metrics", &[]).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("viewcast_refusals_held_total "));
        line.expect("a metric").parse::<f64>().expect("a number")
    };
    for _ in 0..3 {
        refused(gateway.address, "/counter/stream", "192.0.2.1");
    }
    assert_eq!(held(), 0.0);
    let mut answer = request(gateway.address, "GET", "/counter/stream", &[]);
    let words = answer.piece().expect("words").expect("words");
    assert!(String::from_utf8_lossy(&words).contains("event: full\n"));
    assert_eq!(held(), 1.0);
    // Who has left is not held any longer, and a whole answer ends in order.
    drop(answer);
    refused(gateway.address, "/top10/stream", "192.0.2.1");
    assert_eq!(held(), 2.0);
}

#[test]
fn limits_request_head_is_bounded_in_size_and_time() {
    let gateway = Gateway::demo(&[]);
    let address = gateway.address;
    for bytes in [40_000, 200_000] {
        let head = format!(
            "GET /views HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n",
            "c".repeat(bytes)
        );
        assert_eq!(send(address, head.as_bytes(), "GET").status, 431, "{bytes}");
    }
    let large = "c".repeat(20_000);
    let answer = request(address, "GET", "/views", &[("Cookie", &large)]);
    assert_eq!(answer.status, 200);

    // Never finishes its head: the connection is closed without our doing.
    let mut slow = TcpStream::connect(address).expect("the gateway accepts");
    slow.set_read_timeout(Some(PATIENCE)).unwrap();
    slow.write_all(b"GET /views HTTP/1.1\r\nHost:").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("it ends");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}
