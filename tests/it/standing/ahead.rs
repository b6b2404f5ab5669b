//! Views that are known ahead of the upstream's time.

use super::{
    BOTH, COLUMNS, Follower, Gateway, Generation, Instant, Joined, Materialize, PATIENCE, Stream,
    always, await_word, gateway, get, row, server, view,
};
use crate::support::standin::{StandIn, rows_as_of, text_rows};
use crate::support::table::Table;

const HOUR_MS: u64 = 3_600_000;

/// A server whose view `v` changes once an hour, and its gateway.
fn refreshed(tells_time: bool) -> (Materialize, Gateway) {
    let server = Materialize::start(Generation::Modern);
    for view in ["v", "w"] {
        server.create_view(view, &COLUMNS);
        server.commit(view, vec![(row(["0", view]), 2)]);
    }
    server.set_refresh("v", HOUR_MS);
    if !tells_time {
        always(&server, "SELECT mz_now()", "42601", "not here");
    }
    let gateway = gateway(&server, &[]);
    gateway.await_ready();
    (server, gateway)
}

/// Waits for so many probes of silent streams.
fn await_probes(server: &Materialize, times: usize) {
    let asked = |server: &Materialize| {
        let statements = server.statements().into_iter();
        statements.filter(|sql| sql == "SELECT mz_now()").count()
    };
    let before = asked(server);
    server.wait_until("asked for the time", |server| {
        asked(server) >= before + times
    });
}

/// What is said of the upstream next; heartbeats come before it.
fn next_word(client: &mut Stream) -> String {
    loop {
        let event = client.next().expect("the stream goes on");
        if event.name == "upstream" {
            return event.data;
        }
        assert_eq!((event.name.as_str(), event.data.as_str()), ("delta", "[]"));
    }
}

#[test]
fn standing_view_known_ahead_of_time_is_live_though_silent() {
    for tells_time in [true, false] {
        let (server, gateway) = refreshed(tells_time);
        let mut client = Stream::open(gateway.address, "/v/stream");
        client.expect("base");
        let copies = |server: &Materialize| {
            let copies = server.copies().into_iter();
            copies.filter(|sql| sql.contains("\"v\"")).count()
        };
        let mut heartbeats = 0;
        await_probes(&server, 8);
        while heartbeats < 5 {
            let event = client.next().expect("the stream goes on");
            assert_eq!((event.name.as_str(), event.data.as_str()), ("delta", "[]"));
            heartbeats += 1;
        }
        assert_eq!(copies(&server), 1, "nothing was begun anew");
        assert_eq!(view(&gateway, "v")["upstream"], "live");
        // A server that is dead is noticed all the same.
        server.silence(true);
        assert_eq!(next_word(&mut client), "\"lost\"");
        server.silence(false);
        // And once it is back, there is nothing to be told of the view.
        assert_eq!(next_word(&mut client), "\"live\"");
        await_probes(&server, 8);
        for _ in 0..3 {
            assert_eq!(client.next().expect("it goes on").name, "delta");
        }
    }
}

/// With its history readable or not: the connection is lost, and what it said
/// before still holds.
#[test]
fn standing_view_known_ahead_of_time_is_live_again_after_an_outage() {
    for is_readable in [true, false] {
        let (server, gateway) = refreshed(true);
        let mut client = Follower::join(&server, &gateway, "v");
        match is_readable {
            true => server.cut_all(),
            false => server.restart(),
        }
        client.until_upstream("lost");
        client.until_upstream("live");
        // The refresh itself.
        let wait = HOUR_MS - server.now() % HOUR_MS;
        let at = server.commit_after(wait, "v", vec![(row(["1", "fresh"]), 1)]);
        client.reach(at);
        assert_eq!(client.table.bases, 1, "{is_readable}");
    }
}

#[test]
fn standing_view_known_ahead_of_time_holds_up_no_other() {
    let (server, gateway) = refreshed(true);
    let mut joined = Joined::default();
    let mut stream = joined.open(gateway.address, BOTH);
    joined.read_until(&mut stream, |_| true);
    let reach = |joined: &mut Joined, stream: &mut Stream, last: u64| {
        let deadline = Instant::now() + PATIENCE;
        joined.read_until(stream, |joined| {
            assert!(Instant::now() < deadline, "not in time");
            joined.time >= Some(last)
        });
        for name in ["v", "w"] {
            let time = joined.time.expect("a time");
            let shown = crate::support::standin::text_rows(&joined.shown[name]);
            let truth = server.contents_at(name, time).into_iter();
            let truth = truth.map(|(row, copies)| (row, copies.unsigned_abs()));
            assert_eq!(shown, truth.collect(), "{name} at {time}");
        }
    };
    for n in 1..4 {
        let last = server.commit("w", vec![(row([&n.to_string(), "steady"]), 1)]);
        reach(&mut joined, &mut stream, last);
    }
    // Who begins now has a base that is known for an hour.
    get(gateway.address, "/v").text();
    let mut later = Joined::default();
    let mut newcomer = later.open(gateway.address, BOTH);
    later.read_until(&mut newcomer, |_| true);
    // And who comes back goes on from there.
    let mut back = joined.open(gateway.address, BOTH);
    for n in 4..6 {
        let last = server.commit("w", vec![(row([&n.to_string(), "steady"]), 1)]);
        reach(&mut later, &mut newcomer, last);
        reach(&mut joined, &mut back, last);
    }
    // The refresh, behind which it is known for another hour at once.
    let wait = HOUR_MS - server.now() % HOUR_MS;
    server.commit_after(wait, "v", vec![(row(["1", "fresh"]), 1)]);
    let last = server.commit("w", vec![(row(["6", "steady"]), 1)]);
    reach(&mut later, &mut newcomer, last);
    reach(&mut joined, &mut back, last);
    assert_eq!((joined.bases["v"], joined.bases["w"]), (1, 1));
    // It is gone at once, not in an hour.
    server.drop_view("v");
    while joined.gone.is_empty() {
        joined.next(&mut back);
    }
    let last = server.commit("w", vec![(row(["7", "alone"]), 1)]);
    joined.read_until(&mut back, |joined| joined.time >= Some(last));
    await_word(&gateway, "v", "gone");
}

/// Where the server's clock goes back, silence is no promise that is kept.
#[test]
fn standing_view_known_ahead_of_time_is_gone_where_time_went_back() {
    let server = server(Generation::Modern);
    server.tick_after(1_000_000_000);
    server.set_refresh("v", HOUR_MS);
    let gateway = gateway(&server, &[]);
    gateway.await_ready();
    let before = Follower::join(&server, &gateway, "v");
    server.rewind(
        500_000_000,
        &[("v".to_owned(), vec![(row(["1", "earlier"]), 2)])],
    );
    let mut stream = before.stream;
    let mut told = Vec::new();
    while let Some(event) = stream.next() {
        told.push(event);
    }
    let last = told.last().expect("a word");
    assert_eq!(last.name, "gone", "{told:?}");
    assert!(last.data.contains("time went back"), "{last:?}");
    let back = Follower::join(&server, &gateway, "v");
    assert!(back.table.timestamp < before.table.timestamp);
}

/// The stand-in's own refreshes, as those of the demo's operators.
#[test]
fn standing_view_with_refreshes_of_the_stand_in_is_exact_and_live() {
    let stand_in = StandIn::start(&["--tick", "50ms"]);
    let mut sql = stand_in.connect();
    for statement in [
        "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES (0)",
        "CREATE MATERIALIZED VIEW v WITH (REFRESH EVERY '1 second') AS SELECT * FROM t",
    ] {
        sql.simple_query(statement).expect(statement);
    }
    let often = ["--view", "v", "--heartbeat", "200ms"];
    let gateway = Gateway::start(&[&["--upstream", &stand_in.url], &often[..]].concat());
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/v/stream");
    let mut table = Table::default();
    let (mut n, mut changes) = (0, 0);
    let deadline = Instant::now() + PATIENCE;
    while n < 20 || table.rows.len() < 21 {
        assert!(
            Instant::now() < deadline,
            "{} rows in time",
            table.rows.len()
        );
        let before = table.rows.len();
        let event = stream.next().expect("the stream goes on");
        assert!(!event.is_noise() || event.data == "[]", "{event:?}");
        table.apply(&event);
        if table.rows.len() > before {
            changes += 1;
            let at = table.timestamp.expect("a time");
            let truth = rows_as_of(&mut sql, "v", at);
            assert_eq!(text_rows(&table.rows), truth, "at {at}");
        }
        if n < 20 {
            n += 1;
            let insert = format!("INSERT INTO t VALUES ({n})");
            sql.simple_query(&insert).expect("inserted");
        }
    }
    assert!(
        (3..20).contains(&changes),
        "{changes} refreshes had changes"
    );
    let told = view(&gateway, "v");
    assert_eq!(told["upstream"], "live");
    assert_eq!(told["lag_seconds"].as_f64(), Some(0.0), "{told}");
}
