//! `demo --live` before a server that speaks as Wikimedia's does, and fails as
//! it may.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;

/// A recent change of a page, as one event.
fn change(id: usize, page: &str) -> String {
    format!(
        "event: message\nid: [{{\"offset\":{id}}}]\ndata: {{\"type\":\"edit\",\"server_name\":\"de.wikipedia.org\",\
         \"title\":\"{page}\",\"user\":\"Ada {id}\",\"length\":{{\"old\":1,\"new\":2}}}}\n\n"
    )
}

/// Takes the next connection; its request's head.
fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (socket, _) = listener.accept().expect("a connection");
    let mut reader = BufReader::new(socket.try_clone().expect("clone"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    (socket, head)
}

/// Answers with a body that goes on; one chunk of it.
fn answer(socket: &mut TcpStream, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("answer");
}

/// Waits until this many users of the feed have edited.
fn await_users(gateway: &Gateway, users: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(gateway.address, "/user_edits").json();
        let names = answer.as_array().expect("rows").iter();
        let names = names.filter_map(|row| row["user"].as_str());
        let live = names.filter(|name| name.starts_with("Ada ")).count();
        if live == users {
            return;
        }
        assert!(Instant::now() < deadline, "{live} of {users} users in time");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn live_feed_is_read_resumed_and_replaced_by_the_recording() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let url = format!(
        "http://{}/recentchange",
        listener.local_addr().expect("address")
    );
    let mut gateway = Gateway::start(&[
        "demo",
        "--live",
        "--live-url",
        &url,
        "--seed-edits",
        "0",
        "--rate",
        "500",
        "--tick",
        "50ms",
    ]);
    gateway.await_ready();

    // Not a stream: the recording is played, and the log says so.
    let (mut socket, head) = accept(&listener);
    assert!(
        head.to_lowercase().contains("user-agent: viewcast/"),
        "{head}"
    );
    answer(&mut socket, "text/html", "no");
    drop(socket);
    gateway.process.await_log("playing the recording");

    // A stream: only what it says comes in, and nothing that is no edit.
    let (mut socket, head) = accept(&listener);
    assert!(!head.to_lowercase().contains("last-event-id"), "{head}");
    let log = change(2, "x").replace("\"edit\"", "\"log\"");
    let body = format!(
        "retry: 10\n\n:ok\n\n{}{log}{}",
        change(1, "Zürich"),
        change(3, "Bern")
    );
    answer(&mut socket, "text/event-stream; charset=utf-8", &body);
    await_users(&gateway, 2);
    drop(socket);

    // Broken: it comes back and says where it was.
    let (mut socket, head) = accept(&listener);
    assert!(head.contains("[{\"offset\":3}]"), "{head}");
    answer(&mut socket, "text/event-stream", &change(4, "Genf"));
    await_users(&gateway, 3);

    // Still connected, and silent; the process ends all the same.
    gateway.process.signal("TERM");
    assert!(gateway.process.await_exit().success());
}
