//! The same requests over every way in: HTTP/1.1 first on its connection and
//! after another, with TLS and without, HTTP/2 with TLS and without [I41, I42].

mod client;
mod edges;

use crate::support::http::get;
use client::{Answer, Row, Ways};

/// What a client goes by; where it means the same, it reads the same.
const COMPARED: [&str; 14] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "etag",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
];

fn compared(answer: &Answer) -> Vec<(&str, Option<&str>)> {
    let value = |name: &'static str| (name, answer.header(name));
    COMPARED.into_iter().map(value).collect()
}

const APP: &str = "https://app.example";

fn rows() -> Vec<Row> {
    let row = Row::new;
    let cookies = "c".repeat(40_000);
    let many = (0..120).map(|at| (format!("x-{at}"), b"1".to_vec()));
    let preflight = [
        ("origin", APP),
        ("access-control-request-method", "GET"),
        (
            "access-control-request-headers",
            "traceparent, x-b3-traceid, x-mine",
        ),
    ];
    let mut rows = vec![
        row("GET", "/v", 200),
        row("GET", "/v/stream", 200),
        row("GET", "/stream?view=v", 200),
        row("GET", "/healthz", 200),
        row("GET", "/", 200),
        row("GET", "/nosuch", 404),
        row("GET", "/nosuch/stream", 404),
        row("GET", "/a/b/c", 404),
        row("GET", "/stream", 400),
        row("GET", "/stream?view=v&view=v", 400),
        row("GET", "/%zz", 400),
        row("GET", "/%ff/stream", 400),
        row("POST", "/v", 405),
        row("DELETE", "/v/stream", 405),
        row("OPTIONS", "/v", 405),
        row("GET", "/v", 200).with("origin", APP),
        row("GET", "/v", 403).with("host", "evil.example"),
        row("GET", "/v/stream", 403).with("host", "evil.example"),
        row("GET", "/v", 200).with("host", "LOCALHOST"),
        row("GET", "/v", 431).with("cookie", &cookies),
        row("GET", "/v/stream", 431).with("cookie", &cookies),
        row("GET", "/v/stream?last-event-id=%ff&&access_token=%", 200),
        row("GET", "/v/stream?limit=2&x=%ff&&=&%", 400),
        row("GET", "/v?x=%ff", 400),
        row("GET", "/v?n=eq.1", 200),
        row("HEAD", "/v?n=eq.1", 200),
        row("GET", "/v/stream?n=eq.1&select=n", 200),
        row("GET", "/stream?view=v&v.n=in.(1,2)", 200),
        row("GET", "/stream?view=v&n=eq.1", 400),
        row("GET", "/v/stream?n=eq.x", 400),
        row("GET", "/healthz?x=%ff", 200),
        row("GET", &format!("/v/stream?{}", "a".repeat(40_000)), 431),
    ];
    for target in ["/v", "/v/stream"] {
        let mut large = row("GET", target, 431);
        large.headers.extend(many.clone());
        rows.push(large);
        let mut asked = row("OPTIONS", target, 204);
        for (name, value) in preflight {
            asked = asked.with(name, value);
        }
        rows.push(asked);
        // Bytes of somebody else's making.
        let mut strange = row("GET", target, 200);
        for name in [
            "x-a",
            "cookie",
            "accept",
            "accept-encoding",
            "if-none-match",
            "origin",
            "authorization",
        ] {
            strange
                .headers
                .push((name.to_owned(), b"a=\xff\xfe; \x80\"".to_vec()));
        }
        rows.push(strange);
        let mut ids = row("GET", target, 200);
        ids.headers
            .push(("last-event-id".to_owned(), b"\xff".to_vec()));
        rows.push(ids);
    }
    rows
}

#[test]
fn ways_answer_each_request_alike_and_refuse_in_words() {
    let ways = Ways::start();
    for row in rows() {
        let mut first: Option<Answer> = None;
        for way in ways.all() {
            let answer = ways.ask(way, &row);
            let at = format!("{way:?} {row:?}");
            assert_eq!(answer.status, row.status, "{at}: {}", answer.text());
            if row.status >= 400 {
                let json = answer.json();
                let has_words = json["error"].is_string() && json["hint"].is_string();
                assert!(has_words, "{at}: {json}");
            }
            let Some(first) = &first else {
                first = Some(answer);
                continue;
            };
            assert_eq!(compared(&answer), compared(first), "{at}");
            if answer.header("content-length").is_some() {
                assert_eq!(answer.body, first.body, "{at}");
            } else if row.status == 200 {
                assert!(answer.text().contains("event: "), "{at}: {}", answer.text());
            }
        }
    }
    assert!(!ways.has_panicked());
}

#[test]
fn ways_say_of_the_body_at_head_what_get_says() {
    let ways = Ways::start();
    for (target, status) in [
        ("/v", 200),
        ("/v/stream", 200),
        ("/stream?view=v", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 200),
        ("/assets/viewcast.js", 200),
        ("/nosuch", 404),
        ("/nosuch/stream", 404),
        ("/stream", 400),
    ] {
        for way in ways.all() {
            let got = ways.ask(way, &Row::new("GET", target, status));
            let told = ways.ask(way, &Row::new("HEAD", target, status));
            let at = format!("{way:?} {target}");
            assert_eq!((got.status, told.status), (status, status), "{at}");
            assert_eq!(compared(&told), compared(&got), "{at}");
            assert!(told.body.is_empty(), "{at}: {}", told.text());
            if target.contains("stream") && status == 200 {
                assert_eq!(told.header("content-length"), None, "{at}");
            } else {
                let length = told.header("content-length").expect("a length");
                assert_eq!(length.parse(), Ok(got.body.len()), "{at}");
            }
        }
    }
}

#[test]
fn ways_serve_rows_that_are_the_same() {
    let ways = Ways::start();
    let expected = get(ways.plain.address, "/v").text();
    for way in ways.all() {
        for target in ["/v/stream", "/stream?view=v"] {
            let text = ways.ask(way, &Row::new("GET", target, 200)).text();
            assert!(text.contains(&expected), "{way:?} {target}: {text}");
        }
    }
}
