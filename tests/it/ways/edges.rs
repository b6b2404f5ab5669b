//! What only HTTP/1 has: heads of any bytes, HTTP/1.0, half-closed connections.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::client::{Answer, Row, Ways, read, read_all};

/// Asks over a plain connection and over one with TLS.
fn both(ways: &Ways, bytes: &[u8], check: impl Fn(Answer)) {
    let mut plain = ways.plain();
    plain.write_all(bytes).expect("sent");
    check(read(&mut plain, false));
    let mut secure = ways.secure();
    secure.write_all(bytes).expect("sent");
    secure.flush().expect("sent");
    check(read(&mut secure, false));
}

#[test]
fn ways_judge_a_head_by_its_bytes_alike() {
    let ways = Ways::start();
    let long = format!(
        "GET /v/stream?{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(70_000)
    );
    let rows: &[(&[u8], u16)] = &[
        ("GET /gr\u{f6}\u{df}e HTTP/1.1\r\nHost: localhost\r\n\r\n".as_bytes(), 400),
        (long.as_bytes(), 431),
        (b"GET /v HTTP/1.1\r\n\r\n", 400),
        (b"GET /v/stream HTTP/1.1\r\n\r\n", 400),
        (b"GET /v HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v/stream HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /v HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v HTTP/1.1\r\nHost: me@localhost\r\n\r\n", 400),
        (b"GET /v HTTP/1.1\r\nHost: local host\r\n\r\n", 400),
        (b"GET /v HTTP/1.0\r\n\r\n", 200),
        (b"GET http://localhost/v HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET http://LocalHost:80/v/stream HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
        (b"GET http://evil.example/v HTTP/1.1\r\nHost: localhost\r\n\r\n", 403),
        (b"GET http://evil.example/v/stream HTTP/1.1\r\nHost: localhost\r\n\r\n", 403),
        (b"GET http://localhost/v HTTP/1.1\r\n\r\n", 400),
        (b"GET http://me@localhost/v HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET v HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET /v/stream?x=\xff\xc3\xb6\"<>\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v/stream?last-event-id=\xff\xc3\xb6\"<>\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /v/stream?n=in.(\"1\",2) HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /v HTTP/1.1\r\nHost: localhost\r\nX-A: a\x01\0b\x7f\r\n  c\r\n\r\n", 200),
        (b"GET /v/stream HTTP/1.1\r\nHost: localhost\r\nCookie: \x01=\xff\r\nLast-Event-ID: \x02\r\n\r\n", 200),
        (b"\r\nGET /v HTTP/1.1\nhost:localhost\n\n", 200),
        (b"GET /v HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET /v HTTP/1.1\r\nHost: localhost\r\nbad name: 1\r\n\r\n", 400),
    ];
    for (bytes, status) in rows {
        both(&ways, bytes, |answer| {
            let shown: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
            assert_eq!(answer.status, *status, "{shown:?}: {}", answer.text());
            if *status >= 400 {
                let json = answer.json();
                assert!(
                    json["error"].is_string() && json["hint"].is_string(),
                    "{shown:?}"
                );
            }
        });
    }
    assert!(!ways.has_panicked());
}

#[test]
fn ways_send_no_chunks_to_http_1_0_and_close() {
    let ways = Ways::start();
    for target in ["/v/stream", "/stream?view=v", "/v", "/nosuch", "/stream"] {
        let text = format!("GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        both(&ways, text.as_bytes(), |answer| {
            assert_eq!(answer.header("transfer-encoding"), None, "{target}");
            assert_eq!(answer.header("connection"), Some("close"), "{target}");
            if answer.header("content-length").is_none() {
                let text = answer.text();
                assert!(
                    text.starts_with("retry: ") && text.contains("\n\n"),
                    "{text}"
                );
            }
        });
    }
}

#[test]
fn ways_answer_who_closes_its_side_behind_the_request() {
    let ways = Ways::start();
    let half_closed = |bytes: &[u8], check: &dyn Fn(Answer)| {
        let mut plain = ways.plain();
        plain.write_all(bytes).expect("sent");
        plain.shutdown(Shutdown::Write).expect("shut");
        check(read_all(&mut plain));
        let mut secure = ways.secure();
        secure.write_all(bytes).expect("sent");
        secure.conn.send_close_notify();
        secure.flush().expect("sent");
        check(read_all(&mut secure));
    };
    for (target, mark) in [
        ("/v", "\"n\":1"),
        ("/v/stream", "event: base\n"),
        ("/stream?view=v", "event: consistent\n"),
        ("/nosuch", "\"hint\""),
    ] {
        for version in ["1.0", "1.1"] {
            let text = format!("GET {target} HTTP/{version}\r\nHost: localhost\r\n\r\n");
            half_closed(text.as_bytes(), &|answer| {
                let body = answer.text();
                assert!(answer.is_closed && body.contains(mark), "{target}: {body}");
                if target.contains("stream") {
                    let last = if version == "1.0" {
                        "\n\n"
                    } else {
                        "\r\n0\r\n\r\n"
                    };
                    assert!(body.contains("\n: ") && body.ends_with(last), "{body:?}");
                }
            });
        }
    }
    // Not even a whole request.
    half_closed(b"GET /v HTTP/1.1\r\nHost: loc", &|answer| {
        assert_eq!(answer.status, 400);
        assert!(answer.json()["hint"].is_string());
    });
}

#[test]
fn ways_read_no_request_out_of_a_body() {
    let ways = Ways::start();
    let inner = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (framing, status) in [
        (format!("Content-Length: {}", inner.len()), 404),
        ("Transfer-Encoding: chunked".to_owned(), 404),
        (
            format!("Content-Length: 0\r\nContent-Length: {}", inner.len()),
            400,
        ),
    ] {
        let head = format!("GET /nosuch HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        let mut plain = ways.plain();
        plain
            .write_all(format!("{head}{inner}").as_bytes())
            .expect("sent");
        let answer = read_all(&mut plain);
        assert_eq!(answer.status, status, "{framing}");
        assert!(!answer.text().contains("HTTP/1.1 200"), "{}", answer.text());
    }
    // An answer is not lost to what is still being sent.
    let mut plain = ways.plain();
    let head = "POST /v HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n";
    plain.write_all(head.as_bytes()).expect("sent");
    plain.write_all(&[b'x'; 200_000]).expect("taken");
    let answer = read_all(&mut plain);
    assert_eq!(answer.status, 405);
    assert!(answer.json()["hint"].is_string());
}

#[test]
fn ways_serve_a_stream_whose_request_has_a_body() {
    let ways = Ways::start();
    for target in ["/v/stream", "/stream?view=v"] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n");
        let body = "x".repeat(60_000);
        let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let chunk = format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        for text in [whole, chunk] {
            both(&ways, text.as_bytes(), |answer| {
                assert_eq!(answer.status, 200, "{target}");
                assert!(answer.text().contains("retry: "), "{}", answer.text());
            });
        }
    }
    assert!(!ways.has_panicked());
}

#[test]
fn ways_refuse_in_words_whatever_was_asked_before() {
    let ways = Ways::start();
    for _ in 0..8 {
        let head = Row::new("HEAD", "/v", 200);
        both(&ways, &head.bytes(true), |answer| {
            assert_eq!(answer.status, 200)
        });
        both(
            &ways,
            b"GET /v HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
            |answer| {
                assert_eq!(answer.status, 400);
                assert!(answer.json()["hint"].is_string());
            },
        );
    }
}

#[test]
fn ways_answer_requests_that_are_sent_at_once_in_their_order() {
    let ways = Ways::start();
    let asks = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let all = [asks("/healthz"), asks("/nosuch"), asks("/v/stream")].concat();
    let mut plain = ways.plain();
    plain.write_all(all.as_bytes()).expect("sent");
    let mut seen = String::new();
    let mut piece = [0; 4096];
    while !seen.contains("event: base\n") {
        let length = plain.read(&mut piece).expect("more");
        assert!(length > 0, "closed behind {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let statuses: Vec<&str> = seen.matches("HTTP/1.1 ").collect();
    assert_eq!(statuses.len(), 3, "{seen}");
    let at = |mark: &str| seen.find(mark).expect("there");
    assert!(at("\"ok\"") < at("\"unknown view\"") && at("\"unknown view\"") < at("retry: "));
}
