//! Streams that are served on their socket, without the HTTP stack between,
//! say and keep what all streams do.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{Response, get, send};
use crate::support::kernel::connections;
use crate::support::materialize::{Generation, Materialize, Values, row};
use crate::support::sse::Stream;
use crate::support::table::Table;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

fn gateway(server: &Materialize) -> Gateway {
    gateway_with(server, &[])
}

fn gateway_with(server: &Materialize, arguments: &[&str]) -> Gateway {
    let url = server.url();
    // No heartbeat comes to the rescue of what was forgotten.
    let mut all = vec!["--upstream", &url, "--view", "v", "--workers", "1"];
    all.extend_from_slice(&["--heartbeat", "1h"]);
    // Nothing is forgotten that a test has not read yet.
    all.extend_from_slice(&["--retention-bytes", "1GiB"]);
    all.extend_from_slice(arguments);
    Gateway::start(&all)
}

/// A request as a browser's, without the headers that only describe it.
fn ask(gateway: &Gateway, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address)
}

/// So many rows of a kilobyte each.
fn wide_rows(from: usize, count: usize) -> Vec<(Values, i64)> {
    let pad = "x".repeat(1_000);
    (from..from + count)
        .map(|n| (row([&n.to_string(), &pad]), 1))
        .collect()
}

fn subscribers(gateway: &Gateway) -> u64 {
    let list = get(gateway.address, "/views").json();
    list["views"][0]["subscribers"].as_u64().expect("a number")
}

fn await_subscribers(gateway: &Gateway, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    while subscribers(gateway) != count {
        assert!(Instant::now() < deadline, "not {count} subscribers in time");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn outlet_and_http_stack_send_the_same_events() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", wide_rows(0, 3));
    let gateway = gateway(&server);
    gateway.await_ready();
    let request = ask(&gateway, "/v/stream");
    // A body, though of no bytes, is for the HTTP stack to judge.
    let with_body = request.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n");
    let mut bodies = [&request, &with_body].map(|text| {
        let response = send(gateway.address, text.as_bytes(), "GET");
        assert_eq!(response.status, 200);
        for (name, value) in [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-store, no-transform"),
            ("x-accel-buffering", "no"),
            ("x-content-type-options", "nosniff"),
            ("transfer-encoding", "chunked"),
        ] {
            assert_eq!(response.header(name), Some(value), "{name} of {text:?}");
        }
        assert!(response.header("date").is_some() && response.header("content-length").is_none());
        response
    });
    assert_eq!(bodies[0].header("connection"), Some("close"));
    let until = |response: &mut Response, mark: &str| {
        let mut text = String::new();
        while !text.contains(mark) || !text.ends_with("\n\n") {
            let piece = response.piece().unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8(piece).unwrap());
        }
        text
    };
    let begun = bodies.each_mut().map(|body| until(body, "event: base"));
    let base = begun.map(|text| text.split_once("event: base").unwrap().1.to_owned());
    assert_eq!(base[0], base[1]);
    for n in 10..15 {
        server.commit("v", vec![(row([&n.to_string(), "y"]), 1)]);
    }
    let deltas = bodies.each_mut().map(|body| until(body, "\"n\":14"));
    assert_eq!(deltas[0], deltas[1]);
}

#[test]
fn outlet_sends_what_is_larger_than_a_socket_takes() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    // Loopback takes some megabytes before it says stop.
    server.commit("v", wide_rows(0, 12_000));
    let gateway = gateway(&server);
    gateway.await_ready();
    let mut late = Stream::open(gateway.address, "/v/stream");
    let mut prompt = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.read_until(&mut prompt, |table| table.bases == 1);
    // While one has not read its base, the other gets what follows: a delta as
    // large, and many small ones.
    server.commit("v", wide_rows(20_000, 12_000));
    for n in 0..50 {
        server.commit("v", vec![(row([&n.to_string(), "y"]), 1)]);
    }
    let end = server.now();
    table.read_until(&mut prompt, |table| table.timestamp >= Some(end));
    assert_eq!(table.rows.len(), 24_050);
    let mut other = Table::default();
    other.read_until(&mut late, |table| table.timestamp >= Some(end));
    assert_eq!(other.rows, table.rows);
    assert_eq!(other.bases, 1);
}

#[test]
fn outlet_that_was_full_goes_on_with_one_delta() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", wide_rows(0, 1));
    let gateway = gateway(&server);
    gateway.await_ready();
    let mut slow = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.read_until(&mut slow, |table| table.bases == 1);
    let mut prompt = Stream::open(gateway.address, "/v/stream");
    let mut other = Table::default();
    let mut commits = 0;
    // Each commit is a megabyte: the socket is full after a few.
    for round in 0..100 {
        server.commit("v", wide_rows(1 + round * 1_000, 1_000));
        commits += 1;
        let now = server.now();
        other.read_until(&mut prompt, |table| table.timestamp >= Some(now));
    }
    let end = server.now();
    table.read_until(&mut slow, |table| table.timestamp >= Some(end));
    assert_eq!(table.rows, other.rows);
    assert_eq!(table.bases, 1);
    assert!(
        table.deltas < commits,
        "{} deltas for {commits}",
        table.deltas
    );
}

#[test]
fn outlet_notices_at_once_that_the_client_has_left() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", wide_rows(0, 1));
    // Nothing is sent, so that no write can tell.
    let gateway = gateway(&server);
    gateway.await_ready();
    let open = || {
        let mut socket = TcpStream::connect(gateway.address).unwrap();
        socket
            .write_all(ask(&gateway, "/v/stream").as_bytes())
            .unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        let has_base = |seen: &[u8]| String::from_utf8_lossy(seen).contains("}]\nid: ");
        while !has_base(&seen) || !seen.ends_with(b"\n\n\r\n") {
            let length = socket.read(&mut piece).unwrap();
            assert!(length > 0, "the stream goes on");
            seen.extend_from_slice(&piece[..length]);
        }
        socket
    };
    let (closed, half_closed, mut talks) = (open(), open(), open());
    await_subscribers(&gateway, 3);
    drop(closed);
    await_subscribers(&gateway, 2);
    half_closed.shutdown(Shutdown::Write).unwrap();
    await_subscribers(&gateway, 1);
    // A little is borne, much is not.
    talks.write_all(b"\r\n").unwrap();
    server.commit("v", vec![(row(["5", "y"]), 1)]);
    let mut piece = [0; 4096];
    assert!(talks.read(&mut piece).unwrap() > 0, "served as before");
    assert_eq!(subscribers(&gateway), 1);
    let _ = talks.write_all(&[b'x'; 64 * 1024]);
    await_subscribers(&gateway, 0);
}

#[test]
fn outlet_request_in_parts_or_after_another_is_served() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", wide_rows(0, 1));
    let gateway = gateway(&server);
    gateway.await_ready();
    let request = ask(&gateway, "/v/stream").replace("\r\n\r\n", "\r\nLast-Event-ID: x\r\n\r\n");
    let request = request.as_bytes();
    for cut in [1, 4, 20, request.len() - 1] {
        let mut socket = TcpStream::connect(gateway.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&request[..cut]).unwrap();
        // Long enough for the beginning to be looked at alone, mostly; what is
        // asserted holds in any case.
        std::thread::park_timeout(Duration::from_millis(20));
        socket.write_all(&request[cut..]).unwrap();
        expect_base(socket);
    }
    // On a connection that has served something else before.
    let mut socket = TcpStream::connect(gateway.address).unwrap();
    socket
        .write_all(ask(&gateway, "/healthz").as_bytes())
        .unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(socket.read(&mut [0; 1024]).unwrap() > 0);
    socket.write_all(request).unwrap();
    expect_base(socket);
}

fn expect_base(mut socket: TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = String::new();
    let mut piece = [0; 4096];
    while !seen.contains("event: base\n") {
        let length = socket.read(&mut piece).unwrap();
        assert!(length > 0, "closed after {seen:?}");
        seen.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen:?}");
}

#[test]
fn outlet_answers_what_it_does_not_grant() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    let gateway = gateway(&server);
    let mut socket = TcpStream::connect(gateway.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(ask(&gateway, "/nosuch/stream").as_bytes())
        .unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(
        head.contains(&format!("\r\ncontent-length: {}", body.len())),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"], "unknown view");
}

#[test]
fn outlet_of_many_serves_all_between_other_requests() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", wide_rows(0, 1));
    let gateway = gateway(&server);
    gateway.await_ready();
    // More than the relay writes to at one go.
    let mut streams: Vec<_> = (0..600)
        .map(|_| (Stream::open(gateway.address, "/v/stream"), Table::default()))
        .collect();
    for (stream, table) in &mut streams {
        table.read_until(stream, |table| table.bases == 1);
    }
    for n in 0..20 {
        server.commit("v", vec![(row([&n.to_string(), "y"]), 1)]);
        assert_eq!(get(gateway.address, "/healthz").status, 200);
    }
    let end = server.now();
    for (stream, table) in &mut streams {
        table.read_until(stream, |table| table.timestamp >= Some(end));
        assert_eq!(table.rows.len(), 21);
    }
}

#[test]
fn outlet_ends_with_the_last_frame_of_all() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    // More than a socket takes, so that the end comes amid the base.
    server.commit("v", wide_rows(0, 12_000));
    let gateway = gateway(&server);
    gateway.await_ready();
    let late = Stream::open(gateway.address, "/v/stream");
    let mut prompt = Stream::open(gateway.address, "/v/stream");
    prompt.expect("base");
    server.drop_view("v");
    for mut stream in [prompt, late] {
        let mut names = Vec::new();
        // `next` fails the test where a stream ends inside an event.
        while let Some(event) = stream.next() {
            names.push(event.name);
        }
        assert_eq!(names.last().map(String::as_str), Some("gone"), "{names:?}");
    }
}

#[test]
fn outlet_ends_at_a_shutdown_behind_the_event_it_is_in() {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    // More than a socket takes: the signal comes amid the base.
    server.commit("v", wide_rows(0, 12_000));
    let gateway = gateway_with(&server, &["--drain", "0s"]);
    gateway.await_ready();
    let mut socket = TcpStream::connect(gateway.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(ask(&gateway, "/v/stream").as_bytes())
        .unwrap();
    // The base has begun, and there is no room for the rest.
    let mut seen = vec![0; 4096];
    socket.read_exact(&mut seen).unwrap();
    await_full(gateway.address.port(), &socket);
    gateway.process.signal("TERM");
    gateway.process.await_log("ending all streams");
    socket.read_to_end(&mut seen).unwrap();
    let end = String::from_utf8_lossy(&seen[seen.len() - 200..]).into_owned();
    assert!(end.ends_with("\r\n0\r\n\r\n"), "cut off: {end:?}");
    let body = String::from_utf8_lossy(&seen);
    let (base, farewell) = body.rsplit_once("}]\nid: ").expect("a whole base");
    assert!(base.contains("\"n\":11999,"), "all rows");
    assert!(farewell.contains("retry: "), "[P13] {farewell:?}");
}

/// Awaits that the gateway's side of a connection holds bytes which the client
/// has no room for.
fn await_full(port: u16, client: &TcpStream) {
    let client = client.local_addr().unwrap().port();
    let deadline = Instant::now() + PATIENCE;
    let mut before = 0;
    loop {
        let mut all = connections().into_iter();
        let ours = all.find(|one| one.local == port && one.remote == client);
        let now = ours.map_or(0, |one| one.unacknowledged);
        if now > 0 && now == before {
            return;
        }
        before = now;
        assert!(Instant::now() < deadline, "{now} bytes are on their way");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
