//! Gateways that are started anew on a view whose history the server retains:
//! their logs begin in the past, and who comes back goes on from there.

use std::time::{Duration, Instant};

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Generation, Materialize, row};
use crate::support::sse::Stream;
use crate::support::standin::StandIn;
use crate::support::table::Table;

const HOUR_MS: u64 = 3_600_000;

/// A server with a view of which so much of the past can be read.
fn server(history_ms: u64) -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server.retain_history("v", history_ms);
    server.commit("v", vec![(row(["1"]), 3), (row(["2"]), 2)]);
    server
}

fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    let arguments = ["--upstream", &url, "--view", "v", "--reconnect-max", "50ms"];
    Gateway::start_heard(&[&arguments[..], more].concat(), false)
}

fn two(server: &Materialize, more: &[&str]) -> [Gateway; 2] {
    let both = [0, 1].map(|_| gateway(server, more));
    both.iter().for_each(Gateway::await_ready);
    both
}

/// Row 1 comes and goes, and others come; the time.
fn commit(server: &Materialize, n: u64) -> u64 {
    let diff = if n.is_multiple_of(2) { -1 } else { 1 };
    let other = (row([&(n + 10).to_string()]), 1);
    server.commit("v", vec![(row(["1"]), diff), other])
}

/// Goes on from where the client stands.
fn resume(client: &mut Follower<'_>, gateway: &Gateway) {
    let at = client.table.timestamp.expect("a base");
    let id = format!("{at}-{}", client.table.incarnation);
    client.stream = Stream::resume(gateway.address, "/v/stream", &id);
}

fn bases_taken(gateway: &Gateway) -> u64 {
    let text = get(gateway.address, "/metrics").text();
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with("viewcast_bases_taken_total"));
    let (_, value) = line.expect("the sample").rsplit_once(' ').expect("a value");
    value.parse().expect("a whole number")
}

/// Clients who joined at many times, and gateways restarted while changes go on.
/// With history, or with the second that there is without, which is less than
/// passes while they are away.
fn restart_under(clients: usize, history_ms: u64) {
    let server = server(history_ms);
    let before = two(&server, &[]);
    let mut all: Vec<Follower<'_>> = Vec::new();
    for n in 0..clients {
        if n.is_multiple_of(20) {
            let at = commit(&server, u64::try_from(n / 20).unwrap());
            all.iter_mut().step_by(7).for_each(|one| one.reach(at));
        }
        all.push(Follower::join(&server, &before[n % 2], "v"));
    }
    drop(before);
    for n in 100..110 {
        commit(&server, n);
    }
    let after = two(&server, &[]);
    let retains = history_ms == HOUR_MS;
    for (n, client) in all.iter_mut().enumerate() {
        // Each at the other gateway.
        resume(client, &after[(n + 1) % 2]);
        if !retains {
            client.table = Table::default();
        }
    }
    let at = commit(&server, 110);
    for client in &mut all {
        // One base in all: that of before, or else the one of now.
        client.reach(at);
        assert_eq!(client.table.upstream, None, "nobody is told of anything");
    }
    let taken: u64 = after.iter().map(bases_taken).sum();
    assert_eq!(taken == 0, retains, "{taken} bases");
}

#[test]
fn history_of_a_fleet_that_is_restarted_at_once_spares_everybody_a_base() {
    restart_under(500, HOUR_MS);
}

#[test]
fn history_that_is_not_retained_is_one_base_for_each() {
    restart_under(40, 1_000);
}

/// A log is not longer than it is to be, whatever the server retains.
#[test]
fn history_is_read_within_the_age_of_retention() {
    let server = server(HOUR_MS);
    let before = gateway(&server, &[]);
    let mut early = Follower::join(&server, &before, "v");
    server.tick_after(60_000);
    let at = commit(&server, 1);
    let mut late = Follower::join(&server, &before, "v");
    late.reach(at);
    commit(&server, 2);
    let after = gateway(&server, &["--retention-age", "30s"]);
    after.await_ready();
    let copies = server.copies();
    let asked = format!("AS OF AT LEAST {})", server.now() - 30_000);
    assert!(copies.last().unwrap().contains(&asked), "{copies:?}");
    let at = commit(&server, 3);
    resume(&mut late, &after);
    late.reach(at);
    resume(&mut early, &after);
    early.table = Table::default();
    early.reach(at);
}

/// Each time is one to go on from, also where changes are held back.
#[test]
fn history_is_gone_on_with_from_each_of_its_times() {
    let server = server(HOUR_MS);
    let before = gateway(&server, &[]);
    let mut all = vec![Follower::join(&server, &before, "v")];
    for n in 1..12 {
        // Several within an interval.
        let at = server.commit_after(7, "v", vec![(row([&n.to_string()]), 1)]);
        all.push(Follower::join(&server, &before, "v"));
        all[0].reach(at);
    }
    drop(before);
    let after = gateway(&server, &["--min-interval", "10s"]);
    after.await_ready();
    let at = server.tick();
    for client in &mut all {
        resume(client, &after);
    }
    let end = server.commit("v", vec![(row(["99"]), 1)]);
    for client in &mut all {
        client.reach(at.max(end));
    }
}

/// What was, is not shown as if it were so: neither while it comes nor when it
/// breaks off in the middle.
#[test]
fn history_is_shown_to_nobody_before_it_is_the_present() {
    for is_cut in [true, false] {
        let server = server(HOUR_MS);
        let before = gateway(&server, &[]);
        let mut client = Follower::join(&server, &before, "v");
        for n in 1..10 {
            commit(&server, n);
        }
        // The snapshot, and a few of the changes.
        server.hang_next_copy(8);
        let copies = server.copies().len();
        let after = gateway(&server, &[]);
        let begins = |server: &Materialize| server.copies().len() > copies;
        server.wait_until("a COPY", begins);
        let mut joining = Follower::of(&server, "v", Stream::open(after.address, "/v/stream"));
        resume(&mut client, &after);
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            assert_eq!(get(after.address, "/readyz").status, 503);
            assert_eq!(get(after.address, "/v").status, 503);
            let list = get(after.address, "/views").json();
            assert_eq!(list["views"][0]["position"], serde_json::Value::Null);
            assert_eq!(list["views"][0]["upstream"], "loading", "{list}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let now = server.now();
        match is_cut {
            true => server.cut_all(),
            false => server.let_hang(false),
        }
        while joining.table.timestamp.is_none() {
            joining.step();
        }
        assert_eq!(joining.table.timestamp, Some(now), "a base of now");
        let at = commit(&server, 10);
        joining.reach(at);
        client.reach(at);
        assert_eq!(client.table.upstream, None);
    }
}

#[test]
fn history_that_the_server_refuses_or_fails_over_is_done_without() {
    for messages in [None, Some(0), Some(1), Some(3)] {
        let server = server(HOUR_MS);
        commit(&server, 1);
        let begun = Instant::now();
        match messages {
            None => server.fail_next_copy("22000", "could not find a valid timestamp"),
            Some(messages) => server.break_next_copy(messages),
        }
        let gateway = gateway(&server, &[]);
        let mut client = Follower::join(&server, &gateway, "v");
        assert!(begun.elapsed() < PATIENCE / 10, "at once");
        let at = commit(&server, 2);
        client.reach(at);
        let copies = server.copies();
        let asked: Vec<_> = copies
            .iter()
            .map(|copy| copy.contains("AT LEAST"))
            .collect();
        assert_eq!(asked, [true, false], "{copies:?}");
        let log = gateway.process.log();
        let loud = |line: &&String| line.contains(" ERROR ") || line.contains(" WARN ");
        assert_eq!(log.iter().find(loud), None);
    }
}

/// A definition that was replaced makes something else of the past: its own, or
/// that of what a view is computed from that is not materialized.
#[test]
fn history_that_may_be_another_by_now_is_not_read() {
    for is_replaced in [true, false] {
        let server = Materialize::start(Generation::Modern);
        server.create_view("v", &[("n", "integer")]);
        if is_replaced {
            server.retain_history("v", HOUR_MS);
        }
        server.commit("v", vec![(row(["1"]), 1)]);
        let before = gateway(&server, &[]);
        let mut client = Follower::join(&server, &before, "v");
        drop(before);
        match is_replaced {
            true => server.replace("v", vec![(row(["1"]), 1), (row(["7"]), 1)]),
            false => drop(server.commit("v", vec![(row(["7"]), 1)])),
        }
        let after = gateway(&server, &[]);
        after.await_ready();
        resume(&mut client, &after);
        client.table = Table::default();
        let at = commit(&server, 1);
        client.reach(at);
        let copies = server.copies();
        assert!(!copies.last().unwrap().contains("AT LEAST"), "{copies:?}");
    }
}

/// The stand-in retains ten minutes.
#[test]
fn history_of_the_stand_in_spares_a_base() {
    let standin = StandIn::start(&["--tick", "50ms", "--rate", "400"]);
    let arguments = ["--upstream", &standin.url, "--view", "counter"];
    let start = || Gateway::start_heard(&arguments, false);
    let before = start();
    let mut stream = Stream::open(before.address, "/counter/stream");
    let mut table = Table::default();
    table.read_until(&mut stream, |table| table.deltas > 3);
    let id = format!("{}-{}", table.timestamp.unwrap(), table.incarnation);
    drop((stream, before));
    let after = start();
    let mut stream = Stream::resume(after.address, "/counter/stream", &id);
    let deltas = table.deltas;
    table.read_until(&mut stream, |table| table.deltas > deltas + 3);
    assert_eq!(table.bases, 1);
    let rows = crate::support::standin::rows_as_of(
        &mut standin.connect(),
        "counter",
        table.timestamp.unwrap(),
    );
    assert_eq!(crate::support::standin::text_rows(&table.rows), rows);
}
