//! Progress is what a peer takes [P11, N7]: who takes something, however slowly,
//! is served; who takes nothing is let go, on every way in, and its places are
//! given back.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::access::{claims, now, taking_tokens, token, with};
use crate::support::front::{Front, Peer, Way};
use crate::support::gateway::PATIENCE;
use crate::support::http2::frame;
use crate::support::materialize::{Generation, Materialize, row};

/// Frames of HTTP/2, by their kinds.
const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const CANCEL: u32 = 8;

/// Nobody's kernel takes more for it.
const BUFFER: Option<usize> = Some(8192);

/// A view of some 2 MiB and one of a row.
fn upstream() -> Materialize {
    let upstream = Materialize::start(Generation::Modern);
    for name in ["big", "small"] {
        upstream.create_view(name, &[("k", "text"), ("n", "text")]);
    }
    let text = "x".repeat(64 * 1024);
    let rows = (0..32).map(|k| (row([k.to_string().as_str(), &text]), 1));
    upstream.commit("big", rows.collect());
    upstream.commit("small", vec![(row(["a", "b"]), 1)]);
    upstream
}

fn front(upstream: &Materialize, is_secure: bool, more: &[&str]) -> Front {
    let url = upstream.url();
    let mut arguments = vec!["--upstream", &url, "--view", "big", "--view", "small"];
    arguments.extend(more);
    let front = Front::start(&arguments, is_secure);
    front.await_ready();
    front
}

/// The pace is what is tested, not a wait for something.
fn at_pace(steps: u32, mut step: impl FnMut()) {
    let mut due = Instant::now();
    for _ in 0..steps {
        step();
        due += Duration::from_millis(100);
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
}

/// Reads for ten seconds whatever comes, as from a full socket.
fn read_slowly(mut peer: Peer, bytes: usize) {
    at_pace(100, || peer.read(bytes));
}

/// Gives room for so many bytes of a stream again and again, and awaits them.
fn take_slowly(mut peer: Peer, bytes: u32) {
    let stream = peer.ask_http2("/big/stream", &[]);
    let mut due = 0;
    at_pace(100, || {
        peer.give_room(stream, bytes);
        peer.give_room(0, bytes);
        due += bytes;
        while due > 0 {
            let (kind, flags, _, payload) = peer.read_frame();
            assert!(kind != RST_STREAM, "cut");
            if kind == DATA {
                assert_eq!(flags & END_STREAM, 0, "ended");
                due -= u32::try_from(payload.len()).expect("a frame");
            }
            if kind == SETTINGS && flags == 0 {
                peer.write(&frame(SETTINGS, 1, 0, &[]));
            }
        }
    });
}

#[test]
fn progress_of_slow_readers_counts_on_every_way_in() {
    let upstream = upstream();
    let stall = ["--stall-timeout", "2s"];
    let fronts = [false, true].map(|is_secure| front(&upstream, is_secure, &stall));
    thread::scope(|scope| {
        for front in &fronts {
            for bytes in [200, 2_000] {
                for path in ["/big/stream", "/stream?view=big&view=small", "/big"] {
                    let mut peer = front.connect(Way::Http1, BUFFER);
                    peer.ask(path);
                    scope.spawn(move || read_slowly(peer, bytes));
                    // All the room of HTTP/2, but little of the socket's.
                    let mut peer = front.connect(Way::Http2, BUFFER);
                    peer.begin_http2(1 << 30);
                    peer.give_room(0, 1 << 30);
                    peer.ask_http2(path, &[]);
                    scope.spawn(move || read_slowly(peer, bytes));
                }
                let mut peer = front.connect(Way::Http2, None);
                peer.begin_http2(0);
                let room = u32::try_from(bytes).expect("small");
                scope.spawn(move || take_slowly(peer, room));
            }
        }
    });
}

/// Peers that take nothing, or nothing more, each in another way.
fn stalled(front: &Front) -> Vec<Peer> {
    let mut peers = Vec::new();
    for path in ["/big/stream", "/stream?view=big&view=small", "/big"] {
        let mut peer = front.connect(Way::Http1, BUFFER);
        peer.ask(path);
        peers.push(peer);
        // The socket is full; the windows are shut at once, or amid the base.
        for window in [1 << 30, 0, 1000] {
            let mut peer = front.connect(Way::Http2, BUFFER);
            peer.begin_http2(window);
            peer.ask_http2(path, &[]);
            peers.push(peer);
        }
    }
    // A connection that was used before.
    let mut peer = front.connect(Way::Http1, BUFFER);
    peer.ask("/healthz");
    peer.read(10);
    peer.ask("/big/stream");
    peers.push(peer);
    peers
}

#[test]
fn progress_that_ceases_ends_the_stream_on_every_way_in() {
    let upstream = upstream();
    // Streams on HTTP/1.1: two and the used one; on HTTP/2: two, in three ways.
    let places = ["--stall-timeout", "1s", "--max-connections", "9"];
    let check = |is_secure| {
        let front = front(&upstream, is_secure, &places);
        let peers = stalled(&front);
        // Streams of several views count at each of two.
        front.await_subscribers(9 + 4);
        front.await_subscribers(0);
        let peer = front.connect(Way::Http1, None);
        assert_eq!(served(peer), "retry: ", "no place was given back");
        assert!(!front.process.has_panicked());
        drop(peers);
    };
    thread::scope(|scope| {
        scope.spawn(|| check(false));
        scope.spawn(|| check(true));
    });
}

/// What a stream begins with.
fn served(mut peer: Peer) -> String {
    peer.ask("/small/stream");
    let text = peer.read_until("retry: ");
    peer.read_until("event: base");
    text[text.len() - "retry: ".len()..].to_owned()
}

#[test]
fn progress_of_others_on_the_connection_keeps_no_stalled_stream() {
    let upstream = upstream();
    let stall = ["--stall-timeout", "1s", "--heartbeat", "50ms"];
    for is_secure in [false, true] {
        let front = front(&upstream, is_secure, &stall);
        let mut peer = front.connect(Way::Http2, None);
        peer.begin_http2(0);
        let shut = peer.ask_http2("/small/stream", &[]);
        let open = peer.ask_http2("/small/stream", &[]);
        peer.give_room(open, 1 << 30);
        peer.give_room(0, 1 << 30);
        // The one that takes nothing stands before its first event, and ends.
        let mut after = 0;
        let mut has_ended = false;
        while after < 5 {
            match peer.read_frame() {
                (DATA, flags, stream, payload) if stream == shut => {
                    assert_eq!((flags, payload.len()), (END_STREAM, 0));
                    has_ended = true;
                }
                (DATA, flags, stream, _) if stream == open => {
                    assert_eq!(flags & END_STREAM, 0);
                    after += u32::from(has_ended);
                }
                (RST_STREAM, ..) => panic!("reset"),
                _ => {}
            }
        }
        assert_eq!(front.subscribers(), 1);
    }
}

#[test]
fn progress_is_not_waited_for_where_the_client_has_reset_the_stream() {
    let upstream = upstream();
    // Nothing happens that the stream would notice it by.
    let mut quiet = vec!["--heartbeat", "1h", "--stall-timeout", "1h"];
    quiet.extend(["--upstream-timeout", "1h"]);
    for is_secure in [false, true] {
        let front = front(&upstream, is_secure, &quiet);
        let mut peer = front.connect(Way::Http2, None);
        peer.begin_http2(0);
        // As many at once as a proxy may have clients: the connection stands.
        let mut all = Vec::new();
        for _ in 0..100 {
            let (stream, request) = peer.request_http2("/small/stream", &[]);
            all.extend(request);
            all.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
        }
        peer.write(&all);
        for path in ["/small/stream", "/stream?view=big&view=small"] {
            // While it waits for news, and while it waits for room.
            for room in [1 << 30, 0, 10] {
                let stream = peer.ask_http2(path, &[]);
                if room > 0 {
                    peer.give_room(stream, room);
                }
                front.await_subscribers(if path.contains('&') { 2 } else { 1 });
                peer.write(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
                front.await_subscribers(0);
            }
        }
    }
}

#[test]
fn progress_is_not_waited_for_when_the_token_is_over() {
    let upstream = upstream();
    let file = format!("{}/hs256.txt", crate::access::KEYS);
    let mut more = taking_tokens(["--jwt-key-file", &file]);
    more.extend(["--stall-timeout", "1h", "--heartbeat", "1h"]);
    let url = upstream.url();
    let mut arguments = vec!["--upstream", &url, "--view", "big", "--view", "small"];
    arguments.extend(more);
    let front = Front::start(&arguments, false);
    front.await_ready();
    let bearer = |ends| {
        let claims = with(claims(&["*"]), "exp", json!(ends));
        format!("Bearer {}", token(&claims))
    };
    let brief = bearer(now() + 2);
    let mut peer = front.connect(Way::Http2, None);
    peer.begin_http2(0);
    let stream = peer.ask_http2("/small/stream", &[("authorization", &brief)]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "still served");
        if let (DATA, flags, of, payload) = peer.read_frame() {
            assert_eq!((of, flags, payload.len()), (stream, END_STREAM, 0));
            break;
        }
    }
}

#[test]
fn progress_is_not_waited_for_beyond_what_is_kept() {
    let upstream = upstream();
    let kept = ["--stall-timeout", "1h", "--retention-bytes", "64KiB"];
    let front = front(&upstream, false, &kept);
    let mut peer = front.connect(Way::Http2, None);
    // All of the base, and then no more.
    peer.begin_http2(400);
    let stream = peer.ask_http2("/small/stream", &[]);
    let mut seen = String::new();
    while !seen.contains("event: base") || !seen.ends_with("\n\n") {
        let (kind, _, _, payload) = peer.read_frame();
        if kind == DATA {
            seen.push_str(&String::from_utf8(payload).expect("UTF-8"));
        }
    }
    let text = "y".repeat(16 * 1024);
    for k in 0..10 {
        let k = k.to_string();
        upstream.commit("small", vec![(row([k.as_str(), &text]), 1)]);
    }
    // What of the first delta there was room for is taken back with a reset;
    // where there was none, the stream ends.
    loop {
        match peer.read_frame() {
            (RST_STREAM, _, of, _) => break assert_eq!(of, stream),
            (DATA, END_STREAM, of, _) => break assert_eq!(of, stream),
            _ => {}
        }
    }
    front.await_subscribers(0);
}
