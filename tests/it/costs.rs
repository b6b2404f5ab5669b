//! What one client can make the gateway hold (docs/OPERATIONS.md, What a client
//! can hold): each line of that table, with a thousand such clients.

use std::fs::{read_dir, read_to_string};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::front::{Front, Peer, Way};
use crate::support::gateway::PATIENCE;
use crate::support::materialize::{Generation, Materialize, row};

const CLIENTS: usize = 1_000;

/// Streams of one connection, as many as the gateway allows.
const STREAMS: usize = 125;

/// Nobody's kernel takes more for it.
const BUFFER: Option<usize> = Some(4096);

const KIB: u64 = 1024;

/// A view of some 2 MiB, and a small one.
fn upstream() -> Materialize {
    let upstream = Materialize::start(Generation::Modern);
    for name in ["big", "small"] {
        upstream.create_view(name, &[("k", "text"), ("n", "text")]);
    }
    let text = "x".repeat(1024);
    let rows = (0..2_000).map(|k| (row([k.to_string().as_str(), &text]), 1));
    upstream.commit("big", rows.collect());
    upstream.commit("small", vec![(row(["a", "b"]), 1)]);
    upstream
}

fn start(upstream: &Materialize, is_secure: bool) -> Front {
    let url = upstream.url();
    let fixed = ["--view", "big", "--view", "small", "--workers", "2"];
    let mut arguments = vec!["--upstream", &url, "--stall-timeout", "1h"];
    arguments.extend(fixed);
    let front = Front::start(&arguments, is_secure);
    front.await_ready();
    // What one costs, all share: the base, and the code that is run.
    let mut reader = front.connect(Way::Http1, None);
    reader.ask("/big/stream");
    reader.read_until("event: base");
    let mut peer = front.connect(Way::Http2, None);
    peer.begin_http2(0);
    peer.ask_http2("/stream?view=big&view=small", &[]);
    front.await_subscribers(3);
    drop((reader, peer));
    front.await_subscribers(0);
    front
}

fn resident(front: &Front) -> u64 {
    let text = read_to_string(format!("/proc/{}/status", front.process.id())).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    KIB * kibibytes.expect("VmRSS").parse::<u64>().expect("a number")
}

/// Opens the connections from several threads, as handshakes take their time.
fn open(count: usize, open: impl Fn() -> Peer + Sync) -> Vec<Peer> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..count / 4).map(|_| open()).collect::<Vec<_>>()))
            .collect();
        let opened = threads.into_iter();
        opened.flat_map(|it| it.join().expect("opened")).collect()
    })
}

/// What a thousand of them add, at the most, by `await_all`'s end.
fn check(
    what: &str,
    front: &Front,
    bytes_each: u64,
    begin: impl FnOnce() -> Vec<Peer>,
    await_all: impl FnOnce(),
) -> Vec<Peer> {
    let before = resident(front);
    let peers = begin();
    await_all();
    let each = resident(front).saturating_sub(before) / u64::try_from(CLIENTS).unwrap();
    println!("{what}: {} KiB each", each / KIB);
    assert!(each < bytes_each, "{what}: {each} bytes each");
    peers
}

fn streams_over_http1(is_secure: bool, path: &str, is_reused: bool, places: u64, each: u64) {
    let upstream = upstream();
    let front = start(&upstream, is_secure);
    let begin = || {
        open(CLIENTS, || {
            let mut peer = front.connect(Way::Http1, BUFFER);
            if is_reused {
                peer.ask("/healthz");
                peer.read_until("ok");
            }
            peer.ask(path);
            peer
        })
    };
    let what = format!("{path}, TLS {is_secure}, reused {is_reused}");
    let peers = check(&what, &front, each, begin, || {
        front.await_subscribers(places)
    });
    drop(peers);
    front.await_subscribers(0);
}

#[test]
fn costs_of_a_plain_stream_on_a_used_connection() {
    streams_over_http1(false, "/big/stream", true, 1_000, 96 * KIB);
}

#[test]
fn costs_of_a_stream_of_several_views() {
    let path = "/stream?view=big&view=small";
    streams_over_http1(false, path, false, 2_000, 96 * KIB);
}

#[test]
fn costs_of_a_stream_over_tls() {
    streams_over_http1(true, "/big/stream", false, 1_000, 160 * KIB);
}

fn streams_over_http2(is_secure: bool, window: u32, each: u64) {
    let upstream = upstream();
    let front = start(&upstream, is_secure);
    let begin = || {
        open(CLIENTS / STREAMS, || {
            let mut peer = front.connect(Way::Http2, BUFFER);
            peer.begin_http2(window);
            peer.give_room(0, 1 << 30);
            for _ in 0..STREAMS {
                peer.ask_http2("/big/stream", &[]);
            }
            peer
        })
    };
    let what = format!("HTTP/2, TLS {is_secure}, window {window}");
    let peers = check(&what, &front, each, begin, || {
        front.await_subscribers(1_000)
    });
    drop(peers);
    front.await_subscribers(0);
}

#[test]
fn costs_of_a_stream_over_http2() {
    for window in [1 << 30, 64] {
        streams_over_http2(false, window, 96 * KIB);
    }
}

#[test]
fn costs_of_a_stream_over_http2_with_tls() {
    for window in [1 << 30, 64] {
        streams_over_http2(true, window, 96 * KIB);
    }
}

/// Answers to `GET /{view}` that are sent at once, at the most.
const SNAPSHOTS: usize = 256;

fn snapshots(is_secure: bool, each: u64) {
    let upstream = upstream();
    let front = start(&upstream, is_secure);
    let status = |peer: &mut Peer| {
        let line = peer.read_until("\r\n");
        line.split(' ').nth(1).expect("a status").to_owned()
    };
    let begin = || {
        let mut peers = open(CLIENTS, || {
            let mut peer = front.connect(Way::Http1, BUFFER);
            peer.ask("/big");
            peer
        });
        let statuses: Vec<String> = peers.iter_mut().map(status).collect();
        let count = |status: &str| statuses.iter().filter(|it| *it == status).count();
        assert_eq!(count("200"), SNAPSHOTS);
        assert_eq!(count("503"), CLIENTS - SNAPSHOTS);
        peers
    };
    // Reckoned per client of a thousand, of which a quarter is served.
    let what = format!("/big, TLS {is_secure}");
    drop(check(&what, &front, each, begin, || {}));
    // Their places are given back.
    loop {
        let mut peer = front.connect(Way::Http1, None);
        peer.ask("/big");
        if status(&mut peer) == "200" {
            break;
        }
    }
}

#[test]
fn costs_of_answers_with_all_rows() {
    // 96 and 160 KiB for each that is served, and 24 for who is not yet gone.
    snapshots(false, 48 * KIB);
    snapshots(true, 64 * KIB);
}

/// They say too little, and are closed by the gateway.
fn silent(is_secure: bool, way: Way, head: &[u8], each: u64) {
    let upstream = upstream();
    let front = start(&upstream, is_secure);
    let begin = || {
        open(CLIENTS, || {
            let mut peer = front.connect(way, BUFFER);
            peer.write(head);
            peer
        })
    };
    let what = format!("{} bytes of a head, TLS {is_secure}", head.len());
    let are_accepted = || {
        let files = format!("/proc/{}/fd", front.process.id());
        let deadline = Instant::now() + PATIENCE;
        while read_dir(&files).expect("Linux").count() < CLIENTS {
            assert!(Instant::now() < deadline, "not accepted in time");
            thread::park_timeout(Duration::from_millis(10));
        }
    };
    let mut peers = check(&what, &front, each, begin, are_accepted);
    for peer in &mut peers {
        peer.await_end();
    }
}

#[test]
fn costs_of_who_says_nothing_or_half_a_head() {
    thread::scope(|scope| {
        let half = b"GET /big/stream HTTP/1.1\r\nHost: ";
        for head in [&b""[..], half] {
            scope.spawn(|| silent(false, Way::Http1, head, 32 * KIB));
        }
        scope.spawn(|| silent(true, Way::Http1, half, 96 * KIB));
    });
}
