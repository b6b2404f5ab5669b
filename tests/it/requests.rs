//! Requests nobody should send: a proper status, no panic, and nobody else
//! notices.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request, send};
use crate::support::sse::Stream;
use crate::support::table::Table;

#[test]
fn requests_that_make_no_sense_get_a_proper_status() {
    let gateway = Gateway::demo(&[]);
    gateway.await_ready();
    let address = gateway.address;
    let mut bystander = Stream::open(address, "/counter/stream");
    let mut table = Table::default();
    table.apply(&bystander.expect("base"));

    for (method, path, status) in [
        ("GET", "/nosuch/stream", 404),
        ("GET", "/nosuch", 404),
        ("GET", "/assets/nosuch.js", 404),
        ("GET", "/assets/../Cargo.toml", 404),
        ("GET", "/assets/..%2f..%2fCargo.toml", 404),
        ("GET", "/a/b/c", 404),
        ("GET", "/top10/stream/", 404),
        ("GET", "//stream", 404),
        ("GET", "/%zz/stream", 400),
        ("GET", "/%/stream", 400),
        ("GET", "/%ff/stream", 400),
        ("GET", "/%00/stream", 404),
        ("POST", "/top10/stream", 405),
        ("DELETE", "/top10", 405),
        ("PUT", "/views", 405),
        ("POST", "/top10/sql", 405),
        ("HEAD", "/top10/sql", 200),
        ("POST", "/views.d.ts", 405),
        ("HEAD", "/views.d.ts", 200),
        ("POST", "/openapi.json", 405),
        ("HEAD", "/openapi.json", 200),
        ("OPTIONS", "/", 405),
        ("BREW", "/top10/stream", 405),
        ("HEAD", "/top10/stream", 200),
        ("HEAD", "/views", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/t%6fp10", 200),
    ] {
        let response = request(address, method, path, &[("Connection", "close")]);
        assert_eq!(response.status, status, "{method} {path}");
    }
    let mut response = get(address, "/%3Cb%3Enosuch%3Cb%3E/stream");
    assert_eq!(response.status, 404);
    let body = response.text();
    assert!(
        !body.contains("<b>") && !body.contains("nosuch"),
        "no echo of markup: {body}"
    );
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(
        json["error"].is_string() && json["hint"].is_string(),
        "{json}"
    );

    let before = table.deltas;
    table.read_until(&mut bystander, |table| table.deltas > before + 2);
    assert!(!gateway.process.has_panicked());
}

#[test]
fn requests_of_absurd_size_and_garbage_are_refused() {
    let gateway = Gateway::demo(&[]);
    let address = gateway.address;
    let long = format!(
        "GET /{}/stream HTTP/1.1\r\nHost: x\r\n\r\n",
        "a".repeat(100_000)
    );
    let status = send(address, long.as_bytes(), "GET").status;
    assert!((400..500).contains(&status), "{status}");
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
    ];
    for bytes in garbage {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // Either a 400 or a closed connection; but an end, not silence.
        let _ = socket.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || text.starts_with("HTTP/1.1 4"),
            "{bytes:?}: {text}"
        );
    }
    Stream::open(address, "/top10/stream").expect("base");
    assert!(!gateway.process.has_panicked());
}

#[test]
fn page_is_served_with_a_policy_that_forbids_the_rest() {
    let gateway = Gateway::demo(&[]);
    let mut page = get(gateway.address, "/");
    assert_eq!(page.status, 200);
    let policy = page
        .header("content-security-policy")
        .expect("a policy")
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text();
    assert!(text.contains("<!doctype html>"), "{text}");
    assert_eq!(
        get(gateway.address, "/assets/viewcast.js").header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
}
