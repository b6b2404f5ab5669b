//! The log: what its lines look like in both forms, and what they tell.

use serde_json::Value;

use crate::support::gateway::{Gateway, Process};
use crate::support::http::get;
use crate::support::sse::Stream;

const ALL: [(&str, &str); 1] = [("RUST_LOG", "viewcast=info,viewcast::access=debug")];

fn demo<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let demo = ["demo", "--tick", "50ms", "--listen", "127.0.0.1:0"];
    [&demo[..], &["--view", "counter"], more].concat()
}

/// Asks for the list, and opens a stream and leaves it after three events.
fn use_gateway(gateway: &Gateway) {
    gateway.await_ready();
    get(gateway.address, "/views").text();
    let mut stream = Stream::open(gateway.address, "/counter/stream");
    stream.expect("base");
    stream.expect("delta");
    stream.expect("delta");
    drop(stream);
}

#[test]
fn log_as_json_has_fields_for_what_a_line_is_about() {
    let process = Process::start_with(&demo(&["--log-format", "json"]), &ALL);
    let line = process.await_log("listening on http://");
    let line: Value = serde_json::from_str(&line).expect("an object");
    let message = line["message"].as_str().expect("a message");
    let (_, address) = message.split_once("http://").expect("an address");
    let address = address.parse().expect("an address");
    let gateway = Gateway { process, address };
    use_gateway(&gateway);
    gateway.process.await_log("stream of counter ended");
    gateway.process.signal("TERM");

    let lines = gateway.process.log();
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let with = |key: &str, value: &str| {
        let found = lines.iter().find(|line| line[key] == value);
        found.unwrap_or_else(|| panic!("no {key} {value}: {lines:#?}"))
    };
    let start = with("version", env!("CARGO_PKG_VERSION"));
    assert_eq!(start["views"], 1);
    assert_eq!(start["level"], "INFO");
    let time = start["time"].as_str().expect("a time");
    assert_eq!(time.len(), "2026-11-29T21:41:10.123Z".len(), "{time}");
    let list = with("path", "/views");
    assert_eq!(list["method"], "GET");
    assert_eq!(list["status"], 200);
    assert!(list["bytes"].as_u64() > Some(50), "{list}");
    assert!(list["ms"].is_number(), "{list}");
    let end = with("reason", "left");
    assert_eq!(end["view"], "counter");
    assert_eq!(end["client"], "127.0.0.1");
    assert!(end["events"].as_u64() >= Some(3), "{end}");
    let seconds = end["seconds"].as_f64().expect("a number");
    assert!((0.0..60.0).contains(&seconds), "{end}");
}

#[test]
fn log_as_text_tells_the_same() {
    let process = Process::start_with(&demo(&[]), &ALL);
    let gateway = Gateway::of(process);
    let start = gateway.process.await_log("viewcast 0");
    assert!(
        start.contains("views or patterns: 1 of postgres://"),
        "{start}"
    );
    let (time, _) = start.split_once('Z').expect("a time");
    let (_, ms) = time.rsplit_once('.').expect("milliseconds");
    assert_eq!(ms.len(), 3, "{start}");
    use_gateway(&gateway);
    let line = gateway.process.await_log("GET /views HTTP/1.1 200 ");
    assert!(
        line.contains(" bytes in ") && line.ends_with(" ms"),
        "{line}"
    );
    let line = gateway
        .process
        .await_log("GET /counter/stream HTTP/1.1 200 begun in ");
    assert!(line.ends_with(" ms"), "{line}");
    let line = gateway
        .process
        .await_log("127.0.0.1 stream of counter ended: left, ");
    assert!(
        line.contains(" events in ") && line.ends_with(" s"),
        "{line}"
    );
}
