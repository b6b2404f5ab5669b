//! `--compress auto`: streams that are compressed once for all say what plain
//! ones say, each event as soon as it is there, to a proper end.

mod dictionary;

use crate::support::gateway::Gateway;
use crate::support::http::{get, request};
use crate::support::materialize::{Generation, Materialize, Values, row};
use crate::support::sse::{Event, Stream};
use crate::support::table::Table;
use crate::support::unpack::Dictionary;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

/// What a compressed stream varies by.
const VARIES: Option<&str> = Some("Accept-Encoding, Available-Dictionary");

/// A way to have a stream compressed.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// With the view's dictionary, or with gzip.
    has_dictionary: bool,
    /// Through the HTTP stack, or on its own socket: a body, though of no bytes, is for
    /// that to judge.
    has_body: bool,
}

/// All of them.
const WAYS: [Way; 4] = [
    Way::new(false, false),
    Way::new(false, true),
    Way::new(true, false),
    Way::new(true, true),
];

impl Way {
    const fn new(has_dictionary: bool, has_body: bool) -> Way {
        Way {
            has_dictionary,
            has_body,
        }
    }

    /// Opens a stream of `v`, where another one ended.
    fn open(self, gateway: &Gateway, last: Option<&str>) -> Stream {
        let mut headers = Vec::new();
        headers.extend(last.map(|id| ("Last-Event-ID", id)));
        headers.extend(self.has_body.then_some(("Content-Length", "0")));
        let (address, path) = (gateway.address, "/v/stream");
        let stream = match self.has_dictionary {
            true => {
                let dictionary = Dictionary::fetch(address, "v");
                Stream::open_with_dictionary(address, path, &dictionary, &headers)
            }
            false => {
                headers.push(("Accept-Encoding", "gzip"));
                Stream::open_with(address, path, &headers)
            }
        };
        assert!(stream.is_packed());
        assert_eq!(stream.response.header("vary"), VARIES);
        stream
    }
}

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &COLUMNS);
    server
}

fn gateway(server: &Materialize, compress: &str) -> Gateway {
    let url = server.url();
    let mut all = vec!["--upstream", &url, "--view", "v", "--workers", "1"];
    // No heartbeat comes to the rescue of what was held back.
    all.extend_from_slice(&["--heartbeat", "1h", "--retention-bytes", "1GiB"]);
    all.extend_from_slice(&["--compress", compress]);
    let gateway = Gateway::start(&all);
    gateway.await_ready();
    gateway
}

/// So many rows of a kilobyte that hardly gets smaller.
fn noisy_rows(noise: &mut fastrand::Rng, count: usize) -> Vec<(Values, i64)> {
    let mut value = || (0..1_000).map(|_| noise.alphanumeric()).collect::<String>();
    (0..count)
        .map(|n| (row([&n.to_string(), &value()]), 1))
        .collect()
}

/// The events up to the one that is called so.
fn until(stream: &mut Stream, name: &str) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        events.push(stream.next().expect("the stream goes on"));
        if events.last().unwrap().name == name {
            return events;
        }
    }
}

#[test]
fn packed_streams_say_what_plain_ones_say_to_the_end() {
    let server = server();
    // A base of several slices.
    server.commit("v", noisy_rows(&mut fastrand::Rng::with_seed(1), 300));
    let gateway = gateway(&server, "auto");
    let mut plain = Stream::open(gateway.address, "/v/stream");
    let mut packed = WAYS.map(|way| way.open(&gateway, None));
    let base = plain.expect("base");
    assert!(base.data.len() > 300_000);
    for stream in &mut packed {
        assert_eq!(stream.expect("base"), base);
    }
    for n in 0..50 {
        let value = format!("\u{e9}\"\n{n}");
        server.commit("v", vec![(row([&n.to_string(), &value]), 1 + n % 3)]);
    }
    server.drop_view("v");
    let expected = until(&mut plain, "gone");
    assert!(expected.len() > 1, "{expected:?}");
    for stream in &mut packed {
        let mut rows = Table::default();
        let mut others = Table::default();
        let said = until(stream, "gone");
        // What gathers may be merged, so the sums are compared.
        rows.apply(&base);
        others.apply(&base);
        said.iter().for_each(|event| rows.apply(event));
        expected.iter().for_each(|event| others.apply(event));
        assert_eq!((rows.rows, rows.timestamp), (others.rows, others.timestamp));
        assert_eq!(said.last(), expected.last());
        assert_eq!(stream.next(), None, "an end with the right sum");
    }
}

#[test]
fn packed_events_can_be_unpacked_as_they_come() {
    let server = server();
    server.commit("v", vec![(row(["0", "x"]), 1)]);
    let gateway = gateway(&server, "auto");
    for way in WAYS {
        let mut stream = way.open(&gateway, None);
        let mut table = Table::default();
        table.read_until(&mut stream, |table| table.bases == 1);
        for n in 1..20 {
            let at = server.commit("v", vec![(row([&n.to_string(), "x"]), 1)]);
            table.read_until(&mut stream, |table| table.timestamp >= Some(at));
            assert_eq!(table.rows.len(), server.contents_at("v", at).len());
        }
        // Somebody who goes on elsewhere has no base, but a stream of its own.
        let last = stream.last_id.clone().unwrap();
        drop(stream);
        let at = server.commit("v", vec![(row(["100", "x"]), 1)]);
        let mut stream = way.open(&gateway, Some(&last));
        table.read_until(&mut stream, |table| table.timestamp >= Some(at));
        assert_eq!(table.bases, 1);
        let undone = (1..20).map(|n| (row([&n.to_string(), "x"]), -1));
        let undone = undone.chain([(row(["100", "x"]), -1)]).collect();
        server.commit("v", undone);
    }
}

#[test]
fn packed_stream_that_was_full_goes_on_exactly() {
    let server = server();
    server.commit("v", vec![(row(["0", "x"]), 1)]);
    let gateway = gateway(&server, "auto");
    let mut slow = WAYS.map(|way| {
        let mut stream = way.open(&gateway, None);
        let mut table = Table::default();
        table.read_until(&mut stream, |table| table.bases == 1);
        (stream, table)
    });
    let mut prompt = Stream::open(gateway.address, "/v/stream");
    let mut expected = Table::default();
    // More than loopback takes, even compressed, and many small ones after.
    let mut noise = fastrand::Rng::with_seed(2);
    for _ in 0..24 {
        server.commit("v", noisy_rows(&mut noise, 1_000));
    }
    for n in 0..100 {
        server.commit("v", vec![(row([&n.to_string(), "y"]), 1)]);
    }
    let end = server.now();
    expected.read_until(&mut prompt, |table| table.timestamp >= Some(end));
    for (stream, table) in &mut slow {
        table.read_until(stream, |table| table.timestamp >= Some(end));
        assert_eq!((table.bases, table.rows.len()), (1, expected.rows.len()));
        assert!(table.rows == expected.rows);
    }
}

#[test]
fn packed_is_only_who_prefers_it_where_it_is_on() {
    let server = server();
    let (on, off) = (gateway(&server, "auto"), gateway(&server, "off"));
    for (accepted, is_packed) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("deflate, GZIP;q=0.5", true),
        ("gzip;q=0.1, identity;q=0", true),
        ("gzip;q=0", false),
        ("identity", false),
        ("identity;q=1, gzip;q=0.5", false),
        ("br, zstd, deflate", false),
        ("*", false),
        ("", false),
        ("gzip;q=much", false),
    ] {
        let headers = [("Accept-Encoding", accepted)];
        for method in ["GET", "HEAD"] {
            let answer = request(on.address, method, "/v/stream", &headers);
            let encoding = answer.header("content-encoding");
            assert_eq!(
                encoding,
                is_packed.then_some("gzip"),
                "{method} {accepted:?}"
            );
            assert_eq!(answer.header("vary"), VARIES);
        }
        let answer = request(off.address, "GET", "/v/stream", &headers);
        assert_eq!(answer.header("content-encoding"), None, "{accepted:?}");
        assert_eq!(answer.header("vary"), None);
    }
    let answer = get(on.address, "/v/stream");
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header("vary"), VARIES);
}
