//! What readers of bases, of rows and of backlogs can cost: a bounded number is
//! held, whatever they do, and who is let go comes back to exact rows [P11].

use crate::support::front::{Front, Peer, Way};
use crate::support::gateway::{Gateway, wait_for};
use crate::support::http::{Response, get, narrow, request};
use crate::support::http2::frame;
use crate::support::joined::Joined;
use crate::support::materialize::{Generation, Materialize, Values, row};
use crate::support::sse::{Event, Stream};
use crate::support::standin::{TextRows, text_rows};
use crate::support::table::{Rows, Table, position, rows_of};

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

/// Frames of HTTP/2, by their kinds.
const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;

/// Rows of the view, each of 16 KiB that hardly get smaller.
const ROWS: u32 = 200;

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server.commit("v", rows(0, 1));
    server
}

fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    let mut all = vec!["--upstream", &url, "--view", "v", "--workers", "1"];
    all.extend_from_slice(&["--heartbeat", "1h", "--compress", "auto"]);
    all.extend_from_slice(more);
    let gateway = Gateway::start(&all);
    gateway.await_ready();
    gateway
}

fn rows(generation: u32, diff: i64) -> Vec<(Values, i64)> {
    let text = |n: u32| {
        let mut noise = fastrand::Rng::with_seed(u64::from(generation * ROWS + n));
        let noise = (0..8_000).map(|_| noise.alphanumeric());
        noise
            .flat_map(|letter| [letter, 'é'])
            .take(10_000)
            .collect::<String>()
    };
    let copies = |n: u32| diff * i64::from(1 + n % 2);
    (0..ROWS)
        .map(|n| (row([&n.to_string(), &text(n)]), copies(n)))
        .collect()
}

/// All rows become others; the time.
fn replace(server: &Materialize, generation: u32) -> u64 {
    let mut changes = rows(generation, -1);
    changes.extend(rows(generation + 1, 1));
    server.commit("v", changes)
}

fn sample(gateway: &Gateway, name: &str) -> u64 {
    sample_of(&get(gateway.address, "/metrics").text(), name)
}

fn sample_of(text: &str, name: &str) -> u64 {
    let of = |line: &&str| line.starts_with(name) && !line.starts_with('#');
    let line = text.lines().find(of).unwrap_or_else(|| panic!("no {name}"));
    let (_, value) = line.rsplit_once(' ').expect("a value");
    value.parse().expect("a whole number")
}

/// Waits until the gateway stands at a time.
fn await_time(gateway: &Gateway, time: u64) {
    wait_for("the time", || {
        let list = get(gateway.address, "/views").json();
        let position_text = list["views"][0]["position"].as_str();
        position_text.is_some_and(|text| position(text).0 >= time)
    });
}

fn truth(server: &Materialize, at: u64) -> TextRows {
    let rows = server.contents_at("v", at).into_iter();
    rows.map(|(row, copies)| (row, u64::try_from(copies).unwrap()))
        .collect()
}

/// All events of a stream, up to its proper end or the end of its base.
fn read(stream: &mut Stream) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = stream.next() {
        let is_whole = event.name.ends_with("base");
        events.push(event);
        if is_whole {
            break;
        }
    }
    events
}

/// The ways to a stream whose base is read slice by slice.
const WAYS: [(&str, &[(&str, &str)]); 4] = [
    ("/v/stream", &[]),
    // A body, though of no bytes, is for the HTTP stack to judge.
    ("/v/stream", &[("Content-Length", "0")]),
    ("/v/stream", &[("Accept-Encoding", "gzip")]),
    ("/stream?view=v", &[]),
];

#[test]
fn bases_held_are_few_and_who_is_let_go_comes_back_to_exact_rows() {
    for (path, headers) in WAYS {
        let server = server();
        let gateway = gateway(&server, &["--retention-bytes", "64MiB"]);
        let mut slow = Vec::new();
        let mut end = 0;
        for n in 0..5 {
            for generation in [2 * n, 2 * n + 1] {
                end = replace(&server, generation);
            }
            await_time(&gateway, end);
            // Nobody reads it beyond its head.
            let response = narrow(gateway.address, path, headers);
            slow.push(Stream::of(response, path));
            let taken = u64::from(n) + 1;
            wait_for("a base", || {
                sample(&gateway, "viewcast_bases_taken_total") >= taken
            });
            let held = sample(&gateway, "viewcast_bases{");
            assert!(held <= 2, "{path} {headers:?}: {held} bases");
        }
        let mut abandoned = 0;
        for stream in &mut slow {
            let events = read(stream);
            let [event] = &events[..] else {
                panic!("{} events", events.len());
            };
            match event.name.as_str() {
                "abandoned" => {
                    abandoned += 1;
                    // It comes back for a base, and is told when.
                    assert_eq!((&event.id, &stream.last_id), (&None, &None));
                    assert!(event.data.starts_with("[{\"n\":"), "{:.100}", event.data);
                    assert!(!event.data.contains('\u{fffd}'));
                    assert!(stream.retry_ms.is_some());
                }
                "base" | "v.base" => {}
                other => panic!("an event called {other:?}"),
            }
        }
        assert!(
            abandoned >= 3,
            "{path} {headers:?}: {abandoned} were let go"
        );
        let mut table = Table::default();
        let mut back = Stream::open(gateway.address, "/v/stream");
        table.read_until(&mut back, |table| table.timestamp >= Some(end));
        assert_eq!(text_rows(&table.rows), truth(&server, end));
        let mut joined = Joined::default();
        let mut back = joined.open(gateway.address, "/stream?view=v");
        joined.read_until(&mut back, |joined| joined.time >= Some(end));
        assert_eq!(joined.shown["v"], table.rows);
    }
}

/// The bytes of a stream of HTTP/2 to its proper end.
fn read_http2(peer: &mut Peer, stream: u32) -> String {
    let mut data = Vec::new();
    for place in [0, stream] {
        peer.give_room(place, 1 << 30);
    }
    loop {
        let (kind, flags, of, payload) = peer.read_frame();
        assert!(kind != RST_STREAM || of != stream, "cut");
        if kind == SETTINGS && flags == 0 {
            peer.write(&frame(SETTINGS, 1, 0, &[]));
        }
        if kind == DATA && of == stream {
            data.extend_from_slice(&payload);
            if flags & END_STREAM != 0 {
                return String::from_utf8(data).expect("whole characters");
            }
        }
    }
}

#[test]
fn base_that_is_let_go_ends_a_stream_of_http2_between_two_events() {
    for is_secure in [false, true] {
        let server = server();
        let url = server.url();
        let all = ["--upstream", &url, "--view", "v", "--workers", "1"];
        let front = Front::start(&all, is_secure);
        front.await_ready();
        let sample = |name: &str| sample_of(&front.get("/metrics"), name);
        // One connection whose streams may be sent hardly anything.
        let mut peer = front.connect(Way::Http2, None);
        peer.begin_http2(64);
        let mut streams = Vec::new();
        for n in 0..4 {
            for generation in [2 * n, 2 * n + 1] {
                let time = replace(&server, generation);
                wait_for("the time", || {
                    front.get("/views").contains(&time.to_string())
                });
            }
            streams.push(peer.ask_http2("/v/stream", &[]));
            let taken = u64::from(n) + 1;
            wait_for("a base", || sample("viewcast_bases_taken_total") >= taken);
            assert!(sample("viewcast_bases{") <= 2);
        }
        let text = read_http2(&mut peer, streams[0]);
        let (begun, end) = text.split_once("\nevent: abandoned\n\n").expect("its end");
        assert!(
            begun.contains("event: base\n") && !begun.contains("id: "),
            "{end}"
        );
        assert!(end.starts_with("retry: ") && end.ends_with("\n\n"), "{end}");
    }
}

#[test]
fn base_of_a_slow_reader_is_not_let_go_for_who_asks_for_the_rows() {
    let server = server();
    let gateway = gateway(&server, &[]);
    let mut slow = Stream::of(narrow(gateway.address, "/v/stream", &[]), "/v/stream");
    wait_for("a base", || {
        sample(&gateway, "viewcast_bases_taken_total") == 1
    });
    let mut table = Table::default();
    for n in 0..20 {
        let time = server.commit("v", vec![(row([&n.to_string(), "small"]), 1)]);
        await_time(&gateway, time);
        let answer = get(gateway.address, "/v");
        let etag = answer.header("etag").expect("a position").trim_matches('"');
        assert_eq!(position(etag).0, time);
    }
    let end = server.now();
    table.read_until(&mut slow, |table| table.timestamp >= Some(end));
    assert_eq!((table.bases, table.rows.len()), (1, 220));
}

#[test]
fn snapshot_answers_share_memory_and_are_bounded() {
    const CLIENTS: usize = 1_000;
    let server = server();
    let gateway = gateway(&server, &["--retention-bytes", "64MiB"]);
    let resident = || sample(&gateway, "process_resident_memory_bytes");
    let whole = get(gateway.address, "/v").text().len();
    let before = resident();
    let mut held: Vec<Response> = Vec::new();
    let mut refused = 0;
    for _ in 0..CLIENTS {
        let mut answer = narrow(gateway.address, "/v", &[]);
        match answer.status {
            200 => held.push(answer),
            503 => {
                refused += 1;
                assert!(answer.header("retry-after").is_some());
                assert!(answer.json()["hint"].as_str().is_some());
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((held.len(), refused), (256, CLIENTS - 256));
    let more = resident().saturating_sub(before);
    assert!(more < 96 * 1024 * 300, "{more} bytes for {CLIENTS} clients");
    // Streams go on, and the answers are cut when the rows are others.
    let mut end = 0;
    for generation in 0..4 {
        end = replace(&server, generation);
        await_time(&gateway, end);
        let mut stream = Stream::open(gateway.address, "/v/stream");
        Table::default().read_until(&mut stream, |table| table.bases == 1);
    }
    let held_bases = sample(&gateway, "viewcast_bases{");
    assert!(held_bases <= 3, "{held_bases} bases");
    let mut last = held.pop().expect("one of them");
    match last.piece() {
        Ok(Some(body)) => assert_eq!(body.len(), whole),
        Ok(None) => panic!("an end where there is none"),
        Err(_) => {}
    }
    drop((last, held));
    let answer = || get(gateway.address, "/v");
    wait_for("a place", || answer().status == 200);
    let rows: Rows = rows_of(&answer().text());
    assert_eq!(text_rows(&rows), truth(&server, end));
}

#[test]
fn head_and_not_modified_take_no_base() {
    let server = server();
    let gateway = gateway(&server, &[]);
    let head = request(gateway.address, "HEAD", "/v", &[]);
    let length = head.header("content-length").expect("a length").to_owned();
    let etag = head.header("etag").expect("a position").to_owned();
    let known = request(gateway.address, "GET", "/v", &[("If-None-Match", &etag)]);
    assert_eq!((head.status, known.status), (200, 304));
    assert_eq!(sample(&gateway, "viewcast_bases_taken_total"), 0);
    let mut whole = get(gateway.address, "/v");
    assert_eq!(whole.header("content-length"), Some(length.as_str()));
    assert_eq!(whole.header("content-type"), head.header("content-type"));
    let text = whole.text();
    assert_eq!(text.len().to_string(), length);
    let rows: Rows = rows_of(&text);
    assert_eq!(text_rows(&rows), truth(&server, server.now()));
    // The same for who asks before the next change.
    for _ in 0..3 {
        assert_eq!(get(gateway.address, "/v").text(), text);
    }
    assert_eq!(sample(&gateway, "viewcast_bases_taken_total"), 1);
    let empty = server.commit("v", rows_removed());
    await_time(&gateway, empty);
    let head = request(gateway.address, "HEAD", "/v", &[]);
    assert_eq!(head.header("content-length"), Some("2"));
    assert_eq!(get(gateway.address, "/v").text(), "[]");
}

fn rows_removed() -> Vec<(Values, i64)> {
    rows(0, -1)
}

#[test]
fn resumes_from_many_positions_are_exact() {
    let server = server();
    let gateway = gateway(&server, &[]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut joint = Stream::open(gateway.address, "/stream?view=v");
    let mut table = Table::default();
    let mut joined = Joined::default();
    let begin = server.now();
    table.read_until(&mut stream, |table| table.timestamp >= Some(begin));
    let mut known = vec![(stream.last_id.clone().expect("an id"), table.clone())];
    let mut random = fastrand::Rng::with_seed(3);
    for n in 0..700 {
        let value = random.u32(..40).to_string();
        let held = server.contents_at("v", server.now());
        let copies = held.get(&row([&value, "y"])).copied().unwrap_or(0);
        let diff = if copies > 0 && random.bool() {
            -copies
        } else {
            1
        };
        let mut changes = vec![(row([&value, "y"]), diff)];
        if n % 100 == 99 {
            // So much that the backlog is read slice by slice.
            changes.extend(rows(1_000 + n, 1));
        }
        let time = server.commit("v", changes);
        if n % 10 == 0 {
            table.read_until(&mut stream, |table| table.timestamp >= Some(time));
            known.push((stream.last_id.clone().expect("an id"), table.clone()));
        }
        if n % 10 == 0 && n < 100 {
            joined.read_until(&mut joint, |joined| joined.time >= Some(time));
        }
    }
    let end = server.now();
    table.read_until(&mut stream, |table| table.timestamp >= Some(end));
    // It comes back from long ago.
    joint = joined.open(gateway.address, "/stream?view=v");
    joined.read_until(&mut joint, |joined| joined.time >= Some(end));
    assert_eq!(joined.bases["v"], 1);
    assert!(joined.shown["v"] == table.rows);
    for (id, mut table_then) in known {
        let mut back = Stream::resume(gateway.address, "/v/stream", &id);
        table_then.read_until(&mut back, |table| table.timestamp >= Some(end));
        assert_eq!(table_then.bases, 1, "no base from {id}");
        assert!(table_then.rows == table.rows, "from {id}");
    }
}
