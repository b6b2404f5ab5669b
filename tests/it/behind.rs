//! Clients that are behind: who comes back, who reads slowly, who stopped
//! reading, and who is ahead of a gateway that lags.

use std::thread;
use std::time::{Duration, Instant};

use crate::oracle::wire::{Event, How, Read, Wire};
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, Pace, row};
use crate::support::proxy::Proxy;
use crate::support::sse::{self, Stream};
use crate::support::standin::{TextRows, text_rows};
use crate::support::table::Table;

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer"), ("b", "text")]);
    server.commit("v", vec![(row(["0", "first"]), 1)]);
    server
}

fn gateway(url: &str, more: &[&str]) -> Gateway {
    let mut arguments = vec!["--upstream", url, "--view", "v"];
    arguments.extend(more);
    let gateway = Gateway::start(&arguments);
    gateway.await_ready();
    gateway
}

fn truth(server: &Materialize, at: u64) -> TextRows {
    let rows = server.contents_at("v", at).into_iter();
    rows.map(|(row, copies)| (row, u64::try_from(copies).unwrap()))
        .collect()
}

/// A client that has reached a time.
fn joined(gateway: &Gateway, at: u64) -> (Stream, Table) {
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    table.read_until(&mut stream, |table| table.timestamp >= Some(at));
    (stream, table)
}

/// Changes of a row of ten thousand bytes: one goes, one comes.
fn turn(server: &Materialize, n: u64) -> u64 {
    let fat = |n: u64| row([&n.to_string(), &"x".repeat(10_000)]);
    let mut changes = vec![(fat(n), 1)];
    if n > 1 {
        changes.push((fat(n - 1), -1));
    }
    server.commit("v", changes)
}

#[test]
fn behind_by_hundreds_of_timestamps_a_client_that_returns_gets_one_delta() {
    let server = server();
    let url = server.url();
    let gateway = gateway(&url, &[]);
    let (stream, mut table) = joined(&gateway, server.now());
    let id = stream.last_id.clone().expect("an id");
    drop(stream);
    let mut witness = joined(&gateway, server.now());
    let mut at = 0;
    for n in 1..=200 {
        let flicker = vec![(row(["7", "there and gone"]), 1 - 2 * (n % 2))];
        let changes = if n == 1 {
            vec![(row(["1", "new"]), 1)]
        } else {
            flicker
        };
        at = server.commit("v", changes);
        if n == 1 {
            server.commit("v", vec![(row(["7", "there and gone"]), 1)]);
        }
    }
    // The gateway has it all.
    witness
        .1
        .read_until(&mut witness.0, |table| table.timestamp >= Some(at));
    let mut stream = Stream::resume(gateway.address, "/v/stream", &id);
    let event = stream.expect("delta");
    table.apply(&event);
    assert_eq!(
        (table.timestamp, table.bases),
        (Some(at), 1),
        "all of it in one delta"
    );
    assert_eq!(text_rows(&table.rows), truth(&server, at));
    assert_eq!(text_rows(&witness.1.rows), truth(&server, at));
}

/// Reads a narrow stream to its end or to a time; deltas with changes.
fn read_on(wire: &mut Wire, table: &mut Table, at: u64) -> Read {
    let deadline = Instant::now() + PATIENCE;
    while table.timestamp < Some(at) {
        assert!(Instant::now() < deadline, "not there in time");
        match wire.read() {
            Read::Event(Event { name, id, data }) => table.apply(&sse::Event { name, id, data }),
            Read::Nothing => {}
            other => return other,
        }
    }
    Read::Nothing
}

/// A client that reads its base and then nothing while much happens.
fn stalled(server: &Materialize, gateway: &Gateway) -> (Wire, Table, u64) {
    let how = How {
        is_narrow: true,
        ..How::default()
    };
    let mut wire = Wire::open(gateway.address, "/v/stream", None, how).expect("accepted");
    let mut table = Table::default();
    read_on(&mut wire, &mut table, server.now());
    let mut witness = joined(gateway, server.now());
    let mut at = 0;
    // Twelve million bytes: more than the kernel takes for one socket.
    for n in 1..=600 {
        at = turn(server, n);
        // So that the gateway has published each of them.
        witness
            .1
            .read_until(&mut witness.0, |table| table.timestamp >= Some(at));
    }
    assert_eq!(text_rows(&witness.1.rows), truth(server, at));
    (wire, table, at)
}

#[test]
fn behind_a_slow_reader_gets_a_net_delta_and_loses_nothing() {
    let server = server();
    let url = server.url();
    let gateway = gateway(&url, &[]);
    let (mut wire, mut table, at) = stalled(&server, &gateway);
    assert_eq!(read_on(&mut wire, &mut table, at), Read::Nothing);
    assert_eq!(text_rows(&table.rows), truth(&server, at));
    assert_eq!(table.bases, 1);
    assert!(
        table.deltas < 500,
        "{} deltas: nothing was consolidated",
        table.deltas
    );
}

#[test]
fn behind_beyond_retention_the_stream_ends_between_events_and_returns_to_a_base() {
    let server = server();
    let url = server.url();
    let gateway = gateway(&url, &["--retention-bytes", "256KiB"]);
    let (mut wire, mut table, at) = stalled(&server, &gateway);
    // `Ended` is an end between two events; anything else is not.
    assert_eq!(read_on(&mut wire, &mut table, at), Read::Ended);
    let last = table.timestamp.expect("a position");
    assert_eq!(text_rows(&table.rows), truth(&server, last));
    let id = format!("{last}-{}", table.incarnation);
    let mut again = Stream::resume(gateway.address, "/v/stream", &id);
    again.expect("base");
}

#[test]
fn behind_beyond_the_age_of_retention_a_client_gets_a_base() {
    let server = server();
    let url = server.url();
    let gateway = gateway(&url, &["--retention-age", "1s", "--heartbeat", "100ms"]);
    let (stream, _) = joined(&gateway, server.now());
    let id = stream.last_id.clone().expect("an id");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let at = server.commit("v", vec![(row(["1", "more"]), 1)]);
        let mut again = Stream::resume(gateway.address, "/v/stream", &id);
        let event = again.next().expect("an event");
        if event.name == "base" {
            break;
        }
        assert!(Instant::now() < deadline, "still resumed at {at}");
        thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn behind_a_client_a_gateway_waits_until_it_has_reached_it() {
    let server = server();
    let proxy = Proxy::start(server.address());
    let url = format!("postgres://materialize@{}/materialize", proxy.address);
    // A lagging upstream is not yet a silent one.
    let lagging = gateway(&url, &["--upstream-timeout", "1m"]);
    let direct = server.url();
    let ahead = gateway(&direct, &[]);
    proxy.stall(true);
    let at = server.commit("v", vec![(row(["1", "ahead"]), 1)]);
    let (stream, mut table) = joined(&ahead, at);
    let id = stream.last_id.clone().expect("an id");
    let mut wire =
        Wire::open(lagging.address, "/v/stream", Some(&id), How::default()).expect("accepted");
    assert_eq!(wire.read(), Read::Nothing, "no base yet [R3]");
    proxy.stall(false);
    let next = server.commit("v", vec![(row(["2", "on"]), 1)]);
    assert_eq!(read_on(&mut wire, &mut table, next), Read::Nothing);
    assert_eq!(table.bases, 1, "gone on without a base");
    assert_eq!(text_rows(&table.rows), truth(&server, next));
    // But not for ever: then it is a base.
    proxy.stall(true);
    let at = server.commit("v", vec![(row(["3", "ahead"]), 1)]);
    let (stream, _) = joined(&ahead, at);
    let id = stream.last_id.clone().expect("an id");
    Stream::resume(lagging.address, "/v/stream", &id).expect("base");
}

/// A client brings a position that the gateway has reached, but has not sent as
/// an id itself: its heartbeats must not give that id again [P5].
#[test]
fn behind_nothing_a_client_of_another_gateway_is_not_sent_its_own_id() {
    let server = server();
    let url = server.url();
    let here = gateway(&url, &["--heartbeat", "1h"]);
    let there = gateway(&url, &["--heartbeat", "300ms"]);
    for _ in 0..3 {
        // Time moves and stands: only heartbeats tell.
        let at = server.tick();
        let position = |gateway: &Gateway| {
            let views = get(gateway.address, "/views").json();
            views["views"][0]["position"].as_str().map(str::to_owned)
        };
        let reached = |id: Option<String>| id.is_some_and(|id| id.starts_with(&at.to_string()));
        let deadline = Instant::now() + PATIENCE;
        while !reached(position(&here)) || !reached(position(&there)) {
            assert!(Instant::now() < deadline, "not there in time");
            thread::park_timeout(Duration::from_millis(2));
        }
        // A base at this time from the one that sends no heartbeats.
        let id = Stream::open(here.address, "/v/stream")
            .expect("base")
            .id
            .expect("an id");
        let mut stream = Stream::resume(there.address, "/v/stream", &id);
        for _ in 0..2 {
            let beat = stream.expect("delta");
            assert_ne!(beat.id.as_deref(), Some(id.as_str()), "an id twice");
        }
    }
}

/// Two gateways on one upstream that tells one of them less often how far it
/// is: a position between a change and what was closed with it has the change.
#[test]
fn behind_in_progress_a_gateway_sends_nothing_that_a_client_of_another_has() {
    let server = server();
    let url = server.url();
    let fine = gateway(&url, &["--heartbeat", "100ms"]);
    let (mut stream, mut table) = joined(&fine, server.now());
    server.pace(Pace::Every(3));
    let coarse = gateway(&url, &["--heartbeat", "100ms"]);
    let (mut witness, mut seen) = joined(&coarse, server.now());
    for round in 1..4 {
        let changed = server.commit("v", vec![(row(["1", "once"]), 1)]);
        let between = server.tick_after(100);
        table.read_until(&mut stream, |table| table.timestamp >= Some(between));
        // Closes the change and what came after it, with one row.
        server.tick_after(100);
        seen.read_until(&mut witness, |table| table.timestamp >= Some(changed));
        // Both from the change's own time and from a later one.
        let at = if round == 2 { changed } else { between };
        let id = format!("{at}-{}", table.incarnation);
        let mut hopped = Stream::resume(coarse.address, "/v/stream", &id);
        let mut held = table.clone();
        held.timestamp = Some(at);
        let last = server.commit("v", vec![(row(["2", "more"]), 1)]);
        server.tick_after(100);
        server.tick_after(100);
        held.read_until(&mut hopped, |table| table.timestamp >= Some(last));
        assert_eq!(text_rows(&held.rows), truth(&server, last), "round {round}");
        assert_eq!(held.bases, 1, "gone on without a base [R3]");
    }
}
