//! The whole gateway before an upstream that fails in every way: each client
//! has one base, and at every id it is sent its rows are the view's.

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, Process};
use crate::support::http::{get, request};
use crate::support::materialize::{Failure, Generation, Materialize, row};
use crate::support::proxy::Proxy;
use crate::support::sse::Stream;
use crate::support::table::Table;

const COLUMNS: [(&str, &str); 2] = [("n", "integer"), ("b", "text")];

/// A server with view `v`, which holds duplicates, and `w`.
fn server(generation: Generation) -> Materialize {
    let server = Materialize::start(generation);
    server.create_view("v", &COLUMNS);
    server.create_view("w", &COLUMNS);
    server.commit("v", vec![(row(["1", "x"]), 3), (row(["2", "y"]), 1)]);
    server.commit("w", vec![(row(["7", "w"]), 1)]);
    server
}

fn gateway(server: &Materialize) -> Gateway {
    let url = server.url();
    Gateway::start(&[
        "--upstream",
        &url,
        "--view",
        "v",
        "--view",
        "w",
        "--heartbeat",
        "200ms",
    ])
}

#[test]
fn oracle_duplicates_are_exact_at_every_id() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let gateway = gateway(&server);
        let mut client = Follower::join(&server, &gateway, "v");
        assert_eq!(client.table.rows.values().sum::<u64>(), 4);
        for (row_changed, diff) in [("1", 2), ("1", -4), ("3", 1_000), ("3", -999), ("1", -1)] {
            let at = server.commit("v", vec![(row([row_changed, "x"]), diff)]);
            client.reach(at);
        }
        let at = server.commit("v", vec![(row(["3", "x"]), -1), (row(["4", "z"]), 2)]);
        client.reach(at);
        assert_eq!(client.table.rows.values().sum::<u64>(), 3);
    }
}

#[test]
fn upstream_outage_is_one_delta_between_lost_and_live() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let gateway = gateway(&server);
        let mut client = Follower::join(&server, &gateway, "v");
        server.refuse(true);
        server.restart();
        outage(&server, &mut client);
    }
}

#[test]
fn upstream_outage_with_history_is_one_delta_too() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server);
    let mut client = Follower::join(&server, &gateway, "v");
    server.refuse(true);
    server.cut_all();
    outage(&server, &mut client);
    let resumed = |copy: &String| copy.contains("SNAPSHOT = false");
    assert!(
        server.copies().iter().any(resumed),
        "the history was there to resume from"
    );
}

/// Changes happen while the upstream refuses; then it is back.
fn outage(server: &Materialize, client: &mut Follower<'_>) {
    client.until_upstream("lost");
    for n in 0..20 {
        let flicker = (row(["6", "gone"]), 1 - 2 * (n % 2));
        server.commit("v", vec![(row(["5", "during"]), 1), flicker]);
    }
    let at = server.commit("v", vec![(row(["1", "x"]), -3)]);
    let before = client.table.deltas;
    server.refuse(false);
    client.reach(at);
    let deltas = client.table.deltas - before;
    assert_eq!(deltas, 1, "what changed meanwhile is ONE delta [P8]");
    client.until_upstream("live");
    let at = server.commit("v", vec![(row(["8", "after"]), 1)]);
    client.reach(at);
}

#[test]
fn bad_data_is_logged_and_corrected_without_a_second_base() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let gateway = gateway(&server);
        let mut client = Follower::join(&server, &gateway, "v");
        for bad in [
            "{t}\tf\t1\t9\n",                            // too few columns
            "{t}\tf\t1\t9\tx\ty\n",                      // too many
            "{t}\tf\t0\t9\tx\n",                         // a diff of zero
            "{t}\tf\t-5\t1\tx\n{u}\tt\t\\N\t\\N\t\\N\n", // a negative multiplicity
            // Half of a delta is right.
            "{t}\tf\t-1\t1\tx\n{t}\tf\t-5\t2\ty\n{u}\tt\t\\N\t\\N\t\\N\n",
            "{t}\tf\tone\t9\tx\n",
            "soon\tf\t1\t9\tx\n",
            "1000\tf\t1\t9\tx\n",         // time goes back
            "{t}\tf\t1\t9\t\\xff\\xfe\n", // not UTF-8 once decoded
        ] {
            let now = server.now();
            let bytes = bad
                .replace("{t}", &(now + 500).to_string())
                .replace("{u}", &(now + 600).to_string());
            server.inject("v", bytes.as_bytes());
            let at = server.commit("v", vec![(row(["10", "next"]), 1)]);
            client.reach(at);
        }
        let log = gateway.process.log().join("\n");
        assert!(log.contains("\"v\"") && !log.contains("panic"), "{log}");
        assert!(!log.contains("next"), "rows are never logged: {log}");
    }
}

#[test]
fn dropped_view_is_gone_while_others_go_on() {
    let server = server(Generation::Modern);
    let gateway = gateway(&server);
    let mut client = Follower::join(&server, &gateway, "v");
    let mut other = Follower::join(&server, &gateway, "w");
    let incarnation = client.table.incarnation.clone();
    server.drop_view("v");
    let gone = loop {
        let event = client.stream.next().expect("gone before the end");
        if event.name == "gone" {
            break event;
        }
    };
    let data: serde_json::Value = serde_json::from_str(&gone.data).expect("JSON");
    assert!(data["reason"].is_string(), "[P9] {data}");
    assert_eq!(client.stream.next(), None, "the end, between events");
    let id = client.stream.last_id.clone().expect("an id");
    let at = server.commit("w", vec![(row(["8", "w"]), 1)]);
    other.reach(at);
    // Created anew with other columns: who comes back gets a base of it.
    server.create_view("v", &[("n", "integer"), ("b", "text"), ("c", "text")]);
    server.commit("v", vec![(row(["1", "x", "new"]), 1)]);
    let mut again = Stream::resume(gateway.address, "/v/stream", &id);
    let base = again.expect("base");
    assert!(base.data.contains("\"c\":\"new\""), "{base:?}");
    assert!(
        !base.id.expect("an id").ends_with(&incarnation),
        "another incarnation"
    );
}

#[test]
fn gateways_on_one_upstream_share_positions() {
    let server = server(Generation::Modern);
    let (here, there) = (gateway(&server), gateway(&server));
    let mut client = Follower::join(&server, &here, "v");
    Follower::join(&server, &there, "v");
    // Hops from one gateway to the other with every change [R3].
    for hop in 0..10 {
        let at = server.commit("v", vec![(row(["1", "hop"]), 1)]);
        client.reach(at);
        let id = client.stream.last_id.clone().expect("an id");
        let target = if hop % 2 == 0 { &there } else { &here };
        client.stream = Stream::resume(target.address, "/v/stream", &id);
    }
    let at = server.commit("v", vec![(row(["1", "hop"]), -1)]);
    client.reach(at);
}

/// What a connection that broke, or a server that is busy, leaves unanswered is
/// not taken for another view: the streams go on, and positions stay good.
#[test]
fn questions_that_fail_by_the_way_make_no_other_view() {
    let ids = "SELECT id, schema_id, type FROM mz_catalog.mz_objects WHERE name = 'v'";
    for (generation, environment) in [
        (Generation::Modern, "SELECT mz_environment_id()"),
        (Generation::Old, "SELECT mz_cluster_id()"),
    ] {
        let server = server(generation);
        let url = server.url();
        let mut arguments = vec!["--upstream", &url, "--reconnect-max", "50ms"];
        arguments.extend(["--view", "v", "--view", "w", "--heartbeat", "200ms"]);
        let gateway = Gateway::start(&arguments);
        let mut client = Follower::join(&server, &gateway, "v");
        let busy = Failure::Code("57014");
        // Both views ask for the environment.
        for (question, views, failure) in [
            (ids, 1, Failure::Cut),
            (ids, 1, busy.clone()),
            (environment, 2, Failure::Cut),
            (environment, 2, busy),
        ] {
            let asked = |server: &Materialize| {
                let statements = server.statements();
                statements.iter().filter(|sql| *sql == question).count()
            };
            let before = asked(&server);
            for _ in 0..views {
                server.fail_next_query(question, failure.clone());
            }
            server.cut_all();
            server.wait_until("asked again", |it| asked(it) >= before + 2 * views);
            let at = server.commit("v", vec![(row(["3", "more"]), 1)]);
            client.reach(at);
        }
    }
}

/// Positions from before time went back are told from those of a view that was
/// created since by the incarnation: these are believed at any time.
#[test]
fn resume_in_a_view_created_after_time_went_back_needs_no_base() {
    let server = server(Generation::Modern);
    server.tick_after(1_000_000_000);
    let gateway = gateway(&server);
    let before = Follower::join(&server, &gateway, "v");
    server.rewind(500_000_000, &[("v".to_owned(), vec![(row(["1", "x"]), 2)])]);
    // The stream ends as gone; who comes back is served the earlier time.
    let mut stream = before.stream;
    while stream.next().is_some() {}
    let mut back = Follower::join(&server, &gateway, "v");
    assert!(back.table.timestamp < before.table.timestamp);
    server.drop_view("v");
    while back.stream.next().is_some() {}
    server.create_view("v", &COLUMNS);
    server.commit("v", vec![(row(["5", "new"]), 1)]);
    let created = Follower::join(&server, &gateway, "v");
    assert_ne!(created.table.incarnation, before.table.incarnation);
    let id = created.stream.last_id.clone().expect("an id");
    let mut returned = Follower {
        stream: Stream::resume(gateway.address, "/v/stream", &id),
        ..created
    };
    let at = server.commit("v", vec![(row(["6", "next"]), 1)]);
    returned.reach(at);
}

#[test]
fn resume_inside_a_delta_of_several_timestamps_sends_a_base() {
    let server = server(Generation::Modern);
    let (here, there) = (gateway(&server), gateway(&server));
    let mut behind = Follower::join(&server, &here, "v");
    let mut ahead = Follower::join(&server, &there, "v");
    // One gateway sees every timestamp; the other is cut off for some of them,
    // and its one delta over the gap is of no use to who has seen half of it.
    let first = server.commit("v", vec![(row(["1", "a"]), 1)]);
    behind.reach(first);
    ahead.reach(first);
    here.process.signal("STOP");
    let half = server.commit("v", vec![(row(["1", "b"]), 1)]);
    ahead.reach(half);
    let id = ahead.stream.last_id.clone().expect("an id");
    drop(there);
    server.restart();
    let last = server.commit("v", vec![(row(["1", "c"]), 1)]);
    here.process.signal("CONT");
    behind.reach(last);
    let mut returned = Stream::resume(here.address, "/v/stream", &id);
    let mut table = Table::default();
    table.incarnation.clone_from(&behind.table.incarnation);
    let event = returned.next().expect("an event");
    if event.name == "base" {
        table.apply(&event);
        table.read_until(&mut returned, |table| table.timestamp >= Some(last));
        assert_eq!(table.rows, behind.table.rows);
    } else {
        // The gateway had seen the half after all, before it was stopped.
        assert_eq!(event.name, "delta");
        assert!(
            !event.data.contains("\"b\":\"b\""),
            "nothing twice: {event:?}"
        );
    }
}

/// What came and went during an outage leaves no change, but who has been told
/// of it elsewhere holds what nobody here has seen.
#[test]
fn resume_inside_changes_that_cancelled_out_sends_a_base() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let proxy = Proxy::start(server.address());
        let url = format!("postgres://materialize@{}/materialize", proxy.address);
        let here = Gateway::start(&["--upstream", &url, "--view", "v", "--heartbeat", "200ms"]);
        let there = gateway(&server);
        let mut behind = Follower::join(&server, &here, "v");
        let mut ahead = Follower::join(&server, &there, "v");
        proxy.refuse(true);
        proxy.cut_all();
        behind.until_upstream("lost");
        let half = server.commit("v", vec![(row(["9", "passing"]), 1)]);
        ahead.reach(half);
        let id = ahead.stream.last_id.clone().expect("an id");
        server.commit("v", vec![(row(["9", "passing"]), -1)]);
        proxy.heal();
        behind.until_upstream("live");
        let mut returned = Follower {
            stream: Stream::resume(here.address, "/v/stream", &id),
            table: Table::default(),
            ..ahead
        };
        assert_eq!(returned.step().name, "base", "{generation:?}");
        let known = [("If-None-Match", &*format!("\"{id}\""))];
        let rows = request(here.address, "GET", "/v", &known);
        assert_eq!(
            rows.status, 200,
            "{generation:?}: it has the row that is gone"
        );
        let at = server.commit("v", vec![(row(["3", "more"]), 1)]);
        returned.reach(at);
    }
}

#[test]
fn empty_and_constant_views_have_a_base_on_both_generations() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = Materialize::start(generation);
        server.create_view("v", &COLUMNS);
        server.create_view("w", &COLUMNS);
        server.commit("w", vec![(row(["7", "w"]), 2)]);
        server.set_constant("w");
        let gateway = gateway(&server);
        let mut empty = Follower::join(&server, &gateway, "v");
        assert!(empty.table.rows.is_empty());
        let at = server.commit("v", vec![(row(["1", "x"]), 1)]);
        empty.reach(at);
        let mut constant = Stream::open(gateway.address, "/w/stream");
        let mut table = Table::default();
        table.apply(&constant.expect("base"));
        assert_eq!(table.rows.values().sum::<u64>(), 2);
        // Heartbeats go on, and no id is ever sent twice [P5, P7].
        for _ in 0..3 {
            let beat = constant.expect("delta");
            assert_eq!((beat.data.as_str(), beat.id), ("[]", None));
        }
        let upstream = |list: &serde_json::Value| list["views"][1]["upstream"].clone();
        assert_eq!(upstream(&get(gateway.address, "/views").json()), "complete");
    }
}

#[test]
fn upstream_that_is_not_up_yet_is_waited_for() {
    let server = server(Generation::Modern);
    server.refuse(true);
    let gateway = gateway(&server);
    let ready = get(gateway.address, "/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(get(gateway.address, "/v").status, 503);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    // Comments keep it open [P1]; the first bytes are the retry and one of them.
    while stream.comments == 0 {
        stream.feed().expect("the stream goes on");
    }
    server.refuse(false);
    stream.expect("base");
    gateway.await_ready();
}

#[test]
fn view_over_the_limit_is_gone_and_others_go_on() {
    let server = server(Generation::Modern);
    let url = server.url();
    let gateway = Gateway::start(&[
        "--upstream",
        &url,
        "--view",
        "v",
        "--view",
        "w",
        "--max-view-bytes",
        "1KiB",
    ]);
    let mut client = Follower::join(&server, &gateway, "v");
    let mut other = Follower::join(&server, &gateway, "w");
    // A multiplicity sent by mistake: few bytes here, a terabyte of JSON.
    server.commit("v", vec![(row(["1", "x"]), 1 << 36)]);
    let gone = loop {
        let event = client.stream.next().expect("gone before the end");
        if event.name == "gone" {
            break event;
        }
    };
    assert!(gone.data.contains("larger"), "{gone:?}");
    assert_eq!(client.stream.next(), None);
    let at = server.commit("w", vec![(row(["8", "w"]), 1)]);
    other.reach(at);
    let line = gateway.process.await_log("more than the 1024 allowed");
    assert!(line.contains("\"v\""), "{line}");
    // Small again, it is served again.
    server.commit("v", vec![(row(["1", "x"]), -(1 << 36))]);
    server.tick_every(std::time::Duration::from_millis(20));
    Stream::open(gateway.address, "/v/stream").expect("base");
}

#[test]
fn silent_upstream_is_lost_and_found_again() {
    for generation in [Generation::Modern, Generation::Old] {
        let server = server(generation);
        let url = server.url();
        let gateway = Gateway::start(&[
            "--upstream",
            &url,
            "--view",
            "v",
            "--upstream-timeout",
            "500ms",
        ]);
        let mut client = Follower::join(&server, &gateway, "v");
        // No answer, no stream, no close: a half-open connection, or SIGSTOP.
        server.silence(true);
        client.until_upstream("lost");
        server.silence(false);
        let at = server.commit("v", vec![(row(["5", "x"]), 1)]);
        client.reach(at);
        client.until_upstream("live");
    }
}

#[test]
fn unknown_view_is_fatal_and_names_the_nearest() {
    let server = server(Generation::Modern);
    server.create_view("top10", &COLUMNS);
    let url = server.url();
    let mut process = Process::start(&[
        "--upstream",
        &url,
        "--view",
        "v",
        "--view",
        "top01",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(process.await_exit().code(), Some(1));
    let log = process.log().join("\n");
    assert!(log.contains("error: ") && log.contains("top01"), "{log}");
    assert!(log.contains("hint: ") && log.contains("\"top10\""), "{log}");
}
