//! Signals: streams end between two events, the process within two seconds.

use std::time::Instant;

use crate::support::gateway::Gateway;
use crate::support::sse::Stream;
use crate::support::standin::StandIn;
use crate::support::table::Table;

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
        // `next` fails the test where a stream ends inside an event [P13].
        while let Some(event) = stream.next() {
            table.apply(&event);
        }
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
    ends_properly(&mut Gateway::demo(&[]), "TERM");
    ends_properly(&mut Gateway::demo(&[]), "INT");
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
    ]);
    let _never_read = Stream::open(gateway.address, "/user_edits/stream");
    Stream::open(gateway.address, "/counter/stream").expect("base");
    standin.process.signal("STOP");
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.await_exit().code(), Some(0));
    standin.process.signal("CONT");
}
