//! What operators do to a server in a normal week: each is told for what it is,
//! and nobody is told of it who need not be.

use std::time::{Duration, Instant};

use crate::support::follower::Follower;
use crate::support::gateway::{Gateway, PATIENCE};
use crate::support::http::get;
use crate::support::materialize::{Failure, Generation, Materialize, row};
use crate::support::pgwire;
use crate::support::sse::{Event, Stream};

/// The question for the columns of `v`, by its id.
const COLUMNS: &str = "SELECT * FROM [u1 AS \"materialize\".\"public\".\"v\"] LIMIT 0";

/// Words of no version.
const WORDS: &str = "it is not what it was";

fn server() -> Materialize {
    let server = Materialize::start(Generation::Modern);
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["1"]), 1)]);
    server
}

fn gateway(server: &Materialize, more: &[&str]) -> Gateway {
    let url = server.url();
    let arguments = ["--upstream", &url, "--view", "v", "--reconnect-max", "50ms"];
    Gateway::start(&[&arguments[..], more].concat())
}

/// The reason that a list of `/readyz` has for `v`, once it is accepted.
fn await_reason(gateway: &Gateway, list: &str, accept: impl Fn(&str) -> bool) -> String {
    await_reason_of(gateway, "v", list, accept)
}

fn await_reason_of(
    gateway: &Gateway,
    name: &str,
    list: &str,
    accept: impl Fn(&str) -> bool,
) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let body = get(gateway.address, "/readyz").json();
        let views = body[list].as_array().cloned().unwrap_or_default();
        let of_v = views.iter().find(|view| view["view"] == name);
        let reason = of_v.and_then(|view| view["reason"].as_str());
        if let Some(reason) = reason.filter(|reason| accept(reason)) {
            return reason.to_owned();
        }
        assert!(Instant::now() < deadline, "not in time: {body}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Reads on until the stream ends with `gone`; nothing but heartbeats before.
fn gone(stream: &mut Stream) -> String {
    loop {
        let event = stream.next().expect("gone before the end");
        if event.name == "gone" {
            assert_eq!(stream.next(), None);
            return event.data;
        }
        assert_eq!((&*event.name, &*event.data), ("delta", "[]"), "{event:?}");
    }
}

/// A version may say it as it likes: the catalog tells.
#[test]
fn operators_drop_is_gone_at_once_whatever_the_server_says_of_it() {
    for (code, words) in [
        ("42704", "relation 'materialize.public.v' was dropped"),
        ("42704", WORDS),
        ("XX000", WORDS),
        ("0A000", WORDS),
    ] {
        let server = server();
        let gateway = gateway(&server, &[]);
        let mut stream = Stream::open(gateway.address, "/v/stream");
        stream.expect("base");
        let begin = Instant::now();
        server.drop_view_saying("v", code, words);
        let reason = gone(&mut stream);
        assert!(begin.elapsed() < Duration::from_secs(2), "{code} {words}");
        assert!(reason.contains("was dropped"), "{reason}");
        let log = gateway.process.log();
        let is_told = |line: &str| line.contains("is gone: the view was dropped");
        let loud =
            |line: &&String| line.contains(" ERROR ") || line.contains(" WARN ") && !is_told(line);
        let loud: Vec<_> = log.iter().filter(loud).collect();
        assert!(loud.is_empty(), "{loud:#?}");
    }
}

/// Without its cluster a view is lost, not gone; it is back with another one.
#[test]
fn operators_drop_of_a_cluster_is_told_apart() {
    let server = server();
    let gateway = gateway(&server, &[]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    stream.expect("base");
    let unknown = pgwire::error("XX000", "unknown cluster 'c'");
    server.answer(COLUMNS, unknown, usize::MAX);
    server.fail_streams("v", "42704", "cluster 'c' was dropped");
    assert_eq!(next_word(&mut stream), "\"lost\"");
    await_reason(&gateway, "impaired", |reason| {
        reason.starts_with("the cluster")
    });
    server.forget_answers();
    assert_eq!(next_word(&mut stream), "\"live\"");
}

/// What is said of the upstream next; only heartbeats come before it.
fn next_word(stream: &mut Stream) -> String {
    loop {
        let event = stream.next().expect("the stream goes on");
        if event.name == "upstream" {
            return event.data;
        }
        assert_eq!((&*event.name, &*event.data), ("delta", "[]"), "{event:?}");
    }
}

/// An index that is dropped takes its streams with it, and no view.
#[test]
fn operators_drop_of_an_index_is_nobodys_concern() {
    let server = server();
    let gateway = gateway(&server, &["--heartbeat", "100ms"]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    stream.expect("base");
    server.fail_streams("v", "42704", "relation 'materialize.public.i' was dropped");
    server.commit("v", vec![(row(["2"]), 1)]);
    loop {
        let event = stream.next().expect("it goes on");
        assert_eq!(event.name, "delta", "{event:?}");
        if event.data != "[]" {
            break;
        }
    }
}

#[test]
fn operators_of_a_full_server_are_told_so() {
    for code in ["53000", "53300"] {
        let server = server();
        let words = "creating connection would violate max_connections limit (desired: 3)";
        server.refuse_with(Some((code, words)));
        let gateway = gateway(&server, &[]);
        let reason = await_reason(&gateway, "waiting", |reason| reason.contains("no room"));
        assert!(reason.ends_with(&format!("(SQLSTATE {code})")), "{reason}");
        let line = gateway.process.await_log("view \"v\" at position none");
        assert!(line.contains("raise its max_connections"), "{line}");
        assert!(!line.contains("that it is up"), "{line}");
        server.refuse_with(None);
        gateway.await_ready();
    }
}

/// A gateway that is started while the cluster has no replica says why it has
/// nothing to show.
#[test]
fn operators_of_a_cluster_without_replicas_are_told_by_a_new_gateway() {
    let server = server();
    let words = "CLUSTER \"c\" has no replicas available to service request";
    server.answer(COLUMNS, pgwire::error("0A000", words), usize::MAX);
    let gateway = gateway(&server, &[]);
    let reason = await_reason(&gateway, "waiting", |reason| reason.contains("no replica"));
    assert!(reason.ends_with("(SQLSTATE 0A000)"), "{reason}");
    server.forget_answers();
    gateway.await_ready();
}

/// The server's limit on results: named, where the snapshot is over it, and
/// warned of where the gateway's is higher.
#[test]
fn operators_of_a_low_max_result_size_are_told_its_name() {
    let server = server();
    let limit = pgwire::rows(&["max_result_size"], &[vec![Some("1MB".to_owned())]]);
    server.answer("SHOW max_result_size", limit, usize::MAX);
    let told = |more: &[&str]| {
        for _ in 0..100 {
            server.fail_next_copy("XX000", "result exceeds max size of 1.0 MB");
        }
        let gateway = gateway(&server, more);
        await_reason(&gateway, "waiting", |reason| {
            reason.contains("max_result_size")
        });
        let line = gateway.process.await_log("view \"v\" at position");
        assert!(line.contains("Raise max_result_size there"), "{line}");
        gateway
            .process
            .await_log("the upstream's max_result_size is 1MB")
    };
    assert!(told(&["--max-view-bytes", "2MiB"]).contains(" WARN "));
    // Nobody has asked for the default.
    assert!(told(&[]).contains(" INFO "));
}

/// `ALTER MATERIALIZED VIEW ... APPLY REPLACEMENT`: the view has another id from
/// then on, and is the same view in every gateway, started before or after.
#[test]
fn operators_replacement_is_one_delta_and_the_same_view_everywhere() {
    let server = server();
    let before = gateway(&server, &[]);
    let mut client = Follower::join(&server, &before, "v");
    server.replace("v", vec![(row(["1"]), 1), (row(["2"]), 1)]);
    client.reach(server.now());
    let after = gateway(&server, &[]);
    after.await_ready();
    // Who hops has a delta.
    let mut hopping = Follower::join(&server, &before, "v");
    hopping.reach(server.now());
    let at = hopping.table.timestamp.expect("a base");
    let id = format!("{at}-{}", hopping.table.incarnation);
    hopping.stream = Stream::resume(after.address, "/v/stream", &id);
    let at = server.commit("v", vec![(row(["3"]), 1)]);
    hopping.reach(at);
    // And when something cuts the connection, there is nothing to be told of.
    server.cut_all();
    let at = server.commit("v", vec![(row(["4"]), 1)]);
    client.reach(at);
    hopping.reach(at);
}

/// What the new definition makes of the past is not what was told of it: the
/// stream is not gone on with there, though the server would.
#[test]
fn operators_replacement_during_an_outage_is_one_delta() {
    let server = server();
    let gateway = gateway(&server, &[]);
    let mut client = Follower::join(&server, &gateway, "v");
    server.refuse(true);
    server.cut_all();
    client.until_upstream("lost");
    server.replace("v", vec![(row(["2"]), 1)]);
    server.refuse(false);
    client.until_upstream("live");
    let at = server.commit("v", vec![(row(["3"]), 1)]);
    client.reach(at);
}

/// The stream goes on after it, and only a question tells.
#[test]
fn operators_revoke_is_noticed_while_the_stream_goes_on() {
    let server = server();
    // Each has its own way with it. No probe of a silent stream is to notice first.
    let times = ["--heartbeat", "500ms", "--upstream-timeout", "1h"];
    let gone_then = gateway(&server, &times);
    let lost_then = gateway(&server, &[&times[..], &["--revoked", "lost"]].concat());
    let mut ending = Stream::open(gone_then.address, "/v/stream");
    ending.expect("base");
    let mut going_on = Follower::join(&server, &lost_then, "v");
    let begin = Instant::now();
    server.deny("v", true);
    let reason = gone(&mut ending);
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert!(
        reason.contains("may not read the view any more"),
        "{reason}"
    );
    let line = gone_then.process.await_log("permission denied");
    assert!(line.contains("Grant the role SELECT"), "{line}");
    let mut waiting = Stream::open(gone_then.address, "/v/stream");
    let at = server.commit("v", vec![(row(["2"]), 1)]);
    going_on.reach(at);
    server.cut_all();
    going_on.until_upstream("lost");
    await_reason(&lost_then, "impaired", |reason| {
        reason.starts_with("permission denied")
    });
    // Granted again, it is served: anew, or on from where it was.
    server.deny("v", false);
    let at = server.commit("v", vec![(row(["3"]), 1)]);
    going_on.until_upstream("live");
    going_on.reach(at);
    while waiting.next().expect("it waits").name != "base" {}
}

/// `ALTER TABLE ... ADD COLUMN`: noticed though the stream goes on without it.
#[test]
fn operators_column_that_is_added_is_noticed_where_it_is_shown() {
    let directory = tempfile::tempdir().expect("directory");
    let config = directory.path().join("viewcast.toml");
    let chosen = "[view.chosen]\nrelation = \"v\"\ncolumns = [\"n\"]\n";
    std::fs::write(&config, chosen).expect("write");
    let config = config.display().to_string();
    let server = server();
    let both = ["--config", &config, "--view", "chosen"];
    let gateway = gateway(&server, &[&both[..], &["--heartbeat", "100ms"]].concat());
    let mut all = Stream::open(gateway.address, "/v/stream");
    let mut chosen = Stream::open(gateway.address, "/chosen/stream");
    all.expect("base");
    let first = chosen.expect("base");
    let begin = Instant::now();
    server.add_column("v", ("m", "text"));
    let reason = gone(&mut all);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(reason.contains("columns have changed"), "{reason}");
    server.commit("v", vec![(row(["2", "b"]), 1)]);
    // Where the column is not shown nothing is told of it.
    let event = loop {
        let event = chosen.next().expect("it goes on");
        if event.data != "[]" {
            break event;
        }
    };
    assert_eq!(event.name, "delta", "{event:?}");
    assert!(event.data.contains("{\"n\":2}"), "{event:?}");
    assert_eq!(incarnation(&event), incarnation(&first));
    // Another gateway has the same of both.
    let other = self::gateway(&server, &both);
    for path in ["/v/stream", "/chosen/stream"] {
        let here = Stream::open(gateway.address, path).expect("base");
        let there = Stream::open(other.address, path).expect("base");
        assert_eq!(incarnation(&here), incarnation(&there), "{path}");
        assert_eq!(here.data.contains("\"m\":"), path == "/v/stream");
    }
}

/// For a while there was nothing to ask the columns of.
#[test]
fn operators_column_is_noticed_of_a_view_that_was_not_there_for_a_while() {
    let server = server();
    let gateway = gateway(&server, &["--catalog-interval", "100ms"]);
    Stream::open(gateway.address, "/v/stream").expect("base");
    let asked = || {
        let statements = server.statements();
        let is_it = |sql: &&String| sql.contains("FROM mz_catalog.mz_objects WHERE name");
        statements.iter().filter(is_it).count()
    };
    server.drop_view("v");
    await_reason(&gateway, "impaired", |reason| reason.contains("dropped"));
    // Its name is asked for several times meanwhile.
    let (before, deadline) = (asked(), Instant::now() + PATIENCE);
    while asked() < before + 6 {
        assert!(Instant::now() < deadline, "not asked any more");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    server.create_view("v", &[("n", "integer")]);
    server.commit("v", vec![(row(["1"]), 1)]);
    let mut stream = Stream::open(gateway.address, "/v/stream");
    stream.expect("base");
    server.add_column("v", ("m", "text"));
    let reason = gone(&mut stream);
    assert!(reason.contains("columns have changed"), "{reason}");
    // No server takes an empty list, and what it refuses once is not asked again.
    let statements = server.statements();
    let empty = statements.iter().find(|sql| sql.contains("IN ()"));
    assert_eq!(empty, None);
}

fn incarnation(event: &Event) -> String {
    let id = event.id.as_deref().expect("an id");
    id.rsplit_once('-').expect("its two parts").1.to_owned()
}

/// Waits until this is answered with a status.
fn await_status(gateway: &Gateway, path: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while get(gateway.address, path).status != status {
        assert!(Instant::now() < deadline, "never {status}: {path}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn of_pattern(server: &Materialize) -> Gateway {
    let url = server.url();
    let arguments = ["--upstream", &url, "--view", "public.*"];
    let times = ["--catalog-interval", "200ms", "--upstream-timeout", "500ms"];
    Gateway::start(&[&arguments[..], &times].concat())
}

/// A source that has no data yet does not answer, maybe for ever.
#[test]
fn operators_source_without_data_keeps_no_other_of_its_pattern_waiting() {
    let server = server();
    server.create_view("empty", &[("n", "integer")]);
    let by_id = server.by_id("empty");
    for relation in [by_id.as_str(), "\"public\".\"empty\""] {
        let sql = format!("SELECT * FROM {relation} LIMIT 0");
        for _ in 0..500 {
            server.fail_next_query(&sql, Failure::Silence);
        }
    }
    let gateway = of_pattern(&server);
    await_status(&gateway, "/public.v", 200);
    await_reason_of(&gateway, "public.empty", "waiting", |it| {
        it.contains("silent")
    });
    server.create_view("later", &[("n", "integer")]);
    server.commit("later", vec![(row(["1"]), 1)]);
    await_status(&gateway, "/public.later", 200);
    // It has some.
    server.forget_answers();
    server.commit("empty", vec![(row(["1"]), 1)]);
    await_status(&gateway, "/public.empty", 200);
    gateway.await_ready();
}

#[test]
fn operators_rename_within_a_pattern_ends_streams_and_serves_the_new_name() {
    let server = server();
    let gateway = of_pattern(&server);
    gateway.await_ready();
    let mut stream = Stream::open(gateway.address, "/public.v/stream");
    stream.expect("base");
    server.rename("v", "other");
    let reason = gone(&mut stream);
    assert!(reason.contains("was renamed"), "{reason}");
    await_status(&gateway, "/public.other", 200);
    let mut stream = Stream::open(gateway.address, "/public.other/stream");
    assert_eq!(stream.expect("base").data, "[{\"n\":1}]");
    await_status(&gateway, "/public.v", 404);
}
