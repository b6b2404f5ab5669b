//! Signals: streams end between two events and spread over the drain, the
//! process ends within two seconds after that.

use std::time::Instant;

use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::{get, request};
use crate::support::sse::Stream;
use crate::support::standin::StandIn;
use crate::support::table::Table;

/// Reads a stream to its end; `next` fails the test where that is inside an
/// event [P13].
fn read_to_the_end(stream: &mut Stream, table: &mut Table) {
    while let Some(event) = stream.next() {
        table.apply(&event);
    }
    assert_eq!(stream.comments, 1, "it is told why");
    let retry = stream.retry_ms.expect("when to come back");
    assert!((1_000..=5_000).contains(&retry), "{retry}");
}

fn await_closing(gateway: &Gateway) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answer = get(gateway.address, "/readyz");
        if answer.status == 503 && answer.json()["status"] == "closing" {
            return;
        }
        assert!(Instant::now() < deadline, "still ready");
    }
}

fn ends_properly(gateway: &mut Gateway, signal: &str) {
    let mut streams: Vec<_> = ["/counter/stream", "/user_edits/stream", "/top10/stream"]
        .map(|path| (Stream::open(gateway.address, path), Table::default()))
        .into();
    for (stream, table) in &mut streams {
        table.apply(&stream.expect("base"));
    }
    gateway.process.signal(signal);
    let sent = Instant::now();
    for (stream, table) in &mut streams {
        read_to_the_end(stream, table);
    }
    let status = gateway.process.await_exit();
    println!("{signal}: {:?}", sent.elapsed());
    assert_eq!(status.code(), Some(0));
    let log = gateway.process.log();
    assert!(log.iter().any(|line| line.contains(signal)), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("in time")), "{log:#?}");
}

#[test]
fn shutdown_by_signal_ends_streams_between_events() {
    ends_properly(&mut Gateway::demo(&["--drain", "1s"]), "TERM");
    ends_properly(&mut Gateway::demo(&["--drain", "0s"]), "INT");
}

#[test]
fn shutdown_is_bounded_while_the_upstream_hangs_and_a_client_never_reads() {
    let standin = StandIn::start(&["--tick", "50ms", "--rate", "400"]);
    let mut gateway = Gateway::start(&[
        "--upstream",
        &standin.url,
        "--view",
        "user_edits",
        "--view",
        "counter",
        "--view",
        "top10",
        "--drain",
        "500ms",
    ]);
    let _never_read = Stream::open(gateway.address, "/user_edits/stream");
    Stream::open(gateway.address, "/counter/stream").expect("base");
    standin.process.signal("STOP");
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.await_exit().code(), Some(0));
    standin.process.signal("CONT");
}

#[test]
fn shutdown_drain_spreads_the_ends_while_the_rest_goes_on() {
    let mut gateway = Gateway::demo(&["--drain", "3s"]);
    let address = gateway.address;
    let open = |_| {
        let mut stream = Stream::open(address, "/counter/stream");
        let mut table = Table::default();
        table.apply(&stream.expect("base"));
        (stream, table)
    };
    let mut streams: Vec<_> = (0..60).map(open).collect();
    gateway.process.signal("TERM");
    await_closing(&gateway);
    // New ones are told to go elsewhere, at once.
    let mut elsewhere = request(address, "GET", "/counter/stream", &[]);
    assert_eq!(elsewhere.status, 200);
    let text = elsewhere.text();
    assert!(
        text.starts_with("retry: ") && text.contains("\n: "),
        "{text}"
    );
    let json = [("Accept", "application/json")];
    assert_eq!(
        request(address, "GET", "/counter/stream", &json).status,
        503
    );

    // In turns of one event each: how many turns each stream goes on for.
    let mut turns = vec![0; streams.len()];
    let mut open: Vec<usize> = (0..streams.len()).collect();
    while !open.is_empty() {
        open.retain(|at| {
            let (stream, table) = &mut streams[*at];
            turns[*at] += 1;
            match stream.next() {
                Some(event) => table.apply(&event),
                None => assert_eq!(stream.comments, 1, "it is told why"),
            }
            stream.comments == 0
        });
    }
    turns.sort_unstable();
    turns.dedup();
    println!("ends after {turns:?} events");
    // Few on a busy machine, where turns take long; one, if nothing was spread.
    assert!(turns.len() >= 3, "they ended together: {turns:?}");
    let retries: std::collections::BTreeSet<_> =
        streams.iter().map(|(stream, _)| stream.retry_ms).collect();
    assert!(retries.len() > 10, "each is given a time of its own");
    assert_eq!(gateway.process.await_exit().code(), Some(0));
}

#[test]
fn shutdown_second_signal_ends_at_once_and_nobody_is_waited_for_without_streams() {
    // A drain that no test would live to see.
    let mut gateway = Gateway::demo(&["--drain", "1h"]);
    let (mut stream, mut table) = (
        Stream::open(gateway.address, "/counter/stream"),
        Table::default(),
    );
    table.apply(&stream.expect("base"));
    gateway.process.signal("TERM");
    await_closing(&gateway);
    let before = table.deltas;
    table.read_until(&mut stream, |table| table.deltas > before);
    gateway.process.signal("TERM");
    read_to_the_end(&mut stream, &mut table);
    assert_eq!(gateway.process.await_exit().code(), Some(0));

    let mut idle = Gateway::demo(&["--drain", "1h"]);
    idle.await_ready();
    idle.process.signal("TERM");
    assert_eq!(idle.process.await_exit().code(), Some(0));
}
