//! A stream that the end of its connection cuts at any byte, read by clients
//! that nobody would write today and that many use [I43].

use std::collections::HashMap;

use eventsource_stream::EventStream;
use futures::StreamExt as _;

use crate::support::gateway::Gateway;
use crate::support::http::{Response, get, request};
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::table::position;

/// A parser that takes an id as soon as its line is read, as eight packages do,
/// and not at the blank line, as the standard says.
#[derive(Clone, Default)]
struct Early {
    /// What it would come back with.
    last_id: String,
    name: String,
    data: Option<String>,
    line: Vec<u8>,
}

impl Early {
    /// Reads on; the events that are whole, each with the id in force.
    fn read(&mut self, bytes: &[u8]) -> Vec<(String, String, String)> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).expect("UTF-8");
            if line.is_empty() {
                let name = std::mem::take(&mut self.name);
                if let Some(data) = self.data.take() {
                    events.push((name, data, self.last_id.clone()));
                }
                continue;
            }
            match line.split_once(": ") {
                Some(("event", name)) => self.name = name.to_owned(),
                Some(("id", id)) => self.last_id = id.to_owned(),
                Some(("data", data)) => {
                    assert!(self.data.is_none(), "data is one line");
                    assert!(!data.is_empty(), "data is never empty");
                    self.data = Some(data.to_owned());
                }
                _ => {}
            }
        }
        events
    }

    /// A new connection. Some keep the lines of an event that was cut, and end
    /// it at the first blank line that they see.
    fn reconnect(&mut self, keeps_lines: bool) {
        self.line.clear();
        if !keeps_lines {
            (self.name, self.data) = (String::new(), None);
        }
    }
}

/// Rows, kept by the rules for clients.
#[derive(Clone, Default)]
struct Rows {
    counts: HashMap<String, i64>,
    at: Option<u64>,
}

impl Rows {
    fn apply(&mut self, name: &str, data: &str, id: &str) {
        let parsed: Vec<serde_json::Value> = match name {
            "base" | "delta" => serde_json::from_str(data).expect("JSON"),
            _ => return,
        };
        let time = (!id.is_empty()).then(|| position(id).0);
        if name == "base" {
            self.counts.clear();
        } else if time <= self.at {
            // [C2]
            return;
        }
        self.at = time;
        for change in parsed {
            let (row, diff) = match (name, change.get("insert"), change.get("delete")) {
                ("base", ..) => (&change, 1),
                (_, Some(row), _) => (row, 1),
                (_, _, Some(row)) => (row, -1),
                _ => panic!("no change: {change}"),
            };
            *self.counts.entry(row.to_string()).or_default() += diff;
        }
        self.counts.retain(|_, count| *count != 0);
    }

    fn of(snapshot: &str) -> HashMap<String, i64> {
        let mut rows = Rows::default();
        rows.apply("base", snapshot, "");
        rows.counts
    }
}

/// A view of which a stream has said ten events: its upstream, its gateway, and
/// the bytes, up to the position that the last of them has.
struct Said {
    _upstream: Materialize,
    gateway: Gateway,
    bytes: Vec<u8>,
    last: u64,
    rows: HashMap<String, i64>,
}

fn said(compared: &str) -> Said {
    let upstream = Materialize::start(Generation::Modern);
    upstream.create_view("v", &[("n", "integer"), ("b", "text")]);
    upstream.commit(
        "v",
        (0..3)
            .map(|n| (row([&n.to_string(), "\u{e5}\u{2028}"]), 1))
            .collect(),
    );
    let url = upstream.url();
    let gateway = Gateway::start(&["--upstream", &url, "--view", "v", "--heartbeat", "1h"]);
    gateway.await_ready();
    let mut response = get(gateway.address, compared);
    let mut bytes = Vec::new();
    let ids = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("\nid: ").count();
    read_until(&mut response, &mut bytes, |bytes| ids(bytes) == 1);
    for n in 3..12 {
        let gone = (
            row([
                &(n - 3).to_string(),
                if n < 6 { "\u{e5}\u{2028}" } else { "x" },
            ]),
            -1,
        );
        upstream.commit("v", vec![(row([&n.to_string(), "x"]), 1), gone]);
        read_until(&mut response, &mut bytes, |bytes| ids(bytes) == n - 1);
    }
    let mut whole = Early::default();
    whole.read(&bytes);
    let last = position(whole.last_id.split('.').next().expect("an id")).0;
    let rows = Rows::of(&get(gateway.address, "/v").text());
    Said {
        _upstream: upstream,
        gateway,
        bytes,
        last,
        rows,
    }
}

/// Reads on until this holds behind a whole event.
fn read_until(response: &mut Response, bytes: &mut Vec<u8>, is_enough: impl Fn(&[u8]) -> bool) {
    while !is_enough(bytes) || !bytes.ends_with(b"\n\n") {
        let piece = response.piece().expect("the stream goes on");
        bytes.extend(piece.expect("the stream goes on"));
    }
}

fn come_back(gateway: &Gateway, path: &str, id: &str) -> Response {
    let headers = [("Last-Event-ID", id)];
    let headers = if id.is_empty() { &[][..] } else { &headers };
    request(gateway.address, "GET", path, headers)
}

#[test]
fn cut_at_every_byte_an_early_parser_has_the_right_rows_in_the_end() {
    let said = said("/v/stream");
    let mut between = 0;
    for keeps_lines in [false, true] {
        for cut in 0..=said.bytes.len() {
            let (mut parser, mut rows) = (Early::default(), Rows::default());
            for (name, data, id) in parser.read(&said.bytes[..cut]) {
                rows.apply(&name, &data, &id);
            }
            // The one place that is left: the id's line is whole, the event not.
            let is_between =
                parser.data.is_some() && parser.last_id != id_of(rows.at, &parser.last_id);
            parser.reconnect(keeps_lines);
            if is_between && !keeps_lines {
                between += 1;
                continue;
            }
            let mut response = come_back(&said.gateway, "/v/stream", &parser.last_id);
            let mut first = true;
            while first || rows.at < Some(said.last) {
                first = false;
                let piece = response.piece().expect("goes on").expect("goes on");
                for (name, data, id) in parser.read(&piece) {
                    rows.apply(&name, &data, &id);
                }
            }
            assert_eq!(
                rows.counts, said.rows,
                "cut at {cut}, keeps lines: {keeps_lines}"
            );
        }
    }
    // One byte of each event, in which whoever takes ids early is lost.
    assert_eq!(between, 10);
}

/// The id as the rows' position has it.
fn id_of(at: Option<u64>, like: &str) -> String {
    let incarnation = like
        .split_once('-')
        .map_or("", |(_, incarnation)| incarnation);
    at.map_or_else(String::new, |at| format!("{at}-{incarnation}"))
}

#[test]
fn cut_stream_of_several_views_has_the_id_last_too() {
    let said = said("/stream?view=v");
    let text = String::from_utf8(said.bytes).expect("UTF-8");
    for block in text.split_terminator("\n\n") {
        let mut lines = block.lines().collect::<Vec<_>>();
        let has_id = lines.iter().any(|line| line.starts_with("id: "));
        assert_eq!(has_id, block.contains("consistent"), "{block:?}");
        if has_id {
            assert!(
                lines.pop().is_some_and(|line| line.starts_with("id: ")),
                "{block:?}"
            );
            assert!(
                lines.pop().is_some_and(|line| line.starts_with("data: ")),
                "{block:?}"
            );
        }
    }
}

/// What crate `reqwest-eventsource` reads with: the parser that takes an event
/// only when it is whole, and `retry` only with data.
#[test]
fn cut_at_every_byte_the_parser_of_reqwest_eventsource_has_the_right_rows() {
    let said = said("/v/stream");
    let read = |bytes: &[u8]| {
        let mut events = Vec::new();
        let pieces = bytes
            .chunks(7)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
        let stream = EventStream::new(futures::stream::iter(pieces.collect::<Vec<_>>()));
        let all = actix_web::rt::System::new().block_on(stream.collect::<Vec<_>>());
        // An error at the end is a character that was cut.
        events.extend(all.into_iter().flatten());
        events
    };
    for cut in (0..=said.bytes.len()).step_by(5) {
        let (mut rows, mut last_id) = (Rows::default(), String::new());
        for event in read(&said.bytes[..cut]) {
            if rows.at.is_none() {
                let told = event.retry.expect("in the first event").as_millis();
                assert!((1_000..=5_000).contains(&told), "{told}");
            }
            rows.apply(&event.event, &event.data, &event.id);
            last_id = event.id;
        }
        let mut response = come_back(&said.gateway, "/v/stream", &last_id);
        let mut more = Vec::new();
        if rows.at < Some(said.last) {
            let end = format!("\nid: {}-", said.last);
            read_until(&mut response, &mut more, |bytes| {
                String::from_utf8_lossy(bytes).contains(&end)
            });
        }
        for event in read(&more) {
            rows.apply(&event.event, &event.data, &event.id);
        }
        assert_eq!(rows.counts, said.rows, "cut at {cut}");
    }
}
